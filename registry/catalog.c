/* SPDX-License-Identifier: Apache-2.0 */
#include "catalog.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <mtx/metrics.h>

#include "atomic.h"
#include "bucket.h"
#include "text.h"

#define ENTRY_OFFSET UINT64_C(0xffffffffffff)

struct metrics__catalog *metrics__catalog_new(void)
{
    struct metrics__catalog *c = calloc(1, sizeof *c);
    if (c) c->references = 1;
    return c;
}

struct metrics__catalog *metrics__catalog_retain(struct metrics__catalog *c)
{
    if (c) __atomic_fetch_add(&c->references, 1, __ATOMIC_RELAXED); /* ORD-15 */
    return c;
}

void metrics__catalog_release(struct metrics__catalog **where)
{
    struct metrics__catalog *c = *where;
    *where = NULL;
    if (!c || __atomic_fetch_sub(&c->references, 1, __ATOMIC_ACQ_REL) != 1) return; /* ORD-15 */
    metrics__pool_free(&c->pool);
    free(c->series);
    free(c->table);
    free(c->family_table);
    free(c);
}

int metrics__series_compare(const char *name_a, const metrics_tag_t *tags_a, size_t n_a, const char *name_b,
                            const metrics_tag_t *tags_b, size_t n_b)
{
    int order = strcmp(name_a, name_b);
    for (size_t i = 0; !order && i < n_a && i < n_b; i++) {
        order = strcmp(tags_a[i].key, tags_b[i].key);
        if (!order) order = strcmp(tags_a[i].value, tags_b[i].value);
    }
    return order ? order : (n_a > n_b) - (n_a < n_b);
}

static int compare_series(const void *a, const void *b)
{
    const struct metrics__series_read *x = *(struct metrics__series_read *const *)a;
    const struct metrics__series_read *y = *(struct metrics__series_read *const *)b;
    int order = metrics__series_compare(x->name, x->tags, x->tag_count, y->name, y->tags, y->tag_count);
    return order ? order : (x->offset > y->offset) - (x->offset < y->offset);
}

/* Names are unique (ORD-2), and who looks a series up relies on it: of two alike, damage, the first stays. */
static void find_twins(struct metrics__catalog *c)
{
    for (size_t i = 1; i < c->count; i++) {
        const struct metrics__series_read *x = c->series[i - 1], *y = c->series[i];
        c->series[i]->twin =
            !metrics__series_compare(x->name, x->tags, x->tag_count, y->name, y->tags, y->tag_count);
        c->damaged += c->series[i]->twin;
    }
}

/* --- Records
 * ------------------------------------------------------------------------------------------------ */

/* The record at an offset of the image if it is whole, as in shm/index.c. */
static const struct segment_record *record_in(const struct metrics_reader *r, uint64_t offset)
{
    const struct segment_record *rec =
        offset % SEGMENT_ALIGN ? NULL : metrics__image_at(r, offset, RECORD_KEY);
    if (!rec || rec->length < RECORD_KEY || !metrics__image_at(r, offset, rec->length)) return NULL;
    if (rec->key_length > rec->length - RECORD_KEY || rec->payload % 8 || rec->payload > rec->length ||
        rec->payload_length > rec->length - rec->payload)
        return NULL;
    return rec;
}

static void read_text(const struct metrics_reader *r, struct metrics__family_read *f, uint64_t offset)
{
    struct metrics__pool *pool = &r->catalog->pool;
    const struct segment_record *rec = record_in(r, offset);
    if (f->text == offset || !rec || rec->type != RECORD_TEXT || rec->payload_length < 2) return;
    const char *text = (const char *)rec + rec->payload, *end = text + rec->payload_length;
    size_t unit = strnlen(text, rec->payload_length);
    if (text + unit >= end) return;
    size_t help = strnlen(text + unit + 1, (size_t)(end - text) - unit - 1);
    /* A text that cannot be printed is as good as none. */
    if (!metrics__is_utf8(text, unit) || !metrics__is_utf8(text + unit + 1, help)) return;
    const char *u = metrics__pool_text(pool, text, unit),
               *h = metrics__pool_text(pool, text + unit + 1, help);
    if (!u || !h) return;
    f->unit = u;
    f->help = h;
    f->text = offset;
}

/* What the buckets of the family mean, in the unit of rows. */
static bool read_buckets(struct metrics__pool *pool, struct metrics__family_read *f, unsigned kind)
{
    metrics__bucket_exp_t e;
    f->scale = -1;
    if (f->settings.reservoir < METRICS_BUCKETS || (kind != KIND_histogram && kind != KIND_timer))
        return true;
    bool exponential = f->settings.reservoir == METRICS_BUCKETS_EXPONENTIAL;
    if (exponential) {
        double low, high;
        metrics__plan_range((enum metrics__kind_number)kind, &f->settings, &low, &high);
        if (!metrics__bucket_exp_init(&e, f->settings.scale, low, high)) return false;
        f->scale = f->settings.scale;
    }
    f->bucket_count = exponential ? e.count : f->settings.bound_count + 1;
    f->buckets = metrics__pool_take(pool, f->bucket_count * sizeof *f->buckets);
    for (uint32_t i = 0; f->buckets && i < f->bucket_count; i++) {
        if (exponential) {
            f->buckets[i].lower = metrics__bucket_exp_lower(&e, i);
            f->buckets[i].upper = metrics__bucket_exp_upper(&e, i);
        } else {
            f->buckets[i].lower = i ? f->bounds[i - 1] : -INFINITY;
            f->buckets[i].upper = i + 1 < f->bucket_count ? f->bounds[i] : INFINITY;
        }
    }
    return f->buckets != NULL;
}

