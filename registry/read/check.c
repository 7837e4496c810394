/* SPDX-License-Identifier: Apache-2.0 */
/*
 * check.c - look at every structure of a segment and name what is wrong, and where.
 *
 * Readers leave damage out; this says what they would leave out. It works on a private copy, so a segment in
 * use may be checked: what a writer has half done is not damage, since nothing refers to it yet. What was
 * allocated while the copy was made is known by its place, behind the copy's end and before that of the arena
 * now; and what looks damaged is looked at again in a second copy before it is reported.
 */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <mtx/metrics.h>

#include "atomic.h"
#include "claims.h"
#include "error.h"
#include "rate.h"
#include "reservoir.h"
#include "taking.h"
#include "text.h"

#define ENTRY_OFFSET UINT64_C(0xffffffffffff)

struct checking {
    view_t view;
    struct segment_header head;
    unsigned char *image; /* the whole used file, from 0 */
    uint64_t end;
    uint64_t limit;  /* end of the arena after the copy was made */
    uint64_t gauges; /* the group cursor then */
    struct metrics__claims claims;
    metrics_damage_fn *fn;
    void *arg;
    int damages;
};

static void __attribute__((format(printf, 3, 4)))
damage(struct checking *c, uint64_t offset, const char *fmt, ...)
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

/* Not inside the arena, nor allocated since the copy was made. */
static bool outside(const struct checking *c, uint64_t offset, uint64_t n, uint64_t align)
{
    return offset < SEGMENT_ARENA || offset > c->limit || n > c->limit - offset || offset % align;
}

/* A cursor's block must be inside the arena, and no more of it used than it has (shm/lane.c). */
static void check_cursor(struct checking *c, unsigned i)
{
    const struct segment_header *h = &c->head;
    uint64_t extent = ((uint64_t)h->lanes_cpu + h->lanes_atomic) * SEGMENT_LANE_LINE * 8;
    uint64_t extents = SEGMENT_EXTENT_BLOCK / extent ? SEGMENT_EXTENT_BLOCK / extent : 1;
    uint64_t cursor = h->cell_cursor[i], where = offsetof(struct segment_header, cell_cursor) + i * 8;
    if (cursor && outside(c, cursor >> 20 << 6, extents * extent, SEGMENT_ALIGN))
        damage(c, where, "the cursor of cells points outside the arena");
    else if ((cursor & 0xfffff) > extents * SEGMENT_LANE_LINE)
        damage(c, where, "the cursor counts %llu used cells of a block of %llu",
               (unsigned long long)(cursor & 0xfffff), (unsigned long long)(extents * SEGMENT_LANE_LINE));
}

static void check_head(struct checking *c)
{
    const struct segment_header *h = &c->head;
    if (!view_believes(&c->view, h->arena_next) || h->arena_next % SEGMENT_ALIGN)
        damage(c, offsetof(struct segment_header, arena_next), "the arena ends at %llu of %llu bytes",
               (unsigned long long)h->arena_next, (unsigned long long)h->size);
    if (h->populated < h->arena_next || h->populated > h->size)
        damage(c, offsetof(struct segment_header, populated),
               "the memory ends at %llu, but the arena at %llu", (unsigned long long)h->populated,
               (unsigned long long)h->arena_next);
    if (h->level[0] != SEGMENT_INDEX0)
        damage(c, offsetof(struct segment_header, level), "index level 0 begins at %llu",
               (unsigned long long)h->level[0]);
    for (unsigned i = 1; i < SEGMENT_INDEX_LEVELS; i++)
        if (h->level[i] && outside(c, h->level[i], layout_level_entries(i) * 8, SEGMENT_ALIGN))
            damage(c, offsetof(struct segment_header, level) + i * 8,
                   "index level %u at %llu is outside the arena", i, (unsigned long long)h->level[i]);
        else if (h->level[i])
            metrics__claim(&c->claims, h->level[i], layout_level_entries(i) * 8,
                           offsetof(struct segment_header, level) + i * 8, "an index level");
    for (unsigned i = 0; i < 2; i++) check_cursor(c, i);
    if (!h->epoch || (h->epoch != h->logged + 1 && h->epoch != h->logged + 2))
        damage(c, offsetof(struct segment_header, epoch),
               "interval %llu is open, but %llu was the last one logged", (unsigned long long)h->epoch,
               (unsigned long long)h->logged);
    if (h->exported > 1)
        damage(c, offsetof(struct segment_header, exported), "a flag that must be 0 or 1 is %llu",
               (unsigned long long)h->exported);
}

