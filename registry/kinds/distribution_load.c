/* SPDX-License-Identifier: Apache-2.0 */
/* distribution_load.c - reading what histograms and timers share: totals, extremes, sample or buckets. */
#include <math.h>
#include <string.h>

#include <mtx/metrics.h>

#include "estimate.h"
#include "reservoir.h"
#include "taking.h"

/* --- Samples --- */

static bool keep_sample(struct metrics__pool *pool, metrics_centroid_t *samples, size_t n, double per,
                        struct metrics__sample_read *out)
{
    metrics__estimate_t e;
    n = metrics__estimate_sort(samples, n);
    if (!metrics__estimate_summary(samples, n, &e)) return true;
    out->present = true;
    out->min = e.min / per;
    out->max = e.max / per;
    out->mean = e.mean / per;
    out->stddev = e.stddev / per;
    out->has_stddev = e.has_stddev;
    out->values = n;
    n = metrics__estimate_compress(samples, n);
    out->centroids = metrics__pool_take(pool, n * sizeof *samples);
    if (!out->centroids) return false;
    for (size_t i = 0; i < n; i++)
        out->centroids[i] = (metrics_centroid_t){samples[i].mean / per, samples[i].weight};
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

/*
 * Copy the reservoir twice, after its count (ORD-6), and keep in scratch 0 what both copies agree on. A
 * reservoir with few samples is copied in part. Returns how many bytes; 0 = there was trouble.
 */
static size_t copy_samples(struct metrics_reader *r, uint64_t at, size_t n,
                           const metrics__reservoir_params_t *p)
{
    char *copy = metrics__scratch(r, 0, n), *again = metrics__scratch(r, 1, n);
    size_t first = metrics__reservoir_first(p);
    if (!copy || !again) return 0;
    bool good = first <= n && !view_read(&r->view, at, copy, first);
    if (good && first < n && metrics__reservoir_has_room((metrics__reservoir_t *)copy, p))
        n = first;
    else
        good = good && !view_read(&r->view, at + first, copy + first, n - first);
    if (!good || view_read(&r->view, at, again, n)) {
        r->trouble = METRICS__TRUNCATED;
        return 0;
    }
    metrics__reservoir_confirm((metrics__reservoir_t *)copy, (metrics__reservoir_t *)again, n, p);
    return n;
}

static bool load_samples(const struct metrics__taking *t, const struct metrics__series_read *s,
                         struct metrics__distribution_read *out, double per)
{
    struct metrics_reader *r = t->r;
    const struct metrics__plan *plan = &s->family->shape->plan;
    metrics__reservoir_params_t p = params_of(&s->family->shape->settings);
    uint64_t at = s->storage[1] + (plan->rate ? METRICS__RATE_BLOCK : 0), n = plan->reservoir;
    metrics__reservoir_t *copy = metrics__scratch(r, 0, n);
    metrics_centroid_t *samples =
        metrics__scratch(r, 2, (metrics__reservoir_capacity(&p) + 1) * sizeof *samples);
    if (!copy || !samples) return false;
    n = copy_samples(r, at, n, &p);
    if (!n) return false;
    size_t found = metrics__reservoir_samples(copy, n, &p, 0, t->tick, samples);
    bool good = keep_sample(&t->snapshot->pool, samples, found, per, &out->recent);
    if (good && t->epoch) {
        uint32_t from = (uint32_t)(t->from / 125000000) + 1;
        found = metrics__reservoir_samples(copy, n, &p, from, t->tick, samples);
        good = keep_sample(&t->snapshot->pool, samples, found, per, &out->interval);
    }
    return good;
}

/* --- Extremes --- */

/* The highest word of a bank over all lanes with the epoch's tag, or 0. Copied after the count (ORD-6). */
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

bool metrics__extremes_read(struct metrics_reader *r, const struct metrics__series_read *s, uint64_t epoch,
                            uint64_t words[2])
{
    const struct segment_header *h = &r->head;
    uint64_t stride = layout_stride(DIST_CELLS),
             lanes = layout_lanes(DIST_CELLS, h->lanes_cpu, h->lanes_atomic);
    uint64_t n = (lanes - 1) * stride + DIST_CELLS * 8;
    unsigned char *cells = metrics__scratch(r, 0, n);
    bool good = cells && !view_read(&r->view, s->storage[0], cells, n);
    words[0] = good ? highest(cells, stride, lanes, DIST_MAX, epoch) : 0;
    words[1] = good ? highest(cells, stride, lanes, DIST_MIN, epoch) : 0;
    return good;
}

static bool load_extremes(const struct metrics__taking *t, const struct metrics__series_read *s,
                          struct metrics__distribution_read *out, double per)
{
    const uint64_t mask = UINT64_C(0xffffffffffff);
    struct metrics__late *known = &t->r->catalog->late[s->late];
    uint64_t words[2];
    if (!metrics__extremes_read(t->r, s, t->epoch, words)) return false;
    for (int i = 0; i < 2; i++) {
        known->seen[i] = words[i];
        if ((words[i] & mask) < (known->late[i] & mask)) words[i] = known->late[i];
        known->late[i] = 0;
    }
    if (!words[0] || !words[1]) {
        /* The interval ended between a writer's two updates: the next one has both (ORD-10). */
        for (int i = 0; i < 2; i++) known->late[i] = known->seen[i];
        return true;
    }
    out->interval_max = metrics__order_decode(words[0] & mask) / per;
    out->interval_min = -metrics__order_decode(words[1] & mask) / per;
    out->has_extremes = out->interval_min <= out->interval_max; /* false for NaN, too */
    return true;
}

/* An extreme keeps 36 bits of the mantissa: a value of the sample that is so near is the one, with all its bits. */
static double all_bits(double extreme, double sampled)
{
    return fabs(extreme - sampled) <= fabs(extreme) * 0x1p-36 ? sampled : extreme;
}

static void complete_extremes(struct metrics__distribution_read *d)
{
    if (!d->has_extremes || !d->interval.present) return;
    d->interval_min = all_bits(d->interval_min, d->interval.min);
    d->interval_max = all_bits(d->interval_max, d->interval.max);
}

/* --- Buckets --- */

/* Lane by lane, as they lie in memory. */
static void add_buckets(const struct metrics__lanes *l, metrics_bucket_t *buckets, uint32_t n)
{
    for (uint64_t lane = 0; lane < l->count; lane++) {
        const unsigned char *at = l->base + lane * l->stride + DIST_FIRST_BUCKET * 8;
        for (uint32_t i = 0; i < n; i++) {
            uint64_t v;
            memcpy(&v, at + i * UINT64_C(8), sizeof v);
            buckets[i].count += v;
        }
    }
}

static bool load_buckets(const struct metrics__taking *t, const struct metrics__lanes *l,
                         struct metrics_reading *out, double per)
{
    const struct metrics__shape *f = out->series->family->shape;
    struct metrics__distribution_read *d = out->more.distribution;
    d->buckets = metrics__pool_take(&t->snapshot->pool, f->bucket_count * sizeof *d->buckets);
    if (!d->buckets) return false;
    d->bucket_count = f->bucket_count;
    d->scale = f->scale;
    memcpy(d->buckets, f->buckets, f->bucket_count * sizeof *d->buckets);
    add_buckets(l, d->buckets, f->bucket_count);
    for (uint32_t i = 0; i < f->bucket_count; i++) out->count += d->buckets[i].count;
    d->ignored = metrics__sum_u64(l, DIST_BUCKET_IGNORED);
    for (uint32_t i = 0; i < DIST_BUCKET_SUMS; i++) d->sum += metrics__sum_f64(l, DIST_BUCKET_SUM + i);
    d->sum = metrics__saturate(d->sum / per);
    return true;
}

/* --- All of it --- */

static void count_only(const struct metrics__lanes *l, const struct metrics__plan *plan,
                       struct metrics_reading *out)
{
    if (!plan->buckets) out->count = metrics__sum_u64(l, DIST_COUNT);
    for (uint32_t i = 0; i < plan->buckets; i++) out->count += metrics__sum_u64(l, DIST_FIRST_BUCKET + i);
}

/* Totals first, then what they imply (ORD-6). */
static bool load_sampled(const struct metrics__taking *t, const struct metrics__lanes *l,
                         struct metrics_reading *out, double per)
{
    struct metrics__distribution_read *d = out->more.distribution;
    out->count = metrics__sum_u64(l, DIST_COUNT);
    d->sum = metrics__saturate(metrics__sum_f64(l, DIST_SUM) / per);
    d->squares = metrics__saturate(metrics__sum_f64(l, DIST_SQUARES) / (per * per));
    d->ignored = metrics__sum_u64(l, DIST_IGNORED);
    if (!out->count) return true;
    if (t->epoch && !load_extremes(t, out->series, d, per)) return false;
    if (!load_samples(t, out->series, d, per)) return false;
    complete_extremes(d);
    return true;
}

bool metrics__distribution_load(const struct metrics__taking *t, struct metrics_reading *out, double per)
{
    const struct metrics__plan *plan = &out->series->family->shape->plan;
    struct metrics__lanes l = metrics__lanes_of(t->r, out->series);
    if (!l.base) return false;
    if (t->depth == METRICS__TAKE_TOTALS) {
        count_only(&l, plan, out);
        return true;
    }
    struct metrics__distribution_read *d = out->more.distribution =
        metrics__distribution_new(&t->snapshot->pool);
    if (!d || !(plan->buckets ? load_buckets : load_sampled)(t, &l, out, per)) return false;
    bool beyond = metrics__is_saturated(d->sum) || metrics__is_saturated(d->squares);
    t->snapshot->header.sums_saturated += beyond;
    metrics__distribution_complete(d, out->count);
    return true;
}
