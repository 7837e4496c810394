/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: a number is the shortest decimal that reads back as it, in the form of printf. */
#include "unit.h"

#include "digits.h"

#include <float.h>
#include <inttypes.h>
#include <math.h>

static uint64_t next(uint64_t *x)
{
    *x ^= *x << 13;
    *x ^= *x >> 7;
    *x ^= *x << 17;
    return *x;
}

static double from_bits(uint64_t bits)
{
    double v;
    memcpy(&v, &bits, sizeof v);
    return v;
}

static void check_u64(uint64_t v)
{
    char text[DIGITS_MOST], want[DIGITS_MOST];
    *digits_u64(text, v) = '\0';
    snprintf(want, sizeof want, "%" PRIu64, v);
    if (strcmp(text, want)) UNIT_FAIL("%s instead of %s\n", text, want);
}

/* Integers as printf writes them: around every power of two and of ten, and a hundred thousand others. */
UNIT(digits, integers)
{
    uint64_t x = 88172645463325252, ten = 1;
    for (unsigned k = 0; k < 64; k++)
        for (int d = -1; d <= 1; d++) check_u64((UINT64_C(1) << k) + (uint64_t)d);
    for (int k = 0; k < 20; k++, ten *= 10)
        for (int d = -1; d <= 1; d++) check_u64(ten + (uint64_t)d);
    for (int i = 0; i < 100000; i++) check_u64(next(&x) >> (i % 64));
    check_u64(UINT64_MAX);
}

/* The digits read back as the number, no decimal with fewer digits does, and none with as many is nearer. */
static void check_shortest(double v)
{
    char text[48], fewer[48];
    struct digits d = digits_shortest(v);
    snprintf(text, sizeof text, "%" PRIu64 "e%d", d.digits, d.exponent);
    int n = (int)strcspn(text, "e");
    if (strtod(text, NULL) != v) UNIT_FAIL("%s is not %a\n", text, v);
    if (d.digits % 10 == 0) UNIT_FAIL("%s ends with a zero\n", text);
    if (n > 17) UNIT_FAIL("%s has too many digits\n", text);
    if (n > 1) {
        snprintf(fewer, sizeof fewer, "%.*e", n - 2, v);
        if (strtod(fewer, NULL) == v) UNIT_FAIL("%s, though %s would do\n", text, fewer);
    }
    snprintf(fewer, sizeof fewer, "%.*e", n - 1, v);
    if (strtod(fewer, NULL) == v && strtold(fewer, NULL) != strtold(text, NULL))
        UNIT_FAIL("%s, though %s is nearer\n", text, fewer);
}

/* Every power of two, every power of ten, and their neighbours:
 * there the doubles below lie closer than those above. */
UNIT(digits, edges)
{
    for (int e = -1074; e <= 1023; e++) {
        double v = ldexp(1, e);
        check_shortest(v);
        check_shortest(nextafter(v, INFINITY));
        if (e > -1074) check_shortest(nextafter(v, 0));
    }
    for (int e = -323; e <= 308; e++) {
        char text[16];
        snprintf(text, sizeof text, "1e%d", e);
        double v = strtod(text, NULL);
        check_shortest(v);
        check_shortest(nextafter(v, INFINITY));
        check_shortest(nextafter(v, 0));
    }
    check_shortest(DBL_MAX);
}

/* Random bit patterns, numbers between 0 and 1, and decimals with few digits. */
UNIT(digits, shortest)
{
    uint64_t x = 88172645463325252;
    for (int i = 0; i < 150000; i++) {
        double any = fabs(from_bits(next(&x)));
        if (isfinite(any) && any > 0) check_shortest(any);
        check_shortest((double)(next(&x) >> 11 | 1) * 0x1p-53);
        check_shortest((double)(next(&x) % 100000000 + 1) / 1000);
    }
}

/* What printf writes with as many significant digits as are needed, at least 15. */
static void check_text(double v)
{
    char text[DIGITS_MOST], want[40];
    *digits_f64(text, v) = '\0';
    for (int n = 15; n <= 17; n++) {
        snprintf(want, sizeof want, "%.*g", n, v);
        if (strtod(want, NULL) == v) break;
    }
    if (strcmp(text, want)) UNIT_FAIL("%s instead of %s\n", text, want);
}

/* The form is that of printf, also of exponents. Powers of two and denormal numbers, whose shortest decimal
 * may differ from that of printf, have their own test above. */
UNIT(digits, form)
{
    uint64_t x = 88172645463325252;
    static const double some[] = {0.1,
                                  0.5,
                                  1,
                                  42,
                                  1e14,
                                  1e15,
                                  1e16,
                                  1e17,
                                  1e-4,
                                  1e-5,
                                  1e22,
                                  1e23,
                                  123456,
                                  1.5e15,
                                  1234567890123456,
                                  0.00012345,
                                  1e100,
                                  1.5e-99,
                                  3.25,
                                  1e-300,
                                  DBL_MAX,
                                  1e9,
                                  12345678901234568,
                                  9.5e15};
    for (size_t i = 0; i < sizeof some / sizeof *some; i++) {
        check_text(some[i]);
        check_text(-some[i]);
    }
    for (int i = 0; i < 100000; i++) {
        uint64_t bits = next(&x);
        double v = from_bits(bits);
        if (isnormal(v) && bits << 12) check_text(v);
        check_text((double)(int64_t)next(&x) / 1024);
        check_text(ldexp((double)(next(&x) >> 40 | 1), -30));
    }
    char text[DIGITS_MOST];
    CHECK(digits_f64(text, 0.0) - text == 1 && text[0] == '0');
    CHECK(digits_f64(text, -0.0) - text == 2 && !memcmp(text, "-0", 2));
    CHECK(digits_f64(text, NAN) - text == 3 && !memcmp(text, "NaN", 3));
    CHECK(digits_f64(text, INFINITY) - text == 4 && !memcmp(text, "+Inf", 4));
    CHECK(digits_f64(text, -INFINITY) - text == 4 && !memcmp(text, "-Inf", 4));
    CHECK(digits_f64(text, 4.9406564584124654e-324) - text == 6 && !memcmp(text, "5e-324", 6));
}
