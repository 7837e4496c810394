/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Promises of registry/stats/estimate.h: the stated quantile rule and variance, about 100 centroids that say nearly
 * the same as the sample, and nothing said where there is nothing to say.
 */
#include "unit.h"

#include <float.h>

#include "estimate.h"

static uint64_t random_state = 20240607;
static double next_unit(void)
{
    uint64_t z = random_state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return ((double)((z ^ z >> 31) >> 11) + 0.5) * 0x1p-53;
}

static double quantile(const metrics_centroid_t *s, size_t n, uint64_t values, double p)
{
    double q = NAN;
    CHECK(metrics__estimate_quantile(s, n, values, p, &q));
    return q;
}

/* Breaks if values come out of order or get lost, or if something that is not a number stays. */
UNIT(estimate, sort)
{
    enum { MOST = 3000 };
    static metrics_centroid_t s[MOST];
    for (int shape = 0; shape < 8; shape++) {
        for (size_t n = 0; n <= MOST; n = n * 2 + 1) {
            double sum = 0, sorted = 0;
            for (size_t i = 0; i < n; i++) {
                double x = next_unit(), up = (double)i, down = (double)(n - i), few = floor(x * 4);
                s[i].mean = shape < 3    ? x
                            : shape == 3 ? up
                            : shape == 4 ? down
                            : shape == 5 ? few
                            : shape == 6 ? 7
                                         : up * down;
                s[i].weight = s[i].mean * 2 + 1;
                sum += s[i].mean;
            }
            REQUIRE(metrics__estimate_sort(s, n) == n);
            for (size_t i = 0; i < n; i++) {
                CHECK(!i || s[i - 1].mean <= s[i].mean);
                CHECK(s[i].weight == s[i].mean * 2 + 1);
                sorted += s[i].mean;
            }
            CHECK_NEAR(sorted, sum, 1e-9 * (fabs(sum) + 1));
        }
    }
    metrics_centroid_t bad[] = {{2, 1},  {NAN, 1}, {INFINITY, 1}, {1, 0},
                                {1, -1}, {1, NAN}, {1, INFINITY}, {-1, 3}};
    REQUIRE(metrics__estimate_sort(bad, 8) == 2);
    CHECK_NEAR(bad[0].mean, -1, 0);
    CHECK_NEAR(bad[1].mean, 2, 0);
}

/* Breaks if an empty sample is given a number, or a nonsensical quantile. */
UNIT(estimate, empty_is_absent)
{
    metrics__estimate_t e = {.mean = 42};
    metrics_centroid_t one = {3, 1};
    double q = 42;
    CHECK(!metrics__estimate_summary(NULL, 0, &e));
    CHECK(!metrics__estimate_quantile(NULL, 0, 0, 0.5, &q));
    CHECK(!metrics__estimate_quantile(&one, 1, 1, NAN, &q));
    CHECK(!metrics__estimate_quantile(&one, 1, 1, -0.1, &q));
    CHECK(!metrics__estimate_quantile(&one, 1, 1, 1.1, &q));
    CHECK_NEAR(q, 42, 0);
    CHECK_NEAR(e.mean, 42, 0);
    CHECK_EQ_U64(metrics__estimate_compress(&one, 0), 0);
    CHECK(metrics__estimate_summary(&one, 1, &e));
    CHECK_NEAR(e.mean, 3, 0);
    CHECK(!e.has_stddev); /* one value has no spread */
    CHECK_NEAR(quantile(&one, 1, 1, 0), 3, 0);
    CHECK_NEAR(quantile(&one, 1, 1, 1), 3, 0);
}

/* Breaks if equal weights do not give the p (n + 1) rule, or unequal ones not S_i / (W (1 + 1/n)). */
UNIT(estimate, quantile_rule)
{
    metrics_centroid_t s[] = {{1, 2}, {2, 2}, {4, 2}, {8, 2}, {16, 2}};
    CHECK_NEAR(quantile(s, 5, 5, 0.5), 4, 1e-12);
    CHECK_NEAR(quantile(s, 5, 5, 0.25), 1.5, 1e-12); /* 0.25 * 6 = 1.5 */
    CHECK_NEAR(quantile(s, 5, 5, 0.75), 12, 1e-12);
    CHECK_NEAR(quantile(s, 5, 5, 0.9), 16, 0);
    CHECK_NEAR(quantile(s, 5, 5, 0.1), 1, 0);
    CHECK_NEAR(quantile(s, 5, 5, 0), 1, 0);
    CHECK_NEAR(quantile(s, 5, 5, 1), 16, 0);
    CHECK_NEAR(quantile(s, 5, 0, 0.25), 1.5, 1e-12);
    /* W = 4, n = 3: positions 1, 2, 4 of 16/3 */
    metrics_centroid_t w[] = {{10, 1}, {20, 1}, {40, 2}};
    CHECK_NEAR(quantile(w, 3, 3, 3.0 / 16), 10, 1e-12);
    CHECK_NEAR(quantile(w, 3, 3, 6.0 / 16), 20, 1e-12);
    CHECK_NEAR(quantile(w, 3, 3, 9.0 / 16), 30, 1e-12);
    CHECK_NEAR(quantile(w, 3, 3, 12.0 / 16), 40, 1e-12);
}

