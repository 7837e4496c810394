/* SPDX-License-Identifier: Apache-2.0 */
/* leader.c - see leader.h. It writes through a mapping and reads by its reader. */
#include "leader_inside.h"

#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "prove.h"
#include "rate.h"
#include "sketch.h"

#define TICK_NS    UINT64_C(125000000)
#define FOLD_NS    UINT64_C(5000000000)
#define CLOCK_LIFE 8 /* ticks after which the clock word of a leader that is gone counts for nothing */

enum { SWEEP_PARTS = 1024, STALE_EPOCHS = 16384 };

/* The lock is taken: by an exporter, or by somebody who may only read the file. */
static int not_leading(const view_t *v, metrics_error_t *error)
{
    if (view_owned(v, LOCK_LEADER) != 0)
        return metrics__fail(error, METRICS_E_BUSY, 0, "another exporter leads %s", v->path);
    return metrics__fail(
        error, METRICS_E_BUSY, 0,
        "a process that shares the leader's lock of %s keeps exporters out: end it, and take the "
        "permission to read the file from those you do not trust",
        v->path);
}

metrics_leader_t *metrics_leader_acquire(const char *path, const metrics_reader_options_t *options,
                                         metrics_error_t *error)
{
    metrics_error_t dummy;
    if (!error) error = &dummy;
    memset(error, 0, sizeof *error);
    struct metrics_leader *l = calloc(1, sizeof *l);
    if (!l) {
        metrics__fail(error, METRICS_E_MEMORY, 0, "no memory for a leader");
        return NULL;
    }
    int rc = metrics__reader_init(&l->r, path, options, true, error);
    if (!rc && view_lead(&l->r.view)) rc = not_leading(&l->r.view, error);
    if (!rc && view_map(&l->r.view))
        rc = metrics__fail(error, METRICS_E_MEMORY, 0, "cannot map %s", l->r.view.path);
    if (rc) {
        metrics__reader_end(&l->r);
        free(l);
        return NULL;
    }
    l->head = (struct segment_header *)l->r.view.map;
    return l;
}

void metrics_leader_release(metrics_leader_t **leader)
{
    struct metrics_leader *l = *leader;
    *leader = NULL;
    if (!l) return;
    metrics__reader_end(&l->r);
    free(l);
}

metrics_reader_t *metrics_leader_reader(metrics_leader_t *l)
{
    return &l->r;
}

int metrics_leader_prove(metrics_leader_t *l)
{
    return metrics__prove(&l->head->kernel) == METRICS_PROOF_BROKEN ? -1 : 0;
}

static uint64_t now_of(const struct metrics_leader *l)
{
    uint64_t now = l->r.clock.monotonic(l->r.clock.arg);
    return metrics__segment_time(&l->r, now);
}

/* --- Rates --- */

/* Bank (n + 1) & 1 of every series first, the number n + 1 last (ORD-9). */
static void fold(struct metrics_leader *l, uint64_t now)
{
    metrics_error_t error;
    metrics__rate_step_t step = {0};
    uint64_t n = mem_load(&l->head->fold);
    metrics_snapshot_t *s = metrics__take(&l->r, METRICS__TAKE_TOTALS, 0, 0, &error);
    if (!s) return;
    mem_fence_release(); /* ORD-9: number n is seen before bank (n - 1) & 1 changes */
    for (size_t i = 0; i < s->count; i++) {
        const struct metrics_reading *reading = &s->readings[i];
        const struct metrics__series_read *series = reading->series;
        metrics__rate_block_t *block =
            series->family->shape->plan.rate ? view_at(&l->r.view, series->storage[1], sizeof *block) : NULL;
        if (!block) continue;
        metrics__rate_bank_t prev = block->side[n & 1].bank;
        block->side[(n + 1) & 1].bank =
            metrics__rate_fold(&step, &prev, series->created, reading->count, now);
    }
    metrics_snapshot_release(&s);
    mem_store(&l->head->fold_time[(n + 1) & 1], now);
    mem_publish(&l->head->fold, n + 1); /* ORD-9 */
}

uint64_t metrics_leader_tick(metrics_leader_t *l)
{
    uint64_t now = now_of(l), tick = now / TICK_NS + 1;
    mem_store(&l->head->clock, tick << 32 | (uint32_t)(tick + CLOCK_LIFE)); /* ORD-12 */
    uint64_t folded = mem_load(&l->head->fold_time[mem_load(&l->head->fold) & 1]);
    if (now >= folded + FOLD_NS || now < folded) fold(l, now);
    uint64_t next = tick * TICK_NS, after = now_of(l);
    return next > after ? next - after : 0;
}

/* --- Sweep: tags of 16 bits must not come round --- */

static void sweep_word(uint64_t *word, uint64_t epoch)
{
    uint64_t old = mem_load(word); /* ORD-10 */
    if ((uint16_t)((epoch & 0xffff) - (old >> 48)) > STALE_EPOCHS)
        mem_cas(word, &old, (epoch - 2) << 48); /* ORD-10 */
}

