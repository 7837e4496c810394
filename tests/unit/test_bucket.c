/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Promises of registry/stats/bucket.h: every value falls into the bucket whose bounds enclose it, exactly; the
 * buckets are OpenTelemetry's; quantiles are within the stated relative error of the sorted values.
 */
#include "unit.h"

#include <float.h>

#include "bucket.h"

static uint64_t random_state = 20240608;
static uint64_t next_random(void)
{
    uint64_t z = random_state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}
static double next_unit(void)
{
    return ((double)(next_random() >> 11) + 0.5) * 0x1p-53;
}

/* OpenTelemetry: base^i < x <= base^(i+1). By long double
 * logarithm; only asked where that is far from a bound. */
static long true_index(int scale, double x)
{
    return (long)ceill(log2l((long double)x) * (long double)(1 << scale)) - 1;
}

/* Breaks if the index is not OpenTelemetry's, at any scale, anywhere in the range of normal numbers. */
UNIT(bucket, index_is_opentelemetrys)
{
    for (int scale = 0; scale <= 5; scale++) {
        metrics__bucket_exp_t e;
        REQUIRE(metrics__bucket_exp_init(&e, scale, 0x1p-1022, 0x1p1023));
        for (int i = 0; i < 300000; i++) {
            double x = ldexp(1 + next_unit(), (int)(next_random() % 2045) - 1022);
            long double place = log2l((long double)x) * (long double)(1 << scale);
            if (fabsl(place - roundl(place)) < 1e-12L) continue;
            CHECK_EQ_I64(metrics__bucket_exp_index(&e, x), true_index(scale, x) + 1022L * (1 << scale) + 1);
        }
    }
}

/* Breaks if a value at a bound, or one step beside it, is in the wrong bucket; or a bound is not base^i. */
UNIT(bucket, bounds_separate_exactly)
{
    for (int scale = 0; scale <= 5; scale++) {
        metrics__bucket_exp_t e;
        REQUIRE(metrics__bucket_exp_init(&e, scale, 0x1p-40, 0x1p40));
        CHECK_EQ_U64(e.count, (80u << scale) + 2);
        for (uint32_t i = 0; i + 1 < e.count; i++) {
            double upper = metrics__bucket_exp_upper(&e, i);
            CHECK_EQ_U64(metrics__bucket_exp_index(&e, upper), i);
            CHECK_EQ_U64(metrics__bucket_exp_index(&e, nextafter(upper, INFINITY)), i + 1);
            CHECK_NEAR(metrics__bucket_exp_lower(&e, i + 1), upper, 0);
            /* the largest double that is not above the real bound: 2^k = base^(k 2^scale) bounds the truth */
            long double real = exp2l((long double)i / (1 << scale) - 40);
            CHECK((long double)upper <= real * (1 + 1e-18L) &&
                  (long double)nextafter(upper, INFINITY) > real);
        }
        CHECK(metrics__bucket_exp_lower(&e, 0) == -INFINITY);
        CHECK(metrics__bucket_exp_upper(&e, e.count - 1) == INFINITY);
    }
}

/* Breaks if zero, negative, denormal, huge or infinite values are lost, or NaN is not refused. */
UNIT(bucket, outside)
{
    metrics__bucket_exp_t e;
    REQUIRE(metrics__bucket_exp_init(&e, 4, 1e-6, 1e3));
    CHECK_NEAR(metrics__bucket_exp_upper(&e, 0), 0x1p-20, 0);
    CHECK_NEAR(metrics__bucket_exp_lower(&e, e.count - 1), 0x1p10, 0);
    const double low[] = {0, -0.0, -1, -DBL_MAX, -INFINITY, DBL_MIN, 5e-324, -5e-324, 0x1p-20, 1e-7};
    for (size_t i = 0; i < sizeof low / sizeof *low; i++)
        CHECK_EQ_U64(metrics__bucket_exp_index(&e, low[i]), 0);
    const double high[] = {1025, DBL_MAX, INFINITY, nextafter(1024, 2000)};
    for (size_t i = 0; i < sizeof high / sizeof *high; i++)
        CHECK_EQ_U64(metrics__bucket_exp_index(&e, high[i]), e.count - 1);
    CHECK_EQ_U64(metrics__bucket_exp_index(&e, 1024), e.count - 2);
    CHECK_EQ_U64(metrics__bucket_exp_index(&e, NAN), METRICS__BUCKET_NONE);
    CHECK_EQ_U64(metrics__bucket_exp_index(&e, -NAN), METRICS__BUCKET_NONE);
    CHECK(!metrics__bucket_exp_init(&e, 6, 1, 2));
    CHECK(!metrics__bucket_exp_init(&e, -1, 1, 2));
    CHECK(!metrics__bucket_exp_init(&e, 4, 0, 2));
    CHECK(!metrics__bucket_exp_init(&e, 4, 2, 2));
    CHECK(!metrics__bucket_exp_init(&e, 4, NAN, 2));
    CHECK(!metrics__bucket_exp_init(&e, 4, 1, INFINITY));
    REQUIRE(metrics__bucket_exp_init(&e, 0, 1, 2));
    CHECK_EQ_U64(e.count, 3);
}

