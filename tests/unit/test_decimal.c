/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "decimal.h"

static void expect(double x, int digits, const char *want, int exponent)
{
    struct metrics__decimal d;
    char got[METRICS__DECIMAL_DIGITS + 1] = "";
    metrics__decimal_of(&d, x);
    metrics__decimal_round(&d, digits);
    memcpy(got, d.digits, (size_t)metrics__decimal_places(&d, METRICS__DECIMAL_DIGITS));
    CHECK_STR(got, want);
    CHECK_EQ_I64(d.exponent, exponent);
}

UNIT(decimal, numbers)
{
    expect(0, 17, "0", 0);
    expect(1, 17, "1", 0);
    expect(0.1, 16, "1", -1);
    expect(9.5, 1, "1", 1);
    expect(8.5, 1, "8", 0);
    expect(0.06, -1, "0", 0);
    expect(0.6, 0, "1", 0);
    expect(0.5, 0, "0", 0);
    expect(123456789012345678., 15, "123456789012346", 17);
    expect(1.7976931348623157e308, 16, "1797693134862316", 308);
    expect(4.9406564584124654e-324, 15, "494065645841247", -324);
    expect(2.2250738585072014e-308, 15, "22250738585072", -308);
}

/* 15 digits of numbers of every size: but for the last one they are those of the number. */
UNIT(decimal, numbers_of_every_size)
{
    uint64_t state = 1;
    for (int i = 0; i < 20000; i++) {
        char got[32];
        double x;
        struct metrics__decimal d;
        state = state * UINT64_C(6364136223846793005) + 1442695040888963407;
        uint64_t bits = state & ~(UINT64_C(1) << 63);
        memcpy(&x, &bits, sizeof x);
        if (!isfinite(x) || x == 0) continue;
        metrics__decimal_of(&d, x);
        metrics__decimal_round(&d, 15);
        snprintf(got, sizeof got, "%c.%.14se%c%02d", d.digits[0], d.digits + 1, d.exponent < 0 ? '-' : '+',
                 abs(d.exponent));
        CHECK(fabs(strtod(got, NULL) / x - 1) < 1.1e-14);
    }
}
