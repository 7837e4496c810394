/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Promises of registry/stats/rate.h: the averages are the closed form for any gap, a steady load is not harmed by
 * one, regular folds are the customary recurrence, and clocks or totals that go wrong do no harm. Time is a
 * number.
 */
#include "unit.h"

#include <float.h>

#include "rate.h"

typedef metrics__rate_bank_t bank_t;
static const double TAU[3] = {60, 300, 900};
static const uint64_t SECOND = 1000000000;
static metrics__rate_step_t step; /* one for all: a step that is out of date must not be taken */

static uint64_t random_state = 20240609;
static uint64_t next_random(void)
{
    uint64_t z = random_state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

/* To 1e-9, relative where the rate is large. */
static void check_rate(double got, double want)
{
    CHECK_NEAR(got, want, 1e-9 * fmax(1, fabs(want)));
}

/* Gaps from 0 s to 10 years in a row, with any number of events. Breaks if
 * a gap is booked in any other way than evenly, or digits are lost for very
 * short or very long ones. The closed form is computed in long double. */
UNIT(rate, closed_form_for_any_gap)
{
    const long double gaps[] = {0, 1e-9L, 1e-6L, 0.001L, 1,     4.999L,  5,
                                7, 60,    301,   3600,   86400, 3.15e7L, 3.15576e8L};
    uint64_t start = 0, now = 10 * SECOND, count = 1000;
    bank_t bank = metrics__rate_fold(&step, &(bank_t){0}, start, count, now);
    long double want[3] = {100, 100, 100};
    for (int i = 0; i < 3; i++) check_rate(bank.rate[i], 100);
    uint64_t pending = 0;
    for (int round = 0; round < 3000; round++) {
        uint64_t gap = (uint64_t)(gaps[next_random() % 14] * 1e9L);
        if (now > UINT64_C(1) << 62) break;
        uint64_t events = next_random() % 5 ? next_random() % 100000 : 0;
        now += gap;
        count += events;
        pending += events;
        bank = metrics__rate_fold(&step, &bank, start, count, now);
        if (!gap) continue; /* the events wait for the next fold */
        long double dt = (long double)gap * 1e-9L, input = (long double)pending / dt;
        for (int i = 0; i < 3; i++) {
            /* input + (want - input) exp(-x), written so that a short gap does not cancel all digits */
            long double x = dt / (long double)TAU[i];
            want[i] = want[i] * expl(-x) - input * expm1l(-x);
            check_rate(bank.rate[i], (double)want[i]);
            want[i] = (long double)bank.rate[i];
        }
        pending = 0;
    }
}

/* Breaks if a steady load shows anything but itself, however it is cut into folds: an hour without, years. */
UNIT(rate, steady_load_over_any_gap)
{
    const uint64_t gaps[] = {5, 5, 5, 3600, 5, 1, 86400, 5, 315576000, 5};
    uint64_t now = 6 * SECOND, start = 0;
    bank_t bank = metrics__rate_fold(&step, &(bank_t){0}, start, 60, now);
    for (size_t g = 0; g < sizeof gaps / sizeof *gaps; g++) {
        now += gaps[g] * SECOND;
        bank = metrics__rate_fold(&step, &bank, start, now / SECOND * 10, now);
        for (int i = 0; i < 3; i++) check_rate(bank.rate[i], 10);
    }
}

/* Breaks if one fold over a gap and many folds in it differ when the events are spread evenly. */
UNIT(rate, cutting_does_not_matter)
{
    bank_t begin = {.time = SECOND, .count = 7, .rate = {3, 500, 1e6}}, many = begin;
    for (uint64_t i = 1; i <= 720; i++)
        many = metrics__rate_fold(&step, &many, 0, 7 + i * 35, SECOND + i * 5 * SECOND);
    bank_t once = metrics__rate_fold(&step, &begin, 0, 7 + 720 * 35, SECOND + 3600 * SECOND);
    for (int i = 0; i < 3; i++) check_rate(once.rate[i], many.rate[i]);
}

/* Coda Hale's recurrence on 5-second ticks, for an hour of
 * changing load. Breaks if dashboards would differ. */
UNIT(rate, regular_folds_are_the_customary_ones)
{
    uint64_t count = 300, now = 5 * SECOND;
    bank_t bank = metrics__rate_fold(&step, &(bank_t){0}, 0, count, now);
    double want[3] = {60, 60, 60};
    for (int tick = 0; tick < 720; tick++) {
        uint64_t events = tick % 100 < 50 ? next_random() % 10000 : 0;
        now += 5 * SECOND;
        count += events;
        bank = metrics__rate_fold(&step, &bank, 0, count, now);
        for (int i = 0; i < 3; i++) {
            want[i] += (1 - exp(-5 / TAU[i])) * ((double)events / 5 - want[i]);
            check_rate(bank.rate[i], want[i]);
        }
    }
}

/* Breaks if a young series gets a rate, or an old one that was never folded gets none. */
UNIT(rate, joins_at_five_seconds)
{
    const uint64_t start = 1000 * SECOND;
    double rate[3] = {-1, -1, -1};
    bank_t bank = metrics__rate_fold(&step, &(bank_t){0}, start, 50, start + 4 * SECOND);
    CHECK_EQ_U64(bank.time, 0);
    CHECK(!metrics__rate_now(&step, &bank, start, 50, start + 4 * SECOND, rate));
    CHECK(!metrics__rate_now(&step, &bank, start, 50, start - SECOND, rate));
    CHECK_NEAR(rate[0], -1, 0);
    CHECK(metrics__rate_now(&step, &bank, start, 50, start + 5 * SECOND, rate));
    CHECK_NEAR(rate[0], 10, 1e-9);
    bank = metrics__rate_fold(&step, &bank, start, 50, start + 8 * SECOND);
    CHECK_NEAR(bank.rate[2], 6.25, 1e-9);
    /* no fold ever: a series of ten minutes, with no exporter at all */
    CHECK(metrics__rate_now(&step, &(bank_t){0}, start, 6000, start + 600 * SECOND, rate));
    for (int i = 0; i < 3; i++) CHECK_NEAR(rate[i], 10, 1e-9);
}

/* A reader between folds sees what a fold would have written. Breaks if the two can differ. */
UNIT(rate, readers_extrapolate)
{
    bank_t bank = metrics__rate_fold(&step, &(bank_t){0}, 0, 1000, 10 * SECOND);
    double rate[3];
    REQUIRE(metrics__rate_now(&step, &bank, 0, 1000, 70 * SECOND, rate)); /* one minute of silence */
    CHECK_NEAR(rate[0], 100 * exp(-1), 1e-9);
    CHECK_NEAR(rate[1], 100 * exp(-0.2), 1e-9);
    bank_t folded = metrics__rate_fold(&step, &bank, 0, 1000, 70 * SECOND);
    for (int i = 0; i < 3; i++) CHECK_NEAR(rate[i], folded.rate[i], 0);
}

/* Breaks if a clock that goes back, a total that falls, or garbage makes a wrong number of any kind. */
UNIT(rate, nothing_goes_wrong)
{
    bank_t bank = metrics__rate_fold(&step, &(bank_t){0}, 0, 1000, 10 * SECOND), same;
    same = metrics__rate_fold(&step, &bank, 0, 2000, 9 * SECOND);
    CHECK(!memcmp(&bank, &same, sizeof bank));
    same = metrics__rate_fold(&step, &bank, 0, 10, 70 * SECOND);
    CHECK_NEAR(same.rate[0], 100 * exp(-1), 1e-9);
    CHECK_EQ_U64(same.count, 10);
    for (int round = 0; round < 200000; round++) {
        bank_t wild;
        uint64_t words[5], args[3];
        for (int i = 0; i < 5; i++) words[i] = next_random() >> (next_random() & 63);
        for (int i = 0; i < 3; i++) args[i] = next_random() >> (next_random() & 63);
        if (round % 5 == 0) words[2] = UINT64_C(0x7fefffffffffffff); /* the largest double */
        memcpy(&wild, words, sizeof wild);
        double rate[3];
        if (!metrics__rate_now(&step, &wild, args[0], args[1], args[2], rate)) continue;
        for (int i = 0; i < 3; i++) CHECK(rate[i] >= 0 && rate[i] <= DBL_MAX);
    }
}

/* Breaks if a forgotten rate lingers as a denormal number, which is slow and prints oddly. */
UNIT(rate, no_denormals)
{
    bank_t bank = metrics__rate_fold(&step, &(bank_t){0}, 0, 1000, 10 * SECOND);
    uint64_t now = 10 * SECOND;
    for (int i = 0; i < 200000; i++) {
        bank = metrics__rate_fold(&step, &bank, 0, 1000, now += 5 * SECOND);
        for (int k = 0; k < 3; k++) CHECK(bank.rate[k] == 0 || bank.rate[k] >= DBL_MIN);
    }
    for (int k = 0; k < 3; k++) CHECK_NEAR(bank.rate[k], 0, 0);
}

/* Breaks if the mean rate is not count / age, or is given when no time has passed. */
UNIT(rate, mean)
{
    double rate = -1;
    CHECK(!metrics__rate_mean(SECOND, 5, SECOND, &rate));
    CHECK(!metrics__rate_mean(SECOND, 5, 0, &rate));
    CHECK_NEAR(rate, -1, 0);
    REQUIRE(metrics__rate_mean(SECOND, 5, 3 * SECOND, &rate));
    CHECK_NEAR(rate, 2.5, 1e-12);
}

/* Breaks if what was computed for one pair of times is used for another. */
UNIT(rate, a_step_serves_its_times_only)
{
    double got[3], want[3];
    for (uint64_t from = 10; from < 13; from++)
        for (uint64_t to = 70; to < 73; to++) {
            bank_t bank = {.time = from * SECOND, .count = 5, .rate = {1, 2, 3}};
            REQUIRE(metrics__rate_now(&step, &bank, 0, 1000, to * SECOND, got));
            REQUIRE(metrics__rate_now(&(metrics__rate_step_t){0}, &bank, 0, 1000, to * SECOND, want));
            CHECK(!memcmp(got, want, sizeof got));
        }
}
