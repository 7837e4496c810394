/* SPDX-License-Identifier: Apache-2.0 */
/*
 * estimate.h - what a weighted sample says: quantiles, mean, deviation; and its compression to centroids.
 *
 * A sample is an array of {mean, weight}: single values, or centroids that stand for several. All functions
 * are pure, allocate nothing, and are safe with any bytes; without samples they return that, never a 0.
 *
 * QUANTILES. With S_i the running weight up to and including value i of n sorted ones, and W the sum, value i
 * is the quantile of S_i / (W (1 + 1/n)); between two values the quantile is linear, beyond the ends it is
 * the extreme. With equal weights value i is at i / (n + 1): the rule p (n + 1) of R. J. Hyndman, Y. Fan:
 * Sample quantiles in statistical packages (The American Statistician 50 (1996), 361-365), type 6. A centroid
 * of several values counts as the middle one of them: at S_before + (w + W/n) / 2.
 *
 * VARIANCE. sum w (x - m)^2 / (V1 - V2 / V1), V1 = sum w, V2 = sum w^2: unbiased for reliability weights, and
 * with equal weights the usual division by n - 1. Computed in one pass (D. H. D. West: Updating mean and
 * variance estimates, CACM 22 (1979), 532-535).
 *
 * CENTROIDS. T. Dunning, O. Ertl: Computing extremely accurate quantiles using t-digests, arXiv:1902.04023.
 * Neighbours are merged while their part [q0, q1] of the weight has k(q1) - k(q0) <= 1, where
 * k(q) = 200 / (2 pi) asin(2q - 1): about 100 centroids, small ones at the ends, the extremes by themselves.
 */
#ifndef METRICS_REGISTRY_ESTIMATE_H
#define METRICS_REGISTRY_ESTIMATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <mtx/snapshot.h>

/* metrics__estimate_compress() never returns more. */
enum { METRICS__CENTROIDS_MAX = 208 };

typedef struct metrics__estimate {
    double weight; /* sum of the weights */
    double mean, min, max;
    double stddev;   /* 0 unless has_stddev */
    bool has_stddev; /* there are two samples or more, and it is a finite number */
} metrics__estimate_t;

/*
 * Sort by value, in place, and drop what is not a finite value with a finite weight above 0. Returns how many
 * are left. Everything below expects its input sorted like this.
 */
size_t metrics__estimate_sort(metrics_centroid_t *samples, size_t n);

/* Mean, deviation and extremes into *out. false (and *out untouched) if n is 0. */
bool metrics__estimate_summary(const metrics_centroid_t *samples, size_t n, metrics__estimate_t *out);

/*
 * The p-quantile, 0 <= p <= 1, into *out. values is how many single values the n entries stand for: n itself
 * if they were not compressed (0 means the same). false (and *out untouched) if n is 0 or p is not in range.
 */
bool metrics__estimate_quantile(const metrics_centroid_t *samples, size_t n, uint64_t values, double p,
                                double *out);

/*
 * Merge neighbours, in place, down to about 100 centroids (at most METRICS__CENTROIDS_MAX). Returns how many.
 * The weight and the mean stay, min and max stay by themselves; keep the number of values for the quantiles.
 * Also merges two samples: concatenate, sort, compress.
 */
size_t metrics__estimate_compress(metrics_centroid_t *samples, size_t n);

#endif
