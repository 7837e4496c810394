/* SPDX-License-Identifier: Apache-2.0 */
/* series.c - what readings say of themselves: whose they are, and which parts they have. */
#include <math.h>
#include <string.h>

#include <mtx/metrics.h>

#include "reading.h"

/* The text as the series that came before has it, if it has: NULL if not. */
static const char *shared(const struct metrics__family_read *f, const char *const *texts, size_t i)
{
    const struct metrics__series_read *latest = f->latest;
    if (i == 0) return strcmp(texts[0], f->name) ? NULL : f->name;
    if (!latest || (i - 1) / 2 >= latest->tag_count) return NULL;
    const metrics_tag_t *tag = &latest->tags[(i - 1) / 2];
    const char *text = i % 2 ? tag->key : tag->value;
    return strcmp(texts[i], text) ? NULL : text;
}

struct metrics__series_read *metrics__series_new(struct metrics__pool *pool, const char *const *texts,
                                                 size_t count, struct metrics__family_read *family)
{
    size_t bytes = 0, tags = count / 2;
    const char *have[2 * METRICS_TAGS_MAX + 1];
    for (size_t i = 0; i < count; i++) {
        have[i] = shared(family, texts, i);
        if (!have[i]) bytes += strlen(texts[i]) + 1;
    }
    struct metrics__series_read *s =
        metrics__pool_take(pool, sizeof *s + tags * sizeof(metrics_tag_t) + bytes);
    if (!s) return NULL;
    s->family = family;
    s->own_name = !have[0];
    s->tag_count = (uint8_t)tags;
    s->place = METRICS__NOWHERE;
    char *at = (char *)(s->tags + tags);
    for (size_t i = 0; i < count; i++) {
        if (!have[i]) {
            have[i] = strcpy(at, texts[i]);
            at += strlen(at) + 1;
        }
        if (i) *(i % 2 ? &s->tags[i / 2].key : &s->tags[i / 2 - 1].value) = have[i];
    }
    family->latest = s;
    return s;
}

struct metrics__family_read *metrics__family_like(struct metrics__pool *pool,
                                                  struct metrics__family_read *last, const char *unit,
                                                  const char *help, uint64_t wall_base, uint8_t merge)
{
    if (last && last->wall_base == wall_base && last->merge == merge && !strcmp(last->unit, unit) &&
        !strcmp(last->help, help))
        return last;
    struct metrics__family_read *f = metrics__pool_take(pool, sizeof *f);
    const char *u = metrics__pool_text(pool, unit, strlen(unit)),
               *h = metrics__pool_text(pool, help, strlen(help));
    if (!f || !u || !h) return NULL;
    *f = (struct metrics__family_read){
        .wall_base = wall_base, .name = "", .unit = u, .help = h, .merge = merge};
    return f;
}

/* Texts that are shared need no look. */
static int compare(const char *a, const char *b)
{
    return a == b ? 0 : strcmp(a, b);
}

int metrics__series_compare(const struct metrics__series_read *a, const struct metrics__series_read *b)
{
    int order = compare(metrics__series_name(a), metrics__series_name(b));
    for (size_t i = 0; !order && i < a->tag_count && i < b->tag_count; i++) {
        order = compare(a->tags[i].key, b->tags[i].key);
        if (!order) order = compare(a->tags[i].value, b->tags[i].value);
    }
    return order ? order : (a->tag_count > b->tag_count) - (a->tag_count < b->tag_count);
}

/* --- Parts of a reading --- */

static bool is_distribution(const struct metrics_reading *r)
{
    return r->series->kind == KIND_histogram || r->series->kind == KIND_timer;
}

const struct metrics__rates_read *metrics__rates_of(const struct metrics_reading *r)
{
    static const struct metrics__rates_read none = {{NAN, NAN, NAN}, NAN};
    if (r->series->kind == KIND_meter) return r->more.any ? r->more.rates : &none;
    return r->series->kind == KIND_timer ? &metrics__distribution_of(r)->rates : &none;
}

const struct metrics__distribution_read *metrics__distribution_of(const struct metrics_reading *r)
{
    static const struct metrics__distribution_read none = {.rates = {{NAN, NAN, NAN}, NAN}, .scale = -1};
    return is_distribution(r) && r->more.any ? r->more.distribution : &none;
}

const struct metrics__gauge_read *metrics__gauge_of(const struct metrics_reading *r)
{
    static const struct metrics__gauge_read none;
    return r->series->kind == KIND_gauge && r->more.any ? r->more.gauge : &none;
}

const struct metrics__set_read *metrics__set_of(const struct metrics_reading *r)
{
    static const struct metrics__set_read none;
    return r->series->kind == KIND_set && r->more.any ? r->more.set : &none;
}

struct metrics__distribution_read *metrics__distribution_new(struct metrics__pool *pool)
{
    struct metrics__distribution_read *d = metrics__pool_take(pool, sizeof *d);
    if (d) *d = (struct metrics__distribution_read){.rates = {{NAN, NAN, NAN}, NAN}, .scale = -1};
    return d;
}

void metrics__distribution_complete(struct metrics__distribution_read *d, uint64_t count)
{
    d->whole = (metrics_distribution_t){.count = count,
                                        .sum = d->sum,
                                        .centroids = d->recent.centroids,
                                        .centroid_count = d->recent.centroid_count,
                                        .buckets = d->buckets,
                                        .bucket_count = d->bucket_count,
                                        .scale = d->scale};
}

/* --- What the public header says of readings --- */

const char *metrics_reading_name(const metrics_reading_t *r)
{
    return metrics__series_name(r->series);
}
const metrics_tag_t *metrics_reading_tags(const metrics_reading_t *r, size_t *n)
{
    *n = r->series->tag_count;
    return r->series->tags;
}
const char *metrics_reading_unit(const metrics_reading_t *r)
{
    return r->series->kind == KIND_timer ? "seconds" : r->series->family->unit;
}
const char *metrics_reading_help(const metrics_reading_t *r)
{
    return r->series->family->help;
}
const char *metrics_reading_kind(const metrics_reading_t *r)
{
    const struct metrics__kind_read *k = metrics__kind_read_of(r->series->kind);
    return k ? k->name : "unknown";
}
uint64_t metrics_reading_count(const metrics_reading_t *r)
{
    return r->count;
}
uint64_t metrics_reading_start(const metrics_reading_t *r)
{
    return r->series->family->wall_base + r->series->created;
}
const uint64_t *metrics_reading_elements(const metrics_reading_t *r, size_t *n)
{
    const struct metrics__set_read *s = metrics__set_of(r);
    *n = s->exact ? s->element_count : 0;
    return *n ? s->elements : NULL;
}