static void sweep_series(struct metrics_leader *l, const struct metrics__series_read *s, uint64_t epoch)
{
    const struct segment_header *h = &l->r.head;
    if (s->family->shape->plan.block0) {
        metrics__sketch_t *sketch = view_at(&l->r.view, s->storage[0], sizeof *sketch);
        if (sketch) metrics__sketch_sweep(sketch, epoch);
    }
    if (!s->family->shape->plan.reservoir) return;
    uint64_t stride = layout_stride(DIST_CELLS),
             lanes = layout_lanes(DIST_CELLS, h->lanes_cpu, h->lanes_atomic);
    unsigned char *cells = view_at(&l->r.view, s->storage[0], (lanes - 1) * stride + DIST_CELLS * 8);
    for (uint64_t lane = 0; cells && lane < lanes; lane++, cells += stride)
        for (int i = DIST_MAX; i < DIST_CELLS; i++) sweep_word((uint64_t *)cells + i, epoch);
}

static void sweep(struct metrics_leader *l, uint64_t epoch)
{
    const struct metrics__catalog *c = l->r.catalog;
    uint64_t at = mem_load(&l->head->sweep), n = c->count / SWEEP_PARTS + 1; /* ORD-16 */
    for (uint64_t i = 0; i < n && i < c->count; i++) {
        const struct metrics__series_read *s = c->series[(at + i) % c->count];
        if (s->storage[0] && s->storage[0] % 8 == 0) sweep_series(l, s, epoch);
    }
    mem_store(&l->head->sweep, c->count ? (at + n) % c->count : 0); /* ORD-16 */
}

/* --- Intervals --- */

/*
 * A writer that read the old epoch may have stored after we looked: count that to the epoch now ending
 * (ORD-10). So also where the first look found nothing. A word that was seen in an older epoch says nothing
 * about this one.
 */
static void find_late(struct metrics_leader *l, uint64_t epoch)
{
    const struct metrics__catalog *c = l->r.catalog;
    uint64_t words[2];
    if (l->taken != epoch) return; /* a new leader does not know what its predecessor has seen */
    for (size_t i = 0; i < c->count; i++) {
        const struct metrics__series_read *s = c->series[i];
        if (!s->family->shape->plan.reservoir || !s->storage[0]) continue;
        struct metrics__late *known = &c->late[s->late];
        if (!metrics__extremes_read(&l->r, s, epoch, words)) continue;
        for (int k = 0; k < 2; k++) {
            uint64_t seen = known->seen[k] >> 48 == (epoch & 0xffff) ? known->seen[k] : 0;
            if (words[k] > seen) known->late[k] = words[k];
        }
    }
}

/*
 * Close the open epoch. A kill between two of these stores leaves a state that recover() handles: the closed
 * epoch is pending as soon as the new number is stored.
 */
static void close_epoch(struct metrics_leader *l, uint64_t open, uint64_t now)
{
    if (open > 1) find_late(l, open - 1);
    mem_store(&l->head->pending_from, mem_load(&l->head->closed_time));
    mem_publish(&l->head->epoch, open + 1); /* ORD-10 */
    mem_fence();                            /* ORD-10: before the banks are read */
    mem_publish(&l->head->closed_time, now);
}

/* What an earlier leader, or another version, may have left. */
static void recover(struct metrics_leader *l, uint64_t open, uint64_t now)
{
    uint64_t logged = mem_load(&l->head->logged); /* ORD-10 */
    if (open != logged + 1 && open != logged + 2)
        mem_store(&l->head->logged, open ? open - 1 : 0); /* ORD-10 */
    if (open == logged + 2 &&
        mem_load(&l->head->closed_time) == mem_load(&l->head->pending_from)) /* ORD-10 */
        mem_store(&l->head->closed_time, now);                               /* ORD-10 */
}

metrics_snapshot_t *metrics_leader_sample(metrics_leader_t *l, metrics_error_t *error)
{
    metrics_error_t dummy;
    if (!error) error = &dummy;
    uint64_t now = now_of(l), open = mem_load(&l->head->epoch); /* ORD-10 */
    recover(l, open, now);
    if (open == mem_load(&l->head->logged) + 1) { /* ORD-10 */
        close_epoch(l, open, now);
        open++;
        sweep(l, open);
    }
    metrics_snapshot_t *s = metrics__take(&l->r, METRICS__TAKE_ALL, open - 1,
                                          mem_load(&l->head->pending_from), error); /* ORD-10 */
    l->taken = s ? open - 1 : 0;
    return s;
}

void metrics_leader_logged(metrics_leader_t *l, const metrics_snapshot_t *s)
{
    if (s->header.epoch != mem_load(&l->head->logged) + 1) return; /* ORD-10 */
    mem_publish(&l->head->logged, s->header.epoch);                /* ORD-10 */
    mem_store(&l->head->exported, 1);                              /* ORD-16 */
}
