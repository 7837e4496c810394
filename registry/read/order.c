/* SPDX-License-Identifier: Apache-2.0 */
#include "order.h"

#include <stdlib.h>
#include <string.h>

#include "atomic.h"

/* A series of one cell on its way into a stripe. */
struct one {
    uint64_t at;
    uint32_t place;
};

struct making {
    struct metrics__order *o;
    const struct segment_header *head;
    uint64_t end;
    struct one *ones;
    size_t one_count;
};

static bool add(struct metrics__series_list *l, struct metrics__series_read *s)
{
    if (l->count == l->room) {
        size_t room = l->room ? l->room * 2 : 64;
        struct metrics__series_read **items = realloc(l->items, room * sizeof *items);
        if (!items) return false;
        l->items = items;
        l->room = room;
    }
    l->items[l->count++] = s;
    return true;
}

/* Series whose storage has not come yet, or lies behind the arena's end, are simply not there yet. */
static bool is_ready(const struct metrics__series_read *s, uint64_t end)
{
    const struct metrics__plan *plan = &s->family->shape->plan;
    bool need0 = plan->cells || plan->block0 || s->kind == KIND_gauge;
    return (!need0 || (s->storage[0] && s->storage[0] < end)) &&
           (!plan->block1 || (s->storage[1] && s->storage[1] < end));
}

static bool inside(const struct making *m, uint64_t offset, uint64_t n)
{
    return offset % 8 == 0 && offset >= SEGMENT_ARENA && offset <= m->end && n <= m->end - offset;
}

/* Is all of its storage there? Else it is damaged. */
static bool is_whole(const struct making *m, const struct metrics__series_read *s)
{
    const struct metrics__plan *plan = &s->family->shape->plan;
    uint64_t lanes = layout_lanes(plan->cells, m->head->lanes_cpu, m->head->lanes_atomic);
    if (plan->cells &&
        !inside(m, s->storage[0], (lanes - 1) * layout_stride(plan->cells) + plan->cells * UINT64_C(8)))
        return false;
    if (s->kind == KIND_gauge && !inside(m, layout_gauge_group(s->storage[0]), sizeof(struct segment_group)))
        return false;
    return (!plan->block0 || inside(m, s->storage[0], plan->block0)) &&
           (!plan->block1 || inside(m, s->storage[1], plan->block1));
}

/* Find the series its lists; false without memory. */
static bool place(struct making *m, struct metrics__series_read *s)
{
    struct metrics__order *o = m->o;
    const struct metrics__plan *plan = &s->family->shape->plan;
    bool shown = !s->overflow || s->filled, good = true;
    mem_store32(&s->place, shown ? (uint32_t)o->shown++ : METRICS__NOWHERE); /* ORD-15 */
    if (plan->cells == 1)
        m->ones[m->one_count++] = (struct one){s->storage[0], s->place};
    else if (shown && s->family->shape->loads)
        good = add(&o->rest, s);
    if (shown && plan->rate) good = good && add(&o->rated, s);
    if (shown && s->overflow) good = good && add(&o->overflowing, s);
    if (!shown && plan->cells) good = good && add(&o->hidden[plan->cells != 1], s);
    o->gauges |= s->kind == KIND_gauge;
    return good;
}

static bool place_all(struct making *m, const struct metrics__catalog *c)
{
    for (size_t i = 0; i < c->count; i++) {
        struct metrics__series_read *s = c->series[c->sorted[i]];
        mem_store32(&s->place, METRICS__NOWHERE); /* ORD-15 */
        if (s->retired || s->twin) continue;
        if (!is_ready(s, m->end)) {
            if (!add(&m->o->waiting, s)) return false;
        } else if (!is_whole(m, s)) {
            m->o->damaged++;
        } else if (!place(m, s)) {
            return false;
        }
    }
    return true;
}

static int compare(uint64_t a, uint64_t b)
{
    return (a > b) - (a < b);
}
static int by_cell(const void *a, const void *b)
{
    return compare(((const struct one *)a)->at, ((const struct one *)b)->at);
}
static int by_storage(const void *a, const void *b)
{
    return compare((*(struct metrics__series_read *const *)a)->storage[0],
                   (*(struct metrics__series_read *const *)b)->storage[0]);
}
static int by_block(const void *a, const void *b)
{
    return compare((*(struct metrics__series_read *const *)a)->storage[1],
                   (*(struct metrics__series_read *const *)b)->storage[1]);
}
static int by_record(const void *a, const void *b)
{
    return compare((*(struct metrics__series_read *const *)a)->offset,
                   (*(struct metrics__series_read *const *)b)->offset);
}

static void sort(struct metrics__series_list *l, int (*compare_items)(const void *, const void *))
{
    if (l->count) qsort(l->items, l->count, sizeof(struct metrics__series_read *), compare_items);
}

/* Does number i begin a stripe? */
static bool begins(const struct making *m, size_t i, uint32_t in_stripe)
{
    return i == 0 || in_stripe == SEGMENT_LANE_LINE || m->ones[i].at != m->ones[i - 1].at + 8;
}

static bool make_stripes(struct making *m)
{
    struct metrics__order *o = m->o;
    size_t stripes = 0, n = m->one_count;
    uint32_t in_stripe = 0;
    if (n) qsort(m->ones, n, sizeof *m->ones, by_cell);
    for (size_t i = 0; i < n; i++) {
        in_stripe = begins(m, i, in_stripe) ? 1 : in_stripe + 1;
        stripes += in_stripe == 1;
    }
    o->stripes = malloc((stripes + 1) * sizeof *o->stripes);
    o->places = malloc((n + 1) * sizeof *o->places);
    if (!o->stripes || !o->places) return false;
    for (size_t i = 0; i < n; i++) {
        struct metrics__stripe *last = &o->stripes[o->stripe_count];
        if (begins(m, i, i ? last[-1].count : 0)) {
            *last = (struct metrics__stripe){m->ones[i].at, (uint32_t)i, 0};
            o->stripe_count++;
        }
        o->stripes[o->stripe_count - 1].count++;
        o->places[i] = m->ones[i].place;
    }
    return true;
}

static void empty(struct metrics__order *o)
{
    free(o->stripes);
    free(o->places);
    o->stripes = NULL;
    o->places = NULL;
    o->stripe_count = o->shown = 0;
    o->rest.count = o->rated.count = o->overflowing.count = o->waiting.count = 0;
    o->hidden[0].count = o->hidden[1].count = 0;
    o->damaged = 0;
    o->gauges = false;
}

bool metrics__order_make(struct metrics__order *o, const struct metrics__catalog *c,
                         const struct segment_header *head, uint64_t end)
{
    struct making m = {.o = o, .head = head, .end = end};
    empty(o);
    m.ones = malloc((c->count + 1) * sizeof *m.ones);
    bool good = m.ones && place_all(&m, c) && make_stripes(&m);
    free(m.ones);
    sort(&o->rest, by_storage);
    sort(&o->rated, by_block);
    sort(&o->waiting, by_record);
    o->end = end;
    o->number++;
    o->stale = !good;
    return good;
}

void metrics__order_free(struct metrics__order *o)
{
    empty(o);
    free(o->rest.items);
    free(o->rated.items);
    free(o->overflowing.items);
    free(o->hidden[0].items);
    free(o->hidden[1].items);
    free(o->waiting.items);
}