static void check_slots(struct checking *c)
{
    for (unsigned i = 0; i < SEGMENT_SLOT_BLOCKS; i++) {
        uint64_t block = c->head.slot_block[i], n = SEGMENT_SLOT_BLOCK * sizeof(struct segment_slot);
        uint64_t where = offsetof(struct segment_header, slot_block) + i * 8;
        if (block && outside(c, block, n, SEGMENT_ALIGN))
            damage(c, where, "slot block %u is outside the arena", i);
        else if (block)
            metrics__claim(&c->claims, block, n, where, "a slot block");
    }
}

/* The tickets belong to gauges, one each; the rest is the group's. */
static void check_group(struct checking *c, uint64_t group, const struct segment_group *g, uint64_t where)
{
    uint64_t own = offsetof(struct segment_group, block);
    metrics__claim(&c->claims, group + own, sizeof *g - own, where, "a gauge group");
    for (unsigned i = 0; i < SEGMENT_SLOT_BLOCKS; i++) {
        uint64_t at_block = group + own + i * 8;
        if (g->block[i] && outside(c, g->block[i], SEGMENT_GROUP_BLOCK, SEGMENT_ALIGN))
            damage(c, at_block, "values of slot block %u are outside the arena", i);
        else if (g->block[i])
            metrics__claim(&c->claims, g->block[i], SEGMENT_GROUP_BLOCK, at_block, "values of gauges");
    }
}

/* Groups are listed newest first, offsets in any order; a mark on the way detects loops, as in shm/slot.c. */
static void check_groups(struct checking *c)
{
    uint64_t where = offsetof(struct segment_header, group_cursor),
             group = layout_gauge_group(c->head.group_cursor), mark = 0, step = 1, turn = 1;
    if ((c->head.group_cursor & 63) > SEGMENT_GROUP_GAUGES)
        damage(c, where, "the cursor counts %u used gauges of a group of %d",
               (unsigned)(c->head.group_cursor & 63), SEGMENT_GROUP_GAUGES);
    while (group) {
        const struct segment_group *g = at(c, group, sizeof *g);
        if (outside(c, group, sizeof *g, SEGMENT_ALIGN))
            damage(c, where, "a gauge group at %llu is outside the arena", (unsigned long long)group);
        if (!g || group % SEGMENT_ALIGN) return;
        check_group(c, group, g, where);
        where = group + offsetof(struct segment_group, older);
        if (step++ == turn) {
            mark = group;
            turn *= 2;
        }
        group = g->older;
        if (group == mark) {
            damage(c, where, "the list of gauge groups loops");
            return;
        }
    }
}

/* --- Rings of events --- */

/* Has the leader taken what was at that position, while the copy was made? Then others may have overwritten it. */
static bool is_taken(const struct checking *c, uint64_t where, const struct segment_ring *copy,
                     uint64_t position)
{
    struct segment_ring now;
    return !view_read(&c->view, where, &now, sizeof now) && now.tail - copy->tail > position - copy->tail;
}

/* What waits in a lane's ring must be records; one that is impossible hides those behind it. */
static void check_ring(struct checking *c, uint64_t where, uint64_t size)
{
    const struct segment_ring *r = at(c, where, sizeof *r + size);
    if (!r) return;
    const unsigned char *data = (const unsigned char *)(r + 1);
    if (r->head - r->tail > size || r->head % SEGMENT_EVENT_ALIGN || r->tail % SEGMENT_EVENT_ALIGN) {
        damage(c, where, "a ring of events reaches from %llu to %llu", (unsigned long long)r->tail,
               (unsigned long long)r->head);
        return;
    }
    for (uint64_t p = r->tail, n; p < r->head; p += n) {
        struct segment_event e;
        memcpy(&e, data + p % size, sizeof e);
        n = e.length;
        if (n >= sizeof e && n % SEGMENT_EVENT_ALIGN == 0 && n <= r->head - p && n <= size - p % size)
            continue;
        if (!is_taken(c, where, r, p))
            damage(c, where + sizeof *r + p % size, "an event has an impossible length");
        return;
    }
}

