/* SPDX-License-Identifier: Apache-2.0 */
/*
 * check.c - look at every structure of a segment and name what is wrong, and where.
 *
 * Readers leave damage out; this says what they would leave out. It works on a private copy, so a segment in use
 * may be checked: what a writer is half-way through is not damage, since nothing refers to it yet.
 */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <mtx/metrics.h>

#include "atomic.h"
#include "error.h"
#include "rate.h"
#include "reservoir.h"
#include "taking.h"

#define ENTRY_OFFSET UINT64_C(0xffffffffffff)

struct checking {
    view_t view;
    struct segment_header head;
    unsigned char *image; /* the whole used file, from 0 */
    uint64_t end;
    metrics_damage_fn *fn;
    void *arg;
    int damages;
};

static void __attribute__((format(printf, 3, 4))) damage(struct checking *c, uint64_t offset, const char *fmt, ...)
{
    char text[256];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    c->damages++;
    if (c->fn) c->fn(c->arg, offset, text);
}

static const void *at(const struct checking *c, uint64_t offset, uint64_t n)
{
    if (offset < SEGMENT_ARENA || offset > c->end || n > c->end - offset) return NULL;
    return c->image + offset;
}

static void check_head(struct checking *c)
{
    const struct segment_header *h = &c->head;
    if (h->arena_next < SEGMENT_ARENA || h->arena_next > h->size || h->arena_next % SEGMENT_ALIGN)
        damage(c, offsetof(struct segment_header, arena_next), "the arena ends at %llu of %llu bytes",
               (unsigned long long)h->arena_next, (unsigned long long)h->size);
    if (h->populated < h->arena_next || h->populated > h->size)
        damage(c, offsetof(struct segment_header, populated), "memory is said to end at %llu, the arena at %llu",
               (unsigned long long)h->populated, (unsigned long long)h->arena_next);
    if (h->level[0] != SEGMENT_INDEX0)
        damage(c, offsetof(struct segment_header, level), "index level 0 is said to be at %llu",
               (unsigned long long)h->level[0]);
    for (unsigned i = 1; i < SEGMENT_INDEX_LEVELS; i++)
        if (h->level[i] && (h->level[i] % SEGMENT_ALIGN || !at(c, h->level[i], layout_level_entries(i) * 8)))
            damage(c, offsetof(struct segment_header, level) + i * 8, "index level %u at %llu is outside the arena", i,
                   (unsigned long long)h->level[i]);
    for (int i = 0; i < 2; i++)
        if (h->cell_cursor[i] && !at(c, h->cell_cursor[i] >> 20 << 6, SEGMENT_ALIGN))
            damage(c, offsetof(struct segment_header, cell_cursor) + (unsigned)i * 8,
                   "the cursor of cells points outside the arena");
    if (!h->epoch || (h->epoch != h->logged + 1 && h->epoch != h->logged + 2))
        damage(c, offsetof(struct segment_header, epoch), "interval %llu is open, but %llu was the last one logged",
               (unsigned long long)h->epoch, (unsigned long long)h->logged);
}

static void check_slots(struct checking *c)
{
    for (unsigned i = 0; i < SEGMENT_SLOT_BLOCKS; i++) {
        uint64_t block = c->head.slot_block[i];
        if (block && (block % SEGMENT_ALIGN || !at(c, block, SEGMENT_SLOT_BLOCK * sizeof(struct segment_slot))))
            damage(c, offsetof(struct segment_header, slot_block) + i * 8, "slot block %u is outside the arena", i);
    }
    uint64_t group = layout_gauge_group(c->head.group_cursor), before = UINT64_MAX;
    for (; group && group < before; before = group) {
        const struct segment_group *g = at(c, group, sizeof *g);
        if (!g) {
            damage(c, group, "a gauge group is outside the arena");
            return;
        }
        for (unsigned i = 0; i < SEGMENT_SLOT_BLOCKS; i++)
            if (g->block[i] && !at(c, g->block[i], SEGMENT_GROUP_BLOCK))
                damage(c, group + offsetof(struct segment_group, block) + i * 8,
                       "values of slot block %u are outside the arena", i);
        uint64_t older = g->older;
        if (older >= group) damage(c, group + offsetof(struct segment_group, older), "the list of gauge groups loops");
        before = group;
        group = older < group ? older : 0;
        if (!group) return;
    }
}

