/* SPDX-License-Identifier: Apache-2.0 */
/*
 * points_sum.h - many points of a series as one: the count, sum, minimum and maximum of what was measured in
 * a period. Librato's clients call this an aggregator.
 *
 *     gauges and summaries   -> one summary, if the backend has summaries
 *     increments             -> their sum
 *     distributions          -> one with the centroids of all
 *
 * A series is a name, tags, a source and a type. Its first point gives the fields beside.
 *
 * Pure, but for memory. Not thread-safe: one thread at a time for each sum.
 */
#ifndef EXPORTERS_POINTS_SUM_H
#define EXPORTERS_POINTS_SUM_H

#include "points.h"

/* Zero but for the period is an empty sum; points_sum_reset() gives it back. */
struct points_sum {
    uint64_t period_ns; /* times are cut down to multiples of it; 0 = of a second */
    void *tree;         /* of struct points_total, by series and time */
    struct points_total *first, **last;
    size_t n;
    struct region region;
};

/* Adds a point; it and what it refers to may be freed afterwards. now_ns: the time of a point that has none,
 * if there is a period. False, with the reason, if points of its type cannot be added up for this backend, or
 * without memory. */
bool points_sum_add(struct points_sum *sum, const struct backend_points *backend, const struct point *point,
                    uint64_t now_ns, struct buf *why);

/* The sums so far, in the order in which the series came; n elements, valid until points_sum_reset(). NULL
 * without memory. */
struct point *points_sum_all(struct points_sum *sum);

/* Takes everything out and frees it; the period stays. */
void points_sum_reset(struct points_sum *sum);

#endif