/* Words of the atomic ring: a run ends before the data does. Those that are 0 were never used. */
static void check_cells(struct checking *c, uint64_t where, uint64_t cells)
{
    const uint64_t *words = at(c, where + sizeof(struct segment_ring), SEGMENT_RING_CELLS * 8);
    for (uint64_t i = 0; words && i < cells; i++)
        if (words[i] && (!layout_word_run(words[i]) || i + layout_word_run(words[i]) > cells))
            damage(c, where + sizeof(struct segment_ring) + i * 8, "a cell of events has an impossible word");
}

static void check_events(struct checking *c)
{
    uint64_t place = c->head.events, where = offsetof(struct segment_header, events);
    const struct segment_events *e = at(c, place, sizeof *e);
    if (place && (outside(c, place, sizeof *e, SEGMENT_ALIGN) ||
                  (e && layout_rings_valid(e) &&
                   outside(c, place, layout_rings(e, c->head.lanes_cpu), SEGMENT_ALIGN))))
        damage(c, where, "the rings of events are outside the arena");
    else if (e && !layout_rings_valid(e))
        damage(c, place, "the rings of events have impossible sizes");
    else if (place && e) {
        uint64_t ring = place + sizeof *e;
        metrics__claim(&c->claims, place, layout_rings(e, c->head.lanes_cpu), where, "rings of events");
        for (uint32_t lane = 0; lane < c->head.lanes_cpu; lane++, ring += layout_ring_stride(e))
            check_ring(c, ring, e->ring_bytes);
        check_cells(c, ring, e->cells);
    }
}

/* The ring of refused names: an entry's number says where in the ring it is. */
static void check_refusals(struct checking *c)
{
    for (unsigned i = 0; i < SEGMENT_REFUSAL_COUNT; i++) {
        struct segment_refusal r;
        uint64_t where = SEGMENT_REFUSALS + i * sizeof r;
        memcpy(&r, c->image + where, sizeof r);
        if (!r.seq) continue; /* none, or being written */
        if (r.length > sizeof r.name || (r.seq - 1) % SEGMENT_REFUSAL_COUNT != i)
            damage(c, where, "the entry of a refused name is invalid");
    }
}

/* --- Records --- */

/* Which of its lengths makes a record useless; NULL = none. *field is that one's offset in the record. */
static const char *unusable(const struct checking *c, uint64_t offset, const struct segment_record *r,
                            uint64_t *field)
{
    *field = offsetof(struct segment_record, length);
    if (r->length < RECORD_KEY || !at(c, offset, r->length)) return "length";
    *field = offsetof(struct segment_record, key_length);
    if (r->key_length > r->length - RECORD_KEY) return "key's length";
    *field = offsetof(struct segment_record, payload);
    if (r->payload % 8 || r->payload > r->length) return "payload's place";
    *field = offsetof(struct segment_record, payload_length);
    return r->payload_length > r->length - r->payload ? "payload's length" : NULL;
}

static const struct segment_record *whole_record(const struct checking *c, uint64_t offset)
{
    uint64_t field;
    const struct segment_record *r = offset % SEGMENT_ALIGN ? NULL : at(c, offset, RECORD_KEY);
    return r && !unusable(c, offset, r, &field) ? r : NULL;
}

/* The entry at `where` leads to no whole record: is it the entry that is wrong, or what it leads to? */
static void damaged_entry(struct checking *c, uint64_t where, uint64_t entry)
{
    uint64_t offset = entry & ENTRY_OFFSET, field;
    const struct segment_record *r = offset % SEGMENT_ALIGN ? NULL : at(c, offset, RECORD_KEY);
    const char *what = r && r->hash && r->hash >> 48 == entry >> 48 ? unusable(c, offset, r, &field) : NULL;
    if (what)
        damage(c, offset + field, "no whole record: its %s is invalid", what);
    else
        damage(c, where, "an index entry leads to %llu, where there is no whole record",
               (unsigned long long)offset);
}

/* Does the offset lead to no record of that type? Records made since the copy are believed. */
static bool is_no_record(const struct checking *c, uint64_t offset, uint8_t type)
{
    const struct segment_record *r = whole_record(c, offset);
    return r ? r->type != type : offset < c->end || outside(c, offset, RECORD_KEY, SEGMENT_ALIGN);
}

