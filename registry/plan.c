/* SPDX-License-Identifier: Apache-2.0 */
#include "plan.h"

#include <mtx/metrics.h>

#include "bucket.h"
#include "reservoir.h"
#include "sketch.h"

void metrics__plan_range(enum metrics__kind_number kind, const struct metrics__settings *s, double *low,
                         double *high)
{
    bool given = s->low != 0 || s->high != 0;
    *low = given ? s->low : kind == KIND_timer ? 1e-6 : 0x1p-20;
    *high = given ? s->high : kind == KIND_timer ? 1e3 : 0x1p30;
}

static int plan_sample(const struct metrics__settings *s, struct metrics__plan *plan)
{
    metrics__reservoir_params_t p = {.kind = (enum metrics_reservoir)s->reservoir,
                                     .slots = s->samples,
                                     .alpha = s->alpha,
                                     .window_s = s->window_s};
    plan->reservoir = metrics__reservoir_size(&p);
    plan->cells = DIST_CELLS;
    return plan->reservoir ? 0 : -1;
}

static int plan_distribution(enum metrics__kind_number kind, const struct metrics__settings *s,
                             const double *bounds, struct metrics__plan *plan)
{
    if (s->reservoir < METRICS_BUCKETS) return plan_sample(s, plan);
    if (s->reservoir == METRICS_BUCKETS) {
        if (!s->bound_count || s->bound_count > METRICS__BOUNDS_MAX ||
            !metrics__bucket_bounds_valid(bounds, s->bound_count))
            return -1;
        plan->buckets = s->bound_count + 1;
    } else {
        metrics__bucket_exp_t e;
        double low, high;
        metrics__plan_range(kind, s, &low, &high);
        if (s->reservoir != METRICS_BUCKETS_EXPONENTIAL || !metrics__bucket_exp_init(&e, s->scale, low, high))
            return -1;
        plan->buckets = e.count;
    }
    plan->cells = DIST_FIRST_BUCKET + plan->buckets;
    return 0;
}

int metrics__plan(enum metrics__kind_number kind, const struct metrics__settings *s, const double *bounds,
                  struct metrics__plan *plan)
{
    *plan = (struct metrics__plan){0};
    int rc = s->merge > METRICS_MERGE_ALL ? -1 : 0;
    switch (kind) {
    case KIND_counter:
    case KIND_updown: plan->cells = 1; break;
    case KIND_meter:
        plan->cells = 1;
        plan->rate = 1;
        break;
    case KIND_timer: plan->rate = 1; /* fall through */
    case KIND_histogram: rc = rc ? rc : plan_distribution(kind, s, bounds, plan); break;
    case KIND_set: plan->block0 = sizeof(metrics__sketch_t); break;
    case KIND_gauge:
    case KIND_info: break;
    default: rc = -1;
    }
    plan->block1 = (plan->rate ? METRICS__RATE_BLOCK : 0) + plan->reservoir;
    return rc;
}
