/* SPDX-License-Identifier: Apache-2.0 */
/* updown_rows.c - a total that also falls: to a reader a level, which may be added up over hosts. */
#include "reading.h"

static bool load(const struct metrics__taking *t, struct metrics_reading *out)
{
    return metrics__sum_u64(t, 0, &out->count);
}

static void rows(struct metrics__rows *r, const struct metrics_reading *now,
                 const struct metrics_reading *base)
{
    (void)base;
    metrics__row_i64(r, METRICS_VALUE, METRICS_LEVEL, (int64_t)now->count, true);
}

const struct metrics__kind_read metrics__kind_read_updown = {"updown", load, rows};
