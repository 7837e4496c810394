/* SPDX-License-Identifier: Apache-2.0 */
/*
 * snapshot.c - one consistent walk.
 *
 * The used part of the arena is copied whole, by one pread() or a few, and everything that is a total is read
 * from that copy: reading 10,000 counters is one copy and a walk through private memory. What a count implies
 * (extremes, samples) is copied afterwards, series by series (ORD-6).
 */
#include <stdlib.h>
#include <string.h>

#include "atomic.h"
#include "catalog.h"
#include "error.h"
#include "taking.h"

enum { IMAGE_TRIES = 4 };

/* --- The image
 * ---------------------------------------------------------------------------------------------- */

const void *metrics__image_at(const struct metrics_reader *r, uint64_t offset, uint64_t n)
{
    if (offset % 8 || offset < SEGMENT_ARENA || offset > r->image_end || n > r->image_end - offset)
        return NULL;
    return r->image + (offset - SEGMENT_ARENA);
}

/*
 * header.records comes from a copy of its own, made before the rest: the words of one copy are of no certain
 * order, and whatever that number counts has to be in what is copied after it (ORD-2).
 */
static int copy_head(struct metrics_reader *r)
{
    uint64_t records;
    if (view_read(&r->view, offsetof(struct segment_header, records), &records, sizeof records)) return -1;
    if (view_head(&r->view, &r->head)) return -1;
    r->head.records = records;
    return 0;
}

/* Where to stop copying. If the header's word cannot be: all that has memory, or the whole file, so that what
 * is whole can be saved. 0 = none of them can be believed. */
static uint64_t end_of_arena(const struct metrics_reader *r)
{
    const uint64_t ends[] = {r->head.arena_next, r->head.populated, r->view.size};
    for (int i = 0; i < 3; i++)
        if (view_believes(&r->view, ends[i])) return ends[i];
    return 0;
}

static int copy_image(struct metrics_reader *r, metrics_error_t *error)
{
    if (copy_head(r))
        return metrics__fail(error, METRICS_E_DAMAGED, 0, "%s cannot be read any more: truncated?",
                             r->view.path);
    uint64_t end = end_of_arena(r);
    if (!end)
        return metrics__fail(error, METRICS_E_DAMAGED, 0,
                             "%s is damaged: its arena ends at %llu of %llu bytes", r->view.path,
                             (unsigned long long)r->head.arena_next, (unsigned long long)r->view.size);
    uint64_t n = end - SEGMENT_ARENA;
    if (n > r->image_room) {
        uint64_t room = layout_round_up(n + n / 8, SEGMENT_PAGE);
        unsigned char *image = realloc(r->image, room);
        if (!image) return metrics__fail(error, METRICS_E_MEMORY, 0, "no memory to copy %s", r->view.path);
        r->image = image;
        r->image_room = room;
    }
    r->image_end = SEGMENT_ARENA;
    if (view_read(&r->view, SEGMENT_ARENA, r->image, n))
        return metrics__fail(error, METRICS_E_DAMAGED, 0, "%s cannot be read any more: truncated?",
                             r->view.path);
    r->image_end = end;
    return 0;
}

/*
 * The bank of fold n is written again in fold n + 2, which begins as soon as n + 1 is published: the copy is
 * whole only if the number has not moved at all (ORD-9). A reader that is stopped for 5 s in every try shows
 * no rates.
 */
static int take_image(struct metrics_reader *r, metrics_error_t *error)
{
    r->rates_whole = false;
    for (int i = 0; i < IMAGE_TRIES && !r->rates_whole; i++) {
        uint64_t fold;
        int rc = copy_image(r, error);
        if (rc) return rc;
        if (!view_read(&r->view, offsetof(struct segment_header, fold), &fold, sizeof fold))
            r->rates_whole = fold == r->head.fold;
    }
    return 0;
}

/* ORD-7: who lives is asked before the values are copied. */
static void ask_slots(struct metrics_reader *r)
{
    struct segment_slot block[SEGMENT_SLOT_BLOCK];
    view_alive(&r->view, r->alive, r->view.head.slots);
    struct segment_header h;
    if (view_head(&r->view, &h)) return;
    for (uint32_t s = 0; s < r->view.head.slots; s++) {
        uint64_t at = h.slot_block[s / SEGMENT_SLOT_BLOCK];
        if (s % SEGMENT_SLOT_BLOCK == 0 && (!at || view_read(&r->view, at, block, sizeof block)))
            memset(block, 0, sizeof block);
        r->polled[s] = block[s % SEGMENT_SLOT_BLOCK].polled;
    }
}

