/* SPDX-License-Identifier: Apache-2.0 */
/*
 * snapshot.c - one consistent walk.
 *
 * The header is copied first, then what the catalog lacks, then who lives, then values: totals before what
 * they imply (ORD-6), in the order in which they lie in the file, through a window of it. What a reader keeps
 * is thus its catalog and its snapshots, however large the segment is.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "atomic.h"
#include "error.h"
#include "rate.h"
#include "taking.h"

enum { FOLD_TRIES = 4 };

/* --- Header, slots, storage --- */

/*
 * Where the arena ends. If the header's word cannot be believed, then where the populated memory ends, or the
 * file, so that what is whole can be read. 0 = none of these can be believed.
 */
static uint64_t end_of_arena(const struct metrics_reader *r)
{
    const uint64_t ends[] = {r->head.arena_next, r->head.populated, r->view.size};
    for (int i = 0; i < 3; i++)
        if (view_believes(&r->view, ends[i])) return ends[i];
    return 0;
}

/*
 * header.records comes from a copy of its own, made before the rest: the words of one copy have no certain
 * order, and whatever that number counts must be in what is copied after it (ORD-2).
 */
int metrics__copy_head(struct metrics_reader *r, metrics_error_t *error)
{
    uint64_t records;
    if (view_read(&r->view, offsetof(struct segment_header, records), &records, sizeof records) ||
        view_head(&r->view, &r->head))
        return metrics__fail(error, METRICS_E_DAMAGED, 0, "%s can no longer be read: was it truncated?",
                             r->view.path);
    r->head.records = records;
    r->end = end_of_arena(r);
    if (r->end) return 0;
    return metrics__fail(error, METRICS_E_DAMAGED, 0, "%s is damaged: its arena ends at %llu of %llu bytes",
                         r->view.path, (unsigned long long)r->head.arena_next,
                         (unsigned long long)r->view.size);
}

/* ORD-7: who lives is asked before the values are copied. */
static void ask_slots(struct metrics_reader *r)
{
    struct segment_slot block[SEGMENT_SLOT_BLOCK];
    uint32_t loaded = UINT32_MAX;
    view_alive(&r->view, r->alive, r->view.head.slots);
    r->living_count = 0;
    struct segment_header h;
    if (view_head(&r->view, &h)) return;
    for (uint32_t s = 0; s < r->view.head.slots; s++) {
        if (!r->alive[s]) continue;
        uint64_t at = h.slot_block[s / SEGMENT_SLOT_BLOCK];
        if (s / SEGMENT_SLOT_BLOCK != loaded && (!at || view_read(&r->view, at, block, sizeof block)))
            memset(block, 0, sizeof block);
        loaded = s / SEGMENT_SLOT_BLOCK;
        r->polled[s] = block[s % SEGMENT_SLOT_BLOCK].polled;
        r->living[r->living_count++] = s;
    }
}

/* Storage is set once, after the record: look again at those that had none. */
static void find_storage(struct metrics_reader *r)
{
    const struct metrics__series_list *waiting = &r->order.waiting;
    metrics__window_forget(&r->records);
    for (size_t i = 0; i < waiting->count; i++) {
        struct metrics__series_read *s = waiting->items[i];
        const struct segment_record *rec =
            metrics__arena_at(r, &r->records, s->offset, RECORD_KEY, METRICS__WINDOW);
        for (int k = 0; rec && k < 2; k++) {
            if (s->storage[k] || !rec->storage[k]) continue;
            s->storage[k] = rec->storage[k];
            r->order.stale = true;
        }
    }
    if (r->end != r->order.end && (waiting->count || r->order.damaged)) r->order.stale = true;
}

/* Bring catalog and order up to date. 0 or -1: see r->trouble, else there is no memory. */
static int prepare(struct metrics_reader *r)
{
    r->trouble = METRICS__NO_TROUBLE;
    if (metrics__catalog_update(r)) return -1;
    find_storage(r);
    if (r->trouble) return -1;
    if (!r->order.number || r->order.stale)
        return metrics__order_make(&r->order, r->catalog, &r->head, r->end) ? 0 : -1;
    return 0;
}

