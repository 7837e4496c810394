/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: the numbers that come out are those that a person expects of the ones that went in. */
#include <float.h>

#include "../../registry/programs/leader.h"
#include "multi.h"

static metrics_registry_t *registry;

/* A row of a series, since `base` if that is not NULL. */
static double row(const metrics_snapshot_t *now, const metrics_snapshot_t *base, const char *name,
                  const char *what)
{
    metrics_row_options_t o = {.size = sizeof o, .totals = base ? METRICS_INTERVAL : METRICS_LIFETIME};
    const metrics_reading_t *before = base ? test_find(base, name, NULL) : NULL;
    return test_number(test_find(now, name, NULL), before, &o, what);
}

static double now(const char *name, const char *what)
{
    return multi_number(name, NULL, what);
}

static void update(const char *name, double x, int times)
{
    metrics_histogram_t *h = metrics_histogram(registry, name);
    while (times--) metrics_histogram_update(h, x);
}

static void bounds_of(const char *name, const double *bounds, unsigned n)
{
    metrics_family_t f = {.size = sizeof f, .reservoir = METRICS_BUCKETS, .bounds = bounds, .bound_count = n};
    EXPECT(!metrics_describe(registry, name, &f, NULL), "bounds of %s", name);
}

/* --- Beyond the largest double: that number, never 0, less, or infinite --- */

static void sums_beyond(void)
{
    bounds_of("buckets", (const double[]){1, 10}, 2);
    update("big", 1e308, 10);
    update("negative", -1e308, 10);
    update("square", 1e200, 10);
    update("buckets", 1e308, 40);
    update("usual", 3, 2);
    EXPECT_EQ(now("big", "sum"), DBL_MAX, "a sum beyond the largest double");
    EXPECT_EQ(now("negative", "sum"), -DBL_MAX, "a negative one");
    EXPECT_EQ(now("square", "sum_squares"), DBL_MAX, "a sum of squares");
    EXPECT_EQ(now("buckets", "sum"), DBL_MAX, "the sum of buckets");
    EXPECT_EQ(now("usual", "sum"), 6, "a usual sum");
    metrics_snapshot_t *s = test_take();
    EXPECT_EQ(metrics_snapshot_header(s)->sums_saturated, 4, "series with such a sum");
    metrics_snapshot_release(&s);
}

static void intervals_beyond(void)
{
    update("h", 1, 1);
    metrics_snapshot_t *before = test_take();
    update("h", 1e200, 1);
    metrics_snapshot_t *first = test_take();
    update("h", 2, 1);
    metrics_snapshot_t *second = test_take();
    EXPECT_EQ(row(first, before, "h", "sum_squares"), DBL_MAX, "the interval in which it went beyond");
    EXPECT_EQ(row(second, first, "h", "sum_squares"), DBL_MAX, "the interval after that");
    EXPECT_EQ(row(first, before, "h", "sum"), 1e200, "the sum of that interval");
    metrics_snapshot_release(&before);
    metrics_snapshot_release(&first);
    metrics_snapshot_release(&second);
}

static void mean_of_both_limits(void)
{
    for (int i = 0; i < 10; i++) update("mixed", 1.7e308, 1), update("mixed", -1.7e308, 1);
    EXPECT(fabs(now("mixed", "mean")) < 1e293, "the mean of values near both limits is near 0");
}

static void gauges_beyond(void)
{
    metrics_gauge_t *g = metrics_gauge(registry, "g");
    metrics_gauge_set(g, DBL_MAX);
    metrics_gauge_add(g, DBL_MAX);
    EXPECT_EQ(now("g", "value"), DBL_MAX, "a gauge that was raised beyond");
    metrics_gauge_add(g, -DBL_MAX);
    EXPECT_EQ(now("g", "value"), 0, "and lowered again");
    metrics_gauge_set(g, INFINITY);
    EXPECT_EQ(now("g", "value"), INFINITY, "one that was set to infinity");
}

/* --- Durations --- */