/* 1, 2, 3, 4, 5 with the middle three in a centroid. Breaks if it is not where 3 was. */
UNIT(estimate, centroids_stand_in_the_middle)
{
    metrics_centroid_t c[] = {{1, 2}, {3, 6}, {5, 2}};
    CHECK_NEAR(quantile(c, 3, 5, 1.0 / 6), 1, 1e-12);
    CHECK_NEAR(quantile(c, 3, 5, 2.0 / 6), 2, 1e-12);
    CHECK_NEAR(quantile(c, 3, 5, 3.0 / 6), 3, 1e-12);
    CHECK_NEAR(quantile(c, 3, 5, 4.0 / 6), 4, 1e-12);
    CHECK_NEAR(quantile(c, 3, 5, 5.0 / 6), 5, 1e-12);
}

/* Breaks if the weighted variance is another formula, or equal weights do not divide by n - 1. */
UNIT(estimate, moments)
{
    metrics__estimate_t e;
    metrics_centroid_t s[] = {{2, 5}, {4, 5}, {4, 5}, {5, 5}, {7, 5}};
    REQUIRE(metrics__estimate_summary(s, 5, &e));
    CHECK_NEAR(e.mean, 4.4, 1e-12);
    CHECK_NEAR(e.stddev, sqrt(13.2 / 4), 1e-12);
    CHECK_NEAR(e.min, 2, 0);
    CHECK_NEAR(e.max, 7, 0);
    CHECK_NEAR(e.weight, 25, 1e-12);
    /* m = 23/4, V1 = 4, V2 = 6: (1 * 4.75^2 + 1 * 3.75^2 + 2 * 4.25^2) / (4 - 6/4) */
    metrics_centroid_t w[] = {{1, 1}, {2, 1}, {10, 2}};
    REQUIRE(metrics__estimate_summary(w, 3, &e));
    CHECK_NEAR(e.mean, 5.75, 1e-12);
    CHECK_NEAR(e.stddev, sqrt((22.5625 + 14.0625 + 36.125) / 2.5), 1e-12);
    /* a large offset does not eat the digits */
    metrics_centroid_t far[] = {{1e12 + 1, 1}, {1e12 + 2, 1}, {1e12 + 3, 1}};
    REQUIRE(metrics__estimate_summary(far, 3, &e));
    CHECK_NEAR(e.stddev, 1, 1e-3);
}

/* Breaks if huge values, weights or their ratios make a NaN or an infinity. */
UNIT(estimate, extremes_stay_numbers)
{
    const double values[] = {-DBL_MAX, -1, 0, DBL_MIN, 1, DBL_MAX}, weights[] = {DBL_MIN, 1, 1e300};
    metrics_centroid_t s[40];
    for (int round = 0; round < 20000; round++) {
        size_t n = 1 + (size_t)(next_unit() * 40);
        for (size_t i = 0; i < n; i++)
            s[i] = (metrics_centroid_t){values[(int)(next_unit() * 6)], weights[(int)(next_unit() * 3)]};
        n = metrics__estimate_sort(s, n);
        if (round % 2) n = metrics__estimate_compress(s, n);
        metrics__estimate_t e;
        REQUIRE(metrics__estimate_summary(s, n, &e));
        double q = quantile(s, n, n + (uint64_t)round % 3, next_unit());
        CHECK(e.mean >= e.min && e.mean <= e.max && isfinite(e.stddev) && e.stddev >= 0);
        CHECK(q >= e.min && q <= e.max);
    }
}

enum { SHAPES = 7 };
static double draw(int shape)
{
    double u = next_unit();
    double normal = sqrt(-2 * log(next_unit())) * cos(6.283185307179586 * next_unit());
    switch (shape) {
    case 0: return u;
    case 1: return -log(u);
    case 2: return exp(1.5 * normal);
    case 3: return u < 0.7 ? 10 + normal : 1000 + 20 * normal;
    case 4: return 42;
    case 5: return pow(u, -1 / 1.5);
    default: return floor(5 * u);
    }
}

/* Share of the weight below x, the values at x counted half: its rank in the sample. */
static double rank_in(const metrics_centroid_t *s, size_t n, double x)
{
    double below = 0, total = 0;
    for (size_t i = 0; i < n; i++) {
        total += s[i].weight;
        below += s[i].weight * (s[i].mean < x ? 1 : s[i].mean == x ? 0.5 : 0);
    }
    return below / total;
}

