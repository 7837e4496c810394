/* SPDX-License-Identifier: Apache-2.0 */
#include "estimate.h"

#include <math.h>
#include <string.h>

enum { BINS = 1024, SPREAD_MIN = 128 };

/* --- Sorting --- */

static void insertion_sort(metrics_centroid_t *a, size_t n)
{
    for (size_t i = 1; i < n; i++) {
        metrics_centroid_t x = a[i];
        size_t j = i;
        for (; j && a[j - 1].mean > x.mean; j--) a[j] = a[j - 1];
        a[j] = x;
    }
}

static void sift_down(metrics_centroid_t *a, size_t root, size_t n)
{
    metrics_centroid_t x = a[root];
    for (size_t child; (child = 2 * root + 1) < n; root = child) {
        if (child + 1 < n && a[child + 1].mean > a[child].mean) child++;
        if (a[child].mean <= x.mean) break;
        a[root] = a[child];
    }
    a[root] = x;
}

static void heap_sort(metrics_centroid_t *a, size_t n)
{
    for (size_t i = n / 2; i-- > 0;) sift_down(a, i, n);
    while (n-- > 1) {
        metrics_centroid_t top = a[0];
        a[0] = a[n];
        a[n] = top;
        sift_down(a, 0, n);
    }
}

static double median_of_three(double a, double b, double c)
{
    return fmax(fmin(a, b), fmin(fmax(a, b), c));
}

/* Quicksort down to short runs; heap sort where the pivots were bad. qsort(3) is slower and may allocate. */
static void quick_sort(metrics_centroid_t *a, size_t n, int depth)
{
    while (n > 24) {
        if (!depth--) {
            heap_sort(a, n);
            return;
        }
        double pivot = median_of_three(a[0].mean, a[n / 2].mean, a[n - 1].mean);
        size_t i = 0, j = n - 1;
        for (;; i++, j--) {
            while (a[i].mean < pivot) i++;
            while (a[j].mean > pivot) j--;
            if (i >= j) break;
            metrics_centroid_t x = a[i];
            a[i] = a[j];
            a[j] = x;
        }
        quick_sort(a, i, depth);
        a += i;
        n -= i;
    }
    insertion_sort(a, n);
}

/* An integer that compares like the number. */
static uint64_t rank_of(double x)
{
    const uint64_t sign = UINT64_C(1) << 63;
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits & sign ? ~bits : bits | sign;
}

/* How the numbers are spread over bins. */
struct spread {
    uint64_t low;
    int shift;
    uint32_t begin[BINS + 1];
};

static size_t bin_of(const struct spread *s, const metrics_centroid_t *x)
{
    return (size_t)((rank_of(x->mean) - s->low) >> s->shift);
}

static void survey(struct spread *s, const metrics_centroid_t *a, size_t n)
{
    uint64_t high = 0;
    s->low = UINT64_MAX;
    for (size_t i = 0; i < n; i++) {
        uint64_t rank = rank_of(a[i].mean);
        if (rank < s->low) s->low = rank;
        if (rank > high) high = rank;
    }
    s->shift = 0;
    while ((high - s->low) >> s->shift >= BINS) s->shift++;
    memset(s->begin, 0, sizeof s->begin);
    for (size_t i = 0; i < n; i++) s->begin[bin_of(s, &a[i]) + 1]++;
    for (size_t bin = 0; bin < BINS; bin++) s->begin[bin + 1] += s->begin[bin];
}

/*
 * Into bins first, by the leading bits of the range, in place: most bins then hold a few. What is spread like
 * the logarithm of times or sizes needs hardly any comparison. (P. M. McIlroy, K. Bostic, M. D. McIlroy:
 * Engineering radix sort, Computing Systems 6 (1993), 5-27: the "American flag".)
 */
static void spread_sort(metrics_centroid_t *a, size_t n, int depth)
{
    struct spread s;
    uint32_t next[BINS];
    survey(&s, a, n);
    memcpy(next, s.begin, sizeof next);
    for (size_t bin = 0; bin < BINS; bin++) {
        while (next[bin] < s.begin[bin + 1]) {
            metrics_centroid_t x = a[next[bin]];
            for (size_t to; (to = bin_of(&s, &x)) != bin;) {
                metrics_centroid_t *place = &a[next[to]++], y = *place;
                *place = x;
                x = y;
            }
            a[next[bin]++] = x;
        }
        if (next[bin] - s.begin[bin] > 1) quick_sort(a + s.begin[bin], next[bin] - s.begin[bin], depth);
    }
}

