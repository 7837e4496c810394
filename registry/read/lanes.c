/* SPDX-License-Identifier: Apache-2.0 */
/* lanes.c - sums over lanes: of one series, or of a stripe of neighbours at once. */
#include <string.h>

#include "taking.h"

/* Series of eight cells are often neighbours: a short look ahead spares most of the system calls. */
enum { AHEAD = 4096, LINE = SEGMENT_LANE_LINE };
/* Between two pieces that are to be read, so much in vain is cheaper than another system call. */
enum { GAP = 2048 };

struct metrics__lanes metrics__lanes_of(struct metrics_reader *r, const struct metrics__series_read *s)
{
    uint32_t cells = s->family->shape->plan.cells;
    struct metrics__lanes l = {.stride = layout_stride(cells),
                               .count = layout_lanes(cells, r->head.lanes_cpu, r->head.lanes_atomic)};
    l.base = metrics__arena_at(r, &r->values, s->storage[0], (l.count - 1) * l.stride + cells * UINT64_C(8),
                               AHEAD);
    return l;
}

uint64_t metrics__sum_u64(const struct metrics__lanes *l, uint32_t cell)
{
    uint64_t v, sum = 0;
    const unsigned char *at = l->base + cell * 8;
    for (uint64_t i = 0; i < l->count; i++, at += l->stride) {
        memcpy(&v, at, sizeof v);
        sum += v;
    }
    return sum;
}

double metrics__sum_f64(const struct metrics__lanes *l, uint32_t cell)
{
    double v, sum = 0;
    const unsigned char *at = l->base + cell * 8;
    for (uint64_t i = 0; i < l->count; i++, at += l->stride) {
        memcpy(&v, at, sizeof v);
        sum += v;
    }
    return sum;
}

/* --- Stripes --- */

/* The whole width of a line: what the compiler makes vectors of. */
static void add_line(uint64_t sums[LINE], const unsigned char *at)
{
    uint64_t v[LINE];
    memcpy(v, at, sizeof v);
    for (int i = 0; i < LINE; i++) sums[i] += v[i];
}

static void add_part(uint64_t sums[LINE], const unsigned char *at, uint32_t n)
{
    uint64_t v;
    for (uint32_t i = 0; i < n; i++, at += sizeof v) {
        memcpy(&v, at, sizeof v);
        sums[i] += v;
    }
}

static void sum_stripe(const struct metrics__stripe *s, const unsigned char *at, uint64_t lanes,
                       uint64_t sums[LINE])
{
    uint64_t stride = layout_stride(1);
    memset(sums, 0, LINE * sizeof *sums);
    if (s->count == LINE)
        for (; lanes; lanes--, at += stride) add_line(sums, at);
    else
        for (; lanes; lanes--, at += stride) add_part(sums, at, s->count);
}

/* Where the stripe's last lane ends. */
static uint64_t end_of(const struct metrics__stripe *s, uint64_t lanes)
{
    return s->at + (lanes - 1) * layout_stride(1) + s->count * UINT64_C(8);
}

/* The stripes from `first` on that are read together: how many, and where the last of them ends. */
static size_t run_of(const struct metrics__order *o, size_t first, uint64_t lanes, uint64_t *end)
{
    const struct metrics__stripe *s = &o->stripes[first];
    size_t n = 1;
    *end = end_of(s, lanes);
    for (; first + n < o->stripe_count && s[n].at <= *end + GAP; n++) {
        uint64_t next = end_of(&s[n], lanes);
        if (next - s->at > METRICS__WINDOW - SEGMENT_ALIGN) break;
        if (next > *end) *end = next;
    }
    return n;
}

bool metrics__stripes_load(const struct metrics__taking *t, bool *more)
{
    struct metrics_reader *r = t->r;
    const struct metrics__order *o = &r->order;
    struct metrics_reading *readings = t->snapshot->readings;
    uint64_t lanes = layout_lanes(1, r->head.lanes_cpu, r->head.lanes_atomic), end, sums[LINE];
    for (size_t i = 0, n; i < o->stripe_count; i += n) {
        const struct metrics__stripe *s = &o->stripes[i];
        n = run_of(o, i, lanes, &end);
        const unsigned char *bytes =
            metrics__window_at(&r->values, &r->view, end, s->at, end - s->at, 0, &r->trouble);
        if (!bytes) return false;
        for (const struct metrics__stripe *in = s; in < s + n; in++) {
            const uint32_t *places = &o->places[in->first];
            sum_stripe(in, bytes + (in->at - s->at), lanes, sums);
            for (uint32_t k = 0; k < in->count; k++) {
                if (places[k] != METRICS__NOWHERE)
                    readings[places[k]].count = sums[k];
                else if (sums[k])
                    *more = true;
            }
        }
    }
    return true;
}
