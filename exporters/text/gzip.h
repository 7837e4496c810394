/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gzip.h - compressed bodies, whole or piece by piece.
 *
 * Thread-safe, but a struct gzip belongs to one thread at a time.
 */
#ifndef EXPORTERS_GZIP_H
#define EXPORTERS_GZIP_H

#include "buf.h"

enum gzip_container { GZIP_GZIP, GZIP_ZLIB }; /* RFC 1952; RFC 1950, which HTTP calls "deflate" */

/* Appends `n` bytes compressed (level 1 to 9). False if memory, or the limit of `out`, is not enough; the
 * contents of `out` are as before then, but it may be marked as failed. Pure. */
bool gzip_pack(const void *data, size_t n, int level, enum gzip_container container, struct buf *out);

/* --- Piece by piece --- */

/* A compressor of about 300 KiB, whatever the length of the body. */
struct gzip;

#define GZIP_BROKEN SIZE_MAX

/* Writes the next piece of the uncompressed body to `to`, at most n bytes, and returns its length; 0 at the
 * end of the body; GZIP_BROKEN if it cannot go on. */
typedef size_t gzip_source(void *arg, char *to, size_t n);

/* Starts a body in the form of RFC 1952. The source is called with `arg` by gzip_read() only. The caller
 * closes it. NULL without memory. */
struct gzip *gzip_open(int level, gzip_source *source, void *arg);

/* Writes the next piece of the compressed body; the result is that of a gzip_source. */
size_t gzip_read(struct gzip *gzip, char *to, size_t n);

/* Frees it, wherever in the body it is; *gzip becomes NULL. It may be NULL before. */
void gzip_close(struct gzip **gzip);

#endif