/* --- Memory --- */

metrics_snapshot_t *metrics_snapshot_retain(metrics_snapshot_t *s)
{
    if (s) mem_add_reference(&s->references); /* ORD-15 */
    return s;
}

/*
 * Fresh memory costs more than reading the values, since every page of it is a fault. So the memory of a
 * snapshot goes to its reader's next one, which may be taken in another thread.
 */
void metrics_snapshot_release(metrics_snapshot_t **where)
{
    metrics_snapshot_t *s = *where;
    *where = NULL;
    if (!s || !mem_drop_reference(&s->references)) return; /* ORD-15 */
    struct metrics__catalog *c = s->catalog;
    if (c) {
        metrics__pool_reset(&s->pool);
        s->catalog = NULL;
        s = mem_swap_pointer(&c->spare, s); /* ORD-15 */
    }
    metrics__snapshot_free(s);
    metrics__catalog_release(&c);
}

/* Each reading that is to be shown, with its series and nothing else. */
static void fill_in(struct metrics_snapshot *s, const struct metrics_reader *r)
{
    const struct metrics__catalog *c = r->catalog;
    for (size_t i = 0; i < c->count; i++) {
        const struct metrics__series_read *series = c->series[c->sorted[i]];
        if (series->place != METRICS__NOWHERE)
            s->readings[series->place] = (struct metrics_reading){.series = series};
    }
    s->order = r->order.number;
}

/* A snapshot whose readings are those of the order. A spare one may have them already. */
static struct metrics_snapshot *begin(struct metrics_reader *r)
{
    struct metrics__catalog *c = r->catalog;
    size_t shown = r->order.shown;
    struct metrics_snapshot *s = mem_swap_pointer(&c->spare, NULL); /* ORD-15 */
    if (s && s->room < shown) {
        metrics__snapshot_free(s);
        s = NULL;
    }
    if (!s) s = metrics__snapshot_new(shown + shown / 16);
    if (!s) return NULL;
    s->references = 1;
    s->count = shown;
    if (s->order != r->order.number) fill_in(s, r);
    s->catalog = metrics__catalog_retain(c);
    return s;
}

/* --- Values --- */

static void leave_out(struct metrics_snapshot *s, size_t i, bool damaged)
{
    s->readings[i].series = NULL;
    s->header.series_damaged += damaged;
    s->order = 0;
}

/* Load what is not in stripes. */
static void load_rest(const struct metrics__taking *t)
{
    const struct metrics__series_list *rest = &t->r->order.rest;
    for (size_t i = 0; i < rest->count && !t->r->trouble; i++) {
        const struct metrics__series_read *series = rest->items[i];
        struct metrics_reading *reading = &t->snapshot->readings[series->place];
        reading->count = 0;
        reading->more.any = NULL;
        if (t->depth == METRICS__TAKE_TOTALS && !series->family->shape->plan.cells) continue;
        if (!metrics__kind_read_of(series->kind)->load(t, reading))
            leave_out(t->snapshot, series->place, true);
    }
}

/* Was something counted in an overflow series that is not shown? Show it from now on: the order is stale. */
static void look_into_hidden(const struct metrics__taking *t, const struct metrics__series_list *hidden)
{
    struct metrics__taking totals = *t;
    totals.depth = METRICS__TAKE_TOTALS;
    for (size_t i = 0; i < hidden->count && !t->r->trouble; i++) {
        struct metrics__series_read *s = hidden->items[i];
        const struct metrics__kind_read *kind = metrics__kind_read_of(s->kind);
        struct metrics_reading reading = {.series = s};
        struct metrics__lanes l = {0};
        if (!kind->load) l = metrics__lanes_of(t->r, s);
        if (l.base) reading.count = metrics__sum_u64(&l, 0);
        if (kind->load && !kind->load(&totals, &reading)) continue;
        if (reading.count) s->filled = t->r->order.stale = true;
    }
}