size_t metrics__estimate_sort(metrics_centroid_t *samples, size_t n)
{
    size_t kept = 0;
    int depth = 0;
    for (size_t i = 0; i < n; i++) {
        if (isfinite(samples[i].mean) && isfinite(samples[i].weight) && samples[i].weight > 0)
            samples[kept++] = samples[i];
    }
    for (size_t m = kept; m; m /= 2) depth += 2;
    if (kept < SPREAD_MIN || kept > UINT32_MAX)
        quick_sort(samples, kept, depth);
    else
        spread_sort(samples, kept, depth);
    return kept;
}

/* --- Estimates --- */

bool metrics__estimate_summary(const metrics_centroid_t *samples, size_t n, metrics__estimate_t *out)
{
    if (!n) return false;
    double v1 = 0, v2 = 0, mean = 0, squares = 0;
    for (size_t i = 0; i < n; i++) {
        double w = samples[i].weight, off = samples[i].mean - mean;
        v1 += w;
        v2 += w * w;
        /* The first form is exact for equal values; the second one where their distance is beyond all numbers. */
        mean = isfinite(off) ? mean + off * (w / v1) : mean * (1 - w / v1) + samples[i].mean * (w / v1);
        squares += w * off * (samples[i].mean - mean);
    }
    double variance = squares / (v1 - v2 / v1);
    *out = (metrics__estimate_t){.weight = v1, .min = samples[0].mean, .max = samples[n - 1].mean};
    out->mean = fmin(fmax(mean, out->min), out->max); /* also when values near the limits overflowed to NaN */
    out->has_stddev = n > 1 && isfinite(v2) && isfinite(variance) && variance >= 0;
    if (out->has_stddev) out->stddev = sqrt(variance);
    return true;
}

static double between(double a, double b, double part)
{
    double x = a * (1 - part) + b * part;
    return x >= a ? (x <= b ? x : b) : a; /* also when it is not a number */
}

bool metrics__estimate_quantile(const metrics_centroid_t *samples, size_t n, uint64_t values, double p,
                                double *out)
{
    if (!n || !(p >= 0 && p <= 1)) return false;
    if (values < n) values = n;
    double total = 0, before = 0, last = 0;
    for (size_t i = 0; i < n; i++) total += samples[i].weight;
    double one = total / (double)values, wanted = p * (total + one);
    for (size_t i = 0; i < n; i++) {
        double w = samples[i].weight;
        double here = before + (values > n && w > one ? (w + one) / 2 : w);
        if (wanted <= here) {
            *out = samples[i].mean;
            if (i) *out = between(samples[i - 1].mean, samples[i].mean, (wanted - last) / (here - last));
            return true;
        }
        before += w;
        last = here;
    }
    *out = samples[n - 1].mean;
    return true;
}

/* --- Compression --- */

/* The quantile at which a centroid that begins at q must end: k(q) + 1, turned back. */
static double end_of_centroid(double q)
{
    const double delta = 200, turn = 2 * 3.14159265358979323846;
    double k = asin(fmin(fmax(2 * q - 1, -1), 1)) + turn / delta;
    return k >= turn / 4 ? 1 : (sin(k) + 1) / 2;
}

size_t metrics__estimate_compress(metrics_centroid_t *samples, size_t n)
{
    if (n < 4) return n;
    double total = 0, before = samples[0].weight;
    for (size_t i = 0; i < n; i++) total += samples[i].weight;
    size_t last = 1; /* the centroid being filled; the first entry stays the minimum */
    double end = end_of_centroid(before / total) * total;
    for (size_t i = 2; i + 1 < n; i++) {
        metrics_centroid_t *c = &samples[last], x = samples[i];
        if (before + c->weight + x.weight <= end) {
            c->weight += x.weight;
            c->mean = between(c->mean, x.mean, x.weight / c->weight);
        } else {
            before += c->weight;
            end = end_of_centroid(before / total) * total;
            samples[++last] = x;
        }
    }
    samples[++last] = samples[n - 1]; /* and the last one the maximum */
    return last + 1;
}
