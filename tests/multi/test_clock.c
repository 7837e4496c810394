/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Promise: a timer agrees with CLOCK_MONOTONIC to 50 parts in a million, from the first second on, and the
 * calibration that this needs does not make attaching slow.
 *
 * The counter of the CPU is what is tested, so real time must pass: two seconds, or a minute with
 * MTX_CAMPAIGN=long. The two clocks are read as close together as possible; the bounds allow for the time
 * between.
 */
#include "multi.h"

static uint64_t monotonic(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

struct reading {
    uint64_t now, ns, bracket;
};

/* Of some tries the one that nothing interrupted. */
static struct reading read_both(void)
{
    struct reading best = {.bracket = UINT64_MAX};
    for (int i = 0; i < 50; i++) {
        uint64_t before = monotonic(), now = metrics_now(), after = monotonic();
        if (after - before >= best.bracket) continue;
        best = (struct reading){now, before + (after - before) / 2, after - before};
    }
    return best;
}

/* Wait, and compare: parts per million that the clocks differ by, beyond what reading them costs. */
static double differ_by(long ms)
{
    struct reading start = read_both();
    multi_sleep_ms(ms);
    double least = INFINITY;
    for (int i = 0; i < 3; i++) { /* a preemption between the readings only widens the bracket */
        uint64_t before = monotonic(), elapsed = metrics_elapsed_ns(start.now), after = monotonic();
        double want = (double)(before + (after - before) / 2 - start.ns);
        double room = (double)(start.bracket + (after - before)) / 2;
        least = fmin(least, fmax(0, fabs((double)elapsed - want) - room) / want * 1e6);
    }
    return least;
}

int main(void)
{
    bool longer = multi_campaign("long");
    multi_begin(120);
    uint64_t before = monotonic();
    metrics_now(); /* the library is loaded; its first registry calibrates */
    metrics_registry_t *r = test_open(NULL);
    uint64_t first = monotonic() - before;
    metrics_close(&r);
    before = monotonic();
    r = test_open(NULL);
    uint64_t second = monotonic() - before;
    printf("first open %.3f ms, another one %.3f ms: the calibration took %.3f ms\n", (double)first / 1e6,
           (double)second / 1e6, ((double)first - (double)second) / 1e6);
    long spans[] = {100, 900, longer ? 60000 : 1000};
    for (size_t i = 0; i < sizeof spans / sizeof *spans; i++) {
        double ppm = differ_by(spans[i]);
        EXPECT(ppm <= 50, "over %ld ms timers and CLOCK_MONOTONIC differ by %.2f ppm (at most 50)", spans[i],
               ppm);
    }
    metrics_close(&r);
    return multi_end();
}
