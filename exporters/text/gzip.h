/* SPDX-License-Identifier: Apache-2.0 */
/* gzip.h - compressed bodies. Safe in any thread. */
#ifndef EXPORTERS_GZIP_H
#define EXPORTERS_GZIP_H

#include "buf.h"

enum gzip_container { GZIP_GZIP, GZIP_ZLIB }; /* RFC 1952; RFC 1950, which HTTP calls "deflate" */

/* Appends `n` bytes compressed (level 1 to 9). False, `out` as it was, when memory or its limit does not do.
 * Pure. */
bool gzip_pack(const void *data, size_t n, int level, enum gzip_container container, struct buf *out);

/* --- Piece by piece --- */

/* Some 300 KiB, whatever the length of the body. One thread at a time. */
struct gzip;

#define GZIP_BROKEN SIZE_MAX

/* Writes the next piece of what is to be compressed, at most n bytes: how many; 0 at its end; GZIP_BROKEN if
 * it cannot go on. */
typedef size_t gzip_source(void *arg, char *to, size_t n);

/* RFC 1952. NULL without memory. */
struct gzip *gzip_open(int level, gzip_source *source, void *arg);

/* The next piece of the compressed body, with the meaning of a gzip_source; asks the source as it needs. */
size_t gzip_read(struct gzip *gzip, char *to, size_t n);

void gzip_close(struct gzip **gzip);

#endif