/* --- Series ----------------------------------------------------------------------------------------------------- */

static void check_sample(struct checking *c, const struct segment_record *r, const struct metrics__settings *s,
                         const struct metrics__plan *plan)
{
    metrics__reservoir_params_t p = {.kind = (enum metrics_reservoir)s->reservoir, .slots = s->samples,
                                     .alpha = s->alpha, .window_s = s->window_s};
    uint64_t where = r->storage[1] + (plan->rate ? METRICS__RATE_BLOCK : 0);
    const void *block = at(c, where, plan->reservoir);
    metrics__reservoir_t *copy = block ? aligned_alloc(64, plan->reservoir) : NULL;
    if (!copy) return;
    memcpy(copy, block, plan->reservoir);
    const unsigned char *slots = (const unsigned char *)copy;
    uint64_t first = plan->reservoir - (uint64_t)metrics__reservoir_capacity(&p) * 16;
    for (uint64_t i = first; i + 16 <= plan->reservoir; i += 16) {
        metrics__reservoir_slot_t slot;
        memcpy(&slot, slots + i, sizeof slot);
        if (slot.tick && !isfinite(slot.value))
            damage(c, where + i, "a sample's value is not a finite number");
    }
    free(copy);
}

static void check_rates(struct checking *c, const struct segment_record *r)
{
    const metrics__rate_block_t *block = at(c, r->storage[1], sizeof *block);
    for (int side = 0; block && side < 2; side++)
        for (int i = 0; i < METRICS__RATES; i++) {
            double v = block->side[side].bank.rate[i];
            if (!isfinite(v) || v < 0)
                damage(c, r->storage[1], "a rate is not a finite number of at least 0");
        }
}

static void check_storage(struct checking *c, uint64_t offset, const struct segment_record *r, const char *name,
                          const struct metrics__settings *s, const struct metrics__plan *plan)
{
    const struct segment_header *h = &c->head;
    uint64_t lanes = layout_lanes(plan->cells, h->lanes_cpu, h->lanes_atomic), n0 = plan->block0;
    if (plan->cells) n0 = (lanes - 1) * layout_stride(plan->cells) + plan->cells * 8;
    if (r->kind == KIND_gauge) n0 = sizeof(struct segment_group);
    uint64_t place = r->kind == KIND_gauge ? layout_gauge_group(r->storage[0]) : r->storage[0];
    if (r->storage[0] && n0 && (place % 8 || !at(c, place, n0)))
        damage(c, offset + offsetof(struct segment_record, storage), "storage of %s lies outside the arena", name);
    if (!r->storage[1] || !plan->block1) return;
    if (r->storage[1] % SEGMENT_ALIGN || !at(c, r->storage[1], plan->block1)) {
        damage(c, offset + offsetof(struct segment_record, storage) + 8, "storage of %s lies outside the arena", name);
        return;
    }
    if (plan->rate) check_rates(c, r);
    if (plan->reservoir) check_sample(c, r, s, plan);
}

static const struct segment_record *whole_record(const struct checking *c, uint64_t offset)
{
    const struct segment_record *r = offset % SEGMENT_ALIGN ? NULL : at(c, offset, RECORD_KEY);
    if (!r || r->length < RECORD_KEY || !at(c, offset, r->length) || r->key_length > r->length - RECORD_KEY ||
        r->payload % 8 || r->payload > r->length || r->payload_length > r->length - r->payload)
        return NULL;
    return r;
}

static bool read_family(struct checking *c, uint64_t offset, struct metrics__settings *s, double *bounds)
{
    const struct segment_record *r = whole_record(c, offset);
    const struct metrics__family_record *f = r ? (const void *)((const char *)r + r->payload) : NULL;
    if (!r || r->type != RECORD_FAMILY || r->payload_length < sizeof *f) return false;
    *s = f->settings;
    if (s->bound_count > METRICS__BOUNDS_MAX ||
        r->payload_length < sizeof *f + s->bound_count * sizeof(double))
        return false;
    memcpy(bounds, f->bounds, s->bound_count * sizeof(double));
    return true;
}

