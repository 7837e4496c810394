/* SPDX-License-Identifier: Apache-2.0 */
/* distribution_rows.c - reading what histograms and timers share: totals, extremes, sample or buckets. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <mtx/metrics.h>

#include "bucket.h"
#include "estimate.h"
#include "rate.h"
#include "reading.h"
#include "reservoir.h"

/* --- Rates
 * -------------------------------------------------------------------------------------------------- */

bool metrics__rates_load(const struct metrics__taking *t, struct metrics_reading *out)
{
    const metrics__rate_block_t *block = metrics__image_at(t->r, t->series->storage[1], sizeof *block);
    if (!block) return false;
    /* ORD-9: rates_whole says that nobody wrote to this bank while it was copied. */
    const metrics__rate_bank_t *bank = &block->side[t->r->head.fold & 1].bank;
    out->has_rates =
        t->r->rates_whole && metrics__rate_now(bank, out->created, out->count, t->now, out->rates);
    out->has_mean_rate = metrics__rate_mean(out->created, out->count, t->now, &out->mean_rate);
    return true;
}

/* --- Samples
 * ------------------------------------------------------------------------------------------------ */

static bool keep_sample(struct metrics__pool *pool, metrics_centroid_t *samples, size_t n, double factor,
                        struct metrics__sample_read *out)
{
    metrics__estimate_t e;
    n = metrics__estimate_sort(samples, n);
    for (size_t i = 0; i < n; i++) samples[i].mean *= factor;
    if (!metrics__estimate_summary(samples, n, &e)) return true;
    out->present = true;
    out->min = e.min;
    out->max = e.max;
    out->mean = e.mean;
    out->stddev = e.stddev;
    out->has_stddev = e.has_stddev;
    out->values = n;
    n = metrics__estimate_compress(samples, n);
    out->centroids = metrics__pool_take(pool, n * sizeof *samples);
    if (!out->centroids) return false;
    memcpy(out->centroids, samples, n * sizeof *samples);
    out->centroid_count = n;
    return true;
}

static metrics__reservoir_params_t params_of(const struct metrics__settings *s)
{
    return (metrics__reservoir_params_t){.kind = (enum metrics_reservoir)s->reservoir,
                                         .slots = s->samples,
                                         .alpha = s->alpha,
                                         .window_s = s->window_s};
}

/* Copy the reservoir again, after its count (ORD-6), and keep what both copies agree on. */
static bool load_samples(const struct metrics__taking *t, struct metrics_reading *out, double factor)
{
    const struct metrics__series_read *s = t->series;
    metrics__reservoir_params_t p = params_of(&s->family->settings);
    uint64_t at = s->storage[1] + (s->plan.rate ? METRICS__RATE_BLOCK : 0), n = s->plan.reservoir;
    const metrics__reservoir_t *first = metrics__image_at(t->r, at, n);
    metrics__reservoir_t *copy = first ? aligned_alloc(64, n) : NULL;
    metrics_centroid_t *samples =
        copy ? malloc((metrics__reservoir_capacity(&p) + 1) * sizeof *samples) : NULL;
    bool good = samples && !view_read(&t->r->view, at, copy, n);
    if (good) {
        metrics__reservoir_confirm(copy, first, &p);
        size_t found = metrics__reservoir_samples(copy, &p, 0, t->tick, samples);
        good = keep_sample(&t->snapshot->pool, samples, found, factor, &out->recent);
    }
    if (good && t->epoch) {
        uint32_t from = (uint32_t)(t->from / 125000000) + 1;
        size_t found = metrics__reservoir_samples(copy, &p, from, t->tick, samples);
        good = keep_sample(&t->snapshot->pool, samples, found, factor, &out->interval);
    }
    free(samples);
    free(copy);
    return good;
}

/* --- Extremes
 * ----------------------------------------------------------------------------------------------- */

/* The highest word of a bank over all lanes whose tag is the epoch's; 0 = none. Copied after the count
 * (ORD-6). */