/* Compression against the full sample of 1027: about 100 centroids; mean and weight kept, extremes exact;
 * the quantiles' ranks within half a centroid's share there, sqrt(p (1 - p)) * 2 pi / 200, and one value;
 * deviation within 1 %. Equal weights, and weights that decay over the sample as a decayed reservoir's do. */
static void check_compression(int shape, bool decayed)
{
    enum { N = 1027 };
    static const double ps[] = {0.001, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.98, 0.99, 0.999};
    metrics_centroid_t full[N], small[N];
    for (int i = 0; i < N; i++) full[i] = (metrics_centroid_t){draw(shape), decayed ? exp(-0.004 * i) : 3.5};
    REQUIRE(metrics__estimate_sort(full, N) == N);
    memcpy(small, full, sizeof full);
    size_t n = metrics__estimate_compress(small, N);
    CHECK_NEAR((double)n, 105, 25);
    metrics__estimate_t all, few;
    REQUIRE(metrics__estimate_summary(full, N, &all) && metrics__estimate_summary(small, n, &few));
    CHECK_NEAR(few.weight, all.weight, 1e-9 * all.weight);
    CHECK_NEAR(few.mean, all.mean, 1e-9 * fabs(all.mean));
    CHECK_NEAR(few.stddev, all.stddev, 0.01 * all.stddev);
    CHECK_NEAR(few.min, all.min, 0);
    CHECK_NEAR(few.max, all.max, 0);
    for (size_t i = 0; i < sizeof ps / sizeof *ps; i++) {
        double a = quantile(full, N, N, ps[i]), b = quantile(small, n, N, ps[i]);
        double share = sqrt(ps[i] * (1 - ps[i])) * 2 * 3.14159265 / 200, one = (decayed ? 4.1 : 1) / N;
        if (a != b) CHECK_NEAR(rank_in(full, N, b), rank_in(full, N, a), share / 2 + one);
    }
}

UNIT(estimate, compression)
{
    for (int shape = 0; shape < SHAPES - 1; shape++) {
        for (int round = 0; round < 20; round++) {
            check_compression(shape, false);
            check_compression(shape, true);
        }
    }
}

/* Breaks if a small sample loses anything, or its quantiles differ by the way. */
UNIT(estimate, small_samples_stay_whole)
{
    for (size_t n = 0; n <= 60; n++) {
        metrics_centroid_t s[60], c[60];
        for (size_t i = 0; i < n; i++) s[i] = c[i] = (metrics_centroid_t){(double)(i * i), 1};
        REQUIRE(metrics__estimate_compress(c, n) == n);
        CHECK(!memcmp(s, c, n * sizeof *s));
    }
}

/* Breaks if the number of centroids can exceed the stated maximum: callers have arrays of that size. */
UNIT(estimate, never_more_than_the_maximum)
{
    enum { N = 20000 };
    static metrics_centroid_t s[N];
    for (int round = 0; round < 60; round++) {
        for (int i = 0; i < N; i++)
            s[i] = (metrics_centroid_t){i, round < 20   ? exp(30 * next_unit())
                                           : round < 40 ? exp(0.01 * i)
                                                        : 1e-300 + (i % 97 == 0)};
        size_t n = metrics__estimate_compress(s, N);
        CHECK(n <= METRICS__CENTROIDS_MAX);
        CHECK(n >= 3);
        for (size_t i = 1; i < n; i++) CHECK(s[i - 1].mean <= s[i].mean);
    }
}

/* Two compressed samples put together. Breaks if their union is not
 * represented: quantiles of the whole within one centroid's share in rank. */
UNIT(estimate, merge)
{
    enum { N = 5000 };
    static metrics_centroid_t all[2 * N], part[2][N], both[2 * METRICS__CENTROIDS_MAX];
    size_t n[2];
    for (int k = 0; k < 2; k++) {
        for (int i = 0; i < N; i++) all[k * N + i] = part[k][i] = (metrics_centroid_t){draw(1) + k, 1 + k};
        metrics__estimate_sort(part[k], N);
        n[k] = metrics__estimate_compress(part[k], N);
        memcpy(both + (k ? n[0] : 0), part[k], n[k] * sizeof *both);
    }
    metrics__estimate_sort(all, 2 * N);
    size_t m = metrics__estimate_compress(both, metrics__estimate_sort(both, n[0] + n[1]));
    CHECK(m >= 80 && m <= METRICS__CENTROIDS_MAX);
    for (double p = 0.01; p < 1; p += 0.01) {
        double share = sqrt(p * (1 - p)) * 2 * 3.14159265 / 200;
        CHECK_NEAR(rank_in(all, 2 * N, quantile(both, m, 2 * N, p)), p, share);
    }
}
