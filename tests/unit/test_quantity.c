/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: numbers, durations and sizes are read exactly, or refused. */
#include "unit.h"

#include "quantity.h"

/* The documented units, exactly. */
UNIT(quantity, durations)
{
    static const struct {
        const char *text;
        uint64_t ns;
    } good[] = {{"10s", 10000000000}, {"1.5ms", 1500000},      {"500 ms", 500000000}, {"0", 0},
                {"2m", 120000000000}, {"24h", 86400000000000}, {"1us", 1000},         {"7ns", 7}};
    static const char *const bad[] = {"",      "10",   "10 apples", "-1s", "s",   "1e400s",
                                      "0x10s", "nans", "infs",      " 1s", "1s ", "1.2.3s"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        uint64_t ns = 1;
        CHECK(quantity_duration(good[i].text, &ns));
        CHECK_EQ_U64(ns, good[i].ns);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        uint64_t ns = 77;
        if (quantity_duration(bad[i], &ns)) UNIT_FAIL("\"%s\" was taken as %" PRIu64 "\n", bad[i], ns);
        CHECK_EQ_U64(ns, 77);
    }
}

/* Binary and decimal sizes are different. */
UNIT(quantity, sizes)
{
    uint64_t n = 0;
    CHECK(quantity_size("16MiB", &n));
    CHECK_EQ_U64(n, 16777216);
    CHECK(quantity_size("16MB", &n));
    CHECK_EQ_U64(n, 16000000);
    CHECK(quantity_size("512B", &n));
    CHECK_EQ_U64(n, 512);
    CHECK(!quantity_size("16", &n));
    CHECK(!quantity_size("16mb", &n));
    CHECK(!quantity_size("99999999999TiB", &n));
}

/* The whole text or nothing: no trailing characters, no overflow, no words. */
UNIT(quantity, numbers)
{
    int64_t i = 5;
    double d = 5;
    CHECK(quantity_integer("-9223372036854775808", &i));
    CHECK_EQ_I64(i, INT64_MIN);
    CHECK(!quantity_integer("9223372036854775808", &i));
    CHECK(!quantity_integer("10 apples", &i));
    CHECK(!quantity_integer("1.5", &i));
    CHECK(!quantity_integer("", &i));
    CHECK(quantity_float("1e-3", &d));
    CHECK_NEAR(d, 0.001, 0);
    CHECK(!quantity_float("inf", &d));
    CHECK(!quantity_float("nan", &d));
    CHECK(!quantity_float("0x1p3", &d));
    CHECK(!quantity_float("1,5", &d));
}
