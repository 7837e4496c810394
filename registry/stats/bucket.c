/* SPDX-License-Identifier: Apache-2.0 */
#include "bucket.h"

#include <math.h>

/* Where no bound lies inside the cell, one that no mantissa exceeds. */
const uint64_t metrics__bucket_cells[64] = {
    0x000000000000001f, 0x66c34c5615d00020, 0xd561b3e6243c0020, 0xfffffffffffc0021, 0x4c0740496d400020,
    0xcae0f1f545e80021, 0xfffffffffffc0021, 0x521cc5a2e6a80021, 0xe1e9b9d588e00021, 0xfffffffffffc0022,
    0x7a77d47f7b840021, 0xfffffffffffc0022, 0x1bf828c6dc540021, 0xc69cdceaa7280022, 0xfffffffffffc0022,
    0x7a993048d0880022, 0xfffffffffffc0022, 0x3821818624b40022, 0xff6b54d8a89c0022, 0xfffffffffffc0023,
    0xd0ad5a753e040022, 0xfffffffffffc0023, 0xac1f752150a40022, 0xfffffffffffc0023, 0x91fac0e956100022,
    0xfffffffffffc0023, 0x827999fcef300022, 0xfffffffffffc0023, 0x7dd7a3b17dcc0022, 0xfffffffffffc0023,
    0x8451cfac06180022, 0xfffffffffffc0023, 0x9626653338480022, 0xfffffffffffc0023, 0xb39508aa836c0022,
    0xfffffffffffc0023, 0xdcdec33717900022, 0xfffffffffffc0023, 0xfffffffffffc0022, 0x12460a8fc2400022,
    0xfffffffffffc0022, 0x540ec8f895700022, 0xfffffffffffc0022, 0xa27e656b4eb40022, 0xfffffffffffc0022,
    0xfddbcbed79180022, 0xfffffffffffc0022, 0xfffffffffffc0022, 0x666f76154a700021, 0xfffffffffffc0022,
    0xdc8373be41a40021, 0xfffffffffffc0022, 0xfffffffffffc0021, 0x606373ee921c0021, 0xfffffffffffc0021,
    0xf25ccdee6d780021, 0xfffffffffffc0021, 0xfffffffffffc0021, 0x92be8a9243640020, 0xfffffffffffc0021,
    0xfffffffffffc0020, 0x41d96db915000020, 0xfffffffffffc0020, 0xfffffffffffc0020,
};

/* Mantissas of 2^(j/32), rounded down. */
static const uint64_t BOUNDS[32] = {
    0x0000000000000, 0x059b0d3158574, 0x0b5586cf9890f, 0x11301d0125b50, //
    0x172b83c7d517a, 0x1d4873168b9aa, 0x2387a6e756238, 0x29e9df51fdee1, //
    0x306fe0a31b715, 0x371a7373aa9ca, 0x3dea64c123422, 0x44e086061892d, //
    0x4bfdad5362a27, 0x5342b569d4f81, 0x5ab07dd485429, 0x6247eb03a5584, //
    0x6a09e667f3bcc, 0x71f75e8ec5f73, 0x7a11473eb0186, 0x82589994cce12, //
    0x8ace5422aa0db, 0x93737b0cdc5e4, 0x9c49182a3f090, 0xa5503b23e255c, //
    0xae89f995ad3ad, 0xb7f76f2fb5e46, 0xc199bdd85529c, 0xcb720dcef9069, //
    0xd5818dcfba487, 0xdfc97337b9b5e, 0xea4afa2a490d9, 0xf50765b6e4540,
};

bool metrics__bucket_exp_init(metrics__bucket_exp_t *e, int scale, double low, double high)
{
    if (scale < 0 || scale > METRICS__BUCKET_SCALE_MAX) return false;
    if (!(low >= 0x1p-1022 && low < high && high <= 0x1p1023)) return false;
    *e = (metrics__bucket_exp_t){.scale = scale, .shift = (uint32_t)(METRICS__BUCKET_SCALE_MAX - scale)};
    double mantissa = frexp(high, &e->hi); /* high = mantissa * 2^hi, mantissa in [1/2, 1) */
    if (mantissa == 0.5) e->hi--;
    frexp(low, &e->lo);
    e->lo--;
    e->low = ldexp(1, e->lo);
    e->first = (uint32_t)(e->lo + 1024) << scale;
    e->inner = (uint32_t)(e->hi - e->lo) << scale;
    e->count = e->inner + 2;
    return true;
}

