/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: a merged interval says what both intervals
 * together would have said. The snapshots are made by hand. */
#include "unit.h"

#include "estimate.h"
#include "reading.h"

enum { ROOM = 1000 };

/* A snapshot of n readings without names; fill them in, sorted. */
static metrics_snapshot_t *snapshot(size_t n, uint64_t interval_ns)
{
    metrics_snapshot_t *s = metrics__snapshot_new(n);
    s->header = (metrics_snapshot_header_t){.incarnation = 7, .epoch = 1, .interval_ns = interval_ns};
    s->count = n;
    return s;
}

static struct metrics_reading *name(metrics_snapshot_t *s, size_t i, const char *text, unsigned kind)
{
    struct metrics__series_read *series =
        metrics__series_new(&s->pool, &text, 1, metrics__family_like(&s->pool, NULL, "", "", 0, 0));
    series->kind = (uint8_t)kind;
    series->created = 5;
    s->readings[i] = (struct metrics_reading){.series = series};
    return &s->readings[i];
}

static struct metrics__distribution_read *histogram(metrics_snapshot_t *s, size_t i, const char *text)
{
    return name(s, i, text, KIND_histogram)->more.distribution = metrics__distribution_new(&s->pool);
}

static struct metrics__set_read *set(metrics_snapshot_t *s, size_t i, const char *text)
{
    struct metrics__set_read *r = metrics__pool_take(&s->pool, sizeof *r);
    return name(s, i, text, KIND_set)->more.set = r;
}

/* The sample of n values, compressed as snapshots have it. */
static void sample(metrics_snapshot_t *s, struct metrics__sample_read *out, const double *values, size_t n)
{
    metrics_centroid_t *c = metrics__pool_take(&s->pool, n * sizeof *c);
    metrics__estimate_t e = {0};
    for (size_t i = 0; i < n; i++) c[i] = (metrics_centroid_t){values[i], 1};
    n = metrics__estimate_sort(c, n);
    metrics__estimate_summary(c, n, &e);
    *out = (struct metrics__sample_read){.present = true,
                                         .has_stddev = e.has_stddev,
                                         .min = e.min,
                                         .max = e.max,
                                         .mean = e.mean,
                                         .stddev = e.stddev,
                                         .values = n,
                                         .centroids = c};
    out->centroid_count = metrics__estimate_compress(c, n);
}

static double deviation(const double *values, size_t n, double *mean)
{
    double squares = 0;
    *mean = 0;
    for (size_t i = 0; i < n; i++) *mean += values[i] / (double)n;
    for (size_t i = 0; i < n; i++) squares += (values[i] - *mean) * (values[i] - *mean);
    return sqrt(squares / (double)(n - 1));
}

static metrics_snapshot_t *join(metrics_snapshot_t *older, metrics_snapshot_t *newer)
{
    metrics_error_t error = {0};
    metrics_snapshot_t *both = metrics_snapshot_merge(older, newer, &error);
    if (!both) fprintf(stderr, "%s\n", error.text);
    /* Gone before anything is looked at: the merged one must owe them nothing. */
    metrics_snapshot_release(&older);
    metrics_snapshot_release(&newer);
    return both;
}

/* Breaks if the older totals are taken, intervals are not added up, or an extreme is lost. */
UNIT(merge, totals_and_extremes)
{
    metrics_snapshot_t *a = snapshot(2, 10), *b = snapshot(2, 20);
    name(a, 0, "c", KIND_counter)->count = 5;
    name(b, 0, "c", KIND_counter)->count = 9;
    struct metrics__distribution_read *x = histogram(a, 1, "h"), *y = histogram(b, 1, "h");
    x->has_extremes = y->has_extremes = true;
    x->interval_min = -3, x->interval_max = 4;
    y->interval_min = -2, y->interval_max = 8;
    a->header.first_export = 1;
    b->header.epoch = 2;
    metrics_snapshot_t *both = join(a, b);
    REQUIRE(both != NULL);
    CHECK_EQ_U64(both->header.interval_ns, 30);
    CHECK_EQ_U64(both->header.epoch, 2);
    CHECK_EQ_I64(both->header.first_export, 1);
    CHECK_EQ_U64(both->readings[0].count, 9);
    CHECK_NEAR(metrics__distribution_of(&both->readings[1])->interval_min, -3, 0);
    CHECK_NEAR(metrics__distribution_of(&both->readings[1])->interval_max, 8, 0);
    metrics_snapshot_release(&both);
}

