/* SPDX-License-Identifier: Apache-2.0 */
/*
 * base64.h - bytes as text, RFC 4648 section 4: for HTTP's Basic authentication.
 *
 * Pure. Thread-safe.
 */
#ifndef EXPORTERS_BASE64_H
#define EXPORTERS_BASE64_H

#include "buf.h"

/* Appends `n` bytes in base64, padded, without line breaks. Failure shows in `out`. */
void base64(struct buf *out, const void *data, size_t n);

#endif
