/* SPDX-License-Identifier: Apache-2.0 */
/*
 * digits.h - numbers as decimal digits, fast and exact, the same in every locale.
 *
 * Pure. Thread-safe.
 */
#ifndef EXPORTERS_DIGITS_H
#define EXPORTERS_DIGITS_H

#include <stdint.h>

enum { DIGITS_MOST = 32 }; /* room enough for what each of these functions writes; they write no NUL */

/* Writes v at `at`; returns the end of the text. */
char *digits_u64(char *at, uint64_t v);

/* A double as digits x 10^exponent. */
struct digits {
    uint64_t digits; /* at most 17 of them, without zeros at the end */
    int exponent;
};

/* The shortest decimal that reads back as v, which must be finite and greater than 0. If several are equally
 * short, the one nearest to v. The algorithm: Raffaello Giulietti, "The Schubfach way to render doubles"
 * (2020), after the C++ of Alexander Bolz. */
struct digits digits_shortest(double v);

/* Writes v as its shortest decimal: 0.1, 42, 1e+16, 1e-05, -0, NaN, +Inf, -Inf; returns the end of the text.
 * It has an exponent where printf's %.17g has one (%.15g if 15 digits are enough). */
char *digits_f64(char *at, double v);

#endif