/* A kind's key begins with a letter that says its class; that of a record which is of no such class is damaged. */
static char event_letter(const struct segment_record *r)
{
    return r->kind && r->kind < EVENT_CLASSES ? METRICS__EVENT_LETTERS[r->kind] : 'E';
}

/*
 * A letter, a name, and for all but families pairs of tag key and value, sorted by key; each ends with a zero and is
 * text that a writer would accept.
 */
static bool is_key(const struct segment_record *r, char letter)
{
    const char *key = (const char *)r + RECORD_KEY, *end = key + r->key_length, *before = NULL;
    if (r->key_length < 3 || key[0] != letter || !key[1] || end[-1]) return false;
    const char *tag = key + 1 + strlen(key + 1) + 1;
    unsigned tags = 0;
    if (metrics__text_wrong(key + 1, strlen(key + 1), false)) return false;
    while (letter != 'F' && tag < end) {
        const char *value = tag + strlen(tag) + 1;
        if (value >= end || (before && strcmp(before, tag) >= 0) || ++tags > METRICS_TAGS_MAX) return false;
        if (metrics__text_wrong(tag, strlen(tag), false) || metrics__text_wrong(value, strlen(value), true))
            return false;
        before = tag;
        tag = value + strlen(value) + 1;
    }
    return tag == end;
}

/* Two texts in UTF-8, each ended by a zero. */
static bool is_text(const struct segment_record *r)
{
    const char *text = (const char *)r + r->payload, *end = text + r->payload_length;
    const char *unit_end = memchr(text, 0, r->payload_length);
    const char *help_end = unit_end ? memchr(unit_end + 1, 0, (size_t)(end - unit_end - 1)) : NULL;
    return help_end && metrics__is_utf8(text, (size_t)(unit_end - text)) &&
           metrics__is_utf8(unit_end + 1, (size_t)(help_end - unit_end - 1));
}

static const struct metrics__family_record *family_of(const struct segment_record *r)
{
    const struct metrics__family_record *f = r ? (const void *)((const char *)r + r->payload) : NULL;
    if (!r || r->type != RECORD_FAMILY || r->payload_length < sizeof *f) return NULL;
    uint32_t n = f->settings.bound_count;
    return n > METRICS__BOUNDS_MAX || r->payload_length < sizeof *f + n * sizeof(double) ? NULL : f;
}

static void check_family(struct checking *c, uint64_t offset, const struct segment_record *r)
{
    const char *name = (const char *)r + RECORD_KEY + 1;
    const struct metrics__family_record *f = family_of(r);
    if (!is_key(r, 'F')) {
        damage(c, offset + RECORD_KEY, "the key of a family is malformed");
        return;
    }
    if (!f) {
        damage(c, offset + offsetof(struct segment_record, payload), "the settings of %s are not whole",
               name);
        return;
    }
    uint64_t where = offset + r->payload;
    if (f->kind && !metrics__kind_read_of(f->kind) && !metrics__is_newer(&c->head))
        damage(c, where, "%s is a family of kind %u, which does not exist", name, f->kind);
    const struct segment_record *text = f->text ? whole_record(c, f->text) : NULL;
    if (f->text && (is_no_record(c, f->text, RECORD_TEXT) || (text && !is_text(text))))
        damage(c, where + offsetof(struct metrics__family_record, text), "unit and help of %s are missing",
               name);
    else if (text)
        metrics__claim(&c->claims, f->text, text->length,
                       where + offsetof(struct metrics__family_record, text), name);
    if (f->overflow && is_no_record(c, f->overflow, RECORD_SERIES))
        damage(c, where + offsetof(struct metrics__family_record, overflow),
               "the overflow series of %s is missing", name);
}

/* --- Series --- */

