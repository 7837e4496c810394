/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gauge.c - a level per process, merged by readers over the processes that live.
 *
 * The value is in this process's slot (slot.c). The handle remembers where that is, and for which process:
 * after a fork the token differs and the child finds its own slot at its first set.
 */
#include <float.h>
#include <math.h>

#include "atomic.h"
#include "handle.h"
#include "process.h"
#include "table.h"

struct metrics_gauge {
    struct metrics__handle h;
    uint64_t place;       /* group | index (layout.h) */
    mem_pair_t *pair;     /* this process's value */
    uint64_t token;       /* the process for which `pair` holds */
    uint64_t *ticket;     /* of the latest set; NULL: the merge does not depend on who was last */
    bool persistent;      /* in the ownerless slot 0: shared by all processes, outlives them */
    metrics_gauge_fn *fn; /* callback; under the registry's lock, like the next three */
    void *arg;
    uint64_t fn_token;          /* the process that registered it */
    struct metrics_gauge *next; /* in the registry's list of gauges that ever had one */
    bool listed;
};

static mem_pair_t *find_pair(metrics_gauge_t *g)
{
    uint64_t token = process_token();
    if (__builtin_expect(mem_load_acquire(&g->token) == token, 1)) /* ORD-15 */
        return mem_load_pointer(&g->pair);                         /* ORD-15 */
    int slot = g->persistent ? 0 : slot_self(g->h.seg);
    struct segment_pair *pair = slot < 0 ? NULL : group_pair(g->h.seg, g->place, slot);
    if (!pair) {
        segment_lose(g->h.seg, LOSS_SLOT, NULL, 0);
        return NULL;
    }
    /* Threads that come here at once store the same. */
    mem_store_pointer(&g->pair, (mem_pair_t *)pair); /* ORD-15 */
    mem_publish(&g->token, token);                   /* ORD-15 */
    return (mem_pair_t *)pair;
}

/*
 * The stamp of a value that is set now; `stamp` is the one before. Who holds the latest ticket keeps it: no
 * other process has set the gauge since, so this value is the latest, too. A process that alone sets a gauge
 * therefore writes no shared cache line.
 */
static uint64_t next_stamp(const metrics_gauge_t *g, uint64_t stamp, bool from_callback)
{
    uint64_t ticket = 1;
    if (g->ticket) {
        ticket = stamp >> 1;
        if (!ticket || mem_load(g->ticket) != ticket) ticket = mem_add(g->ticket, 1) + 1; /* ORD-16 */
    }
    return ticket << 1 | from_callback;
}

/* A ticket never falls: of two threads that set at once, the one that stores last has the higher one. */
static uint64_t not_below(uint64_t stamp, uint64_t before)
{
    return before >> 1 > stamp >> 1 ? (before >> 1) << 1 | (stamp & 1) : stamp;
}

/* Value and stamp change together, whatever the CPU's stores are. */
static void replace(mem_pair_t *pair, uint64_t value, uint64_t stamp)
{
    mem_pair_t old;
    do {
        old = (mem_pair_t){mem_load(&pair->lo), mem_load(&pair->hi)};                  /* ORD-7 */
    } while (!mem_pair_cas(pair, old, (mem_pair_t){value, not_below(stamp, old.hi)})); /* ORD-7 */
}

static void set(metrics_gauge_t *g, double value, bool from_callback)
{
    mem_pair_t *pair = g->h.seg ? find_pair(g) : NULL;
    if (!pair) return;
    uint64_t before = mem_load(&pair->hi), stamp = next_stamp(g, before, from_callback); /* ORD-7 */
    if (stamp == before && !g->persistent)
        mem_store(&pair->lo, mem_f64_to_bits(value)); /* ORD-7: the same as replacing the pair */
    else
        replace(pair, mem_f64_to_bits(value), stamp);
}

void metrics_gauge_set(metrics_gauge_t *g, double value)
{
    set(g, value, false);
}

/* Infinite only if one of them is: what goes beyond the largest double stays there, and can come down again. */
static double sum(double a, double b)
{
    double v = a + b;
    return isinf(v) && isfinite(a) && isfinite(b) ? copysign(DBL_MAX, v) : v;
}