/* Breaks if explicit bounds are not `le`, for any number of bounds. */
UNIT(bucket, explicit_bounds)
{
    double bounds[512];
    for (uint32_t n = 0; n <= 512; n += n < 20 ? 1 : 41) {
        for (uint32_t i = 0; i < n; i++) bounds[i] = -5 + 0.5 * i;
        for (double x = -7; x < 254; x += 0.25) {
            uint32_t want = 0;
            while (want < n && x > bounds[want]) want++;
            CHECK_EQ_U64(metrics__bucket_index(bounds, n, x), want);
        }
        CHECK_EQ_U64(metrics__bucket_index(bounds, n, NAN), METRICS__BUCKET_NONE);
        CHECK_EQ_U64(metrics__bucket_index(bounds, n, INFINITY), n);
        CHECK_EQ_U64(metrics__bucket_index(bounds, n, -INFINITY), 0);
        CHECK(metrics__bucket_bounds_valid(bounds, n));
    }
    CHECK(!metrics__bucket_bounds_valid((double[]){1, 1}, 2));
    CHECK(!metrics__bucket_bounds_valid((double[]){2, 1}, 2));
    CHECK(!metrics__bucket_bounds_valid((double[]){1, NAN}, 2));
    CHECK(!metrics__bucket_bounds_valid((double[]){NAN, 1}, 2));
    CHECK(!metrics__bucket_bounds_valid((double[]){1, INFINITY}, 2));
}

/* --- Quantiles --- */