/* Breaks if extremes or a sample that only one side has are lost, or invented where neither has them. */
UNIT(merge, one_side_empty)
{
    static const double values[] = {1, 2, 6};
    for (int older = 0; older < 2; older++) {
        metrics_snapshot_t *s[2] = {snapshot(2, 1), snapshot(2, 1)};
        for (int i = 0; i < 2; i++) {
            histogram(s[i], 0, "empty");
            histogram(s[i], 1, "full");
        }
        struct metrics__distribution_read *full = s[!older]->readings[1].more.distribution;
        sample(s[!older], &full->interval, values, 3);
        full->has_extremes = true;
        full->interval_min = 1, full->interval_max = 6;
        metrics_snapshot_t *both = join(s[0], s[1]);
        REQUIRE(both != NULL);
        CHECK(!metrics__distribution_of(&both->readings[0])->interval.present &&
              !metrics__distribution_of(&both->readings[0])->has_extremes);
        full = both->readings[1].more.distribution;
        REQUIRE(full->interval.present && full->has_extremes);
        CHECK_EQ_U64(full->interval.centroid_count, 3);
        CHECK_EQ_U64(full->interval.values, 3);
        CHECK_NEAR(full->interval.mean, 3, 1e-12);
        CHECK_NEAR(full->interval.centroids[2].mean, 6, 0);
        CHECK_NEAR(full->interval_min, 1, 0);
        metrics_snapshot_release(&both);
    }
}

/* Breaks if mean or deviation of the joined sample are not
 * those of all values, or compression leaks into them. */
UNIT(merge, mean_and_deviation)
{
    double all[2 * ROOM], mean, q;
    for (size_t i = 0; i < 2 * ROOM; i++) all[i] = i < ROOM ? (double)(i % 37) : 1e6 + (double)(i % 11);
    for (size_t n = 1; n <= ROOM; n *= 10) {
        metrics_snapshot_t *a = snapshot(1, 1), *b = snapshot(1, 1);
        sample(a, &histogram(a, 0, "h")->interval, all + ROOM - n, n);
        sample(b, &histogram(b, 0, "h")->interval, all + ROOM, n);
        metrics_snapshot_t *both = join(a, b);
        REQUIRE(both != NULL);
        const struct metrics__sample_read *s = &metrics__distribution_of(&both->readings[0])->interval;
        double stddev = deviation(all + ROOM - n, 2 * n, &mean);
        CHECK_EQ_U64(s->values, 2 * n);
        CHECK(s->centroid_count <= METRICS__CENTROIDS_MAX);
        CHECK_NEAR(s->mean, mean, 1e-6);
        CHECK(s->has_stddev);
        CHECK_NEAR(s->stddev, stddev, stddev * 1e-9);
        REQUIRE(metrics__estimate_quantile(s->centroids, s->centroid_count, s->values, 1, &q));
        CHECK_NEAR(q, s->max, 0);
        metrics_snapshot_release(&both);
    }
}

/* Breaks if the spread within centroids is forgotten: two equal samples must keep the deviation of one. */
UNIT(merge, spread_within_centroids)
{
    double values[ROOM], mean;
    for (size_t i = 0; i < ROOM; i++) values[i] = pow((double)i, 3);
    metrics_snapshot_t *a = snapshot(1, 1), *b = snapshot(1, 1);
    sample(a, &histogram(a, 0, "h")->interval, values, ROOM);
    sample(b, &histogram(b, 0, "h")->interval, values, ROOM);
    metrics_snapshot_t *both = join(a, b);
    REQUIRE(both != NULL);
    double want = deviation(values, ROOM, &mean) * sqrt((2.0 * ROOM - 2) / (2.0 * ROOM - 1));
    CHECK_NEAR(metrics__distribution_of(&both->readings[0])->interval.stddev, want, want * 1e-9);
    metrics_snapshot_release(&both);
}

/* Breaks if values near the limits of a double turn into NaN. */
UNIT(merge, no_nan)
{
    static const double low[] = {-1.7e308, -1.6e308}, high[] = {1.6e308, 1.7e308};
    metrics_snapshot_t *a = snapshot(1, 1), *b = snapshot(1, 1);
    sample(a, &histogram(a, 0, "h")->interval, low, 2);
    sample(b, &histogram(b, 0, "h")->interval, high, 2);
    metrics_snapshot_t *both = join(a, b);
    REQUIRE(both != NULL);
    const struct metrics__sample_read *s = &metrics__distribution_of(&both->readings[0])->interval;
    CHECK(isfinite(s->mean) && !isnan(s->stddev));
    CHECK(!s->has_stddev);
    metrics_snapshot_release(&both);
}

