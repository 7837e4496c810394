/* SPDX-License-Identifier: Apache-2.0 */
/* reading.c - what a reading has and says of itself, and the memory of a snapshot, which holds readings. */
#include "reading.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>

/* --- Memory of a snapshot --- */

struct metrics_snapshot *metrics__snapshot_new(size_t readings)
{
    struct metrics_snapshot *s = calloc(1, sizeof *s);
    if (!s) return NULL;
    s->references = 1;
    s->room = readings;
    s->readings = calloc(readings + 1, sizeof *s->readings);
    if (s->readings) return s;
    free(s);
    return NULL;
}

void metrics__snapshot_free(struct metrics_snapshot *s)
{
    if (!s) return;
    metrics__pool_free(&s->pool);
    free(s->readings);
    free(s);
}

/* --- Sums --- */

double metrics__saturate(double sum)
{
    if (isfinite(sum)) return sum;
    return sum < 0 ? -DBL_MAX : DBL_MAX;
}

bool metrics__is_saturated(double sum)
{
    return !(fabs(sum) < DBL_MAX);
}

double metrics__sum_since(double now, double base)
{
    return metrics__is_saturated(now) ? now : metrics__saturate(now - base);
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
