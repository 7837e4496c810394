/* SPDX-License-Identifier: Apache-2.0 */
/* pool.h - a reader's memory: pools, which are freed all at once, and scratch, which is used again. */
#ifndef METRICS_REGISTRY_POOL_H
#define METRICS_REGISTRY_POOL_H

#include <stdbool.h>
#include <stddef.h>

struct metrics__pool {
    struct metrics__chunk *chunks, *idle; /* idle: empty ones, from the pool's last life */
    bool failed;                          /* sticky: an allocation was refused */
};
/* n zeroed bytes, aligned to 8; NULL (and failed) without memory. */
void *metrics__pool_take(struct metrics__pool *pool, size_t n);
char *metrics__pool_text(struct metrics__pool *pool, const char *text, size_t n); /* a terminated copy */
/* Everything that was taken becomes invalid; the memory is kept for the same amount again. */
void metrics__pool_reset(struct metrics__pool *pool);
void metrics__pool_free(struct metrics__pool *pool);

/* Memory for one thing at a time. All zero: nothing yet. */
struct metrics__scratch {
    void *bytes;
    size_t room;
};
/* n bytes, 64-byte aligned, not cleared; scratch's own, valid until the next call. NULL without memory. */
void *metrics__scratch_take(struct metrics__scratch *scratch, size_t n);
void metrics__scratch_free(struct metrics__scratch *scratch);

#endif