static void elements(metrics_snapshot_t *s, struct metrics__set_read *r, size_t from, size_t n)
{
    r->elements = metrics__pool_take(&s->pool, n * sizeof *r->elements);
    for (size_t i = 0; i < n; i++) r->elements[i] = (from + i) * UINT64_C(0x9e3779b97f4a7c15) >> 16;
    r->element_count = n;
    r->exact = true;
    r->distinct = (double)n;
}

/* Breaks if a small union is not exact, a large one not within the sketch's error, or an estimate shrinks. */
UNIT(merge, sets)
{
    static const struct {
        size_t a, b, shared;
        bool exact;
    } cases[] = {
        {3, 4, 2, true}, {0, 4, 0, true}, {200, 200, 150, true}, {256, 256, 256, true}, {200, 200, 0, false}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        metrics_snapshot_t *a = snapshot(1, 1), *b = snapshot(1, 1);
        elements(a, set(a, 0, "s"), 1, cases[i].a);
        elements(b, set(b, 0, "s"), 1 + cases[i].a - cases[i].shared, cases[i].b);
        double want = (double)(cases[i].a + cases[i].b - cases[i].shared);
        metrics_snapshot_t *both = join(a, b);
        REQUIRE(both != NULL);
        CHECK_EQ_I64(metrics__set_of(&both->readings[0])->exact, cases[i].exact);
        CHECK_NEAR(metrics__set_of(&both->readings[0])->distinct, want, cases[i].exact ? 0 : want * 0.08);
        CHECK_EQ_U64(metrics__set_of(&both->readings[0])->element_count, cases[i].exact ? (uint64_t)want : 0);
        metrics_snapshot_release(&both);
    }
    for (int k = 0; k < 2; k++) {
        metrics_snapshot_t *s[2] = {snapshot(1, 1), snapshot(1, 1)};
        elements(s[k], set(s[k], 0, "s"), 1, 5);
        set(s[!k], 0, "s")->distinct = 1000;
        metrics_snapshot_t *both = join(s[0], s[1]);
        REQUIRE(both != NULL);
        CHECK_NEAR(metrics__set_of(&both->readings[0])->distinct, 1000, 0);
        CHECK(!metrics__set_of(&both->readings[0])->exact &&
              metrics__set_of(&both->readings[0])->element_count == 0);
        metrics_snapshot_release(&both);
    }
}

/* Breaks if a series that ended is kept, a new one dropped, or a re-created one joined with its namesake. */
UNIT(merge, series_of_one_side)
{
    static const double one[] = {1};
    metrics_snapshot_t *a = snapshot(2, 1), *b = snapshot(2, 1);
    name(a, 0, "ended", KIND_counter);
    sample(a, &histogram(a, 1, "reborn")->interval, one, 1);
    name(b, 0, "new", KIND_counter)->count = 4;
    histogram(b, 1, "reborn");
    struct metrics__series_read *reborn =
        metrics__series_new(&b->pool, (const char *[]){"reborn"}, 1, b->readings[1].series->family);
    *reborn = *b->readings[1].series;
    reborn->created = 6;
    b->readings[1].series = reborn;
    metrics_snapshot_t *both = join(a, b);
    REQUIRE(both != NULL && both->count == 2);
    CHECK_STR(metrics_reading_name(&both->readings[0]), "new");
    CHECK_EQ_U64(both->readings[0].count, 4);
    CHECK(!metrics__distribution_of(&both->readings[1])->interval.present);
    metrics_snapshot_release(&both);
}

/* Breaks if snapshots of different segments are joined. */
UNIT(merge, another_incarnation)
{
    metrics_error_t error = {0};
    metrics_snapshot_t *a = snapshot(0, 1), *b = snapshot(0, 1);
    b->header.incarnation = 8;
    CHECK(metrics_snapshot_merge(a, b, &error) == NULL);
    CHECK_EQ_I64(error.code, METRICS_E_ARGUMENT);
    CHECK(error.text[0] != 0);
    metrics_snapshot_release(&a);
    metrics_snapshot_release(&b);
}
