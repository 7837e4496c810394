/* SPDX-License-Identifier: Apache-2.0 */
/*
 * merge.c - one snapshot that stands for two intervals: how a log is thinned without losing what was counted.
 *
 * Totals are cumulative, so the newer ones are kept. Of the interval part, extremes and samples are joined;
 * sets are joined exactly while both are exact and small, else the larger estimate is kept (the union is
 * between that and the sum).
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <mtx/metrics.h>

#include "error.h"
#include "estimate.h"
#include "reading.h"

static void *copy_of(struct metrics__pool *pool, const void *from, size_t n)
{
    void *to = n ? metrics__pool_take(pool, n) : NULL;
    if (to) memcpy(to, from, n);
    return to;
}

static void copy_sample(struct metrics__pool *pool, struct metrics__sample_read *s)
{
    s->centroids = copy_of(pool, s->centroids, s->centroid_count * sizeof *s->centroids);
}

static void copy_set(struct metrics__pool *pool, struct metrics__set_read *s)
{
    s->elements = copy_of(pool, s->elements, s->element_count * sizeof *s->elements);
}

static void copy_distribution(struct metrics__pool *pool, struct metrics__distribution_read *d)
{
    copy_sample(pool, &d->recent);
    copy_sample(pool, &d->interval);
    d->buckets = copy_of(pool, d->buckets, d->bucket_count * sizeof *d->buckets);
    metrics__distribution_complete(d, d->whole.count);
}

/* What a reading of its kind has besides the count. */
static void copy_more(struct metrics__pool *pool, struct metrics_reading *r)
{
    if (!r->more.any) return;
    switch (r->series->kind) {
    case KIND_meter: r->more.rates = copy_of(pool, r->more.rates, sizeof *r->more.rates); break;
    case KIND_gauge:
        r->more.gauge = copy_of(pool, r->more.gauge,
                                sizeof *r->more.gauge + r->more.gauge->count * sizeof *r->more.gauge->levels);
        break;
    case KIND_set:
        r->more.set = copy_of(pool, r->more.set, sizeof *r->more.set);
        if (r->more.set) copy_set(pool, r->more.set);
        break;
    case KIND_histogram:
    case KIND_timer:
        r->more.distribution = copy_of(pool, r->more.distribution, sizeof *r->more.distribution);
        if (r->more.distribution) copy_distribution(pool, r->more.distribution);
        break;
    default: r->more.any = NULL;
    }
}

/* Its series, in the pool; `last` is the family of the one before it. */
static const struct metrics__series_read *copy_series(struct metrics__pool *pool,
                                                      const struct metrics__series_read *from,
                                                      struct metrics__family_read *last)
{
    const char *texts[2 * METRICS_TAGS_MAX + 1] = {metrics__series_name(from)};
    const struct metrics__family_read *f = from->family;
    for (size_t i = 0; i < from->tag_count; i++) {
        texts[2 * i + 1] = from->tags[i].key;
        texts[2 * i + 2] = from->tags[i].value;
    }
    struct metrics__family_read *family =
        metrics__family_like(pool, last, f->unit, f->help, f->wall_base, f->merge);
    struct metrics__series_read *to =
        family ? metrics__series_new(pool, texts, 2 * from->tag_count + 1u, family) : NULL;
    if (!to) return NULL;
    to->identity = from->identity;
    to->created = from->created;
    to->kind = from->kind;
    return to;
}

static double weight_of(const struct metrics__sample_read *s)
{
    double w = 0;
    for (size_t i = 0; i < s->centroid_count; i++) w += s->centroids[i].weight;
    return w;
}

static double values_of(const struct metrics__sample_read *s)
{
    return s->values > 1 ? (double)s->values : 1;
}

/* Sum of squared distances from the sample's mean: its variance, turned back as if all weights were equal. */
static double spread_of(const struct metrics__sample_read *s, double weight)
{
    if (values_of(s) <= 1) return 0;
    return s->has_stddev ? s->stddev * s->stddev * (weight - weight / values_of(s)) : (double)NAN;
}

/*
 * Mean, deviation and extremes of two samples as one, from what was known of each before it was compressed:
 * centroids alone would lose the spread within them. (T. F. Chan, G. H. Golub, R. J. LeVeque: Updating
 * formulae and a pairwise algorithm for computing sample variances, Stanford STAN-CS-79-773.)
 */
