/* SPDX-License-Identifier: Apache-2.0 */
/* distribution_rows.c - what histograms and timers say, in rows: totals, extremes, sample or buckets. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <mtx/metrics.h>

#include "bucket.h"
#include "estimate.h"
#include "reading.h"

/* A base is of use if nothing fell since: else the totals begin anew. */
static const struct metrics__distribution_read *usable(const struct metrics__rows *r,
                                                       const struct metrics__distribution_read *now,
                                                       const struct metrics__distribution_read *base)
{
    bool wanted = r->options.totals == METRICS_INTERVAL && base && base->whole.count <= now->whole.count;
    return wanted && base->bucket_count == now->bucket_count ? base : NULL;
}

/*
 * A sum of an interval. Sums of durations are whole nanoseconds, while a double can tell: their difference is,
 * too, so that it comes out as the decimal that went in. per: 1 second, or its square, in the cells' unit.
 */
static double sum_since(const struct metrics_reading *r, double now, double base, double per)
{
    double n = rint(now * per), b = rint(base * per);
    bool whole = r->series->kind == KIND_timer && fabs(n) < 0x1p51 && fabs(b) < 0x1p51;
    return whole ? (n - b) / per : metrics__sum_since(now, base);
}

static uint64_t bucket_count(const struct metrics__distribution_read *now,
                             const struct metrics__distribution_read *base, size_t i)
{
    uint64_t before = base ? base->buckets[i].count : 0;
    return now->buckets[i].count >= before ? now->buckets[i].count - before : 0;
}

static void bucket_rows(struct metrics__rows *r, const struct metrics__distribution_read *now,
                        const struct metrics__distribution_read *base)
{
    uint64_t below = 0;
    if (!(r->options.attributes & METRICS_ATTR(METRICS_BUCKETS_LE))) return;
    for (size_t i = 0; i < now->bucket_count; i++) {
        below += bucket_count(now, base, i);
        metrics__row_push(r, &(metrics_row_t){.attribute = METRICS_BUCKETS_LE,
                                              .nature = METRICS_BUCKET,
                                              .scope = r->options.totals,
                                              .type = METRICS_U64,
                                              .value.u = below,
                                              .parameter = now->buckets[i].upper,
                                              .unit = "",
                                              .worker = -1});
    }
}

static void quantile_row(struct metrics__rows *r, double q, double v)
{
    metrics__row_push(r, &(metrics_row_t){.attribute = METRICS_PERCENTILE,
                                          .nature = METRICS_QUANTILE,
                                          .scope = r->options.sampled,
                                          .type = METRICS_F64,
                                          .value.f = v,
                                          .parameter = q,
                                          .unit = r->unit,
                                          .worker = -1});
}

static void statistic(struct metrics__rows *r, enum metrics_attribute a, double v)
{
    metrics__row_f64(r, a, METRICS_STATISTIC, r->options.sampled, v);
}

/* An empty sample: nothing, or the zeros that some vendors' reporters send. */
static void empty_rows(struct metrics__rows *r)
{
    if (!r->options.empty_zero) return;
    statistic(r, METRICS_MIN, 0);
    statistic(r, METRICS_MAX, 0);
    statistic(r, METRICS_MEAN, 0);
    statistic(r, METRICS_STDDEV, 0);
    for (size_t i = 0; i < r->options.quantile_count; i++) quantile_row(r, r->options.quantiles[i], 0);
}

static double clamp(double v, double low, double high)
{
    return v < low ? low : v > high ? high : v;
}

static void sample_rows(struct metrics__rows *r, const struct metrics__distribution_read *now)
{
    bool interval = r->options.sampled == METRICS_INTERVAL;
    const struct metrics__sample_read *s = interval ? &now->interval : &now->recent;
    double low = s->min, high = s->max, q;
    if (interval && now->has_extremes) {
        low = now->interval_min;
        high = now->interval_max;
    }
    if (!s->present && !(interval && now->has_extremes)) {
        empty_rows(r);
        return;
    }
    statistic(r, METRICS_MIN, low);
    statistic(r, METRICS_MAX, high);
    if (!s->present) return;
    statistic(r, METRICS_MEAN, clamp(s->mean, low, high));
    if (s->has_stddev || r->options.empty_zero) statistic(r, METRICS_STDDEV, s->stddev);
    for (size_t i = 0; i < r->options.quantile_count; i++)
        if (metrics__estimate_quantile(s->centroids, s->centroid_count, s->values, r->options.quantiles[i],
                                       &q))
            quantile_row(r, r->options.quantiles[i], clamp(q, low, high));
}

