/* SPDX-License-Identifier: Apache-2.0 */
#include "rate.h"

#include <float.h>
#include <math.h>

static const double TAU[METRICS__RATES] = {60, 300, 900};
static const uint64_t JOIN_AGE = UINT64_C(5000000000);

static double seconds(uint64_t from, uint64_t to)
{
    return (double)(to - from) * 1e-9;
}

static bool plausible(const metrics__rate_bank_t *b)
{
    for (int i = 0; i < METRICS__RATES; i++) {
        if (!(b->rate[i] >= 0 && isfinite(b->rate[i]))) return false;
    }
    return b->time != 0;
}

/*
 * expm1 keeps the digits of a short gap, where 1 - exp(-dt / tau) would lose them. A result too small for a
 * normal number becomes 0.
 */
static void make_step(metrics__rate_step_t *step, uint64_t from, uint64_t to)
{
    if (step->from == from && step->to == to) return;
    step->from = from;
    step->to = to;
    for (int i = 0; i < METRICS__RATES; i++) {
        double x = fmin(seconds(from, to) / TAU[i], 700);
        step->keep[i] = exp(-x);
        step->gain[i] = -expm1(-x);
    }
}

static double decay_towards(double rate, double input, double keep, double gain)
{
    double sum = rate * keep + input * gain;
    return sum < DBL_MIN ? 0 : fmin(sum, DBL_MAX);
}

metrics__rate_bank_t metrics__rate_fold(metrics__rate_step_t *step, const metrics__rate_bank_t *prev,
                                        uint64_t start, uint64_t count, uint64_t now)
{
    metrics__rate_bank_t bank = {.time = now, .count = count};
    if (plausible(prev)) {
        if (now <= prev->time) return *prev;
        double dt = seconds(prev->time, now);
        double input = (count > prev->count ? (double)(count - prev->count) : 0) / dt;
        make_step(step, prev->time, now);
        for (int i = 0; i < METRICS__RATES; i++)
            bank.rate[i] = decay_towards(prev->rate[i], input, step->keep[i], step->gain[i]);
        return bank;
    }
    if (now < start || now - start < JOIN_AGE) return (metrics__rate_bank_t){0};
    for (int i = 0; i < METRICS__RATES; i++) bank.rate[i] = (double)count / seconds(start, now);
    return bank;
}

bool metrics__rate_now(metrics__rate_step_t *step, const metrics__rate_bank_t *prev, uint64_t start,
                       uint64_t count, uint64_t now, double out[METRICS__RATES])
{
    metrics__rate_bank_t bank = metrics__rate_fold(step, prev, start, count, now);
    if (!bank.time) return false;
    for (int i = 0; i < METRICS__RATES; i++) out[i] = bank.rate[i];
    return true;
}

bool metrics__rate_mean(uint64_t start, uint64_t count, uint64_t now, double *out)
{
    if (now <= start) return false;
    *out = (double)count / seconds(start, now);
    return true;
}
