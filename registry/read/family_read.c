/* SPDX-License-Identifier: Apache-2.0 */
/*
 * family_read.c - families as a reader has them. What their settings come to is kept once for all families
 * that are set alike, which most are: a segment of 10,000 counters may have as many families.
 */
#include "family_read.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <mtx/metrics.h>

#include "bucket.h"
#include "places.h"
#include "text.h"

/* --- Shapes --- */

/* What the buckets mean, in the unit of rows. */
static bool make_buckets(struct metrics__pool *pool, struct metrics__shape *s)
{
    metrics__bucket_exp_t e;
    s->scale = -1;
    if (!s->plan.buckets) return true;
    bool exponential = s->settings.reservoir == METRICS_BUCKETS_EXPONENTIAL;
    if (exponential) {
        double low, high;
        metrics__plan_range((enum metrics__kind_number)s->kind, &s->settings, &low, &high);
        if (!metrics__bucket_exp_init(&e, s->settings.scale, low, high)) return false;
        s->scale = s->settings.scale;
    }
    s->bucket_count = s->plan.buckets;
    s->buckets = metrics__pool_take(pool, s->bucket_count * sizeof *s->buckets);
    for (uint32_t i = 0; s->buckets && i < s->bucket_count; i++) {
        if (exponential) {
            s->buckets[i].lower = metrics__bucket_exp_lower(&e, i);
            s->buckets[i].upper = metrics__bucket_exp_upper(&e, i);
        } else {
            s->buckets[i].lower = i ? s->bounds[i - 1] : -INFINITY;
            s->buckets[i].upper = i + 1 < s->bucket_count ? s->bounds[i] : INFINITY;
        }
    }
    return s->buckets != NULL;
}

static bool is_alike(const struct metrics__shape *s, unsigned kind, const struct metrics__family_record *f)
{
    return s->kind == kind && !memcmp(&s->settings, &f->settings, sizeof s->settings) &&
           !memcmp(s->bounds, f->bounds, f->settings.bound_count * sizeof *s->bounds);
}

static const struct metrics__shape *shape_of(struct metrics__catalog *c, unsigned kind,
                                             const struct metrics__family_record *f)
{
    enum { LATEST = 16 }; /* a longer search costs more than it spares */
    struct metrics__shape *s = c->shapes;
    for (int i = 0; s && i < LATEST; i++, s = s->next)
        if (is_alike(s, kind, f)) return s;
    struct metrics__plan plan;
    double bounds[METRICS__BOUNDS_MAX];
    uint32_t n = f->settings.bound_count;
    memcpy(bounds, f->bounds, n * sizeof *bounds);
    if (metrics__plan((enum metrics__kind_number)kind, &f->settings, bounds, &plan)) return NULL;
    double *copy = metrics__pool_take(&c->pool, n * sizeof *copy + 1);
    s = metrics__pool_take(&c->pool, sizeof *s);
    if (!s || !copy) return NULL;
    memcpy(copy, bounds, n * sizeof *copy);
    *s = (struct metrics__shape){.kind = (uint8_t)kind,
                                 .settings = f->settings,
                                 .plan = plan,
                                 .bounds = copy,
                                 .loads = metrics__kind_read_of(kind)->load != NULL,
                                 .next = c->shapes};
    if (!make_buckets(&c->pool, s)) return NULL;
    return c->shapes = s;
}

/* --- Texts --- */

/* Unit and help, if they have been added. A text that is not UTF-8 is ignored. */
static void read_text(struct metrics_reader *r, struct metrics__family_read *f, uint64_t offset)
{
    struct metrics__pool *pool = &r->catalog->pool;
    uint64_t have;
    const struct segment_record *rec = offset ? metrics__record_in(r, &r->families, offset, &have) : NULL;
    if (!rec || rec->type != RECORD_TEXT || rec->payload_length < 2 ||
        (uint64_t)rec->payload + rec->payload_length > have)
        return;
    const char *text = (const char *)rec + rec->payload, *end = text + rec->payload_length;
    size_t unit = strnlen(text, rec->payload_length);
    if (text + unit >= end) return;
    size_t help = strnlen(text + unit + 1, (size_t)(end - text) - unit - 1);
    if (!metrics__is_utf8(text, unit) || !metrics__is_utf8(text + unit + 1, help)) return;
    const char *u = metrics__pool_text(pool, text, unit),
               *h = metrics__pool_text(pool, text + unit + 1, help);
    if (!u || !h) return;
    f->unit = u;
    f->help = h;
    f->text = offset;
}

/* --- Families --- */