static void join_summary(struct metrics__sample_read *to, const struct metrics__sample_read *other)
{
    double a = weight_of(to), b = weight_of(other), w = a + b, apart = other->mean - to->mean;
    double squares = spread_of(to, a) + spread_of(other, b) + apart * apart * (a / w) * b;
    double variance = squares / (w - (a / w * a / values_of(to) + b / w * b / values_of(other)));
    to->has_stddev = isfinite(variance) && variance >= 0;
    to->stddev = to->has_stddev ? sqrt(variance) : 0;
    to->min = other->min < to->min ? other->min : to->min;
    to->max = other->max > to->max ? other->max : to->max;
    to->mean = fmin(fmax(to->mean * (a / w) + other->mean * (b / w), to->min), to->max);
    to->values += other->values;
}

static void join_samples(struct metrics__pool *pool, struct metrics__sample_read *to,
                         const struct metrics__sample_read *other)
{
    if (!other->present || !other->centroid_count) return;
    if (!to->present || !to->centroid_count) {
        *to = *other;
        copy_sample(pool, to);
        return;
    }
    size_t n = to->centroid_count + other->centroid_count;
    metrics_centroid_t *all = metrics__pool_take(pool, n * sizeof *all);
    if (!all) return;
    memcpy(all, to->centroids, to->centroid_count * sizeof *all);
    memcpy(all + to->centroid_count, other->centroids, other->centroid_count * sizeof *all);
    n = metrics__estimate_sort(all, n);
    join_summary(to, other);
    to->centroids = all;
    to->centroid_count = metrics__estimate_compress(all, n);
}

static void join_extremes(struct metrics__distribution_read *to,
                          const struct metrics__distribution_read *other)
{
    if (!other->has_extremes) return;
    if (!to->has_extremes || other->interval_min < to->interval_min) to->interval_min = other->interval_min;
    if (!to->has_extremes || other->interval_max > to->interval_max) to->interval_max = other->interval_max;
    to->has_extremes = true;
}

static void join_sets(struct metrics__pool *pool, struct metrics__set_read *to,
                      const struct metrics__set_read *other)
{
    if (to->exact && other->exact) {
        metrics__sketch_set_t *a = malloc(2 * sizeof *a);
        if (!a) {
            pool->failed = true;
            return;
        }
        metrics__sketch_from_elements(to->elements, to->element_count, &a[0]);
        metrics__sketch_from_elements(other->elements, other->element_count, &a[1]);
        metrics__sketch_merge(&a[0], &a[1]);
        to->distinct = metrics__sketch_estimate(&a[0]);
        to->exact = a[0].exact;
        to->element_count = a[0].exact ? a[0].count : 0;
        to->elements = copy_of(pool, a[0].elements, to->element_count * sizeof *to->elements);
        free(a);
    } else {
        to->exact = false;
        to->element_count = 0;
        if (other->distinct > to->distinct) to->distinct = other->distinct;
    }
}

/* What newer says, with older's interval (NULL: there was none) joined to its own. */
static void merge_reading(struct metrics_snapshot *s, struct metrics_reading *to,
                          const struct metrics_reading *older, const struct metrics_reading *newer)
{
    struct metrics__pool *pool = &s->pool;
    *to = *newer;
    if (!s->catalog)
        to->series = copy_series(pool, newer->series, to == s->readings ? NULL : to[-1].series->family);
    if (!to->series) return;
    copy_more(pool, to);
    if (!older || !older->more.any || !to->more.any || pool->failed) return;
    if (newer->series->kind == KIND_histogram || newer->series->kind == KIND_timer) {
        join_extremes(to->more.distribution, older->more.distribution);
        join_samples(pool, &to->more.distribution->interval, &older->more.distribution->interval);
    } else if (newer->series->kind == KIND_set) {
        join_sets(pool, to->more.set, older->more.set);
    }
}

metrics_snapshot_t *metrics_snapshot_merge(const metrics_snapshot_t *older, const metrics_snapshot_t *newer,
                                           metrics_error_t *error)
{
    if (older->header.incarnation != newer->header.incarnation) {
        metrics__fail(error, METRICS_E_ARGUMENT, 0, "snapshots of two segments cannot be merged");
        return NULL;
    }
    struct metrics_snapshot *s = metrics__snapshot_new(newer->count);
    if (!s) {
        metrics__fail(error, METRICS_E_MEMORY, 0, "no memory to merge two snapshots");
        return NULL;
    }
    s->header = newer->header;
    s->header.interval_ns += older->header.interval_ns;
    s->header.first_export |= older->header.first_export;
    s->count = newer->count;
    s->catalog = metrics__catalog_retain(newer->catalog);
    for (size_t i = 0; i < s->count && !s->pool.failed; i++)
        merge_reading(s, &s->readings[i], metrics_snapshot_find(older, &newer->readings[i]),
                      &newer->readings[i]);
    if (s->pool.failed) {
        metrics__fail(error, METRICS_E_MEMORY, 0, "no memory to merge two snapshots");
        metrics_snapshot_release(&s);
    }
    return s;
}
