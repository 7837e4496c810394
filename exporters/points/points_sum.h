/* SPDX-License-Identifier: Apache-2.0 */
/*
 * points_sum.h - many points of a series as one: the count, sum, minimum and maximum of what was measured in
 * a stretch of time. What Librato's clients call an aggregator.
 *
 *     gauges and summaries   -> one summary, if the backend has such a thing
 *     increments             -> their sum
 *     distributions          -> one with the centroids of all
 *
 * A series is a name, tags, a source and a type. Its first point gives the fields beside. Pure; one thread at
 * a time.
 */
#ifndef EXPORTERS_POINTS_SUM_H
#define EXPORTERS_POINTS_SUM_H

#include "points.h"

struct points_sum {
    uint64_t period_ns; /* times are cut down to multiples of it; 0 = of a second */
    void *tree;         /* of struct points_total, by series and time */
    struct points_total *first, **last;
    size_t n;
    struct region region;
};

/* Adds a point; it and what it refers to may go afterwards. now_ns: the time of one that has none, if there
 * is a period. False, with the reason, if points of its type cannot be added up for this backend, or without
 * memory. */
bool points_sum_add(struct points_sum *sum, const struct backend_points *backend, const struct point *point,
                    uint64_t now_ns, struct buf *why);

/* What there is so far, in the order in which the series came; n elements. The points are valid until
 * points_sum_reset(). NULL without memory. */
struct point *points_sum_all(struct points_sum *sum);

/* Nothing again; the period stays. */
void points_sum_reset(struct points_sum *sum);

#endif
