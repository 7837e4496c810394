/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cells.c - take what has come in the atomic ring (ORD-20).
 *
 * A run that is reserved and not ready belongs to a process that writes it just now, or that is stopped, or that was
 * killed. The lock of its slot tells. A dead one's is passed over; one that lives is left for later, and what is behind
 * it is taken, and remembered in `cell_beyond`.
 */
#include "drain_inside.h"

#include <string.h>

struct cells {
    struct segment_ring ring;
    uint64_t words[SEGMENT_RING_CELLS];
};
_Static_assert(sizeof(struct cells) == sizeof(struct segment_ring) + SEGMENT_RING_CELLS * 8,
               "as in the file");

static bool has(const struct metrics_events *e, uint64_t cell)
{
    return e->cell_beyond[cell / 64] >> cell % 64 & 1;
}
static void set(struct metrics_events *e, uint64_t cell)
{
    e->cell_beyond[cell / 64] |= UINT64_C(1) << cell % 64;
}
static void clear(struct metrics_events *e, uint64_t cell)
{
    e->cell_beyond[cell / 64] &= ~(UINT64_C(1) << cell % 64);
}

static bool trouble(struct metrics_events *e)
{
    e->r->trouble = METRICS__TRUNCATED;
    return false;
}

static uint64_t place_of(const struct metrics_events *e)
{
    return metrics__ring_place(e, e->r->view.head.lanes_cpu);
}

static bool read_cells(struct metrics_events *e, struct cells *c)
{
    return view_read(&e->r->view, place_of(e), c, sizeof *c) ? trouble(e) : true;
}

/* --- Is the owner of a reserved run dead? --- */

/* The token that the slot's record has; 0 if there is no record. */
static uint64_t token_of(struct metrics_events *e, uint32_t slot)
{
    struct segment_header h;
    struct segment_slot record = {0};
    if (view_head(&e->r->view, &h)) return 0;
    uint64_t block = h.slot_block[slot / SEGMENT_SLOT_BLOCK];
    uint64_t at = block + slot % SEGMENT_SLOT_BLOCK * sizeof record;
    if (block < SEGMENT_ARENA || view_read(&e->r->view, at, &record, sizeof record)) return 0;
    return record.token;
}

static bool owner_is_dead(struct metrics_events *e, uint64_t word)
{
    uint32_t slot = layout_word_slot(word);
    if (slot >= e->r->view.head.slots) return true;
    int owned = view_owned(&e->r->view, LOCK_ALIVE + slot); /* ORD-7 */
    return owned == 0 || (owned == 1 && (token_of(e, slot) & 0xffff) != layout_word_token(word));
}

/* The word once more, as the owner may have stored it just before it died. */
static uint64_t last_word(struct metrics_events *e, uint64_t cell, uint64_t word)
{
    uint64_t at = place_of(e) + offsetof(struct cells, words) + cell * 8;
    return view_read(&e->r->view, at, &word, sizeof word) ? 0 : word;
}

/* --- Runs --- */

/* The record of a run, which is ready. */
static bool copy_run(struct metrics_events *e, uint64_t cell, uint64_t run)
{
    struct segment_event head;
    uint64_t n = run * SEGMENT_RING_CELL;
    unsigned char *to = metrics__haul_bytes(e, n);
    if (!to) return false;
    size_t base = (size_t)(to - e->haul.bytes);
    if (view_read(&e->r->view, place_of(e) + sizeof(struct cells) + cell * SEGMENT_RING_CELL, to, n))
        return trouble(e);
    memcpy(&head, to, sizeof head);
    if (head.length < sizeof head || head.length % SEGMENT_EVENT_ALIGN || head.length > n) {
        e->stats.damaged++;
        return true;
    }
    return metrics__haul_record(e, base, head.length, e->r->view.head.lanes_cpu);
}

enum judged { RUN_TAKEN, RUN_LEFT, RUN_FAILED };

static enum judged judge(struct metrics_events *e, uint64_t cell, uint64_t word)
{
    bool drains = e->mode == METRICS_EVENTS_DRAIN;
    if (layout_word_state(word) == RING_RESERVED) {
        if (!owner_is_dead(e, word)) return RUN_LEFT;
        word = last_word(e, cell, word);
        if (layout_word_state(word) == RING_RESERVED) {
            e->stats.killed++;
            return RUN_TAKEN;
        }
    }
    bool taken = layout_word_state(word) == RING_TAKEN;
    if (taken && (drains || !layout_word_slot(word))) return RUN_TAKEN; /* by an earlier leader, or a pad */
    return copy_run(e, cell, layout_word_run(word)) ? RUN_TAKEN : RUN_FAILED;
}