static uint64_t highest(const unsigned char *cells, uint64_t stride, uint64_t lanes, uint32_t cell,
                        uint64_t epoch)
{
    uint64_t best = 0, v;
    for (uint64_t l = 0; l < lanes; l++) {
        memcpy(&v, cells + l * stride + (cell + (epoch & 1)) * 8, sizeof v);
        if (v >> 48 == (epoch & 0xffff) && v > best) best = v;
    }
    return best;
}

bool metrics__extremes_read(const struct metrics_reader *r, const struct metrics__series_read *s,
                            uint64_t epoch, uint64_t words[2])
{
    const struct segment_header *h = &r->head;
    uint64_t stride = layout_stride(DIST_CELLS),
             lanes = layout_lanes(DIST_CELLS, h->lanes_cpu, h->lanes_atomic);
    uint64_t n = (lanes - 1) * stride + DIST_CELLS * 8;
    unsigned char *cells = malloc(n);
    bool good = cells && !view_read(&r->view, s->storage[0], cells, n);
    words[0] = good ? highest(cells, stride, lanes, DIST_MAX, epoch) : 0;
    words[1] = good ? highest(cells, stride, lanes, DIST_MIN, epoch) : 0;
    free(cells);
    return good;
}

static bool load_extremes(const struct metrics__taking *t, struct metrics_reading *out, double factor)
{
    const uint64_t mask = UINT64_C(0xffffffffffff);
    uint64_t words[2];
    if (!metrics__extremes_read(t->r, t->series, t->epoch, words)) return false;
    for (int i = 0; i < 2; i++) {
        t->series->seen[i] = words[i];
        if ((words[i] & mask) < (t->series->late[i] & mask)) words[i] = t->series->late[i];
        t->series->late[i] = 0;
    }
    if (!words[0] || !words[1]) {
        /* The interval ended between a writer's two updates: the next one has both (ORD-10). */
        for (int i = 0; i < 2; i++) t->series->late[i] = t->series->seen[i];
        return true;
    }
    out->interval_max = metrics__order_decode(words[0] & mask) * factor;
    out->interval_min = -metrics__order_decode(words[1] & mask) * factor;
    out->has_extremes = out->interval_min <= out->interval_max; /* false for NaN, too */
    return true;
}

/* --- Buckets
 * ------------------------------------------------------------------------------------------------ */

static bool load_buckets(const struct metrics__taking *t, struct metrics_reading *out, double factor)
{
    const struct metrics__family_read *f = t->series->family;
    out->buckets = metrics__pool_take(&t->snapshot->pool, f->bucket_count * sizeof *out->buckets);
    if (!out->buckets || f->bucket_count != t->series->plan.buckets) return false;
    out->bucket_count = f->bucket_count;
    out->scale = f->scale;
    memcpy(out->buckets, f->buckets, f->bucket_count * sizeof *out->buckets);
    for (uint32_t i = 0; i < f->bucket_count; i++) {
        if (!metrics__sum_u64(t, DIST_FIRST_BUCKET + i, &out->buckets[i].count)) return false;
        out->count += out->buckets[i].count;
    }
    metrics__sum_u64(t, DIST_BUCKET_IGNORED, &out->ignored);
    for (uint32_t i = 0; i < DIST_BUCKET_SUMS; i++) {
        double part;
        if (!metrics__sum_f64(t, DIST_BUCKET_SUM + i, &part)) return false;
        out->sum += part * factor;
    }
    return true;
}

bool metrics__distribution_load(const struct metrics__taking *t, struct metrics_reading *out, double factor)
{
    bool good;
    if (t->series->plan.buckets) {
        good = load_buckets(t, out, factor);
    } else {
        good = metrics__sum_u64(t, DIST_COUNT, &out->count) && metrics__sum_f64(t, DIST_SUM, &out->sum) &&
               metrics__sum_f64(t, DIST_SQUARES, &out->squares) &&
               metrics__sum_u64(t, DIST_IGNORED, &out->ignored);
        out->sum *= factor;
        out->squares *= factor * factor;
        if (good && out->count && t->depth == METRICS__TAKE_ALL)
            good = (!t->epoch || load_extremes(t, out, factor)) && load_samples(t, out, factor);
    }
    out->whole = (metrics_distribution_t){.count = out->count,
                                          .sum = out->sum,
                                          .centroids = out->recent.centroids,
                                          .centroid_count = out->recent.centroid_count,
                                          .buckets = out->buckets,
                                          .bucket_count = out->bucket_count,
                                          .scale = out->scale};
    return good;
}