static size_t hash_offset(uint64_t offset)
{
    return (size_t)(offset / SEGMENT_ALIGN * UINT64_C(0x9e3779b97f4a7c15) >> 20);
}

/* --- Families
 * ------------------------------------------------------------------------------------------- */

static struct metrics__family_read **family_slot(struct metrics__family_read **table, size_t room,
                                                 uint64_t offset)
{
    size_t i = hash_offset(offset) & (room - 1);
    while (table[i] && table[i]->offset != offset) i = (i + 1) & (room - 1);
    return &table[i];
}

static bool make_family_room(struct metrics__catalog *c)
{
    if (c->family_count < c->family_room / 2) return true;
    size_t room = c->family_room ? c->family_room * 2 : 64;
    struct metrics__family_read **table = calloc(room, sizeof *table);
    if (!table) {
        c->pool.failed = true;
        return false;
    }
    for (struct metrics__family_read *f = c->families; f; f = f->next)
        *family_slot(table, room, f->offset) = f;
    free(c->family_table);
    c->family_table = table;
    c->family_room = room;
    return true;
}

/* The family's payload in the image, if it is one and whole. */
static const struct metrics__family_record *family_record(const struct metrics_reader *r, uint64_t offset)
{
    const struct segment_record *rec = record_in(r, offset);
    const struct metrics__family_record *f = rec ? (const void *)((const char *)rec + rec->payload) : NULL;
    if (!rec || rec->type != RECORD_FAMILY || rec->payload_length < sizeof *f) return NULL;
    uint32_t bounds = f->settings.bound_count;
    if (bounds > METRICS__BOUNDS_MAX || rec->payload_length < sizeof *f + bounds * sizeof(double))
        return NULL;
    return f;
}

/* The family that a series links to; read once, its text whenever it comes. */
static struct metrics__family_read *read_family(const struct metrics_reader *r, uint64_t offset,
                                                unsigned kind)
{
    struct metrics__catalog *c = r->catalog;
    const struct metrics__family_record *f = family_record(r, offset);
    if (!f || !make_family_room(c)) return NULL;
    struct metrics__family_read **slot = family_slot(c->family_table, c->family_room, offset);
    if (*slot) return *slot;
    uint32_t bounds = f->settings.bound_count;
    struct metrics__family_read *fresh = metrics__pool_take(&c->pool, sizeof *fresh);
    double *copy = metrics__pool_take(&c->pool, (bounds + 1) * sizeof *copy);
    if (!fresh || !copy) return NULL;
    memcpy(copy, f->bounds, bounds * sizeof *copy);
    *fresh = (struct metrics__family_read){.offset = offset,
                                           .unit = "",
                                           .help = "",
                                           .settings = f->settings,
                                           .bounds = copy,
                                           .next = c->families};
    if (!read_buckets(&c->pool, fresh, kind)) return NULL;
    *slot = c->families = fresh;
    c->family_count++;
    return fresh;
}

/* 'S' name '\0' key '\0' value '\0' ...: whole, sorted, an even number of tags. */
static bool read_key(struct metrics__pool *pool, const struct segment_record *rec,
                     struct metrics__series_read *s)
{
    const char *key = (const char *)rec + RECORD_KEY;
    size_t n = rec->key_length, texts = 0;
    if (n < 3 || key[0] != 'S' || key[n - 1] || !key[1]) return false;
    for (size_t i = 1; i < n; i++) texts += !key[i];
    if (texts % 2 == 0) return false;
    char *copy = metrics__pool_text(pool, key + 1, n - 1);
    s->tag_count = texts / 2;
    s->tags = metrics__pool_take(pool, (s->tag_count + 1) * sizeof *s->tags);
    if (!copy || !s->tags) return false;
    s->name = copy;
    if (s->tag_count > METRICS_TAGS_MAX || metrics__text_wrong(copy, strlen(copy), false)) return false;
    const char *at = copy + strlen(copy) + 1;
    for (size_t i = 0; i < s->tag_count; i++) {
        s->tags[i].key = at;
        at += strlen(at) + 1;
        s->tags[i].value = at;
        at += strlen(at) + 1;
        if (i && strcmp(s->tags[i - 1].key, s->tags[i].key) >= 0) return false;
        if (metrics__text_wrong(s->tags[i].key, strlen(s->tags[i].key), false) ||
            metrics__text_wrong(s->tags[i].value, strlen(s->tags[i].value), true))
            return false;
    }
    return true;
}