/* --- Cells
 * -------------------------------------------------------------------------------------------------- */

/* The lane-0 address of a cell in the image, its stride and how many lanes; NULL = damaged. */
static const unsigned char *cells_of(const struct metrics__taking *t, uint32_t cell, uint64_t *stride,
                                     uint64_t *lanes)
{
    const struct segment_header *h = &t->r->head;
    uint32_t cells = t->series->plan.cells;
    *stride = layout_stride(cells);
    *lanes = layout_lanes(cells, h->lanes_cpu, h->lanes_atomic);
    uint64_t at = t->series->storage[0];
    if (at % 8) return NULL;
    const unsigned char *base = metrics__image_at(t->r, at, (*lanes - 1) * *stride + cells * 8);
    return base ? base + cell * 8 : NULL;
}

bool metrics__sum_u64(const struct metrics__taking *t, uint32_t cell, uint64_t *out)
{
    uint64_t stride, lanes, v, sum = 0;
    const unsigned char *at = cells_of(t, cell, &stride, &lanes);
    for (uint64_t l = 0; at && l < lanes; l++, at += stride) {
        memcpy(&v, at, sizeof v);
        sum += v;
    }
    *out = sum;
    return at != NULL;
}

bool metrics__sum_f64(const struct metrics__taking *t, uint32_t cell, double *out)
{
    uint64_t stride, lanes;
    double v, sum = 0;
    const unsigned char *at = cells_of(t, cell, &stride, &lanes);
    for (uint64_t l = 0; at && l < lanes; l++, at += stride) {
        memcpy(&v, at, sizeof v);
        if (v - v == 0) sum += v; /* not NaN, not infinite */
    }
    *out = sum;
    return at != NULL;
}

/* --- Snapshots
 * ---------------------------------------------------------------------------------------------- */

struct metrics_snapshot *metrics__snapshot_new(size_t readings)
{
    struct metrics_snapshot *s = calloc(1, sizeof *s);
    if (!s) return NULL;
    s->references = 1;
    s->readings = calloc(readings + 1, sizeof *s->readings);
    if (s->readings) return s;
    free(s);
    return NULL;
}

metrics_snapshot_t *metrics_snapshot_retain(metrics_snapshot_t *s)
{
    if (s) __atomic_fetch_add(&s->references, 1, __ATOMIC_RELAXED); /* ORD-15 */
    return s;
}

void metrics_snapshot_release(metrics_snapshot_t **where)
{
    metrics_snapshot_t *s = *where;
    *where = NULL;
    if (!s || __atomic_fetch_sub(&s->references, 1, __ATOMIC_ACQ_REL) != 1) return; /* ORD-15 */
    metrics__catalog_release(&s->catalog);
    metrics__pool_free(&s->pool);
    free(s->readings);
    free(s);
}

static void fill_header(const struct metrics__taking *t, metrics_snapshot_header_t *h, uint64_t wall)
{
    const struct metrics_reader *r = t->r;
    *h = (metrics_snapshot_header_t){
        .incarnation = r->head.incarnation,
        .epoch = t->epoch,
        .wall_ns = wall,
        .monotonic_ns = t->now + r->time_offset,
        .interval_ns = t->epoch && t->now > t->from ? t->now - t->from : 0,
        .created_wall_ns = r->head.created_wall,
        .series_damaged = r->catalog->damaged,
        .first_export = r->head.exported == 0,
    };
}

static void identify(const struct metrics_reader *r, const struct metrics__series_read *s,
                     struct metrics_reading *out)
{
    out->name = s->name;
    out->tags = s->tags;
    out->tag_count = s->tag_count;
    out->identity = s->identity;
    out->unit = s->family->unit;
    out->help = s->family->help;
    out->kind = s->kind;
    out->merge = s->family->settings.merge;
    out->created = s->created;
    out->start_wall = r->head.created_wall + s->created;
    out->scale = -1;
}

