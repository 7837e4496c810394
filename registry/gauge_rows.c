/* SPDX-License-Identifier: Apache-2.0 */
/* gauge_rows.c - the values of the processes that live, merged. */
#include <math.h>
#include <string.h>

#include <mtx/metrics.h>

#include "atomic.h"
#include "reading.h"

/* The value of a slot: false if it is absent (never set, NaN, or from a callback that nobody polls any more).
 */
static bool pair_value(const struct metrics__taking *t, const struct segment_pair *p, uint32_t slot,
                       double *value)
{
    *value = mem_bits_to_f64(p->value);
    if (!p->stamp || isnan(*value)) return false;
    if (!(p->stamp & 1) || slot == 0) return true;
    uint64_t polled = t->r->polled[slot];
    return polled && (polled >= t->now || t->now - polled <= t->r->stale_ns);
}

struct merging {
    enum metrics_merge how;
    double value;
    uint64_t stamp, n;
};

static void merge(struct merging *m, double v, uint64_t stamp)
{
    bool first = m->n++ == 0;
    switch (m->how) {
    case METRICS_MERGE_SUM:
    case METRICS_MERGE_AVG: m->value += v; break;
    case METRICS_MERGE_MIN:
        if (first || v < m->value) m->value = v;
        break;
    case METRICS_MERGE_MAX:
        if (first || v > m->value) m->value = v;
        break;
    default:
        if (first || stamp > m->stamp) {
            m->value = v;
            m->stamp = stamp;
        }
    }
}

/* Visit what is alive; with `levels`, note each by worker. */
static bool visit(const struct metrics__taking *t, const struct segment_group *g, struct merging *m,
                  struct metrics__level *levels)
{
    uint32_t slots = t->series->family->settings.persistent ? 1 : t->r->view.head.slots;
    unsigned index = layout_gauge_index(t->series->storage[0]);
    const struct segment_pair *block = NULL;
    for (uint32_t s = 0; s < slots; s++) {
        if (s % SEGMENT_SLOT_BLOCK == 0) {
            uint64_t at = g->block[s / SEGMENT_SLOT_BLOCK];
            block = at % SEGMENT_ALIGN ? NULL : metrics__image_at(t->r, at, SEGMENT_GROUP_BLOCK);
            if (!block) {
                /* Allocated after the image, or never: nobody there yet. */
                s += SEGMENT_SLOT_BLOCK - 1;
                continue;
            }
        }
        double v;
        const struct segment_pair *p = block + s % SEGMENT_SLOT_BLOCK * SEGMENT_GROUP_GAUGES + index;
        if (!t->r->alive[s] || !pair_value(t, p, s, &v)) continue;
        if (levels) levels[m->n] = (struct metrics__level){s, v};
        merge(m, v, p->stamp >> 1);
    }
    return true;
}

static bool load(const struct metrics__taking *t, struct metrics_reading *out)
{
    struct merging m = {.how = (enum metrics_merge)out->merge}, count = m;
    const struct segment_group *g =
        metrics__image_at(t->r, layout_gauge_group(t->series->storage[0]), sizeof *g);
    if (!g) return false;
    visit(t, g, &m, NULL);
    if (!m.n) return true;
    bool all = m.how == METRICS_MERGE_ALL;
    out->level_count = all ? m.n : 1;
    out->levels = metrics__pool_take(&t->snapshot->pool, out->level_count * sizeof *out->levels);
    if (!out->levels) return false;
    if (all) {
        visit(t, g, &count, out->levels);
    } else {
        if (m.how == METRICS_MERGE_AVG) m.value /= (double)m.n;
        out->levels[0] = (struct metrics__level){-1, m.value};
    }
    return true;
}

static void rows(struct metrics__rows *r, const struct metrics_reading *now,
                 const struct metrics_reading *base)
{
    (void)base;
    for (size_t i = 0; i < now->level_count; i++)
        metrics__row_push(r, &(metrics_row_t){.attribute = METRICS_VALUE,
                                              .nature = METRICS_LEVEL,
                                              .scope = METRICS_LIFETIME,
                                              .type = METRICS_F64,
                                              .value.f = now->levels[i].value,
                                              .worker = now->levels[i].worker,
                                              .unit = r->unit,
                                              .additive = now->merge == METRICS_MERGE_SUM});
}

const struct metrics__kind_read metrics__kind_read_gauge = {"gauge", load, rows};