static double draw(int shape)
{
    double u = next_unit();
    double normal = sqrt(-2 * log(next_unit())) * cos(6.283185307179586 * next_unit());
    switch (shape) {
    case 0: return 0.001 + u;
    case 1: return -log(u);
    case 2: return exp(1.5 * normal);
    case 3: return u < 0.7 ? exp(0.1 * normal) : 1000 * exp(0.05 * normal);
    case 4: return 42;
    default: return pow(u, -1 / 1.5);
    }
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The rule p (n + 1) on the values themselves. */
static double sorted_quantile(const double *x, size_t n, double p)
{
    double place = p * (double)(n + 1), whole = floor(place);
    if (whole < 1) return x[0];
    if (whole >= (double)n) return x[n - 1];
    size_t k = (size_t)whole;
    return x[k - 1] + (x[k] - x[k - 1]) * (place - whole);
}

static metrics_bucket_t buckets[70000];

static size_t fill(const metrics__bucket_exp_t *e, const double *x, size_t n)
{
    for (uint32_t i = 0; i < e->count; i++) {
        buckets[i].lower = metrics__bucket_exp_lower(e, i);
        buckets[i].upper = metrics__bucket_exp_upper(e, i);
        buckets[i].count = 0;
    }
    for (size_t i = 0; i < n; i++) buckets[metrics__bucket_exp_index(e, x[i])].count++;
    return e->count;
}

/* Six shapes of data: every percentile within the stated relative error of the sorted truth. */
UNIT(bucket, quantiles_within_the_stated_error)
{
    enum { N = 20000 };
    static double x[N];
    for (int shape = 0; shape < 6; shape++) {
        for (int i = 0; i < N; i++) x[i] = draw(shape);
        qsort(x, N, sizeof *x, ascending);
        for (int scale = 0; scale <= 5; scale++) {
            metrics__bucket_exp_t e;
            REQUIRE(metrics__bucket_exp_init(&e, scale, 0x1p-20, 0x1p30));
            size_t n = fill(&e, x, N);
            double error = metrics__bucket_exp_error(scale);
            for (double p = 0; p <= 1; p += 0.0005) {
                double got = NAN, want = sorted_quantile(x, N, p);
                REQUIRE(metrics__bucket_quantile(buckets, n, scale, p, &got));
                CHECK_NEAR(got, want, want * error * (1 + 1e-9));
            }
        }
    }
    CHECK_NEAR(metrics__bucket_exp_error(4), 0.0219, 0.00005); /* the figures of the documentation */
    CHECK_NEAR(metrics__bucket_exp_error(5), 0.0109, 0.00005);
}

/* Breaks if one or two values, empty buckets, or values outside the octaves are not treated as stated. */
UNIT(bucket, quantiles_of_few)
{
    metrics__bucket_exp_t e;
    double q = -7, x[] = {0, 0, 5, 1e9};
    REQUIRE(metrics__bucket_exp_init(&e, 5, 1, 1024));
    size_t n = fill(&e, x, 0);
    CHECK(!metrics__bucket_quantile(buckets, n, 5, 0.5, &q));
    CHECK(!metrics__bucket_quantile(buckets, 0, 5, 0.5, &q));
    CHECK_NEAR(q, -7, 0);
    n = fill(&e, x, 4);
    CHECK(!metrics__bucket_quantile(buckets, n, 5, NAN, &q));
    CHECK(!metrics__bucket_quantile(buckets, n, 5, 2, &q));
    REQUIRE(metrics__bucket_quantile(buckets, n, 5, 0, &q));
    CHECK_NEAR(q, 1, 0); /* the bucket of small values counts as its upper bound */
    REQUIRE(metrics__bucket_quantile(buckets, n, 5, 0.6, &q));
    CHECK_NEAR(q, 5, 0.06);
    REQUIRE(metrics__bucket_quantile(buckets, n, 5, 1, &q));
    CHECK_NEAR(q, 1024, 0);
}

/* PromQL's histogram_quantile() on its documentation's kind of data. Breaks if dashboards would disagree. */
UNIT(bucket, explicit_quantiles)
{
    metrics_bucket_t b[] = {{-INFINITY, 1, 10}, {1, 2, 20}, {2, 5, 0}, {5, 10, 10}, {10, INFINITY, 10}};
    const struct {
        double p, want;
    } cases[] = {{0, 0},     {0.1, 0.5}, {0.2, 1},  {0.4, 1.5}, {0.6, 2},
                 {0.7, 7.5}, {0.8, 10},  {0.9, 10}, {1, 10}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        double q = NAN;
        REQUIRE(metrics__bucket_quantile(b, 5, -1, cases[i].p, &q));
        CHECK_NEAR(q, cases[i].want, 1e-12);
    }
    metrics_bucket_t negative[] = {{-INFINITY, -3, 4}, {-3, INFINITY, 0}};
    double q = NAN;
    REQUIRE(metrics__bucket_quantile(negative, 2, -1, 0.5, &q));
    CHECK_NEAR(q, -3, 0);
    metrics_bucket_t boundless = {-INFINITY, INFINITY, 5};
    CHECK(!metrics__bucket_quantile(&boundless, 1, -1, 0.5, &q)); /* says nothing about where */
}

/* Counts and bounds from a hostile file. Breaks if they make anything but a number or a refusal. */
UNIT(bucket, garbage)
{
    metrics_bucket_t b[20];
    for (int round = 0; round < 200000; round++) {
        size_t n = 1 + next_random() % 20;
        for (size_t i = 0; i < n; i++) {
            b[i].lower = mem_bits_to_f64(next_random());
            b[i].upper = mem_bits_to_f64(next_random());
            b[i].count = next_random() >> (next_random() & 63);
        }
        double q = NAN;
        if (metrics__bucket_quantile(b, n, round % 7 - 1, next_unit(), &q)) CHECK(isfinite(q));
    }
}
