/* SPDX-License-Identifier: Apache-2.0 */
/* updown_rows.c - a total that also falls: to a reader a level, which may be added up over hosts. */
#include "reading.h"

static void rows(struct metrics__rows *r, const struct metrics_reading *now,
                 const struct metrics_reading *base)
{
    (void)base;
    metrics__row_i64(r, METRICS_VALUE, METRICS_LEVEL, (int64_t)now->count, true);
}

const struct metrics__kind_read metrics__kind_read_updown = {"updown", NULL, rows};
