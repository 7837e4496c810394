/* SPDX-License-Identifier: Apache-2.0 */
/* gzip.h - compressed bodies. Pure; safe in any thread. */
#ifndef EXPORTERS_GZIP_H
#define EXPORTERS_GZIP_H

#include "buf.h"

enum gzip_container { GZIP_GZIP, GZIP_ZLIB }; /* RFC 1952; RFC 1950, which HTTP calls "deflate" */

/* Appends `n` bytes compressed (level 1 to 9). False, `out` as it was, when memory or its limit does not do.
 */
bool gzip_pack(const void *data, size_t n, int level, enum gzip_container container, struct buf *out);

#endif
