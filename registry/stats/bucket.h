/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bucket.h - which bucket a value falls into, what a bucket means, and quantiles from bucket counts.
 *
 * EXPLICIT bounds b_0 < b_1 < ... < b_(n-1): bucket i holds b_(i-1) < x <= b_i (Prometheus' `le`), bucket n
 * the rest. n + 1 buckets.
 *
 * EXPONENTIAL buckets are those of OpenTelemetry (opentelemetry-proto, metrics.proto, ExponentialHistogram):
 * with base = 2^(2^-scale), index i holds base^i < x <= base^(i+1). We keep whole octaves between 2^lo and
 * 2^hi, and two more buckets, so that nothing is lost:
 *     bucket 0          x <= 2^lo: also zero and negative values
 *     bucket k          index lo * 2^scale + k - 1, for k = 1 .. (hi - lo) * 2^scale
 *     the last bucket   x > 2^hi
 * The geometric middle of a bucket is within a factor 2^(2^-(scale+1)) of everything in it: 2.2 % at scale 4,
 * 1.1 % at scale 5. They export without loss as OTLP exponential and Prometheus native histograms.
 *
 * INDEX WITHOUT LOGARITHM. The exponent bits of x give the octave. Within it, 64 equal cells of the mantissa
 * are narrower than any of the 32 buckets of scale 5, so a cell has at most one bucket bound inside: one
 * table entry {buckets below the cell, that bound} and one compare give the index at scale 5, and a shift
 * gives it at a lower scale, as OpenTelemetry's buckets merge pairwise. Bounds are irrational (but for powers
 * of two), so the largest double below one separates exactly what the real number separates: no rounding
 * error anywhere.
 */
#ifndef METRICS_REGISTRY_BUCKET_H
#define METRICS_REGISTRY_BUCKET_H

#include <stddef.h>

#include <mtx/snapshot.h>

#include "atomic.h"

enum { METRICS__BUCKET_SCALE_MAX = 5 };
#define METRICS__BUCKET_NONE UINT32_MAX /* not a number: no bucket */

/* Exponential buckets, as metrics__bucket_exp_init() computes them; constant afterwards, private memory. */
typedef struct metrics__bucket_exp {
    int scale;
    int lo, hi;     /* octaves */
    uint32_t count; /* of all buckets, the two outer ones included */
    uint32_t inner; /* without them */
    uint32_t shift; /* from scale 5 down to scale */
    uint32_t first; /* (lo + 1023) * 2^scale, and an octave more, which the cells count too many */
    double low;     /* 2^lo */
} metrics__bucket_exp_t;

/*
 * Buckets of that scale (0 to 5) from the octave of low to that of high, outwards: 2^lo <= low, high <= 2^hi.
 * false if scale is out of range or not 2^-1022 <= low < high <= 2^1023. Pure.
 */
bool metrics__bucket_exp_init(metrics__bucket_exp_t *e, int scale, double low, double high);

/* Bounds of bucket i < e->count: it holds lower < x <= upper. The outer ones are infinite. Pure. */
double metrics__bucket_exp_lower(const metrics__bucket_exp_t *e, uint32_t i);
double metrics__bucket_exp_upper(const metrics__bucket_exp_t *e, uint32_t i);

/* The largest relative error of a quantile inside the octaves: 2^(2^-(scale+1)) - 1. Pure. */
double metrics__bucket_exp_error(int scale);

/* Are these bounds finite and strictly ascending? n = 0 is fine: a single bucket. Pure. */
bool metrics__bucket_bounds_valid(const double *bounds, size_t n);

/*
 * Of each 64th of an octave: the low 46 bits of the bound inside it << 18 | 31 + how many scale-5 buckets end
 * below it, less as many 32nds of the octave.
 */
extern const uint64_t metrics__bucket_cells[64] __attribute__((visibility("hidden")));
uint32_t metrics__bucket_exp_outside(const metrics__bucket_exp_t *e, double x);

/*
 * The bucket of x less one if x is inside the octaves, else e->inner or more: then it is negative, zero,
 * small, large, infinite or not a number. Pure, async-signal-safe.
 */
static inline uint32_t metrics__bucket_exp_inside(const metrics__bucket_exp_t *e, double x)
{
    uint64_t bits = mem_f64_to_bits(x), cell = metrics__bucket_cells[(bits >> 46) % 64];
    /*
     * Negative values, infinities and NaN end up above, zero and denormals below every octave that we keep.
     * The count in the cell's low bits does not matter in the comparison: the other side has zeros there.
     */
    uint32_t fine = (uint32_t)(bits >> 47) + (uint32_t)(cell & 0x3ffff);
    fine += bits << 18 > cell;
    return (fine >> e->shift) - e->first;
}

/* The bucket of x, or METRICS__BUCKET_NONE for NaN. Pure, async-signal-safe, some 1.5 ns. */
static inline uint32_t metrics__bucket_exp_index(const metrics__bucket_exp_t *e, double x)
{
    uint32_t i = metrics__bucket_exp_inside(e, x);
    return __builtin_expect(i < e->inner, 1) ? i + 1 : metrics__bucket_exp_outside(e, x);
}

/*
 * The same for explicit bounds: the first i with x <= bounds[i], else n. A binary search without a branch
 * that depends on x. Pure, async-signal-safe.
 */
static inline uint32_t metrics__bucket_index(const double *bounds, uint32_t n, double x)
{
    const double *from = bounds;
    if (x != x) return METRICS__BUCKET_NONE;
    if (!n) return 0;
    for (uint32_t left = n; left > 1;) {
        uint32_t half = left / 2;
        from += from[half - 1] < x ? half : 0;
        left -= half;
    }
    return (uint32_t)(from - bounds) + (*from < x);
}

/*
 * The p-quantile, 0 <= p <= 1, from the counts of all buckets, ascending. false, and *out untouched, if they
 * are empty or p is not in range. Pure.
 *
 * scale >= 0 (exponential): the value at p (n + 1) of the sorted values, each taken for its bucket's
 * geometric middle; so within metrics__bucket_exp_error() of that rule applied to the values themselves. The
 * bucket of small values counts as its upper, that of large ones as its lower bound. scale < 0 (explicit):
 * linear within the bucket, from 0 in a first bucket with a positive bound; in the last one the highest
 * bound, as PromQL's histogram_quantile() does it.
 */
bool metrics__bucket_quantile(const metrics_bucket_t *buckets, size_t n, int scale, double p, double *out);

#endif
