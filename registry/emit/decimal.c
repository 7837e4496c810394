/* SPDX-License-Identifier: Apache-2.0 */
#include "decimal.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define LEAST 1e16L /* the least number of 17 digits */

/* 10^n for n of at least 0, by squaring. */
static long double power_of_ten(unsigned n)
{
    long double p = 1, square = 10;
    for (; n; n /= 2, square *= square)
        if (n % 2) p *= square;
    return p;
}

static long double scale(long double x, int n)
{
    return n < 0 ? x / power_of_ten((unsigned)-n) : x * power_of_ten((unsigned)n);
}

/* log10(x), too low by at most 1: from the exponent of 2. */
static int exponent_of(double x)
{
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    int two = (int)(bits >> 52 & 0x7ff) - 1023;
    if (two == -1023) two = 63 - __builtin_clzll(bits) - 1074; /* a subnormal number */
    return (int)((two * INT64_C(1292913986) - (INT64_C(1) << 31)) >> 32);
}

void metrics__decimal_of(struct metrics__decimal *d, double x)
{
    memset(d->digits, '0', sizeof d->digits);
    d->exponent = 0;
    if (x == 0) return;
    d->exponent = exponent_of(x) - 1;
    long double scaled = scale(x, METRICS__DECIMAL_DIGITS - 1 - d->exponent);
    for (; scaled >= LEAST * 10; d->exponent++) scaled = scale(x, METRICS__DECIMAL_DIGITS - 2 - d->exponent);
    uint64_t n = (uint64_t)(scaled + 0.5L);
    if (n >= (uint64_t)LEAST * 10) n /= 10, d->exponent++;
    for (int i = METRICS__DECIMAL_DIGITS; i-- > 0; n /= 10) d->digits[i] = (char)('0' + n % 10);
}

static bool rounds_up(const struct metrics__decimal *d, int digits)
{
    if (d->digits[digits] != '5') return d->digits[digits] > '5';
    for (int i = digits + 1; i < METRICS__DECIMAL_DIGITS; i++)
        if (d->digits[i] != '0') return true;
    return digits > 0 && (d->digits[digits - 1] - '0') % 2;
}

void metrics__decimal_round(struct metrics__decimal *d, int digits)
{
    if (digits >= METRICS__DECIMAL_DIGITS) return;
    bool up = digits >= 0 && rounds_up(d, digits);
    for (int i = digits > 0 ? digits : 0; i < METRICS__DECIMAL_DIGITS; i++) d->digits[i] = '0';
    if (!up) {
        if (digits <= 0) d->exponent = 0;
        return;
    }
    int i = digits - 1;
    for (; i >= 0 && d->digits[i] == '9'; i--) d->digits[i] = '0';
    if (i >= 0) {
        d->digits[i]++;
        return;
    }
    d->digits[0] = '1';
    d->exponent++;
}

int metrics__decimal_places(const struct metrics__decimal *d, int most)
{
    int n = most < METRICS__DECIMAL_DIGITS ? most : METRICS__DECIMAL_DIGITS;
    while (n > 1 && d->digits[n - 1] == '0') n--;
    return n;
}