/* Series whose storage has not come yet, or lies beyond the image, are simply not there yet. */
static bool is_ready(const struct metrics_reader *r, const struct metrics__series_read *s)
{
    uint64_t need0 = s->plan.cells || s->plan.block0 || s->kind == KIND_gauge;
    return !s->retired && !s->twin && (!need0 || (s->storage[0] && s->storage[0] < r->image_end)) &&
           (!s->plan.block1 || (s->storage[1] && s->storage[1] < r->image_end));
}

/* Storage is set once, after the record: look again at those that had none. */
static void find_storage(struct metrics_reader *r, struct metrics__series_read *s)
{
    const struct segment_record *rec = metrics__image_at(r, s->offset, RECORD_KEY);
    for (int i = 0; rec && i < 2; i++)
        if (!s->storage[i]) s->storage[i] = rec->storage[i];
}

metrics_snapshot_t *metrics__take(struct metrics_reader *r, enum metrics__depth depth, uint64_t epoch,
                                  uint64_t from, metrics_error_t *error)
{
    struct metrics__taking t = {.r = r, .depth = depth, .epoch = epoch, .from = from};
    uint64_t wall = r->clock.wall(r->clock.arg), now = r->clock.monotonic(r->clock.arg);
    t.now = metrics__segment_time(r, now);
    t.tick = (uint32_t)(t.now / 125000000) + 1;
    ask_slots(r);
    if (take_image(r, error)) return NULL;
    if (metrics__catalog_update(r)) {
        metrics__fail(error, METRICS_E_MEMORY, 0, "no memory for the series of %s", r->view.path);
        return NULL;
    }
    struct metrics_snapshot *s = metrics__snapshot_new(r->catalog->count);
    if (!s) {
        metrics__fail(error, METRICS_E_MEMORY, 0, "no memory for a snapshot");
        return NULL;
    }
    t.snapshot = s;
    s->catalog = metrics__catalog_retain(r->catalog);
    fill_header(&t, &s->header, wall);
    for (size_t i = 0; i < r->catalog->count; i++) {
        struct metrics__series_read *series = r->catalog->series[i];
        find_storage(r, series);
        if (!is_ready(r, series)) continue;
        t.series = series;
        struct metrics_reading *reading = &s->readings[s->count];
        identify(r, series, reading);
        bool good = metrics__kind_read_of(series->kind)->load(&t, reading);
        s->header.series_damaged += !good;
        if (good && !(series->overflow && !reading->count))
            s->count++;
        else
            memset(reading, 0, sizeof *reading);
    }
    if (s->pool.failed) {
        metrics__fail(error, METRICS_E_MEMORY, 0, "no memory for a snapshot");
        metrics_snapshot_release(&s);
    }
    return s;
}

metrics_snapshot_t *metrics_snapshot_take(metrics_reader_t *r, metrics_error_t *error)
{
    return metrics__take(r, METRICS__TAKE_ALL, 0, 0, error);
}

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

const metrics_reading_t *metrics_snapshot_find(const metrics_snapshot_t *s, const metrics_reading_t *like)
{
    size_t from = 0, to = s->count;
    while (from < to) {
        size_t middle = from + (to - from) / 2;
        const struct metrics_reading *r = &s->readings[middle];
        int order =
            metrics__series_compare(r->name, r->tags, r->tag_count, like->name, like->tags, like->tag_count);
        if (order == 0) return r->created == like->created && r->kind == like->kind ? r : NULL;
        if (order < 0)
            from = middle + 1;
        else
            to = middle;
    }
    return NULL;
}

/* --- Readings
 * ----------------------------------------------------------------------------------------------- */

const char *metrics_reading_name(const metrics_reading_t *r)
{
    return r->name;
}
const metrics_tag_t *metrics_reading_tags(const metrics_reading_t *r, size_t *n)
{
    *n = r->tag_count;
    return r->tags;
}
const char *metrics_reading_unit(const metrics_reading_t *r)
{
    return r->kind == KIND_timer ? "seconds" : r->unit;
}
const char *metrics_reading_help(const metrics_reading_t *r)
{
    return r->help;
}
const char *metrics_reading_kind(const metrics_reading_t *r)
{
    const struct metrics__kind_read *k = metrics__kind_read_of(r->kind);
    return k ? k->name : "unknown";
}
uint64_t metrics_reading_start(const metrics_reading_t *r)
{
    return r->start_wall;
}
const uint64_t *metrics_reading_elements(const metrics_reading_t *r, size_t *n)
{
    *n = r->exact ? r->element_count : 0;
    return *n ? r->elements : NULL;
}
