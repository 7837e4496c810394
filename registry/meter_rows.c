/* SPDX-License-Identifier: Apache-2.0 */
/* meter_rows.c - a total and its rates. */
#include "reading.h"

static bool load(const struct metrics__taking *t, struct metrics_reading *out)
{
    return metrics__sum_u64(t, 0, &out->count) && metrics__rates_load(t, out);
}

static void rows(struct metrics__rows *r, const struct metrics_reading *now,
                 const struct metrics_reading *base)
{
    metrics__kind_read_counter.rows(r, now, base);
    metrics__row_rates(r, now);
}

const struct metrics__kind_read metrics__kind_read_meter = {"meter", load, rows};