/* --- Rows
 * --------------------------------------------------------------------------------------------------- */

/* A base is of use if nothing fell since: else the totals begin anew. */
static const struct metrics_reading *usable(const struct metrics__rows *r, const struct metrics_reading *now,
                                            const struct metrics_reading *base)
{
    bool wanted = r->options.totals == METRICS_INTERVAL && base && base->count <= now->count;
    return wanted && base->bucket_count == now->bucket_count ? base : NULL;
}

static uint64_t bucket_count(const struct metrics_reading *now, const struct metrics_reading *base, size_t i)
{
    uint64_t before = base ? base->buckets[i].count : 0;
    return now->buckets[i].count >= before ? now->buckets[i].count - before : 0;
}

static void bucket_rows(struct metrics__rows *r, const struct metrics_reading *now,
                        const struct metrics_reading *base)
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

static void sample_rows(struct metrics__rows *r, const struct metrics_reading *now)
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

/* Statistics from bucket counts: the edges of the outermost ones that are not empty, and quantiles. */
static void bucket_statistics(struct metrics__rows *r, const struct metrics_reading *now,
                              const struct metrics_reading *base)
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
        double low = isfinite(b[first].lower) ? b[first].lower : b[first].upper;
        double high = isfinite(b[last].upper) ? b[last].upper : b[last].lower;
        if (isfinite(low)) statistic(r, METRICS_MIN, low);
        if (isfinite(high)) statistic(r, METRICS_MAX, high);
        statistic(r, METRICS_MEAN, (now->sum - (base ? base->sum : 0)) / (double)count);
        for (size_t i = 0; i < r->options.quantile_count; i++)
            if (metrics__bucket_quantile(b, now->bucket_count, now->scale, r->options.quantiles[i], &q))
                quantile_row(r, r->options.quantiles[i], q);
    }
    free(b);
}

void metrics__distribution_rows(struct metrics__rows *r, const struct metrics_reading *now,
                                const struct metrics_reading *base)
{
    const struct metrics_reading *b = usable(r, now, base);
    enum metrics_scope scope = r->options.totals;
    const char *unit = r->unit;
    r->unit = "";
    metrics__row_u64(r, METRICS_COUNT, METRICS_TOTAL, scope, now->count - (b ? b->count : 0));
    r->unit = unit;
    metrics__row_f64(r, METRICS_SUM, METRICS_TOTAL, scope, now->sum - (b ? b->sum : 0));
    if (!now->bucket_count)
        metrics__row_f64(r, METRICS_SUM_SQUARES, METRICS_TOTAL, scope, now->squares - (b ? b->squares : 0));
    if (now->bucket_count)
        bucket_statistics(r, now, r->options.sampled == METRICS_INTERVAL ? b : NULL);
    else
        sample_rows(r, now);
    if (now->bucket_count) bucket_rows(r, now, b);
    metrics__row_push(r, &(metrics_row_t){.attribute = METRICS_WHOLE,
                                          .nature = METRICS_DISTRIBUTION,
                                          .scope = METRICS_LIFETIME,
                                          .type = METRICS_U64,
                                          .value.u = now->count,
                                          .distribution = &now->whole,
                                          .unit = r->unit,
                                          .worker = -1});
}

int metrics_reading_distribution(const metrics_reading_t *now, const metrics_reading_t *base,
                                 metrics_bucket_t *room, size_t room_count, metrics_distribution_t *out)
{
    if (now->kind != KIND_histogram && now->kind != KIND_timer) return -1;
    if (base && (base->count > now->count || base->bucket_count != now->bucket_count)) base = NULL;
    *out = now->whole;
    out->count -= base ? base->count : 0;
    out->sum -= base ? base->sum : 0;
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