static void check_sample(struct checking *c, const struct segment_record *r,
                         const struct metrics__settings *s, const struct metrics__plan *plan)
{
    metrics__reservoir_params_t p = {.kind = (enum metrics_reservoir)s->reservoir,
                                     .slots = s->samples,
                                     .alpha = s->alpha,
                                     .window_s = s->window_s};
    uint64_t where = r->storage[1] + (plan->rate ? METRICS__RATE_BLOCK : 0);
    const unsigned char *slots = at(c, where, plan->reservoir);
    if (!slots) return; /* made since the copy */
    uint64_t bytes = (uint64_t)metrics__reservoir_capacity(&p) * sizeof(metrics__reservoir_slot_t);
    uint64_t first = plan->reservoir - layout_round_up(bytes, SEGMENT_ALIGN);
    for (uint64_t i = first; i < first + bytes; i += sizeof(metrics__reservoir_slot_t)) {
        metrics__reservoir_slot_t slot;
        memcpy(&slot, slots + i, sizeof slot);
        if (slot.tick && !isfinite(slot.value))
            damage(c, where + i, "a sample's value is not a finite number");
        else if (slot.tick && p.kind != METRICS_RESERVOIR_SLIDING && !(slot.noise > -64 && slot.noise < 64))
            damage(c, where + i, "a sample's noise is not a number between -64 and 64");
    }
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

/* Of cells, those in the first and last lane; the others are laid out alike. Of a gauge, its ticket. */
static void claim_storage(struct checking *c, const struct segment_record *r,
                          const struct metrics__plan *plan, uint64_t where, const char *name)
{
    uint64_t place = r->storage[0], n = plan->cells * 8;
    uint64_t lanes = layout_lanes(plan->cells, c->head.lanes_cpu, c->head.lanes_atomic);
    if (r->kind == KIND_gauge)
        metrics__claim(&c->claims, layout_gauge_group(place) + layout_gauge_index(place) * 8, 8, where, name);
    else if (plan->block0)
        metrics__claim(&c->claims, place, plan->block0, where, name);
    else
        metrics__claim(&c->claims, place, n, where, name);
    if (plan->cells && lanes > 1)
        metrics__claim(&c->claims, place + (lanes - 1) * layout_stride(plan->cells), n, where, name);
}

/* A sum to which only numbers were added may be infinite, but is a number. */
static void check_sum(struct checking *c, uint64_t where, const char *name)
{
    const void *cell = at(c, where, 8);
    double v = 0;
    if (cell) memcpy(&v, cell, sizeof v);
    if (isnan(v)) damage(c, where, "a sum of %s is not a number", name);
}

static void check_sums(struct checking *c, const struct segment_record *r, const struct metrics__plan *plan,
                       const char *name)
{
    uint64_t stride = layout_stride(plan->cells),
             lanes = layout_lanes(plan->cells, c->head.lanes_cpu, c->head.lanes_atomic);
    for (uint64_t lane = 0; lane < lanes; lane++) {
        uint64_t cells = r->storage[0] + lane * stride;
        for (unsigned i = 0; plan->buckets && i < DIST_BUCKET_SUMS; i++)
            check_sum(c, cells + (DIST_BUCKET_SUM + i) * 8, name);
        if (plan->buckets) continue;
        check_sum(c, cells + DIST_SUM * 8, name);
        check_sum(c, cells + DIST_SQUARES * 8, name);
    }
}

static void check_storage(struct checking *c, uint64_t offset, const struct segment_record *r,
                          const char *name, const struct metrics__settings *s,
                          const struct metrics__plan *plan)
{
    const struct segment_header *h = &c->head;
    uint64_t lanes = layout_lanes(plan->cells, h->lanes_cpu, h->lanes_atomic), n0 = plan->block0,
             align = SEGMENT_ALIGN;
    uint64_t place = r->storage[0], where = offset + offsetof(struct segment_record, storage);
    if (plan->cells) {
        n0 = (lanes - 1) * layout_stride(plan->cells) + plan->cells * 8;
        align = plan->cells == 1 ? 8 : SEGMENT_ALIGN;
    }
    if (r->kind == KIND_gauge) {
        n0 = sizeof(struct segment_group);
        if ((place & 63) < SEGMENT_GROUP_GAUGES) place = layout_gauge_group(place);
    }
    if (r->storage[0] && n0 && outside(c, place, n0, align))
        damage(c, where, "storage of %s lies outside the arena or is not aligned", name);
    else if (r->storage[0] && r->kind == KIND_gauge &&
             layout_gauge_group(place) == layout_gauge_group(c->gauges) &&
             layout_gauge_index(r->storage[0]) >= (c->gauges & 63))
        damage(c, where, "storage of %s was never allocated", name);
    else if (r->storage[0] && n0)
        claim_storage(c, r, plan, where, name);
    if (r->storage[0] && plan->cells > 1 && !outside(c, place, n0, align)) check_sums(c, r, plan, name);
    if (!r->storage[1] || !plan->block1) return;
    if (outside(c, r->storage[1], plan->block1, SEGMENT_ALIGN)) {
        damage(c, where + 8, "storage of %s lies outside the arena or is not aligned", name);
        return;
    }
    metrics__claim(&c->claims, r->storage[1], plan->block1, where + 8, name);
    if (plan->rate) check_rates(c, r);
    if (plan->reservoir) check_sample(c, r, s, plan);
}

/* The offset of the settings, or of the bounds if these are wrong. */
static uint64_t settings_at(const struct checking *c, uint64_t family, const struct metrics__family_record *f)
{
    uint64_t payload = family + whole_record(c, family)->payload;
    bool bounds = f->settings.reservoir == METRICS_BUCKETS && f->settings.bound_count &&
                  f->settings.merge <= METRICS_MERGE_ALL;
    return payload + (bounds ? offsetof(struct metrics__family_record, bounds)
                             : offsetof(struct metrics__family_record, settings));
}

static void check_series(struct checking *c, uint64_t offset, const struct segment_record *r)
{
    struct metrics__plan plan;
    const char *name = (const char *)r + RECORD_KEY + 1;
    const struct metrics__family_record *f = family_of(whole_record(c, r->link));
    if (!is_key(r, 'S'))
        damage(c, offset + RECORD_KEY, "the key of a series is malformed");
    else if (!metrics__kind_read_of(r->kind) && metrics__is_newer(&c->head))
        return;
    else if (!metrics__kind_read_of(r->kind))
        damage(c, offset + offsetof(struct segment_record, kind), "%s is of kind %u, which does not exist",
               name, r->kind);
    else if (!f)
        damage(c, offset + offsetof(struct segment_record, link), "%s belongs to no family", name);
    else if (f->kind && f->kind != r->kind)
        damage(c, offset + offsetof(struct segment_record, kind),
               "%s is of kind %u, but its family of kind %u", name, r->kind, f->kind);
    else if (metrics__plan((enum metrics__kind_number)r->kind, &f->settings, f->bounds, &plan))
        damage(c, settings_at(c, r->link, f), "the settings of %s are invalid", name);
    else
        check_storage(c, offset, r, name, &f->settings, &plan);
}

static void check_record(struct checking *c, uint64_t offset, const struct segment_record *r)
{
    metrics__claim(&c->claims, offset, r->length, offset, "a record");
    if (!metrics__is_newer(&c->head) && r->flags & ~RECORD_OVERFLOW)
        damage(c, offset + offsetof(struct segment_record, flags), "a record has flags that do not exist");
    uint8_t should = is_key(r, 'S') ? RECORD_SERIES : is_key(r, 'F') ? RECORD_FAMILY : r->type;
    bool known = r->type == RECORD_SERIES || r->type == RECORD_FAMILY || r->type == RECORD_EVENT;
    if (r->type != should || (!metrics__is_newer(&c->head) && !known))
        damage(c, offset + offsetof(struct segment_record, type),
               "a record is of type %u, but its key is not", r->type);
    else if (r->type == RECORD_SERIES)
        check_series(c, offset, r);
    else if (r->type == RECORD_FAMILY)
        check_family(c, offset, r);
    else if (r->type == RECORD_EVENT && !is_key(r, event_letter(r)))
        damage(c, offset + RECORD_KEY, "the key of a kind of event is malformed");
}

/* --- Index --- */

/* Where the index, read as a writer reads it, finds that key; 0 = nowhere. */
static uint64_t found_at(const struct checking *c, const struct segment_record *like)
{
    for (unsigned level = 0; level < SEGMENT_INDEX_LEVELS; level++) {
        uint64_t lines = layout_level_entries(level) / SEGMENT_INDEX_LINE,
                 from = level ? c->head.level[level] : SEGMENT_INDEX0;
        if (!from || from % 8 || (level && !at(c, from, lines * SEGMENT_INDEX_LINE * 8))) return 0;
        from += like->hash % lines * SEGMENT_INDEX_LINE * 8;
        for (uint64_t i = from; i < from + SEGMENT_INDEX_LINE * 8; i += 8) {
            uint64_t entry;
            memcpy(&entry, c->image + i, sizeof entry);
            const struct segment_record *r = whole_record(c, entry & ENTRY_OFFSET);
            if (r && r->key_length == like->key_length &&
                !memcmp((const char *)r + RECORD_KEY, (const char *)like + RECORD_KEY, r->key_length))
                return i;
        }
    }
    return 0;
}

/* An entry in that line, of as many. */
static void check_entry(struct checking *c, uint64_t where, uint64_t entry, uint64_t line, uint64_t lines)
{
    uint64_t offset = entry & ENTRY_OFFSET;
    if (offset >= c->end && !outside(c, offset, RECORD_KEY, SEGMENT_ALIGN)) return; /* newer than the copy */
    const struct segment_record *r = whole_record(c, offset);
    if (!r) {
        damaged_entry(c, where, entry);
        return;
    }
    uint64_t hash = view_hash((const char *)r + RECORD_KEY, r->key_length);
    if (r->hash != hash || entry >> 48 != hash >> 48)
        damage(c, offset, "the hash of a record does not match its key");
    else if (hash % lines != line)
        damage(c, where, "an index entry is in line %llu instead of %llu", (unsigned long long)line,
               (unsigned long long)(hash % lines));
    else if (found_at(c, r) != where)
        damage(c, where, "an index entry leads to a key that another entry leads to already");
    else
        check_record(c, offset, r);
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
                check_entry(c, from + i * 8, entry, line / SEGMENT_INDEX_LINE, entries / SEGMENT_INDEX_LINE);
            else
                ended = true;
        }
    }
}