/* Whole nanoseconds equal to a bound count under it, however a person came by the bound. */
static void bounds_of_durations(void)
{
    static const uint64_t ns[] = {1,    3,    7,      9,      29,      57,       100,      1500,
                                  5000, 9999, 123457, 300000, 1000001, 70000000, 99999999, 1100000000};
    enum { N = sizeof ns / sizeof *ns };
    for (int how = 0; how < 4; how++) {
        double bounds[N];
        char name[16], text[32];
        int wrong = 0;
        snprintf(name, sizeof name, "bounds%d", how);
        for (int i = 0; i < N; i++) {
            snprintf(text, sizeof text, "%" PRIu64 "e-9", ns[i]);
            double ways[] = {strtod(text, NULL), (double)ns[i] * 1e-9, (double)ns[i] / 1000 / 1000 / 1000,
                             (double)ns[i] * 0.001 * 1e-6};
            bounds[i] = ways[how];
        }
        bounds_of(name, bounds, N);
        for (int i = 0; i < N; i++) metrics_timer_update(metrics_timer(registry, name), ns[i]);
        metrics_snapshot_t *s = test_take();
        metrics_row_t rows[64];
        metrics_row_options_t o = {.size = sizeof o, .attributes = METRICS_ATTR(METRICS_BUCKETS_LE)};
        size_t n = metrics_reading_rows(test_find(s, name, NULL), NULL, &o, rows, 64);
        for (int i = 0; i < N; i++)
            wrong += rows[i].value.u != (uint64_t)i + 1 || rows[i].parameter != bounds[i];
        EXPECT(n == N + 1 && !wrong, "durations equal to a bound count under it, way %d: %d wrong", how,
               wrong);
        metrics_snapshot_release(&s);
    }
}

static void sums_of_durations(void)
{
    metrics_timer_t *t = metrics_timer(registry, "t");
    int wrong = 0;
    metrics_snapshot_t *base = test_take();
    for (uint64_t ns = 1, sum = 0; ns < UINT64_C(10000000000); ns = ns * 7 + 3) {
        char text[32];
        metrics_timer_update(t, ns);
        metrics_snapshot_t *s = test_take();
        sum += ns;
        snprintf(text, sizeof text, "%" PRIu64 "e-9", sum);
        wrong += row(s, NULL, "t", "sum") != strtod(text, NULL);
        snprintf(text, sizeof text, "%" PRIu64 "e-9", ns);
        wrong += row(s, base, "t", "sum") != strtod(text, NULL) && test_find(base, "t", NULL);
        metrics_snapshot_release(&base);
        base = s;
    }
    metrics_snapshot_release(&base);
    EXPECT_EQ(wrong, 0, "sums of durations are the nearest doubles to their decimals");
    metrics_timer_update(metrics_timer(registry, "one"), 300000);
    EXPECT_EQ(now("one", "max"), 0.0003, "a sample of 300 us");
    EXPECT_EQ(now("one", "sum_squares"), 9e-8, "its square");
}

/* --- Extremes of an interval --- */

static const double exact[] = {0, 1, 100, 255, 1e6, 123456789, 4294967295.0, 68719476735.0, 0.5, 1234.75};
static const double long_ones[] = {0.1, 1e-7, 3.3, 68719476737.0, 1e15 + 1, 9007199254740991.0};

static void check_extremes(metrics_leader_t *l, const char *name, double low, double high, double share)
{
    metrics_snapshot_t *s = metrics_leader_sample(l, NULL);
    metrics_row_options_t o = {.size = sizeof o, .sampled = METRICS_INTERVAL};
    const metrics_reading_t *r = test_find(s, name, NULL);
    double min = test_number(r, NULL, &o, "min"), max = test_number(r, NULL, &o, "max");
    if (!(fabs(min - low) <= fabs(low) * share && fabs(max - high) <= fabs(high) * share))
        EXPECT(false, "%s of %.17g to %.17g: min %.17g, max %.17g", name, low, high, min, max);
    metrics_leader_logged(l, s);
    metrics_snapshot_release(&s);
}

/* Alone in an interval, and among so many others that the sample does not have it. */
static void check_extreme(metrics_leader_t *l, double x, bool whole)
{
    const char *many = whole ? "few" : "few_long";
    char alone[2][32]; /* series of their own: samples are of whole 1/8 s, these intervals are shorter */
    for (int i = 0; i < 2; i++, x = -x) {
        snprintf(alone[i], sizeof alone[i], "alone%d.%.17g", i, fabs(x));
        update(alone[i], x, 1);
        check_extremes(l, alone[i], x, x, 0);
    }
    update(many, -x, 1);
    update(many, x, 1);
    update(many, x / 2, 2000);
    check_extremes(l, many, -fabs(x), fabs(x), whole ? 0 : 0x1p-36);
}

static void extremes(void)
{
    metrics_error_t error = {0};
    metrics_leader_t *l = metrics_leader_acquire(test_path, NULL, &error);
    EXPECT(l, "a leader (%s)", error.text);
    if (!l) return;
    for (size_t i = 0; i < sizeof exact / sizeof *exact; i++) check_extreme(l, exact[i], true);
    for (size_t i = 0; i < sizeof long_ones / sizeof *long_ones; i++) check_extreme(l, long_ones[i], false);
    EXPECT(true, "extremes of intervals");
    metrics_leader_release(&l);
}

int main(void)
{
    multi_begin(60);
    registry = test_open(NULL);
    sums_beyond();
    intervals_beyond();
    mean_of_both_limits();
    gauges_beyond();
    bounds_of_durations();
    sums_of_durations();
    extremes();
    return multi_end();
}
