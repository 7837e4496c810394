/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: text is appended whole or the buffer says that it is not; numbers have the documented form. */
#include "unit.h"

#include "buf.h"

#include <float.h>

/* Appending after a refusal changes nothing, and the refusal is remembered until the buffer is reset. */
UNIT(buf, error_is_sticky)
{
    struct buf b = {.limit = 8};
    buf_str(&b, "12345");
    CHECK(buf_ok(&b));
    buf_str(&b, "6789");
    CHECK(!buf_ok(&b));
    buf_str(&b, "6");
    CHECK_STR(buf_text(&b), "12345");
    buf_reset(&b);
    CHECK(buf_ok(&b));
    buf_str(&b, "12345678");
    CHECK(buf_ok(&b));
    CHECK_STR(buf_text(&b), "12345678");
    buf_free(&b);
}

/* A failed buffer hands over nothing, a good one all of it, an empty one "". */
UNIT(buf, take)
{
    struct buf b = {0};
    char *text = buf_take(&b);
    CHECK_STR(text, "");
    free(text);
    for (int i = 0; i < 1000; i++) buf_str(&b, "0123456789");
    CHECK_EQ_U64(b.len, 10000);
    text = buf_take(&b);
    REQUIRE(text);
    CHECK_EQ_U64(strlen(text), 10000);
    CHECK_EQ_U64(b.len, 0);
    free(text);
    b.limit = 1;
    buf_str(&b, "xy");
    CHECK(buf_take(&b) == NULL);
}

static const char *text_of(struct buf *b, double v)
{
    buf_reset(b);
    buf_f64(b, v);
    return buf_text(b);
}

/* Doubles are printed in the usual shortest form. */
UNIT(buf, doubles_shortest)
{
    struct buf b = {0};
    CHECK_STR(text_of(&b, 0.1), "0.1");
    CHECK_STR(text_of(&b, 42), "42");
    CHECK_STR(text_of(&b, -1.5), "-1.5");
    CHECK_STR(text_of(&b, 0.1 + 0.2), "0.30000000000000004");
    CHECK_STR(text_of(&b, 1e16), "1e+16");
    CHECK_STR(text_of(&b, 1e-5), "1e-05");
    CHECK_STR(text_of(&b, -0.0), "-0");
    CHECK_STR(text_of(&b, 0x1p53), "9007199254740992");
    CHECK_STR(text_of(&b, NAN), "NaN");
    CHECK_STR(text_of(&b, INFINITY), "+Inf");
    CHECK_STR(text_of(&b, -INFINITY), "-Inf");
    buf_free(&b);
}

/* Every double reads back as itself: the edges, and a hundred thousand random bit patterns. */
UNIT(buf, doubles_round_trip)
{
    struct buf b = {0};
    uint64_t x = 88172645463325252;
    double edges[] = {
        DBL_MIN, DBL_MAX, DBL_EPSILON, 4.9e-324, 999999999999999, 1e15, (double)123456789012345678};
    for (size_t i = 0; i < sizeof edges / sizeof *edges; i++)
        CHECK(strtod(text_of(&b, edges[i]), NULL) == edges[i]);
    for (int i = 0; i < 100000; i++) {
        double v;
        x ^= x << 13, x ^= x >> 7, x ^= x << 17;
        memcpy(&v, &x, sizeof v);
        if (!isfinite(v)) continue;
        if (strtod(text_of(&b, v), NULL) != v) UNIT_FAIL("%.17g came back from \"%s\"\n", v, buf_text(&b));
    }
    buf_free(&b);
}

/* Integers at the ends of their range. */
UNIT(buf, integers)
{
    struct buf b = {0};
    buf_u64(&b, UINT64_MAX);
    buf_char(&b, ' ');
    buf_i64(&b, INT64_MIN);
    buf_char(&b, ' ');
    buf_u64(&b, 0);
    CHECK_STR(buf_text(&b), "18446744073709551615 -9223372036854775808 0");
    buf_free(&b);
}

/* Durations and sizes are written as the configuration reads them. */
UNIT(buf, durations_and_sizes)
{
    static const struct {
        uint64_t ns;
        const char *text;
    } times[] = {{0, "0s"},
                 {250, "250ns"},
                 {1500, "1.5us"},
                 {1500000, "1.5ms"},
                 {10000000000, "10s"},
                 {90000000000, "90s"},
                 {120000000000, "2m"},
                 {86400000000000, "24h"}};
    struct buf b = {0};
    for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
        buf_reset(&b);
        buf_duration(&b, times[i].ns);
        CHECK_STR(buf_text(&b), times[i].text);
    }
    buf_reset(&b);
    buf_size(&b, 16 << 20);
    buf_char(&b, ' ');
    buf_size(&b, 1500);
    CHECK_STR(buf_text(&b), "16MiB 1500B");
    buf_reset(&b);
    buf_time(&b, UINT64_C(1700000000123456789));
    CHECK_STR(buf_text(&b), "2023-11-14T22:13:20.123Z");
    buf_free(&b);
}

/* The form for people has no exponent in the range of everyday numbers. */
UNIT(buf, short_doubles)
{
    struct buf b = {0};
    buf_f64_short(&b, 1234567.891, 4);
    buf_char(&b, ' ');
    buf_f64_short(&b, 0.00123456, 3);
    buf_char(&b, ' ');
    buf_f64_short(&b, 33.33333, 4);
    CHECK_STR(buf_text(&b), "1234568 0.00123 33.33");
    buf_free(&b);
}
