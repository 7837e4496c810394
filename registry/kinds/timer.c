/* SPDX-License-Identifier: Apache-2.0 */
/* timer.c - a distribution of durations, kept in nanoseconds; its rates are folded from its count. */

#include "distribution.h"

static inline void update(metrics_timer_t *t, uint64_t nanoseconds)
{
    double x = (double)nanoseconds;
    metrics__distribution_update(&t->d, x, x / 1e9);
}

void metrics_timer_update(metrics_timer_t *t, uint64_t nanoseconds)
{
    update(t, nanoseconds);
}

void metrics_timer_since(metrics_timer_t *t, uint64_t start)
{
    update(t, metrics_elapsed_ns(start));
}

METRICS__FRONT_END(timer)
METRICS__SITE_RESOLVER(timer)

static metrics_timer_t noop;

const struct metrics__kind metrics__kind_timer = {
    .number = KIND_timer,
    .name = "timer",
    .handle_size = sizeof(metrics_timer_t),
    .overflows = true,
    .noop = &noop,
    .bind = metrics__distribution_bind,
};
