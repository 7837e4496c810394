/* SPDX-License-Identifier: Apache-2.0 */
#include "gzip.h"

#include <limits.h>
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
