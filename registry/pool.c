/* SPDX-License-Identifier: Apache-2.0 */
/* pool.c - memory of a snapshot or a catalog: taken piece by piece, given back at once. */
#include <stdlib.h>
#include <string.h>

#include "reading.h"

enum { CHUNK = 64 << 10 };

struct metrics__chunk {
    struct metrics__chunk *next;
    size_t used, size;
    _Alignas(16) unsigned char bytes[];
};

void *metrics__pool_take(struct metrics__pool *pool, size_t n)
{
    struct metrics__chunk *c = pool->chunks;
    n = (n + 15) & ~(size_t)15;
    if (!c || n > c->size - c->used) {
        size_t size = n > CHUNK / 4 ? n : CHUNK;
        struct metrics__chunk *fresh = calloc(1, sizeof *fresh + size);
        if (!fresh) {
            pool->failed = true;
            return NULL;
        }
        fresh->size = size;
        /* A large piece has a chunk of its own, behind the one that still has room. */
        if (c && size != CHUNK) {
            fresh->next = c->next;
            c->next = fresh;
        } else {
            fresh->next = c;
            pool->chunks = fresh;
        }
        c = fresh;
    }
    void *p = c->bytes + c->used;
    c->used += n;
    return p;
}

char *metrics__pool_text(struct metrics__pool *pool, const char *text, size_t n)
{
    char *copy = metrics__pool_take(pool, n + 1);
    if (copy) memcpy(copy, text, n);
    return copy;
}

void metrics__pool_free(struct metrics__pool *pool)
{
    for (struct metrics__chunk *c = pool->chunks, *next; c; c = next) {
        next = c->next;
        free(c);
    }
    pool->chunks = NULL;
}
