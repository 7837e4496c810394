/* SPDX-License-Identifier: Apache-2.0 */
/* counter.c - a total that only grows. Its update is inline, in <mtx/metrics.h>. */

#include "handle.h"
#include "noop.h"

void metrics_counter_add_call(metrics_counter_t *c, uint64_t n)
{
    metrics_counter_add(c, n);
}

METRICS__FRONT_END(counter)
METRICS__SITE_RESOLVER(counter)

METRICS__NOOP_HANDLE(noop)

const struct metrics__kind metrics__kind_counter = {
    .number = KIND_counter,
    .name = "counter",
    .handle_size = sizeof(struct metrics__handle),
    .overflows = true,
    .noop = &noop,
    .bind = metrics__bind_cells,
};
