/* SPDX-License-Identifier: Apache-2.0 */
#include "arena.h"

#include <stdlib.h>
#include <string.h>

#define ARENA_CHUNK 65536

struct arena_chunk {
    struct arena_chunk *next;
    size_t used, size;
    _Alignas(16) char bytes[];
};

void *arena_alloc(struct arena *arena, size_t n)
{
    struct arena_chunk *chunk = arena->chunks;
    n = (n + 15) & ~(size_t)15;
    if (!chunk || chunk->size - chunk->used < n) {
        size_t size = n > ARENA_CHUNK ? n : ARENA_CHUNK;
        chunk = malloc(sizeof *chunk + size);
        if (!chunk) {
            arena->failed = true;
            return NULL;
        }
        *chunk = (struct arena_chunk){.next = arena->chunks, .size = size};
        arena->chunks = chunk;
    }
    void *piece = chunk->bytes + chunk->used;
    chunk->used += n;
    return memset(piece, 0, n);
}

char *arena_copy(struct arena *arena, const char *text, size_t n)
{
    char *copy = arena_alloc(arena, n + 1);
    if (copy) memcpy(copy, text, n);
    return copy;
}

void arena_free(struct arena *arena)
{
    for (struct arena_chunk *chunk = arena->chunks, *next; chunk; chunk = next) {
        next = chunk->next;
        free(chunk);
    }
    *arena = (struct arena){0};
}