static bool load_rate(const struct metrics__taking *t, metrics__rate_step_t *step,
                      struct metrics_reading *reading, uint64_t ahead, bool whole)
{
    const struct metrics__series_read *s = reading->series;
    const metrics__rate_block_t *block =
        metrics__arena_at(t->r, &t->r->values, s->storage[1], sizeof *block, ahead);
    if (s->kind != KIND_timer && !reading->more.any)
        reading->more.any = metrics__pool_take(&t->snapshot->pool, sizeof *reading->more.rates);
    if (!block || !reading->more.any) return false;
    struct metrics__rates_read *out =
        s->kind == KIND_timer ? &reading->more.distribution->rates : reading->more.rates;
    const metrics__rate_bank_t *bank = &block->side[t->r->head.fold & 1].bank;
    *out = (struct metrics__rates_read){{NAN, NAN, NAN}, NAN};
    if (whole) metrics__rate_now(step, bank, s->created, reading->count, t->now, out->ewma);
    metrics__rate_mean(s->created, reading->count, t->now, &out->mean);
    return true;
}

/* Is it worth while to read on from the i-th rate block to the next? Those of timers are far apart. */
static uint64_t ahead_of(const struct metrics__series_list *rated, size_t i)
{
    enum { GAP = 2048 };
    bool near = i + 1 < rated->count && rated->items[i + 1]->storage[1] - rated->items[i]->storage[1] < GAP;
    return near ? METRICS__WINDOW : 0;
}

/*
 * The bank of fold n is written again in fold n + 2, which begins as soon as n + 1 is published: what was
 * read is whole only if the number has not moved at all (ORD-9). A reader that is stopped for 5 s in every
 * try shows no rates.
 */
static void load_rates(const struct metrics__taking *t)
{
    struct metrics_reader *r = t->r;
    const struct metrics__series_list *rated = &r->order.rated;
    metrics__rate_step_t step = {0};
    bool whole = rated->count == 0;
    for (int try = 0; !whole && !r->trouble && try <= FOLD_TRIES; try++) {
        uint64_t fold;
        metrics__window_forget(&r->values);
        for (size_t i = 0; i < rated->count && !r->trouble; i++) {
            struct metrics_reading *reading = &t->snapshot->readings[rated->items[i]->place];
            if (reading->series && !load_rate(t, &step, reading, ahead_of(rated, i), try < FOLD_TRIES))
                leave_out(t->snapshot, rated->items[i]->place, true);
        }
        if (view_read(&r->view, offsetof(struct segment_header, fold), &fold, sizeof fold)) {
            r->trouble = METRICS__TRUNCATED;
            return;
        }
        whole = fold == r->head.fold;
        r->head.fold = fold;
    }
}

/*
 * Totals first, then what they imply (ORD-6); 0, or -1 with trouble, or 1 if it must begin again: with a
 * place for an overflow series in which something was counted for the first time. Not so in the last try.
 */
static int load_all(const struct metrics__taking *t, bool last)
{
    struct metrics_reader *r = t->r;
    const struct metrics__order *o = &r->order;
    for (size_t i = 0; i < o->rated.count; i++)
        t->snapshot->readings[o->rated.items[i]->place].more.any = NULL;
    metrics__window_forget(&r->values);
    r->group.at = 0;
    bool more = false;
    if (!metrics__stripes_load(t, &more)) return -1;
    if (more) look_into_hidden(t, &o->hidden[0]);
    look_into_hidden(t, &o->hidden[1]);
    if (o->stale && !last && !r->trouble) return 1; /* before extremes that came late are used up */
    load_rest(t);
    if (t->depth == METRICS__TAKE_ALL) load_rates(t);
    return r->trouble ? -1 : 0;
}

/* Readings without a series, and overflow series that are empty again (updowns), go. */
static void close_ranks(const struct metrics__taking *t)
{
    struct metrics_snapshot *s = t->snapshot;
    const struct metrics__series_list *overflowing = &t->r->order.overflowing;
    for (size_t i = 0; i < overflowing->count; i++) {
        size_t at = overflowing->items[i]->place;
        if (s->readings[at].series && !s->readings[at].count) leave_out(s, at, false);
    }
    if (s->order) return;
    size_t n = 0;
    for (size_t i = 0; i < s->count; i++)
        if (s->readings[i].series) s->readings[n++] = s->readings[i];
    s->count = n;
}