/* Copy the header, then the rest, then see how far the arena has grown meanwhile. */
static int load(struct checking *c, metrics_error_t *error)
{
    struct segment_header now;
    if (view_head(&c->view, &c->head))
        return metrics__fail(error, METRICS_E_DAMAGED, 0, "%s cannot be read: was it truncated?",
                             c->view.path);
    c->end = c->head.arena_next;
    if (!view_believes(&c->view, c->end)) c->end = c->view.size;
    while (!view_believes(&c->view, c->end)) c->end /= 2;
    free(c->image);
    c->image = malloc(c->end);
    if (!c->image) return metrics__fail(error, METRICS_E_MEMORY, 0, "no memory to check %s", c->view.path);
    if (view_read(&c->view, 0, c->image, c->end) || view_head(&c->view, &now))
        return metrics__fail(error, METRICS_E_DAMAGED, 0, "%s cannot be read: was it truncated?",
                             c->view.path);
    c->gauges = now.group_cursor;
    c->limit = now.arena_next > c->end && view_believes(&c->view, now.arena_next) ? now.arena_next : c->end;
    return 0;
}

static void overlap(void *arg, const struct metrics__claim *claim, const struct metrics__claim *earlier)
{
    damage(arg, claim->where, "%s: its bytes at %llu also belong to %s, according to offset %llu",
           claim->what, (unsigned long long)claim->from, earlier->what, (unsigned long long)earlier->where);
}

