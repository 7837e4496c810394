/* SPDX-License-Identifier: Apache-2.0 */
/* timer_rows.c - a distribution of durations, in seconds, and the rates of its count. */
#include "taking.h"

static bool load(const struct metrics__taking *t, struct metrics_reading *out)
{
    return metrics__distribution_load(t, out, 1e9);
}

static void rows(struct metrics__rows *r, const struct metrics_reading *now,
                 const struct metrics_reading *base)
{
    metrics__distribution_rows(r, now, base);
    metrics__row_rates(r, now);
}

const struct metrics__kind_read metrics__kind_read_timer = {"timer", load, rows};
