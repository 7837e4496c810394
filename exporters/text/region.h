/* SPDX-License-Identifier: Apache-2.0 */
/*
 * region.h - memory that is given out piece by piece and taken back all at once. Zero is an empty region. One
 * thread at a time. A refused allocation is remembered (`failed`), so that a builder can check once at the
 * end.
 */
#ifndef EXPORTERS_REGION_H
#define EXPORTERS_REGION_H

#include <stdbool.h>
#include <stddef.h>

struct region {
    struct region_chunk *chunks;
    bool failed;
};

/* n zeroed bytes, aligned for anything; NULL without memory. Lives until region_free(). */
void *region_alloc(struct region *region, size_t n);

/* A copy of a string. */
char *region_copy(struct region *region, const char *text, size_t n);

/* All pieces are gone, and some memory is kept for the next ones. */
void region_reset(struct region *region);

/* Gives everything back; the region is empty. */
void region_free(struct region *region);

#endif
