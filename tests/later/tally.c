/* SPDX-License-Identifier: Apache-2.0 */
/* tally.c - a kind of the later version: a total, written and read. */
#include "handle.h"
#include "noop.h"
#include "reading.h"

METRICS__NOOP_HANDLE(noop)

const struct metrics__kind metrics__kind_tally = {
    .number = KIND_tally,
    .name = "tally",
    .handle_size = sizeof(struct metrics__handle),
    .overflows = true,
    .noop = &noop,
    .bind = metrics__bind_cells,
};

static void rows(struct metrics__rows *r, const struct metrics_reading *now,
                 const struct metrics_reading *base)
{
    (void)base;
    metrics__row_u64(r, METRICS_COUNT, METRICS_TOTAL, r->options.totals, now->count);
}

const struct metrics__kind_read metrics__kind_read_tally = {"tally", NULL, rows};