static struct metrics__series_read *read_series(const struct metrics_reader *r, uint64_t offset,
                                                const struct segment_record *rec)
{
    struct metrics__series_read *s = metrics__pool_take(&r->catalog->pool, sizeof *s);
    if (!s || !metrics__kind_read_of(rec->kind) || !read_key(&r->catalog->pool, rec, s)) return NULL;
    s->offset = offset;
    s->kind = rec->kind;
    s->overflow = (rec->flags & RECORD_OVERFLOW) != 0;
    s->created = rec->created;
    s->identity = rec->hash;
    s->family = read_family(r, rec->link, rec->kind);
    if (!s->family || metrics__plan((enum metrics__kind_number)rec->kind, &s->family->settings,
                                    s->family->bounds, &s->plan))
        return NULL;
    return s;
}

/* --- The catalog
 * -------------------------------------------------------------------------------------------- */

static struct metrics__series_read **find_slot(struct metrics__series_read **table, size_t mask,
                                               uint64_t offset)
{
    size_t i = hash_offset(offset) & mask;
    while (table[i] && table[i]->offset != offset) i = (i + 1) & mask;
    return &table[i];
}

static bool make_room(struct metrics__catalog *c)
{
    if (c->count < c->room) return true;
    size_t room = c->room ? c->room * 2 : 512;
    struct metrics__series_read **series = realloc(c->series, room * sizeof *series);
    if (!series) return false;
    c->series = series;
    struct metrics__series_read **table = calloc(room * 2, sizeof *table);
    if (!table) return false;
    for (size_t i = 0; i < c->count; i++) *find_slot(table, room * 2 - 1, series[i]->offset) = series[i];
    free(c->table);
    c->table = table;
    c->room = room;
    c->mask = room * 2 - 1;
    return true;
}

/* What may have changed since the record was last seen. */
static void refresh(struct metrics_reader *r, struct metrics__series_read *s,
                    const struct segment_record *rec)
{
    s->retired = (rec->state & RECORD_RETIRED) != 0;
    s->storage[0] = rec->storage[0];
    s->storage[1] = rec->storage[1];
    const struct metrics__family_record *f = family_record(r, s->family->offset);
    if (f) read_text(r, s->family, f->text);
}

static int take_entry(struct metrics_reader *r, uint64_t entry, bool *grown)
{
    struct metrics__catalog *c = r->catalog;
    uint64_t offset = entry & ENTRY_OFFSET;
    if (offset >= r->image_end) return 0; /* newer than the image */
    const struct segment_record *rec = record_in(r, offset);
    if (!rec || rec->hash >> 48 != entry >> 48) {
        c->damaged++;
        return 0;
    }
    if (rec->type != RECORD_SERIES) return 0;
    if (!metrics__kind_read_of(rec->kind) && metrics__is_newer(&r->head)) return 0;
    if (!make_room(c)) return -1;
    struct metrics__series_read **slot = find_slot(c->table, c->mask, offset);
    if (!*slot) {
        struct metrics__series_read *s = read_series(r, offset, rec);
        if (!s) {
            c->damaged++;
            return c->pool.failed ? -1 : 0;
        }
        *slot = s;
        c->series[c->count++] = s;
        *grown = true;
    }
    refresh(r, *slot, rec);
    return 0;
}

/* Level 0 lies before the arena; the others are in the image. A private copy of the header says where. */
static int take_level(struct metrics_reader *r, unsigned level, bool *grown)
{
    uint64_t entries = layout_level_entries(level), at = r->head.level[level];
    uint64_t line[SEGMENT_INDEX0_ENTRIES];
    const uint64_t *from;
    if (!at && level) return 0;
    if (level == 0) { /* always there, whatever the header says */
        if (view_read(&r->view, SEGMENT_INDEX0, line, sizeof line)) return 0;
        from = line;
    } else if (!(from = metrics__image_at(r, at, entries * 8)) || at % 8) {
        r->catalog->damaged++;
        return 0;
    }
    for (uint64_t i = 0; i < entries; i++)
        if (from[i] && take_entry(r, from[i], grown)) return -1;
    return 0;
}

/*
 * The index is copied after the arena was, so an entry may lead beyond the image: it is then found at the
 * next update, because header.records was copied before both.
 */
int metrics__catalog_update(struct metrics_reader *r)
{
    struct metrics__catalog *c = r->catalog;
    bool grown = false;
    if (c->count && c->records == r->head.records) return 0;
    c->damaged = 0;
    for (unsigned level = 0; level < SEGMENT_INDEX_LEVELS; level++)
        if (take_level(r, level, &grown)) return -1;
    if (grown) qsort(c->series, c->count, sizeof *c->series, compare_series);
    find_twins(c);
    c->records = r->head.records;
    return 0;
}
