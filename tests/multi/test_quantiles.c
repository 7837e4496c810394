/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Promise: quantiles of exponential buckets are within the stated relative error of the sorted truth (2.2 %
 * at scale 4), for five shapes of data, with 64 processes recording into one histogram each; and the count is
 * the number of values.
 */
#include "multi.h"

enum { PROCESSES = 64, EACH = 2000, N = PROCESSES * EACH, SHAPES = 5, SCALE = 4 };

static const char *const names[SHAPES] = {"uniform", "exponential", "lognormal", "bimodal", "pareto"};
static double *values[SHAPES]; /* shared; process p owns [p * EACH, (p + 1) * EACH) */
static metrics_registry_t *registry;

static double uniform(uint64_t *state)
{
    uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return ((double)((z ^ z >> 31) >> 11) + 0.5) * 0x1p-53;
}

static double normal(uint64_t *state)
{
    double r = sqrt(-2 * log(uniform(state)));
    return r * cos(2 * 3.14159265358979 * uniform(state));
}

static double draw(int shape, uint64_t *state)
{
    switch (shape) {
    case 0: return 1 + 99 * uniform(state);
    case 1: return -20 * log(uniform(state)) + 1e-3;
    case 2: return exp(2 + normal(state));
    case 3: return uniform(state) < 0.6 ? 5 + 0.5 * normal(state) : 500 + 20 * normal(state);
    default: return pow(uniform(state), -1 / 1.5);
    }
}

static void record(void *arg)
{
    int p = *(int *)arg;
    uint64_t state = 1000 + (uint64_t)p;
    for (int s = 0; s < SHAPES; s++) {
        metrics_histogram_t *h = metrics_histogram(registry, "values", "shape", names[s]);
        for (int i = 0; i < EACH; i++) {
            double v = values[s][p * EACH + i] = draw(s, &state);
            metrics_histogram_update(h, v);
        }
    }
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The value at p (n + 1) of the sorted ones, linear between. */
static double truth(const double *sorted, double p)
{
    double at = p * (N + 1);
    if (at <= 1) return sorted[0];
    if (at >= N) return sorted[N - 1];
    size_t i = (size_t)at;
    return sorted[i - 1] + (at - (double)i) * (sorted[i] - sorted[i - 1]);
}

int main(void)
{
    static const double ps[] = {0.01, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.999};
    const double error = exp2(exp2(-(SCALE + 1))) - 1; /* 2.2 %: half a bucket, in the logarithm */
    multi_begin(60);
    registry = test_open(NULL);
    metrics_family_t f = {.size = sizeof f, .reservoir = METRICS_BUCKETS_EXPONENTIAL, .scale = SCALE};
    metrics_describe(registry, "values", &f, NULL);
    for (int s = 0; s < SHAPES; s++) values[s] = multi_shared(N * sizeof(double));
    pid_t pids[PROCESSES];
    for (int p = 0; p < PROCESSES; p++) pids[p] = multi_fork(record, &p);
    for (int p = 0; p < PROCESSES; p++) waitpid(pids[p], NULL, 0);

    metrics_snapshot_t *snapshot = test_take();
    metrics_row_options_t o = {.size = sizeof o, .quantiles = ps, .quantile_count = sizeof ps / sizeof *ps};
    for (int s = 0; s < SHAPES; s++) {
        const metrics_reading_t *r = test_find(snapshot, "values", names[s]);
        metrics_row_t rows[64];
        double worst = 0;
        size_t n = r ? metrics_reading_rows(r, NULL, &o, rows, 64) : 0, quantiles = 0;
        qsort(values[s], N, sizeof(double), compare);
        EXPECT_EQ(test_number(r, NULL, NULL, "count"), N, names[s]);
        for (size_t i = 0; i < n; i++) {
            if (rows[i].nature != METRICS_QUANTILE) continue;
            double want = truth(values[s], rows[i].parameter),
                   off = fabs(metrics_row_number(&rows[i]) / want - 1);
            if (off > worst) worst = off;
            quantiles++;
        }
        EXPECT_EQ(quantiles, o.quantile_count, "quantiles");
        EXPECT(worst <= error * (1 + 1e-9), "%s: worst relative error %.4f, stated %.4f", names[s], worst,
               error);
    }
    metrics_snapshot_release(&snapshot);
    return multi_end();
}
