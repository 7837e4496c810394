/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: pieces of a pool's memory do not overlap and are zeroed, also when it was used before. */
#include "unit.h"

#include "reading.h"

static bool is_zero(const unsigned char *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (p[i]) return false;
    return true;
}

/* Breaks if two pieces overlap, one is not zero or not aligned, in a pool's first life or a later one. */
UNIT(pool, pieces)
{
    enum { PIECES = 4000 };
    static unsigned char *piece[PIECES];
    static size_t size[PIECES];
    struct metrics__pool pool = {0};
    uint64_t seed = 7;
    for (int life = 0; life < 4; life++) {
        for (int i = 0; i < PIECES; i++) {
            seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407u;
            size[i] = (seed >> 33) % (i % 500 == 499 ? 100000 : 200);
            piece[i] = metrics__pool_take(&pool, size[i]);
            REQUIRE(piece[i] != NULL);
            if (!is_zero(piece[i], size[i]) || (uintptr_t)piece[i] % 8)
                UNIT_FAIL("%s:%d: piece %d of %zu bytes\n", UNIT_AT, i, size[i]);
            memset(piece[i], 1 + i % 255, size[i]);
        }
        for (int i = 0; i < PIECES; i++)
            for (size_t k = 0; k < size[i]; k++)
                if (piece[i][k] != (unsigned char)(1 + i % 255)) {
                    UNIT_FAIL("%s:%d: piece %d was overwritten\n", UNIT_AT, i);
                    break;
                }
        CHECK(!pool.failed);
        metrics__pool_reset(&pool);
        CHECK(pool.chunks == NULL && pool.idle != NULL);
    }
    metrics__pool_reset(&pool);
    CHECK(pool.idle == NULL); /* what was not needed in a life does not stay */
    metrics__pool_free(&pool);
}
