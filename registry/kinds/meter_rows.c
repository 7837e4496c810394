/* SPDX-License-Identifier: Apache-2.0 */
/* meter_rows.c - a total and its rates. */
#include "reading.h"

static void rows(struct metrics__rows *r, const struct metrics_reading *now,
                 const struct metrics_reading *base)
{
    metrics__kind_read_counter.rows(r, now, base);
    metrics__row_rates(r, now);
}

const struct metrics__kind_read metrics__kind_read_meter = {"meter", NULL, rows};
