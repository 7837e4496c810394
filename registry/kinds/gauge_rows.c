/* SPDX-License-Identifier: Apache-2.0 */
/* gauge_rows.c - the values of the processes that live, merged. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <mtx/metrics.h>

#include "atomic.h"
#include "taking.h"

/* The value of a slot: false if absent (never set, NaN, or from a callback that is no longer polled). */
static bool pair_value(const struct metrics__taking *t, uint64_t stamp, uint32_t slot, double value)
{
    if (!stamp || isnan(value)) return false;
    if (!(stamp & 1) || slot == 0) return true;
    uint64_t polled = t->r->polled[slot];
    return polled && (polled >= t->now || t->now - polled <= t->r->stale_ns);
}

/* As many slots as there can be, a power of 2: a sum of values divided by it is exact and does not overflow. */
static const double SLOTS = SEGMENT_SLOT_BLOCKS * SEGMENT_SLOT_BLOCK;

struct merging {
    enum metrics_merge how;
    double value;
    uint64_t stamp, n;
};

/* A sum that is not finite: the largest double unless one of the two is infinite already. */
static double beyond(double a, double b)
{
    return isfinite(a) && isfinite(b) ? metrics__saturate(a + b) : a + b;
}

static void merge(struct merging *m, double v, uint64_t stamp)
{
    bool first = m->n++ == 0;
    switch (m->how) {
    case METRICS_MERGE_SUM: m->value = isfinite(m->value + v) ? m->value + v : beyond(m->value, v); break;
    case METRICS_MERGE_AVG: m->value += v / SLOTS; break;
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

/* Rows of pairs, twice: no copy of 16 bytes is sure to be of one moment (ORD-7). */
static bool read_rows(const struct metrics_reader *r, uint64_t at, uint32_t slot, uint64_t rows)
{
    enum { ROW = SEGMENT_GROUP_GAUGES * sizeof(struct segment_pair) };
    const struct metrics__group_read *g = &r->group;
    size_t first = slot * SEGMENT_GROUP_GAUGES;
    return !view_read(&r->view, at + slot % SEGMENT_SLOT_BLOCK * ROW, g->first + first, rows * ROW) &&
           !view_read(&r->view, at + slot % SEGMENT_SLOT_BLOCK * ROW, g->second + first, rows * ROW);
}

static bool make_room(struct metrics_reader *r)
{
    struct metrics__group_read *g = &r->group;
    size_t pairs = r->view.head.slots * (size_t)SEGMENT_GROUP_GAUGES;
    if (!g->first) g->first = calloc(pairs * 2, sizeof *g->first);
    if (!g->first) r->trouble = METRICS__NO_MEMORY;
    g->second = g->first + pairs;
    return g->first;
}

/*
 * The group's pairs of all living slots, for its eight gauges at once. Of a block of 64 slots only the rows
 * from the first living one to the last are read.
 */
static bool read_group(struct metrics_reader *r, uint64_t at)
{
    struct metrics__group_read *g = &r->group;
    struct segment_group head;
    if (g->at == at) return true;
    if (!make_room(r)) return false;
    if (view_read(&r->view, at, &head, sizeof head)) {
        r->trouble = METRICS__TRUNCATED;
        return false;
    }
    memset(g->there, 0, sizeof g->there);
    for (uint32_t i = 0, n; i < r->living_count; i += n) {
        uint32_t first = r->living[i], b = first / SEGMENT_SLOT_BLOCK;
        for (n = 1; i + n < r->living_count && r->living[i + n] / SEGMENT_SLOT_BLOCK == b; n++) {
        }
        uint64_t block = head.block[b], rows = r->living[i + n - 1] - first + 1;
        /* Not there: allocated just now, or never; nobody there yet. */
        g->there[b] = block % SEGMENT_ALIGN == 0 && block >= SEGMENT_ARENA && block <= r->end &&
                      r->end - block >= SEGMENT_GROUP_BLOCK && read_rows(r, block, first, rows);
    }
    g->at = at;
    return true;
}

/* Visit what is alive; with `levels`, note each by worker. */
static void visit(const struct metrics__taking *t, const struct metrics__series_read *series,
                  struct merging *m, struct metrics__level *levels)
{
    const struct metrics_reader *r = t->r;
    bool persistent = series->family->shape->settings.persistent != 0;
    unsigned index = layout_gauge_index(series->storage[0]);
    for (uint32_t i = 0; i < r->living_count && !(persistent && i); i++) {
        uint32_t s = r->living[i];
        uint64_t stamp = r->group.first[s * SEGMENT_GROUP_GAUGES + index].stamp;
        double v = mem_bits_to_f64(r->group.second[s * SEGMENT_GROUP_GAUGES + index].value);
        if (!r->group.there[s / SEGMENT_SLOT_BLOCK] || !pair_value(t, stamp, s, v)) continue;
        if (levels) levels[m->n] = (struct metrics__level){s, v};
        merge(m, v, stamp >> 1);
    }
}

static bool load(const struct metrics__taking *t, struct metrics_reading *out)
{
    const struct metrics__series_read *s = out->series;
    struct merging m = {.how = (enum metrics_merge)s->family->merge}, count = m;
    if (!read_group(t->r, layout_gauge_group(s->storage[0]))) return false;
    visit(t, s, &m, NULL);
    if (!m.n) return true;
    bool all = m.how == METRICS_MERGE_ALL;
    size_t n = all ? m.n : 1;
    struct metrics__gauge_read *g = metrics__pool_take(&t->snapshot->pool, sizeof *g + n * sizeof *g->levels);
    if (!g) return false;
    out->more.gauge = g;
    g->count = n;
    if (all) {
        visit(t, s, &count, g->levels);
    } else {
        if (m.how == METRICS_MERGE_AVG) m.value = m.value / (double)m.n * SLOTS;
        g->levels[0] = (struct metrics__level){-1, m.value};
    }
    return true;
}

static void rows(struct metrics__rows *r, const struct metrics_reading *now,
                 const struct metrics_reading *base)
{
    (void)base;
    const struct metrics__gauge_read *g = metrics__gauge_of(now);
    for (size_t i = 0; i < g->count; i++)
        metrics__row_push(r, &(metrics_row_t){.attribute = METRICS_VALUE,
                                              .nature = METRICS_LEVEL,
                                              .scope = METRICS_LIFETIME,
                                              .type = METRICS_F64,
                                              .value.f = g->levels[i].value,
                                              .worker = g->levels[i].worker,
                                              .unit = r->unit,
                                              .additive = now->series->family->merge == METRICS_MERGE_SUM});
}

const struct metrics__kind_read metrics__kind_read_gauge = {"gauge", load, rows};
