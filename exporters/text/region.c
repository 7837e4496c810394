/* SPDX-License-Identifier: Apache-2.0 */
#include "region.h"

#include <stdlib.h>
#include <string.h>

#define REGION_CHUNK 65536

struct region_chunk {
    struct region_chunk *next;
    size_t used, size;
    _Alignas(16) char bytes[];
};

void *region_alloc(struct region *region, size_t n)
{
    struct region_chunk *chunk = region->chunks;
    n = (n + 15) & ~(size_t)15;
    if (!chunk || chunk->size - chunk->used < n) {
        size_t size = n > REGION_CHUNK ? n : REGION_CHUNK;
        chunk = malloc(sizeof *chunk + size);
        if (!chunk) {
            region->failed = true;
            return NULL;
        }
        *chunk = (struct region_chunk){.next = region->chunks, .size = size};
        region->chunks = chunk;
    }
    void *piece = chunk->bytes + chunk->used;
    chunk->used += n;
    return memset(piece, 0, n);
}

char *region_copy(struct region *region, const char *text, size_t n)
{
    char *copy = region_alloc(region, n + 1);
    if (copy) memcpy(copy, text, n);
    return copy;
}

void region_reset(struct region *region)
{
    struct region_chunk *first = region->chunks;
    if (first) {
        region->chunks = first->next;
        region_free(region);
        first->next = NULL;
        first->used = 0;
        region->chunks = first;
    }
    region->failed = false;
}

void region_free(struct region *region)
{
    for (struct region_chunk *chunk = region->chunks, *next; chunk; chunk = next) {
        next = chunk->next;
        free(chunk);
    }
    *region = (struct region){0};
}