void metrics_gauge_add(metrics_gauge_t *g, double delta)
{
    mem_pair_t *pair = g->h.seg ? find_pair(g) : NULL, old, v;
    if (!pair) return;
    uint64_t stamp = next_stamp(g, mem_load(&pair->hi), false); /* ORD-7 */
    do {
        old = (mem_pair_t){mem_load(&pair->lo), mem_load(&pair->hi)}; /* ORD-7 */
        v.hi = not_below(stamp, old.hi);
        double before = old.hi ? mem_bits_to_f64(old.lo) : 0;
        v.lo = mem_f64_to_bits(sum(isnan(before) ? 0 : before, delta));
    } while (!mem_pair_cas(pair, old, v)); /* ORD-7 */
}

void metrics_gauge_callback(metrics_gauge_t *g, metrics_gauge_fn *fn, void *arg)
{
    metrics_registry_t *r = g->h.registry;
    struct process_undisturbed before;
    if (!g->h.seg) return;
    metrics__lock(r, &before);
    g->fn = fn;
    g->arg = arg;
    g->fn_token = process_token();
    if (!g->listed) {
        g->next = r->callbacks;
        r->callbacks = g;
        g->listed = true;
    }
    metrics__unlock(r, &before);
    if (!fn) set(g, NAN, false);
}

/* Run every callback that this process registered. No callback runs under the lock. */
static void poll_callbacks(metrics_registry_t *r)
{
    struct process_undisturbed before;
    uint64_t token = process_token();
    metrics__lock(r, &before);
    /* Gauges never leave the list and join it at the front, so the walk may pause. */
    for (metrics_gauge_t *g = r->callbacks; g; g = g->next) {
        metrics_gauge_fn *fn = g->fn_token == token ? g->fn : NULL;
        void *arg = g->arg;
        if (!fn) continue;
        metrics__unlock(r, &before);
        set(g, fn(arg), true);
        metrics__lock(r, &before);
    }
    metrics__unlock(r, &before);
}

/* The place of its value is to be found anew. */
static void forget_pair(void *handle)
{
    metrics_gauge_t *g = handle;
    if (g->h.kind == KIND_gauge) mem_store(&g->token, 0); /* ORD-15 */
}

static void settle_slot(metrics_registry_t *r)
{
    struct process_undisturbed before;
    if (!slot_claim_again(r->seg)) return;
    metrics__lock(r, &before);
    metrics__table_each(r->table, forget_pair);
    metrics__unlock(r, &before);
}

void metrics_poll(metrics_registry_t *r)
{
    if (!r || !r->seg || segment_closed(r->seg)) return;
    settle_slot(r);
    poll_callbacks(r);
    int slot = slot_self(r->seg);
    struct segment_slot *record = slot > 0 ? slot_record(r->seg, slot) : NULL;
    if (record) mem_store(&record->polled, segment_now(r->seg)); /* ORD-16 */
}

/* A process's first set of a gauge may take memory for it. */
static void prepare_gauge(void *handle)
{
    metrics_gauge_t *g = handle;
    if (g->h.kind == KIND_gauge && (g->persistent || slot_self(g->h.seg) >= 0)) find_pair(g);
}

void metrics_prepare(metrics_registry_t *r)
{
    struct process_undisturbed before;
    if (!r || !r->seg || segment_closed(r->seg)) return;
    settle_slot(r);
    slot_self(r->seg);
    process_random();
    metrics__lock(r, &before);
    metrics__table_each(r->table, prepare_gauge);
    metrics__unlock(r, &before);
    arena_touch(r->seg, 0, mem_load(&r->seg->head->arena_next)); /* ORD-16 */
}

METRICS__FRONT_END(gauge)
METRICS__SITE_RESOLVER(gauge)

static int bind(struct metrics__handle *h, const struct metrics__series *s)
{
    metrics_gauge_t *g = (metrics_gauge_t *)h;
    uint64_t place = mem_load_acquire(&s->record->storage[0]); /* ORD-3 */
    if (!place) {
        uint64_t fresh = group_place(s->seg);
        if (!fresh) return LOSS_SEGMENT_FULL;
        place = record_set_storage(s->record, 0, fresh);
    }
    if (!segment_at(s->seg, layout_gauge_group(place), sizeof(struct segment_group))) return LOSS_DAMAGE;
    g->place = place;
    g->persistent = s->settings->persistent;
    if (s->settings->merge == METRICS_MERGE_LAST && !g->persistent) g->ticket = group_ticket(s->seg, place);
    return -1;
}

static metrics_gauge_t noop;

const struct metrics__kind metrics__kind_gauge = {
    .number = KIND_gauge,
    .name = "gauge",
    .handle_size = sizeof(metrics_gauge_t),
    .noop = &noop,
    .bind = bind,
};