/* The run at position p, or 0 if there is none yet. */
static uint64_t run_at(struct metrics_events *e, const struct cells *c, uint64_t p)
{
    uint64_t count = e->sizes.cells, word = c->words[p % count], run = layout_word_run(word);
    if (layout_word_lap(word) != layout_lap(p, count) || !layout_word_state(word)) return 0;
    if (run && p % count + run <= count) return run;
    e->stats.damaged++;
    return 1;
}

/* Where the runs begin that have not been taken. */
static void advance(struct metrics_events *e, const struct cells *c, uint64_t end)
{
    uint64_t count = e->sizes.cells;
    while (e->cell_at < end && has(e, e->cell_at % count)) {
        clear(e, e->cell_at % count);
        uint64_t run = layout_word_run(c->words[e->cell_at % count]);
        e->cell_at += run && e->cell_at % count + run <= count ? run : 1;
    }
}

/* --- Where to begin --- */

static uint64_t first_look(const struct metrics_events *e, const struct cells *c)
{
    uint64_t head = c->ring.head - c->ring.tail <= e->sizes.cells ? c->ring.head : c->ring.tail;
    if (e->mode == METRICS_EVENTS_DRAIN) return c->ring.tail;
    uint64_t lap = head - head % e->sizes.cells;
    return e->mode == METRICS_EVENTS_FOLLOW ? head : lap < c->ring.tail ? lap : c->ring.tail;
}

static void go_to(struct metrics_events *e, uint64_t position)
{
    e->cell_at = position;
    memset(e->cell_beyond, 0, sizeof e->cell_beyond);
}

/* Over what the leader has taken, or given up, meanwhile. */
static void catch_up(struct metrics_events *e, uint64_t tail)
{
    if (tail - e->cell_at > e->sizes.cells) go_to(e, tail);
    for (; e->cell_at != tail; e->cell_at++) clear(e, e->cell_at % e->sizes.cells);
}

/* Positions from the tail on are good; those before it only for somebody who does not drain, while they are there. */
static void choose(struct metrics_events *e, const struct cells *c)
{
    uint64_t count = e->sizes.cells, tail = c->ring.tail;
    if (!e->begun) go_to(e, first_look(e, c));
    if (e->cell_at - tail <= count) return;
    bool drains = e->mode == METRICS_EVENTS_DRAIN;
    if (!drains && tail - e->cell_at <= count && run_at(e, c, e->cell_at)) return;
    e->stats.missed += !drains;
    catch_up(e, tail);
}

/* --- Those who do not drain: what was overwritten during the copy --- */

/* The end of the newest run that a word shows, as a position near the tail. */
static uint64_t newest_end(const struct metrics_events *e, const struct cells *c)
{
    uint64_t count = e->sizes.cells, newest = c->ring.tail, lap = c->ring.tail / count;
    for (uint64_t cell = 0; cell < count; cell++)
        for (uint64_t l = lap; l <= lap + 1; l++) {
            uint64_t p = l * count + cell, word = c->words[cell];
            if (layout_word_lap(word) == layout_lap(p, count) && p + layout_word_run(word) > newest)
                newest = p + layout_word_run(word);
        }
    return newest;
}

/* Records from index `first` on, of runs that began at the position that `time` has until then. */
struct noted {
    uint64_t position[SEGMENT_RING_CELLS];
    size_t first;
};

static bool drop_overwritten(struct metrics_events *e, const struct noted *n)
{
    struct cells again;
    if (!read_cells(e, &again)) return false;
    uint64_t end = newest_end(e, &again), count = e->sizes.cells;
    size_t kept = n->first;
    for (size_t i = n->first; i < e->haul.count; i++) {
        uint64_t p = n->position[i - n->first];
        bool whole = p - again.ring.tail <= count || p + count >= end;
        if (whole)
            e->haul.records[kept++] = e->haul.records[i];
        else
            e->stats.missed++;
    }
    e->haul.count = kept;
    return true;
}

bool metrics__cells_take(struct metrics_events *e)
{
    struct cells c;
    struct noted noted = {.first = e->haul.count};
    if (!read_cells(e, &c)) return false;
    metrics__events_losses(e, &c.ring);
    choose(e, &c);
    uint64_t p = e->cell_at, count = e->sizes.cells, run;
    for (; p - e->cell_at < count && (run = run_at(e, &c, p)); p += run) {
        if (has(e, p % count)) continue;
        size_t before = e->haul.count;
        enum judged judged = judge(e, p % count, c.words[p % count]);
        if (judged == RUN_FAILED) return false;
        if (judged == RUN_TAKEN) set(e, p % count);
        if (e->haul.count > before) noted.position[before - noted.first] = p;
    }
    double fill = (double)(p - c.ring.tail) / (double)count;
    if (p - c.ring.tail <= count && fill > e->fill) e->fill = fill;
    advance(e, &c, p);
    return e->mode == METRICS_EVENTS_DRAIN || drop_overwritten(e, &noted);
}