/* Where the values of a bucket may lie. One without a lower bound begins at 0, as its quantiles do. */
static double lowest(const metrics_bucket_t *b, double mean)
{
    if (isfinite(b->lower)) return b->lower;
    return fmin(isfinite(b->upper) ? fmin(0, b->upper) : mean, mean);
}

static double highest(const metrics_bucket_t *b, double mean)
{
    if (isfinite(b->upper)) return b->upper;
    return fmax(isfinite(b->lower) ? b->lower : mean, mean);
}

/* Statistics from bucket counts: the edges of the outermost ones that are not empty, and quantiles. */
static void bucket_statistics(struct metrics__rows *r, const struct metrics__distribution_read *now,
                              const struct metrics__distribution_read *base)
{
    size_t first = now->bucket_count, last = 0;
    uint64_t count = 0;
    double q;
    metrics_bucket_t *b = malloc(now->bucket_count * sizeof *b + 1);
    if (!b) return;
    for (size_t i = 0; i < now->bucket_count; i++) {
        b[i] = now->buckets[i];
        b[i].count = bucket_count(now, base, i);
        count += b[i].count;
        if (b[i].count && first == now->bucket_count) first = i;
        if (b[i].count) last = i;
    }
    if (!count) {
        empty_rows(r);
    } else {
        double mean = sum_since(r->now, now->sum, base ? base->sum : 0, 1e9) / (double)count;
        double low = lowest(&b[first], mean), high = highest(&b[last], mean);
        if (isfinite(low)) statistic(r, METRICS_MIN, low);
        if (isfinite(high)) statistic(r, METRICS_MAX, high);
        statistic(r, METRICS_MEAN, clamp(mean, low, high));
        for (size_t i = 0; i < r->options.quantile_count; i++)
            if (metrics__bucket_quantile(b, now->bucket_count, now->scale, r->options.quantiles[i], &q))
                quantile_row(r, r->options.quantiles[i], q);
    }
    free(b);
}

void metrics__distribution_rows(struct metrics__rows *r, const struct metrics_reading *reading,
                                const struct metrics_reading *base)
{
    const struct metrics__distribution_read *now = metrics__distribution_of(reading),
                                            *b = usable(r, now, base ? metrics__distribution_of(base) : NULL);
    enum metrics_scope scope = r->options.totals;
    const char *unit = r->unit;
    r->unit = "";
    metrics__row_u64(r, METRICS_COUNT, METRICS_TOTAL, scope, now->whole.count - (b ? b->whole.count : 0));
    r->unit = unit;
    metrics__row_f64(r, METRICS_SUM, METRICS_TOTAL, scope, sum_since(reading, now->sum, b ? b->sum : 0, 1e9));
    if (!now->bucket_count)
        metrics__row_f64(r, METRICS_SUM_SQUARES, METRICS_TOTAL, scope,
                         sum_since(reading, now->squares, b ? b->squares : 0, 1e18));
    if (now->bucket_count)
        bucket_statistics(r, now, r->options.sampled == METRICS_INTERVAL ? b : NULL);
    else
        sample_rows(r, now);
    if (now->bucket_count) bucket_rows(r, now, b);
    metrics__row_push(r, &(metrics_row_t){.attribute = METRICS_WHOLE,
                                          .nature = METRICS_DISTRIBUTION,
                                          .scope = METRICS_LIFETIME,
                                          .type = METRICS_U64,
                                          .value.u = now->whole.count,
                                          .distribution = &now->whole,
                                          .unit = r->unit,
                                          .worker = -1});
}

int metrics_reading_distribution(const metrics_reading_t *reading, const metrics_reading_t *base_reading,
                                 metrics_bucket_t *room, size_t room_count, metrics_distribution_t *out)
{
    if (reading->series->kind != KIND_histogram && reading->series->kind != KIND_timer) return -1;
    const struct metrics__distribution_read *now = metrics__distribution_of(reading),
                                            *base =
                                                base_reading ? metrics__distribution_of(base_reading) : NULL;
    if (base && (base->whole.count > now->whole.count || base->bucket_count != now->bucket_count))
        base = NULL;
    *out = now->whole;
    out->count -= base ? base->whole.count : 0;
    out->sum = sum_since(reading, now->sum, base ? base->sum : 0, 1e9);
    out->centroids = now->interval.centroids;
    out->centroid_count = now->interval.centroid_count;
    if (!now->bucket_count) return 0;
    if (room_count < now->bucket_count) return -1;
    for (size_t i = 0; i < now->bucket_count; i++) {
        room[i] = now->buckets[i];
        room[i].count = bucket_count(now, base, i);
    }
    out->buckets = room;
    return 0;
}
