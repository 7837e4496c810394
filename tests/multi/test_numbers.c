/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: the numbers that come out are those that a person expects of the ones that went in. */
#include <float.h>

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

int main(void)
{
    multi_begin(60);
    registry = test_open(NULL);
    sums_beyond();
    intervals_beyond();
    mean_of_both_limits();
    gauges_beyond();
    return multi_end();
}
