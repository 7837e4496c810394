/* SPDX-License-Identifier: Apache-2.0 */
/*
 * region.h - memory that is allocated piece by piece and freed as a whole. All zeros is an empty region.
 *
 * A refused allocation is remembered (`failed`), so that the caller can check once at the end.
 *
 * Not thread-safe: one region belongs to one thread at a time.
 */
#ifndef EXPORTERS_REGION_H
#define EXPORTERS_REGION_H

#include <stdbool.h>
#include <stddef.h>

struct region {
    struct region_chunk *chunks;
    bool failed;
};

/* `n` zeroed bytes, aligned for any type; NULL without memory. They belong to the region. */
void *region_alloc(struct region *region, size_t n);

/* A copy of `n` bytes of text and a NUL; NULL without memory. It belongs to the region. */
char *region_copy(struct region *region, const char *text, size_t n);

/* Frees all pieces, but keeps some memory for the next ones. Clears `failed`. */
void region_reset(struct region *region);

/* Frees everything; the region is empty afterwards. */
void region_free(struct region *region);

#endif