/* The family's payload in the window, if it is one and whole. */
static const struct metrics__family_record *family_record(struct metrics_reader *r, uint64_t offset)
{
    uint64_t have;
    const struct segment_record *rec = metrics__record_in(r, &r->families, offset, &have);
    if (!rec || rec->type != RECORD_FAMILY) return NULL;
    const struct metrics__family_record *f = (const void *)((const char *)rec + rec->payload);
    if (rec->payload_length < sizeof *f || (uint64_t)rec->payload + sizeof *f > have) return NULL;
    uint64_t bytes = sizeof *f + f->settings.bound_count * sizeof(double);
    if (f->settings.bound_count > METRICS__BOUNDS_MAX || rec->payload_length < bytes ||
        rec->payload + bytes > have)
        return NULL;
    return f;
}

static bool make_room(struct metrics__catalog *c)
{
    if (c->family_count < c->family_room) return true;
    size_t room = c->family_room ? c->family_room + c->family_room / 2 : 16;
    struct metrics__family_read **families = realloc(c->families, room * sizeof *families);
    c->pool.failed |= !families;
    if (!families) return false;
    c->families = families;
    c->family_room = room;
    return true;
}

/* The name in the key of the family's record, which is in the window; "" if the key is malformed. */
static const char *read_name(struct metrics_reader *r, uint64_t offset)
{
    uint64_t have;
    const struct segment_record *rec = metrics__record_in(r, &r->families, offset, &have);
    const char *key = rec ? (const char *)rec + RECORD_KEY : NULL;
    bool sound = rec && rec->key_length > 2 && rec->key_length <= METRICS_NAME_MAX + 2 &&
                 RECORD_KEY + rec->key_length <= have && key[0] == 'F' && !key[rec->key_length - 1];
    return metrics__pool_text(&r->catalog->pool, sound ? key + 1 : "", sound ? rec->key_length - 2 : 0);
}

/* Read a family that is not known yet, or, with `first`, one that is known for series of another kind. */
static struct metrics__family_read *read_family(struct metrics_reader *r, uint64_t offset, unsigned kind,
                                                struct metrics__family_read *first)
{
    struct metrics__catalog *c = r->catalog;
    const struct metrics__family_record *f = family_record(r, offset);
    const struct metrics__shape *shape = f ? shape_of(c, kind, f) : NULL;
    uint64_t text = f ? f->text : 0;
    if (!shape || !make_room(c)) return NULL;
    struct metrics__family_read *fresh = metrics__pool_take(&c->pool, sizeof *fresh);
    const char *name = read_name(r, offset);
    if (!fresh || !name) return NULL;
    *fresh = (struct metrics__family_read){.offset = offset,
                                           .wall_base = r->view.head.created_wall,
                                           .name = name,
                                           .unit = "",
                                           .help = "",
                                           .shape = shape,
                                           .merge = shape->settings.merge};
    read_text(r, fresh, text);
    if (c->pool.failed || r->trouble) return NULL;
    if (first) {
        fresh->other = first->other;
        first->other = fresh;
        return fresh;
    }
    if (!metrics__catalog_enter(c, offset, c->family_count, true)) {
        c->pool.failed = true;
        return NULL;
    }
    return c->families[c->family_count++] = fresh;
}

struct metrics__family_read *metrics__family_find(struct metrics_reader *r, uint64_t offset, unsigned kind)
{
    struct metrics__catalog *c = r->catalog;
    uint32_t known = offset % SEGMENT_ALIGN ? 0 : metrics__catalog_known(c, offset);
    if (!known) return read_family(r, offset, kind, NULL);
    if (!metrics__slot_is_family(known)) return NULL;
    struct metrics__family_read *first = c->families[metrics__slot_number(known)], *f = first;
    while (f && f->shape->kind != kind) f = f->other;
    return f ? f : read_family(r, offset, kind, first);
}

static bool is_empty(const char *text)
{
    return !text || !*text;
}

/*
 * The family with its text, if that or a part of it has come, else itself. A part comes once, so a family is renewed
 * twice at most, whatever its bytes do.
 */
static struct metrics__family_read *renewed(struct metrics_reader *r, struct metrics__family_read *f)
{
    bool lacks = is_empty(f->unit) || is_empty(f->help);
    const struct metrics__family_record *record = lacks ? family_record(r, f->offset) : NULL;
    struct metrics__family_read now = *f;
    if (!record || !record->text || record->text == f->text) return f;
    read_text(r, &now, record->text);
    bool more = is_empty(f->unit) > is_empty(now.unit) || is_empty(f->help) > is_empty(now.help);
    bool less = is_empty(f->unit) < is_empty(now.unit) || is_empty(f->help) < is_empty(now.help);
    struct metrics__family_read *newer =
        more && !less ? metrics__pool_take(&r->catalog->pool, sizeof *newer) : NULL;
    if (!newer) return f;
    *newer = now;
    return f->newer = newer;
}

int metrics__families_refresh(struct metrics_reader *r)
{
    struct metrics__catalog *c = r->catalog;
    for (size_t i = 0; i < c->family_count; i++)
        for (struct metrics__family_read **at = &c->families[i]; *at; at = &(*at)->other) {
            *at = renewed(r, *at);
            if (r->trouble || c->pool.failed) return -1;
        }
    return 0;
}
