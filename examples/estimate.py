#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What mtxctl makes of buckets, samples and sketches: the estimates of steps 12 and 14 of docs/format.md."""
import math

QUANTILES = {"p50": 0.5, "p75": 0.75, "p95": 0.95, "p98": 0.98, "p99": 0.99, "p999": 0.999}

def limit(v, low, high): return min(max(v, low), high)

def from_buckets(is_exponential, ends, counts, sum_of_values):
    """ends: the upper end of each bucket."""
    lows, filled, total = [-math.inf, *ends], [i for i, n in enumerate(counts) if n], sum(counts)
    if not filled: return {}

    def bucket(k):  # of value number k, and how many values are before it
        before = 0
        for i in filled:
            if k <= before + counts[i]: return i, before
            before += counts[i]

    def middle(k):
        i, _ = bucket(k)
        return ends[0] if i == 0 else lows[i] if math.isinf(ends[i]) else math.sqrt(lows[i]) * math.sqrt(ends[i])

    def exponential(p):
        place = limit(p * (total + 1), 1, total)
        k, share = int(place), place % 1
        return middle(k) + (middle(k + 1) - middle(k)) * share if share else middle(k)

    def explicit(p):
        i, before = bucket(limit(math.ceil(p * total), 1, total))
        low = lows[i] if i else min(0, ends[0])
        return low if math.isinf(ends[i]) else low + (ends[i] - low) * max(p * total - before, 0) / counts[i]

    first, last, mean = filled[0], filled[-1], sum_of_values / total
    low = lows[first] if first else min(0, ends[0], mean)
    high = max(lows[last], mean) if math.isinf(ends[last]) else ends[last]
    quantile = exponential if is_exponential else explicit
    statistics = {"min": low, "max": high, "mean": limit(mean, low, high)}
    return {**statistics, **{name: quantile(p) for name, p in QUANTILES.items()}}

def compress(values):
    """Neighbours merged into centroids."""
    if len(values) < 4: return values
    total, (mean, weight), before, done = sum(w for _, w in values), values[1], values[0][1], values[:1]

    def end(q):
        k = math.asin(limit(2 * q - 1, -1, 1)) + 2 * math.pi / 200
        return total if k >= math.pi / 2 else (math.sin(k) + 1) / 2 * total

    stop = end(before / total)
    for v, w in values[2:-1]:
        if before + weight + w <= stop:
            weight += w
            mean = limit(mean * (1 - w / weight) + v * (w / weight), mean, v)
        else:
            done.append((mean, weight))
            before += weight
            mean, weight, stop = v, w, end(before / total)
    return done + [(mean, weight), values[-1]]

def from_sample(values):
    """values: (value, weight), sorted."""
    if not values: return {}
    v1, v2, low, high = sum(w for _, w in values), sum(w * w for _, w in values), values[0][0], values[-1][0]
    mean = limit(sum(v * w for v, w in values) / v1, low, high)
    out = {"min": low, "max": high, "mean": mean}
    rest = v1 - v2 / v1
    if rest > 0 and len(values) > 1: out["stddev"] = math.sqrt(sum(w * (v - mean)**2 for v, w in values) / rest)
    centroids = compress(values)
    one, places, before = v1 / len(values), [], 0
    for v, w in centroids:
        places.append((before + ((w + one) / 2 if len(centroids) < len(values) and w > one else w), v))
        before += w
    for name, p in QUANTILES.items():
        wanted, out[name] = p * (v1 + one), high
        for (a, x), (b, y) in zip([(0, low)] + places, places):
            if wanted <= b:
                out[name] = x + (y - x) * (wanted - a) / (b - a)
                break
    return out

def from_registers(registers):
    """How many distinct values a HyperLogLog sketch of these registers has seen."""
    m, count = len(registers), [registers.count(k) for k in range(38)]

    def sigma(x):
        if x == 1: return math.inf
        total, power = x, 1
        while (x := x * x) * power > total * 1e-17: total, power = total + x * power, 2 * power
        return total

    def tau(x):
        total, power = 1 - x, 1
        for _ in range(64 if 0 < x < 1 else 0):
            x, power = math.sqrt(x), power / 2
            total -= (1 - x)**2 * power
        return total / 3 if 0 < x < 1 else 0

    z = m * tau(1 - count[37] / m)
    for k in range(36, 0, -1): z = (z + count[k]) / 2
    return m * m / (2 * math.log(2) * (z + m * sigma(count[0] / m)))
