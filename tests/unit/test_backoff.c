/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: pauses are drawn evenly below a bound that doubles, and are at least what the server asks for. */
#include "unit.h"

#include "backoff.h"

static const uint64_t second = 1000000000;

/* Each pause is below its bound, the bound doubles up to the longest, and pauses are even below it. */
UNIT(backoff, full_jitter)
{
    double sum = 0;
    int upper = 0;
    for (uint64_t seed = 1; seed <= 2000; seed++) {
        struct backoff b = {second, 60 * second, 0, seed * 0x9e3779b97f4a7c15};
        uint64_t bound = second;
        for (int i = 0; i < 200; i++) {
            uint64_t pause = backoff_next(&b, 0);
            if (pause >= bound) UNIT_FAIL("try %d: %" PRIu64 " is not below %" PRIu64 "\n", i, pause, bound);
            bound = bound * 2 < 60 * second ? bound * 2 : 60 * second;
            if (i < 100) continue;
            sum += (double)pause;
            upper += pause > 30 * second;
        }
    }
    /* 200,000 draws: mean 30 s +- 0.039 s, half of them above; five standard deviations allowed. */
    CHECK_NEAR(sum / 200000 / 1e9, 30, 0.2);
    CHECK_NEAR(upper / 200000.0, 0.5, 0.0056);
}

/* A pause is at least what the server asked for; after a success the bounds begin again. */
UNIT(backoff, asked_and_reset)
{
    struct backoff b = {second, 60 * second, 0, 42};
    for (int i = 0; i < 20; i++) {
        uint64_t pause = backoff_next(&b, 100 * second);
        CHECK(pause >= 100 * second && pause < 160 * second);
    }
    backoff_reset(&b);
    CHECK(backoff_next(&b, 0) < second);
}
