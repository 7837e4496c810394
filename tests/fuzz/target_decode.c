/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Promise: the bytes of a snapshot may come from a log, a pipe, another machine. Whatever they are, decoding
 * ends, takes no more memory than the bytes are worth, and what it returns can be walked, merged and encoded.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <zlib.h>

#include "base.h"
#include "fuzz.h"
#include "walk.h"
#include "wrap.h"

enum { ENCODE_TOO = 0x10 }; /* of an input's first byte; the others say how it is wrapped (wrap.h) */

/* The snapshot of a base. */
static metrics_snapshot_t *sound(unsigned i)
{
    const struct base *b = base_get(i);
    metrics_error_t error;
    FILE *f = fopen(base_path(), "we");
    if (!f || fwrite(b->bytes, 1, b->size, f) != b->size || fclose(f)) abort();
    metrics_reader_t *r = metrics_reader_open(base_path(), NULL, &error);
    metrics_snapshot_t *s = r ? metrics_snapshot_take(r, &error) : NULL;
    FUZZ_HOLDS(s, "a sound segment can be read");
    metrics_reader_close(&r);
    unlink(base_path());
    return s;
}

const uint8_t *fuzz_seed(unsigned i, size_t *n)
{
    static uint8_t raw[WRAP_MAX + 1];
    void *bytes;
    uLongf room = WRAP_MAX;
    metrics_error_t error;
    if (i >= BASES) return NULL;
    metrics_snapshot_t *s = sound(i);
    if (metrics_snapshot_encode(s, &bytes, n, &error)) abort();
    metrics_snapshot_release(&s);
    raw[0] = 1 | (i == 1 ? ENCODE_TOO : 0);
    if (uncompress(raw + 1, &room, (uint8_t *)bytes + 16, *n - 16) != Z_OK) abort();
    free(bytes);
    *n = room + 1;
    return raw;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static metrics_snapshot_t *base;
    metrics_error_t error;
    size_t length;
    if (!base) base = sound(1);
    if (!n) return 0;
    const uint8_t *bytes = wrap_bytes(data[0], data + 1, n - 1, &length);
    metrics_snapshot_t *s = metrics_snapshot_decode(bytes, length, &error), *both;
    if (!s) return 0;
    walk_snapshot(s, base);
    if (data[0] & ENCODE_TOO) walk_bytes(s);
    if ((both = metrics_snapshot_merge(base, s, &error))) walk_snapshot(both, base);
    metrics_snapshot_release(&both);
    metrics_snapshot_release(&s);
    return 0;
}
