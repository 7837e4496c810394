/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: a failure that lasts is logged at growing intervals, its end once; a log line stays one line. */
#include "unit.h"

#include "complain.h"
#include "say.h"

static char last[512];
static int lines;

static void sink(const char *line, size_t n)
{
    snprintf(last, sizeof last, "%.*s", (int)n, line);
    lines++;
}

static const uint64_t second = 1000000000;

/* A failure every second for an hour is logged at 0, 10, 30, 70, 150... s, and its end once. */
UNIT(complain, growing_intervals)
{
    struct complain c = {0};
    uint64_t told[16];
    int n = 0;
    say_to(sink);
    lines = 0;
    for (uint64_t t = 0; t < 3600; t++)
        if (complain(&c, (1000 + t) * second, "cannot deliver", "backend", "b", "refused") && n < 16)
            told[n++] = t;
    static const uint64_t want[] = {0, 10, 30, 70, 150, 310, 630, 1270, 2550};
    CHECK_EQ_I64(n, 9);
    for (int i = 0; i < 9 && i < n; i++) CHECK_EQ_U64(told[i], want[i]);
    CHECK_EQ_I64(lines, 9);
    CHECK(strstr(last, " warn  cannot deliver backend=b reason=refused repeated=1279\n") != NULL);
    complain_over(&c, 4600 * second, "delivers again", "backend", "b");
    CHECK(strstr(last, " info  delivers again backend=b after=1h\n") != NULL);
    complain_over(&c, 4601 * second, "delivers again", "backend", "b");
    CHECK_EQ_I64(lines, 10);
    say_to(NULL);
}

/* A new failure after a recovery is logged at once. */
UNIT(complain, starts_anew)
{
    struct complain c = {0};
    say_to(sink);
    CHECK(complain(&c, 5 * second, "m", "backend", "b", "r"));
    CHECK(!complain(&c, 6 * second, "m", "backend", "b", "r"));
    complain_over(&c, 7 * second, "m", "backend", "b");
    CHECK(complain(&c, 8 * second, "m", "backend", "b", "r"));
    say_to(NULL);
}

/* Where no success ends it, an hour without it does. */
UNIT(complain, rests)
{
    struct complain c = {0};
    uint64_t told[16];
    int n = 0;
    say_to(sink);
    for (uint64_t t = 0; t < 24000; t++) {
        uint64_t now = (1000 + t) * second;
        if (t >= 100 && t < 12000) continue;
        complain_rest(&c, now);
        if (complain(&c, now, "lost", "backend", "b", "refused") && n < 16) told[n++] = t;
    }
    static const uint64_t want[] = {0, 10, 30, 70, 12000, 12010, 12030, 12070};
    for (int i = 0; i < 8 && i < n; i++) CHECK_EQ_U64(told[i], want[i]);
    CHECK(n > 8);
    say_to(NULL);
}

/* A value can neither break the line nor fake another field. */
UNIT(say, values_stay_in_their_place)
{
    say_to(sink);
    say(SAY_INFO, "m", "a", "x\ny level=error", "b", NULL, "c", "", "d", "q\"\\", NULL);
    CHECK(strstr(last, " info  m a=\"x\\ny level=error\" c=\"\" d=\"q\\\"\\\\\"\n") != NULL);
    say(SAY_INFO, "m", "a", "x\x01y\x1b[31m\x7f\xff\xc2\x9b", "b", "x\tlevel=error", NULL);
    CHECK(strstr(last, " info  m a=\"x y [31m \xef\xbf\xbd \" b=\"x level=error\"\n") != NULL);
    lines = 0;
    say(SAY_DEBUG, "hidden", NULL);
    CHECK_EQ_I64(lines, 0);
    say_to(NULL);
}
