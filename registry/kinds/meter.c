/* SPDX-License-Identifier: Apache-2.0 */
/* meter.c - a total with 1, 5 and 15 minute rates, which the leader folds (rate.h). Its update is inline. */

#include "handle.h"
#include "noop.h"

void metrics_meter_mark_call(metrics_meter_t *m, uint64_t n)
{
    metrics_meter_mark(m, n);
}

METRICS__FRONT_END(meter)
METRICS__SITE_RESOLVER(meter)

static int bind(struct metrics__handle *h, const struct metrics__series *s)
{
    int loss;
    if (!metrics__bind_block(s, 1, s->plan.block1, &loss)) return loss;
    return metrics__bind_cells(h, s);
}

METRICS__NOOP_HANDLE(noop)

const struct metrics__kind metrics__kind_meter = {
    .number = KIND_meter,
    .name = "meter",
    .handle_size = sizeof(struct metrics__handle),
    .overflows = true,
    .noop = &noop,
    .bind = bind,
};
