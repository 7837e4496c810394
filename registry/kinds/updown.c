/* SPDX-License-Identifier: Apache-2.0 */
/* updown.c - a total that goes up and down, in two's complement. Its update is inline, in <mtx/metrics.h>. */

#include "handle.h"
#include "noop.h"

void metrics_updown_add_call(metrics_updown_t *c, int64_t n)
{
    metrics_updown_add(c, n);
}

METRICS__FRONT_END(updown)

METRICS__NOOP_HANDLE(noop)

const struct metrics__kind metrics__kind_updown = {
    .number = KIND_updown,
    .name = "updown",
    .handle_size = sizeof(struct metrics__handle),
    .overflows = true,
    .noop = &noop,
    .bind = metrics__bind_cells,
};