static void check_series(struct checking *c, uint64_t offset, const struct segment_record *r)
{
    struct metrics__settings settings;
    struct metrics__plan plan;
    double bounds[METRICS__BOUNDS_MAX];
    const char *key = (const char *)r + RECORD_KEY;
    if (r->key_length < 3 || key[0] != 'S' || key[r->key_length - 1] || !key[1]) {
        damage(c, offset + RECORD_KEY, "the key of a series is malformed");
        return;
    }
    if (!metrics__kind_read_of(r->kind))
        damage(c, offset + offsetof(struct segment_record, kind), "%s is of kind %u, which does not exist", key + 1,
               r->kind);
    else if (!read_family(c, r->link, &settings, bounds))
        damage(c, offset + offsetof(struct segment_record, link), "%s belongs to no family", key + 1);
    else if (metrics__plan((enum metrics__kind_number)r->kind, &settings, bounds, &plan))
        damage(c, r->link, "the settings of %s make no sense", key + 1);
    else
        check_storage(c, offset, r, key + 1, &settings, &plan);
}

static void check_entry(struct checking *c, uint64_t where, uint64_t entry)
{
    uint64_t offset = entry & ENTRY_OFFSET;
    if (offset >= c->end && offset < c->head.size) return; /* newer than the copy */
    const struct segment_record *r = whole_record(c, offset);
    if (!r) {
        damage(c, where, "an index entry leads to %llu, where no whole record is", (unsigned long long)offset);
        return;
    }
    uint64_t hash = view_hash((const char *)r + RECORD_KEY, r->key_length);
    if (r->hash != hash || entry >> 48 != hash >> 48)
        damage(c, offset, "the hash of a record does not match its key");
    else if (r->type == RECORD_SERIES)
        check_series(c, offset, r);
}

static void check_level(struct checking *c, unsigned level)
{
    uint64_t entries = layout_level_entries(level), from = c->head.level[level];
    if (level == 0) from = SEGMENT_INDEX0;
    if (!from || (level && !at(c, from, entries * 8)) || from % 8) return;
    for (uint64_t line = 0; line < entries; line += SEGMENT_INDEX_LINE) {
        bool ended = false;
        for (uint64_t i = line; i < line + SEGMENT_INDEX_LINE; i++) {
            uint64_t entry;
            memcpy(&entry, c->image + from + i * 8, sizeof entry);
            if (entry && ended) damage(c, from + i * 8, "an index line has a gap before this entry");
            if (entry)
                check_entry(c, from + i * 8, entry);
            else
                ended = true;
        }
    }
}

static int load(struct checking *c, metrics_error_t *error)
{
    if (view_head(&c->view, &c->head))
        return metrics__fail(error, METRICS_E_DAMAGED, 0, "%s cannot be read: truncated?", c->view.path);
    c->end = c->head.arena_next;
    if (c->end < SEGMENT_ARENA || c->end > c->view.size) c->end = c->view.size;
    c->image = malloc(c->end);
    if (!c->image) return metrics__fail(error, METRICS_E_MEMORY, 0, "no memory to check %s", c->view.path);
    if (view_read(&c->view, 0, c->image, c->end))
        return metrics__fail(error, METRICS_E_DAMAGED, 0, "%s cannot be read: truncated?", c->view.path);
    return 0;
}

int metrics_segment_check(const char *path, metrics_damage_fn *fn, void *arg, metrics_error_t *error)
{
    struct checking c = {.fn = fn, .arg = arg};
    metrics_error_t dummy;
    if (!error) error = &dummy;
    memset(error, 0, sizeof *error);
    int rc = view_open(&c.view, path ? path : metrics_default_path(), true, false, error);
    if (rc) return -1;
    rc = load(&c, error);
    if (!rc) {
        check_head(&c);
        check_slots(&c);
        for (unsigned level = 0; level < SEGMENT_INDEX_LEVELS; level++) check_level(&c, level);
    }
    free(c.image);
    view_close(&c.view);
    return rc ? -1 : c.damages;
}