/* base^n, n counted from lo: the upper bound of bucket n. */
static double bound(const metrics__bucket_exp_t *e, uint32_t n)
{
    uint64_t fine = (((uint64_t)(e->lo + 1023) << e->scale) + n) << e->shift;
    return mem_bits_to_f64(fine / 32 << 52 | BOUNDS[fine % 32]);
}

double metrics__bucket_exp_lower(const metrics__bucket_exp_t *e, uint32_t i)
{
    return i ? bound(e, i - 1) : -INFINITY;
}

double metrics__bucket_exp_upper(const metrics__bucket_exp_t *e, uint32_t i)
{
    return i <= e->inner ? bound(e, i) : INFINITY;
}

uint32_t metrics__bucket_exp_outside(const metrics__bucket_exp_t *e, double x)
{
    if (x != x) return METRICS__BUCKET_NONE;
    return x > e->low ? e->inner + 1 : 0;
}

double metrics__bucket_exp_error(int scale)
{
    return exp2(exp2(-(scale + 1))) - 1;
}

bool metrics__bucket_bounds_valid(const double *bounds, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (!isfinite(bounds[i]) || (i && bounds[i] <= bounds[i - 1])) return false;
    }
    return true;
}

/* --- Quantiles --- */

/* Saturates, so that no counts, however wrong, make it small. */
static uint64_t total_of(const metrics_bucket_t *buckets, size_t n)
{
    uint64_t total = 0;
    for (size_t i = 0; i < n; i++)
        if (__builtin_add_overflow(total, buckets[i].count, &total)) return UINT64_MAX;
    return total;
}

/* The bucket of the k-th smallest value, k from 1; *before gets how many are in lower ones. */
static const metrics_bucket_t *bucket_of(const metrics_bucket_t *buckets, size_t n, uint64_t k,
                                         uint64_t *before)
{
    const metrics_bucket_t *last = buckets;
    uint64_t seen = 0;
    for (size_t i = 0; i < n; i++) {
        if (!buckets[i].count) continue;
        last = &buckets[i];
        *before = seen;
        if (k <= seen + last->count || seen + last->count < seen) break;
        seen += last->count;
    }
    return last;
}

static double middle(const metrics_bucket_t *b)
{
    if (!isfinite(b->lower)) return b->upper;
    if (!isfinite(b->upper)) return b->lower;
    return sqrt(b->lower) * sqrt(b->upper);
}

static double exponential_quantile(const metrics_bucket_t *buckets, size_t n, uint64_t total, double p)
{
    uint64_t before;
    double place = p * ((double)total + 1), whole = floor(place);
    uint64_t k = whole < 1 ? 1 : whole >= (double)total ? total : (uint64_t)whole;
    double a = middle(bucket_of(buckets, n, k, &before));
    if (whole < 1 || k == total) return a;
    double b = middle(bucket_of(buckets, n, k + 1, &before));
    return a + (b - a) * (place - whole);
}

static double explicit_quantile(const metrics_bucket_t *buckets, size_t n, uint64_t total, double p)
{
    uint64_t before = 0;
    double rank = p * (double)total, up = ceil(rank);
    uint64_t k = up < 1 ? 1 : up >= (double)total ? total : (uint64_t)up;
    const metrics_bucket_t *b = bucket_of(buckets, n, k, &before);
    double lower = b->lower;
    if (!isfinite(b->upper)) return lower;
    if (!isfinite(lower)) lower = fmin(0, b->upper);
    return lower + (b->upper - lower) * fmax(rank - (double)before, 0) / (double)b->count;
}

bool metrics__bucket_quantile(const metrics_bucket_t *buckets, size_t n, int scale, double p, double *out)
{
    uint64_t total = total_of(buckets, n);
    if (!total || !(p >= 0 && p <= 1)) return false;
    double q = (scale >= 0 ? exponential_quantile : explicit_quantile)(buckets, n, total, p);
    if (!isfinite(q))
        return false; /* only if a bound is not a number, or there is a single, boundless bucket */
    *out = q;
    return true;
}
