/* SPDX-License-Identifier: Apache-2.0 */
/* set_rows.c - distinct things of the last closed interval; of the open one while none was ever closed. */
#include <stdlib.h>
#include <string.h>

#include "reading.h"

static bool load(const struct metrics__taking *t, struct metrics_reading *out)
{
    const metrics__sketch_t *block = metrics__image_at(t->r, t->series->storage[0], sizeof *block);
    metrics__sketch_set_t *set = block ? malloc(sizeof *set) : NULL;
    if (!set) return false;
    uint64_t epoch = t->epoch                                      ? t->epoch
                     : t->r->head.exported && t->r->head.epoch > 1 ? t->r->head.epoch - 1
                                                                   : t->r->head.epoch;
    metrics__sketch_read(block, epoch, set);
    out->distinct = metrics__sketch_estimate(set);
    out->exact = set->exact;
    if (set->exact && set->count) {
        out->elements = metrics__pool_take(&t->snapshot->pool, set->count * sizeof *out->elements);
        if (out->elements) {
            memcpy(out->elements, set->elements, set->count * sizeof *out->elements);
            out->element_count = set->count;
        }
    }
    free(set);
    return true;
}

static void rows(struct metrics__rows *r, const struct metrics_reading *now,
                 const struct metrics_reading *base)
{
    (void)base;
    metrics__row_f64(r, METRICS_VALUE, METRICS_LEVEL, METRICS_INTERVAL, now->distinct);
}

const struct metrics__kind_read metrics__kind_read_set = {"set", load, rows};
