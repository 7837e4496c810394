/* SPDX-License-Identifier: Apache-2.0 */
/* set.c - how many distinct things there were in an interval (sketch.h). */

#include "atomic.h"
#include "handle.h"
#include "sketch.h"

struct metrics_set {
    struct metrics__handle h;
    metrics__sketch_t *sketch;
};

void metrics_set_add(metrics_set_t *s, const void *bytes, size_t n)
{
    if (!s->h.seg) return;
    metrics__sketch_add(s->sketch, index_hash(bytes, n),
                        mem_load_acquire(&s->h.seg->head->epoch)); /* ORD-10 */
}

METRICS__FRONT_END(set)
METRICS__SITE_RESOLVER(set)

static int bind(struct metrics__handle *h, const struct metrics__series *s)
{
    int loss;
    uint64_t epoch = mem_load_acquire(&s->seg->head->epoch); /* ORD-10 */
    metrics__sketch_t *sketch = metrics__bind_block(s, 0, s->plan.block0, &loss);
    /* Zeros are of epoch 0; late in a segment's life that looks like the future. */
    if (sketch && epoch > 2) metrics__sketch_sweep(sketch, epoch);
    ((metrics_set_t *)h)->sketch = sketch;
    return loss;
}

static metrics_set_t noop;

const struct metrics__kind metrics__kind_set = {
    .number = KIND_set,
    .name = "set",
    .handle_size = sizeof(metrics_set_t),
    .noop = &noop,
    .bind = bind,
};
