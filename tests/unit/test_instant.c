/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: a time is read as the one that was meant; what may mean two times is refused. */
#include "unit.h"

#include "instant.h"

static uint64_t of_number(long double number)
{
    uint64_t ns = 1;
    struct buf why = {0};
    bool good = instant_number(number, &ns, &why);
    CHECK(good == (why.len == 0));
    buf_free(&why);
    return good ? ns : UINT64_MAX;
}

static uint64_t of_text(const char *text)
{
    uint64_t ns = 1;
    struct buf why = {0};
    bool good = instant_text(text, &ns, &why);
    CHECK(good == (why.len == 0));
    buf_free(&why);
    return good ? ns : UINT64_MAX;
}

/* One time in all four units is the same time, and the fraction of a double comes back as the same double. */
UNIT(instant, units)
{
    CHECK_EQ_U64(of_number(1700000000), UINT64_C(1700000000000000000));
    CHECK_EQ_U64(of_number(1700000000.25L), UINT64_C(1700000000250000000));
    CHECK_EQ_U64(of_number(1700000000250.0L), UINT64_C(1700000000250000000));
    CHECK_EQ_U64(of_number(1700000000250000.0L), UINT64_C(1700000000250000000));
    CHECK_EQ_U64(of_number(1700000000250000000.0L), UINT64_C(1700000000250000000));
    CHECK_EQ_U64(of_number(0), 0);
    for (int i = 0; i < 1000; i++) {
        double t = 1700000000 + i * 0.001234567;
        uint64_t ns = of_number(t);
        CHECK((double)((long double)ns / 1e9L) == t);
    }
}

/* A number that could be two times is refused: between the units, before 1970, beyond 64 bits. */
UNIT(instant, refused)
{
    CHECK_EQ_U64(of_number(-1), UINT64_MAX);
    CHECK_EQ_U64(of_number(1e10L), UINT64_MAX);
    CHECK_EQ_U64(of_number(5e13L), UINT64_MAX);
    CHECK_EQ_U64(of_number(5e16L), UINT64_MAX);
    CHECK_EQ_U64(of_number(1e19L), UINT64_MAX);
    CHECK_EQ_U64(of_number((long double)NAN), UINT64_MAX);
    CHECK_EQ_U64(of_number((long double)INFINITY), UINT64_MAX);
}

/* RFC 3339 with its zone; a text without one means different times in different places, and is refused. */
UNIT(instant, texts)
{
    CHECK_EQ_U64(of_text("2023-11-14T22:13:20Z"), UINT64_C(1700000000000000000));
    CHECK_EQ_U64(of_text("2023-11-14 22:13:20.5z"), UINT64_C(1700000000500000000));
    CHECK_EQ_U64(of_text("2023-11-14T23:43:20+01:30"), UINT64_C(1700000000000000000));
    CHECK_EQ_U64(of_text("2023-11-14T17:13:20-0500"), UINT64_C(1700000000000000000));
    CHECK_EQ_U64(of_text("2023-11-14T22:13Z"), UINT64_C(1699999980000000000));
    CHECK_EQ_U64(of_text("1970-01-01T00:00:00Z"), 0);
    CHECK_EQ_U64(of_text("2024-02-29T00:00:00Z"), UINT64_C(1709164800000000000));
    CHECK_EQ_U64(of_text("1700000000.5"), UINT64_C(1700000000500000000));
    static const char *const bad[] = {"2023-11-14T22:13:20",
                                      "2023-11-14",
                                      "2023-02-29T00:00:00Z",
                                      "2023-13-01T00:00:00Z",
                                      "2023-11-14T24:00:00Z",
                                      "2023-11-14T22:13:20Zx",
                                      "2023-11-14T22:13:20+1",
                                      "2023-11-14T22:13:20.Z",
                                      "1969-12-31T23:59:59Z",
                                      "yesterday",
                                      ""};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (of_text(bad[i]) != UINT64_MAX) UNIT_FAIL("\"%s\" was taken\n", bad[i]);
}
