/* SPDX-License-Identifier: Apache-2.0 */
/* dice.h - numbers from a seed: the same seed gives the same numbers (splitmix64; Steele, Lea, Flood 2014). */
#ifndef SIMULATE_DICE_H
#define SIMULATE_DICE_H

#include <stdbool.h>
#include <stdint.h>

struct dice {
    uint64_t state;
};

static inline uint64_t dice_next(struct dice *d)
{
    uint64_t z = d->state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

/* 0 to n - 1. */
static inline uint64_t dice_below(struct dice *d, uint64_t n)
{
    return dice_next(d) % n;
}

/* from to to, both included. */
static inline uint64_t dice_between(struct dice *d, uint64_t from, uint64_t to)
{
    return from + dice_below(d, to - from + 1);
}

/* True once in n. */
static inline bool dice_once_in(struct dice *d, uint64_t n)
{
    return dice_below(d, n) == 0;
}

#endif
