/* SPDX-License-Identifier: Apache-2.0 */
#include "gzip.h"

#include <limits.h>
#include <stdlib.h>
#include <zlib.h>

bool gzip_pack(const void *data, size_t n, int level, enum gzip_container container, struct buf *out)
{
    z_stream z = {0};
    size_t from = out->len;
    int window = container == GZIP_GZIP ? 15 + 16 : 15;
    if (n > UINT_MAX / 2 || deflateInit2(&z, level, Z_DEFLATED, window, 8, Z_DEFAULT_STRATEGY) != Z_OK)
        return false;
    uLong bound = deflateBound(&z, (uLong)n);
    z.next_in = (Bytef *)(uintptr_t)data;
    z.avail_in = (uInt)n;
    z.next_out = (Bytef *)buf_room(out, bound);
    z.avail_out = (uInt)bound;
    bool done = z.next_out && deflate(&z, Z_FINISH) == Z_STREAM_END;
    if (done)
        out->len += z.total_out;
    else
        buf_cut(out, from);
    deflateEnd(&z);
    return done;
}

struct gzip {
    z_stream z;
    gzip_source *source;
    void *arg;
    bool ended, broken;
    char piece[32768];
};

struct gzip *gzip_open(int level, gzip_source *source, void *arg)
{
    struct gzip *g = malloc(sizeof *g);
    if (!g) return NULL;
    g->z = (z_stream){0};
    g->source = source;
    g->arg = arg;
    g->ended = g->broken = false;
    if (deflateInit2(&g->z, level, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) == Z_OK) return g;
    free(g);
    return NULL;
}

static void gzip_fill(struct gzip *g)
{
    size_t n = g->source(g->arg, g->piece, sizeof g->piece);
    g->broken = n == GZIP_BROKEN;
    g->ended = n == 0;
    g->z.next_in = (Bytef *)g->piece;
    g->z.avail_in = g->broken ? 0 : (uInt)n;
}

size_t gzip_read(struct gzip *g, char *to, size_t n)
{
    int result = Z_OK;
    if (n > UINT_MAX) n = UINT_MAX;
    g->z.next_out = (Bytef *)to;
    g->z.avail_out = (uInt)n;
    while (g->z.avail_out && result == Z_OK && !g->broken) {
        if (!g->z.avail_in && !g->ended) gzip_fill(g);
        if (!g->broken) result = deflate(&g->z, g->ended ? Z_FINISH : Z_NO_FLUSH);
    }
    /* Z_BUF_ERROR means no progress: the room was full at the very end. That is not an error. */
    if (g->broken || (result != Z_OK && result != Z_STREAM_END && result != Z_BUF_ERROR)) return GZIP_BROKEN;
    return n - g->z.avail_out;
}

void gzip_close(struct gzip **gzip)
{
    struct gzip *g = *gzip;
    if (!g) return;
    deflateEnd(&g->z);
    free(g);
    *gzip = NULL;
}
