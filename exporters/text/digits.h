/* SPDX-License-Identifier: Apache-2.0 */
/*
 * digits.h - numbers as decimal digits, fast and exact. Pure, whatever the locale; safe in any thread.
 */
#ifndef EXPORTERS_DIGITS_H
#define EXPORTERS_DIGITS_H

#include <stdint.h>

enum { DIGITS_MOST = 32 }; /* room enough for what any of these functions writes; no NUL is written */

/* Writes v at `at`; returns the end. */
char *digits_u64(char *at, uint64_t v);

/* A double as digits x 10^exponent, the digits without zeros at their end. */
struct digits {
    uint64_t digits; /* at most 17 of them */
    int exponent;
};

/*
 * The shortest decimal that reads back as v, which is finite and above 0; of several the one nearest to v.
 * Raffaello Giulietti, "The Schubfach way to render doubles" (2020), after the C++ of Alexander Bolz.
 */
struct digits digits_shortest(double v);

/* Writes v as its shortest decimal: 0.1, 42, 1e+16, 1e-05, -0, NaN, +Inf, -Inf; returns the end. An exponent
 * stands where printf's %.17g, or %.15g if 15 digits do, has one. */
char *digits_f64(char *at, double v);

#endif
