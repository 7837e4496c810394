/* SPDX-License-Identifier: Apache-2.0 */
/* set_rows.c - distinct things of the last closed interval, or of the open one if none was closed yet. */
#include <string.h>

#include "sketch.h"
#include "taking.h"

static bool keep(struct metrics__pool *pool, const metrics__sketch_set_t *set, struct metrics__set_read *out)
{
    out->distinct = metrics__sketch_estimate(set);
    out->exact = set->exact;
    if (!set->exact || !set->count) return true;
    out->elements = metrics__pool_take(pool, set->count * sizeof *out->elements);
    if (!out->elements) return false;
    memcpy(out->elements, set->elements, set->count * sizeof *out->elements);
    out->element_count = set->count;
    return true;
}

static bool load(const struct metrics__taking *t, struct metrics_reading *out)
{
    const struct segment_header *h = &t->r->head;
    const metrics__sketch_t *block =
        metrics__arena_at(t->r, &t->r->values, out->series->storage[0], sizeof *block, 0);
    metrics__sketch_set_t *set = block ? metrics__scratch(t->r, 0, sizeof *set) : NULL;
    out->more.set = set ? metrics__pool_take(&t->snapshot->pool, sizeof *out->more.set) : NULL;
    if (!out->more.set) return false;
    uint64_t epoch = t->epoch ? t->epoch : h->exported && h->epoch > 1 ? h->epoch - 1 : h->epoch;
    metrics__sketch_read(block, epoch, set);
    return keep(&t->snapshot->pool, set, out->more.set);
}

static void rows(struct metrics__rows *r, const struct metrics_reading *now,
                 const struct metrics_reading *base)
{
    (void)base;
    metrics__row_f64(r, METRICS_VALUE, METRICS_LEVEL, METRICS_INTERVAL, metrics__set_of(now)->distinct);
}

const struct metrics__kind_read metrics__kind_read_set = {"set", load, rows};
