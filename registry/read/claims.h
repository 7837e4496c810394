/* SPDX-License-Identifier: Apache-2.0 */
/*
 * claims.h - which bytes of the arena belong to what, so that the check finds what belongs to two. Blocks are
 * handed out once and never reused: an overlap is damage. Private memory; one thread.
 */
#ifndef METRICS_REGISTRY_CLAIMS_H
#define METRICS_REGISTRY_CLAIMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct metrics__claim {
    uint64_t from, to; /* bytes [from, to) */
    uint64_t where;    /* the offset of what claims them */
    const char *what;  /* not owned: must outlive the claims */
};

struct metrics__claims {
    struct metrics__claim *list;
    size_t n, room;
    bool failed; /* there was no memory for one of them */
};

/* The range belongs to what is at `where`. Empty ranges claim nothing. */
void metrics__claim(struct metrics__claims *claims, uint64_t from, uint64_t n, uint64_t where,
                    const char *what);

/* Sort, then report each claim that begins inside an earlier one. O(n log n). */
typedef void metrics__overlap_fn(void *arg, const struct metrics__claim *claim,
                                 const struct metrics__claim *earlier);
void metrics__claims_overlaps(struct metrics__claims *claims, metrics__overlap_fn *fn, void *arg);

/* Forget them all and free the memory. */
void metrics__claims_free(struct metrics__claims *claims);

#endif