static void fill_header(const struct metrics__taking *t, uint64_t wall)
{
    const struct metrics_reader *r = t->r;
    t->snapshot->header = (metrics_snapshot_header_t){
        .incarnation = r->head.incarnation,
        .epoch = t->epoch,
        .wall_ns = wall,
        .monotonic_ns = t->now + r->time_offset,
        .interval_ns = t->epoch && t->now > t->from ? t->now - t->from : 0,
        .created_wall_ns = r->head.created_wall,
        .series_damaged = r->catalog->damaged + r->order.damaged,
        .first_export = r->head.exported == 0,
        .age_ns = t->now,
    };
}

/* One walk. 0, 1 = once more, or -1: see r->trouble, else there is no memory. */
static int walk(struct metrics__taking *t, uint64_t wall, bool last)
{
    if (prepare(t->r)) return -1;
    if (t->r->order.gauges && t->depth == METRICS__TAKE_ALL) ask_slots(t->r);
    t->snapshot = begin(t->r);
    if (!t->snapshot) return -1;
    fill_header(t, wall);
    int rc = load_all(t, last);
    if (rc || t->snapshot->pool.failed) return rc ? rc : -1;
    close_ranks(t);
    return 0;
}

metrics_snapshot_t *metrics__take(struct metrics_reader *r, enum metrics__depth depth, uint64_t epoch,
                                  uint64_t from, metrics_error_t *error)
{
    enum { TRIES = 3 };
    struct metrics__taking t = {.r = r, .depth = depth, .epoch = epoch, .from = from};
    uint64_t wall = r->clock.wall(r->clock.arg), now = r->clock.monotonic(r->clock.arg);
    t.now = metrics__segment_time(r, now);
    t.tick = (uint32_t)(t.now / 125000000) + 1;
    if (metrics__copy_head(r, error)) return NULL;
    int rc = 1;
    for (int i = 1; rc > 0; i++) {
        if (t.snapshot) metrics_snapshot_release(&t.snapshot);
        rc = walk(&t, wall, i == TRIES);
    }
    if (!rc) return t.snapshot;
    if (t.snapshot) metrics_snapshot_release(&t.snapshot);
    if (r->trouble == METRICS__TRUNCATED)
        metrics__fail(error, METRICS_E_DAMAGED, 0, "%s can no longer be read: was it truncated?",
                      r->view.path);
    else
        metrics__fail(error, METRICS_E_MEMORY, 0, "no memory for a snapshot of %s", r->view.path);
    return NULL;
}

metrics_snapshot_t *metrics_snapshot_take(metrics_reader_t *r, metrics_error_t *error)
{
    return metrics__take(r, METRICS__TAKE_ALL, 0, 0, error);
}

/* --- Looking at one --- */

const metrics_snapshot_header_t *metrics_snapshot_header(const metrics_snapshot_t *s)
{
    return &s->header;
}

size_t metrics_snapshot_count(const metrics_snapshot_t *s)
{
    return s->count;
}

const metrics_reading_t *metrics_snapshot_reading(const metrics_snapshot_t *s, size_t i)
{
    return i < s->count ? &s->readings[i] : NULL;
}

int metrics_snapshot_alike(const metrics_snapshot_t *a, const metrics_snapshot_t *b)
{
    return a == b || (a->catalog && a->catalog == b->catalog && a->order && a->order == b->order);
}

const metrics_reading_t *metrics_snapshot_find(const metrics_snapshot_t *s, const metrics_reading_t *like)
{
    /* Snapshots of one reader have most series at the same place. */
    size_t from = mem_load32(&like->series->place), to = s->count; /* ORD-15 */
    if (from < to && s->readings[from].series == like->series) return &s->readings[from];
    from = 0;
    while (from < to) {
        size_t middle = from + (to - from) / 2;
        const struct metrics_reading *r = &s->readings[middle];
        int order = metrics__series_compare(r->series, like->series);
        bool same = r->series->created == like->series->created && r->series->kind == like->series->kind;
        if (order == 0) return same ? r : NULL;
        if (order < 0)
            from = middle + 1;
        else
            to = middle;
    }
    return NULL;
}
