/* SPDX-License-Identifier: Apache-2.0 */
/*
 * merge.c - one snapshot that stands for two intervals: how a log is thinned without losing what was counted.
 *
 * Totals are cumulative, so the newer ones say it all. Of the interval part, extremes and samples are joined;
 * sets are joined exactly while both are exact and small, else the larger estimate stands (the union lies
 * between that and the sum).
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

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

/* A reading that owes nothing to the snapshot it came from, in the pool. */
static void copy_reading(struct metrics__pool *pool, struct metrics_reading *to,
                         const struct metrics_reading *from)
{
    *to = *from;
    to->name = metrics__pool_text(pool, from->name, strlen(from->name));
    to->unit = metrics__pool_text(pool, from->unit, strlen(from->unit));
    to->help = metrics__pool_text(pool, from->help, strlen(from->help));
    to->tags = metrics__pool_take(pool, (from->tag_count + 1) * sizeof *to->tags);
    for (size_t i = 0; to->tags && i < from->tag_count; i++) {
        to->tags[i].key = metrics__pool_text(pool, from->tags[i].key, strlen(from->tags[i].key));
        to->tags[i].value = metrics__pool_text(pool, from->tags[i].value, strlen(from->tags[i].value));
    }
    to->levels = copy_of(pool, from->levels, from->level_count * sizeof *from->levels);
    copy_sample(pool, &to->recent);
    copy_sample(pool, &to->interval);
    to->buckets = copy_of(pool, from->buckets, from->bucket_count * sizeof *from->buckets);
    to->elements = copy_of(pool, from->elements, from->element_count * sizeof *from->elements);
    to->whole.centroids = to->recent.centroids;
    to->whole.buckets = to->buckets;
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

/* Sum of squared distances from the sample's mean: its variance, undone as if its values weighed the same. */
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

static void join_extremes(struct metrics_reading *to, const struct metrics_reading *other)
{
    if (!other->has_extremes) return;
    if (!to->has_extremes || other->interval_min < to->interval_min) to->interval_min = other->interval_min;
    if (!to->has_extremes || other->interval_max > to->interval_max) to->interval_max = other->interval_max;
    to->has_extremes = true;
}

static void join_sets(struct metrics__pool *pool, struct metrics_reading *to,
                      const struct metrics_reading *other)
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
    for (size_t i = 0; i < s->count; i++) {
        struct metrics_reading *to = &s->readings[i];
        const struct metrics_reading *before = metrics_snapshot_find(older, &newer->readings[i]);
        copy_reading(&s->pool, to, &newer->readings[i]);
        if (!before || s->pool.failed) continue;
        join_extremes(to, before);
        join_samples(&s->pool, &to->interval, &before->interval);
        if (to->kind == KIND_set) join_sets(&s->pool, to, before);
    }
    if (s->pool.failed) {
        metrics__fail(error, METRICS_E_MEMORY, 0, "no memory to merge two snapshots");
        metrics_snapshot_release(&s);
    }
    return s;
}
