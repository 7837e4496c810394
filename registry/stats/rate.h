/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rate.h - exponentially weighted moving averages of a rate, over 1, 5 and 15 minutes.
 *
 * Writers only add to a total. The leader folds it every few seconds; readers extrapolate from the last fold
 * to now in their own memory. The events of a gap dt are taken as spread evenly over it, so
 *
 *     rate' = c / dt + (rate - c / dt) exp(-dt / tau)
 *
 * which is the exact solution of rate' = (input - rate) / tau for a constant input c / dt. Hence it does not
 * matter how a steady load is cut into folds: an hour without a fold leaves the rate where it was. On regular
 * 5-second folds this is the recurrence of the Unix load average as Coda Hale's metrics use it (rate += a *
 * (input - rate), a = 1 - exp(-5 s / tau)), which books the events of a longer gap on its first five seconds.
 *
 * A series joins at the first fold at which it is 5 s old; its rates begin at count / age.
 *
 * FORMAT. A rate block is 128 bytes, 64-byte aligned, and starts as zeros: bank 0 at 0, bank 1 at 64.
 *        0  time   u64: segment time of the fold in ns; 0 = never folded
 *        8  count  u64: the total that was folded so far
 *       16  rate   3 x f64: per second, over 60, 300, 900 s
 *       40  reserved
 * Fold number N writes bank N & 1, reads the other, and is published by one store of N in the segment's
 * header: a leader that is killed in a fold leaves bank (N - 1) & 1 to its successor, so no fold is lost or
 * done twice (ORD-9). This file has the arithmetic; publishing is left to the caller.
 */
#ifndef METRICS_REGISTRY_RATE_H
#define METRICS_REGISTRY_RATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { METRICS__RATES = 3 };

typedef struct metrics__rate_bank {
    uint64_t time;
    uint64_t count;
    double rate[METRICS__RATES];
} metrics__rate_bank_t;

typedef struct metrics__rate_block {
    struct {
        metrics__rate_bank_t bank;
        uint64_t reserved[3];
    } side[2];
} metrics__rate_block_t;

_Static_assert(offsetof(metrics__rate_bank_t, time) == 0, "format");
_Static_assert(offsetof(metrics__rate_bank_t, count) == 8, "format");
_Static_assert(offsetof(metrics__rate_bank_t, rate) == 16, "format");
_Static_assert(sizeof(metrics__rate_bank_t) == 40, "format");
_Static_assert(offsetof(metrics__rate_block_t, side[1]) == 64, "format");
_Static_assert(sizeof(metrics__rate_block_t) == 128, "format");

/*
 * What a step in time does to any rate. Series are folded at the same times, so that one step serves many,
 * and the exponentials are computed once: start with zeros and pass it on.
 */
typedef struct metrics__rate_step {
    uint64_t from, to;
    double keep[METRICS__RATES], gain[METRICS__RATES];
} metrics__rate_step_t;

/*
 * The bank after a fold at `now`: from the bank before it, the series' start and its total. Times are segment
 * time in ns. The bank is unchanged if the series is younger than 5 s, or if the clock stopped or went back
 * (the events wait for the next fold). If prev has invalid numbers it begins anew. A total that fell counts
 * as no events. The rates are never NaN, infinite, negative or denormal. Pure; call it for private or own
 * banks only.
 */
metrics__rate_bank_t metrics__rate_fold(metrics__rate_step_t *step, const metrics__rate_bank_t *prev,
                                        uint64_t start, uint64_t count, uint64_t now);

/*
 * The three rates now, for a reader: prev is a private copy of the last published bank (any bytes; all zeros
 * if there was no fold). false, and out untouched, while the series is younger than 5 s. Pure.
 */
bool metrics__rate_now(metrics__rate_step_t *step, const metrics__rate_bank_t *prev, uint64_t start,
                       uint64_t count, uint64_t now, double out[METRICS__RATES]);

/* Events per second since the start. false, and *out untouched, if no time has passed. Pure. */
bool metrics__rate_mean(uint64_t start, uint64_t count, uint64_t now, double *out);

#endif
