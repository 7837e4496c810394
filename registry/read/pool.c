/* SPDX-License-Identifier: Apache-2.0 */
#include "pool.h"

#include <stdlib.h>
#include <string.h>

/* Chunks double, so that little is not made much. */
enum { FIRST = 2 << 10, CHUNK = 64 << 10 };

struct metrics__chunk {
    struct metrics__chunk *next;
    size_t used, size;
    _Alignas(8) unsigned char bytes[];
};

/* A chunk of the idle ones if n fits into it, else a fresh one. */
static struct metrics__chunk *chunk_for(struct metrics__pool *pool, size_t n, size_t last)
{
    struct metrics__chunk *c = pool->idle;
    if (c && n <= c->size) {
        pool->idle = c->next;
        return c;
    }
    size_t size = last && last * 2 < CHUNK ? last * 2 : last ? CHUNK : FIRST;
    if (n > size) size = n > CHUNK / 4 ? n : CHUNK;
    if ((c = malloc(sizeof *c + size))) *c = (struct metrics__chunk){.size = size};
    return c;
}

void *metrics__pool_take(struct metrics__pool *pool, size_t n)
{
    struct metrics__chunk *c = pool->chunks;
    n = (n + 7) & ~(size_t)7;
    if (!c || n > c->size - c->used) {
        struct metrics__chunk *fresh = chunk_for(pool, n, c ? c->size : 0);
        if (!fresh) {
            pool->failed = true;
            return NULL;
        }
        /* A large piece has a chunk of its own, behind the one that still has room. */
        bool own = c && fresh->size == n;
        fresh->next = own ? c->next : c;
        *(own ? &c->next : &pool->chunks) = fresh;
        c = fresh;
    }
    void *p = c->bytes + c->used;
    c->used += n;
    return memset(p, 0, n);
}

char *metrics__pool_text(struct metrics__pool *pool, const char *text, size_t n)
{
    char *copy = metrics__pool_take(pool, n + 1);
    if (copy) memcpy(copy, text, n);
    return copy;
}

static void free_chunks(struct metrics__chunk *c)
{
    for (struct metrics__chunk *next; c; c = next) {
        next = c->next;
        free(c);
    }
}

/* Chunks that were not used in this life will hardly be in the next; odd ones fit nothing else. */
void metrics__pool_reset(struct metrics__pool *pool)
{
    free_chunks(pool->idle);
    pool->idle = NULL;
    for (struct metrics__chunk *c = pool->chunks, *next; c; c = next) {
        next = c->next;
        if (c->size == CHUNK) {
            c->used = 0;
            c->next = pool->idle;
            pool->idle = c;
        } else {
            free(c);
        }
    }
    pool->chunks = NULL;
    pool->failed = false;
}

void metrics__pool_free(struct metrics__pool *pool)
{
    free_chunks(pool->chunks);
    free_chunks(pool->idle);
    *pool = (struct metrics__pool){0};
}

/* --- Scratch --- */

void *metrics__scratch_take(struct metrics__scratch *scratch, size_t n)
{
    enum { ALIGN = 64 };
    if (n <= scratch->room) return scratch->bytes;
    size_t room = (n + ALIGN - 1) / ALIGN * ALIGN;
    void *fresh = aligned_alloc(ALIGN, room);
    if (!fresh) return NULL;
    metrics__scratch_free(scratch);
    *scratch = (struct metrics__scratch){fresh, room};
    return fresh;
}

void metrics__scratch_free(struct metrics__scratch *scratch)
{
    free(scratch->bytes);
    *scratch = (struct metrics__scratch){0};
}
