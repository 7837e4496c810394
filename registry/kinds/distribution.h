/* SPDX-License-Identifier: Apache-2.0 */
/* distribution.h - the record path that histograms and timers share. */
#ifndef METRICS_REGISTRY_DISTRIBUTION_H
#define METRICS_REGISTRY_DISTRIBUTION_H

#include "bucket.h"
#include "handle.h"
#include "process.h"
#include "reservoir.h"
#include "rseq_ops.h"

struct metrics__distribution {
    struct metrics__handle h;
    const struct segment_header *head;
    metrics__reservoir_t *reservoir; /* NULL: buckets */
    metrics__reservoir_params_t params;
    const double *bounds; /* explicit buckets, in the unit of the cells; else NULL: exponential ones */
    uint32_t bound_count;
    metrics__bucket_exp_t exponential;
};
struct metrics_histogram {
    struct metrics__distribution d;
};
struct metrics_timer {
    struct metrics__distribution d;
};

/* The bind() of both kinds: see struct metrics__kind. */
int metrics__distribution_bind(struct metrics__handle *h, const struct metrics__series *s);

/* [S] The rest of metrics__distribution_update(): all but the inner exponential buckets. */
void metrics__distribution_else(struct metrics__distribution *d, double x, double scaled);

/* [S] One more in that bucket. The parts of the sum take turns (format.h). */
RSEQ_INLINE void metrics__distribution_count(struct metrics__distribution *d, uint64_t bucket, double x)
{
    uint64_t part = process_thread.turn += 8;
    lane_bucket(&d->h.cells, (DIST_FIRST_BUCKET + bucket) * 8,
                DIST_BUCKET_SUM * 8 + part % (DIST_BUCKET_SUMS * 8), x);
}

/* [S] One value in the unit of the cells; the same in the unit of exponential buckets. */
RSEQ_INLINE void metrics__distribution_update(struct metrics__distribution *d, double x, double scaled)
{
    uint32_t i, inner = d->exponential.inner; /* 0: reservoir, explicit buckets, no-op */
    if (inner && __builtin_expect((i = metrics__bucket_exp_inside(&d->exponential, scaled)) < inner, 1))
        metrics__distribution_count(d, (uint64_t)i + 1, x);
    else
        metrics__distribution_else(d, x, scaled);
}

#endif
