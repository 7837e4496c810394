/* SPDX-License-Identifier: Apache-2.0 */
/* distribution.h - the record path that histograms and timers share. */
#ifndef METRICS_REGISTRY_DISTRIBUTION_H
#define METRICS_REGISTRY_DISTRIBUTION_H

#include "bucket.h"
#include "handle.h"
#include "reservoir.h"

struct metrics__distribution {
    struct metrics__handle h;
    const uint64_t *epoch;           /* the header's */
    metrics__reservoir_t *reservoir; /* NULL: buckets */
    metrics__reservoir_params_t params;
    const double *bounds; /* explicit buckets, else NULL: exponential ones */
    uint32_t bound_count;
    double to_bucket_unit; /* timers: ns to seconds */
    metrics__bucket_exp_t exponential;
};
struct metrics_histogram {
    struct metrics__distribution d;
};
struct metrics_timer {
    struct metrics__distribution d;
};

int metrics__distribution_bind(struct metrics__handle *h, const struct metrics__series *s);
/* [S] One finite value, in the unit of the cells. */
void metrics__distribution_update(struct metrics__distribution *d, double x);
/* [S] A value that is not a finite number. */
void metrics__distribution_ignore(struct metrics__distribution *d);

#endif
