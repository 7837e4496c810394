/* SPDX-License-Identifier: Apache-2.0 */
/* counter_rows.c - a total. */
#include "reading.h"

static void rows(struct metrics__rows *r, const struct metrics_reading *now,
                 const struct metrics_reading *base)
{
    bool interval = r->options.totals == METRICS_INTERVAL;
    uint64_t before = interval && base && base->count <= now->count ? base->count : 0;
    metrics__row_u64(r, METRICS_COUNT, METRICS_TOTAL, r->options.totals, now->count - before);
}

const struct metrics__kind_read metrics__kind_read_counter = {"counter", NULL, rows};
