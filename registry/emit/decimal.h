/* SPDX-License-Identifier: Apache-2.0 */
/* decimal.h - a double's digits, without libc. Pure; async-signal-safe. */
#ifndef METRICS_REGISTRY_DECIMAL_H
#define METRICS_REGISTRY_DECIMAL_H

enum { METRICS__DECIMAL_DIGITS = 17 };

/* digits[0].digits[1]digits[2]... * 10^exponent; all zeros, exponent 0, for 0. */
struct metrics__decimal {
    char digits[METRICS__DECIMAL_DIGITS];
    int exponent;
};

/* x is finite and not negative. The 16th and 17th digit may be wrong. */
void metrics__decimal_of(struct metrics__decimal *d, double x);

/* To that many digits, which may be more than there are, or less than 1; half to even, if nothing follows. */
void metrics__decimal_round(struct metrics__decimal *d, int digits);

/* How many of the first `most` digits there are up to the last one that is not 0; at least 1. */
int metrics__decimal_places(const struct metrics__decimal *d, int most);

#endif