static void check_locks(struct checking *c)
{
    uint64_t byte;
    if (view_obstructed(&c->view, &byte))
        damage(
            c, byte,
            "a process that need not be able to write the file shares this lock: no exporter can lead, or no "
            "process can set gauges, until it ends; take the permission to read from those you do not trust");
}

/* Look at a fresh copy; fn may be NULL to count only. */
static int look(struct checking *c, metrics_damage_fn *fn, metrics_error_t *error)
{
    int rc = load(c, error);
    if (rc) return rc;
    c->fn = fn;
    c->damages = 0;
    check_head(c);
    check_locks(c);
    check_slots(c);
    check_groups(c);
    check_refusals(c);
    check_events(c);
    for (unsigned level = 0; level < SEGMENT_INDEX_LEVELS; level++) check_level(c, level);
    metrics__claims_overlaps(&c->claims, overlap, c);
    bool failed = c->claims.failed;
    metrics__claims_free(&c->claims);
    return failed ? metrics__fail(error, METRICS_E_MEMORY, 0, "no memory to check %s", c->view.path) : 0;
}

int metrics_segment_check(const char *path, metrics_damage_fn *fn, void *arg, metrics_error_t *error)
{
    struct checking c = {.arg = arg};
    metrics_error_t dummy;
    if (!error) error = &dummy;
    memset(error, 0, sizeof *error);
    int rc = view_open(&c.view, path ? path : metrics_default_path(), true, false, error);
    if (rc) return -1;
    rc = look(&c, NULL, error);
    if (!rc && c.damages) rc = look(&c, fn, error);
    free(c.image);
    view_close(&c.view);
    return rc ? -1 : c.damages;
}
