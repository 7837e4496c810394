/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Promise: an update that is interrupted between the stores of its restartable section is completed, once:
 * count, sum and sum of squares agree to the last digit however often a signal arrived in between.
 */
#include <time.h>

#include "multi.h"

/* For so long, and on until so many signals came in. */
enum { SECONDS = 2, SECONDS_LONG = 60, WANTED = 1000 };

static volatile sig_atomic_t signals;

static void on_signal(int signal)
{
    (void)signal;
    signals++;
}

/* A signal every 20 us of this thread's life, from a timer of the kernel's. */
static timer_t storm(void)
{
    timer_t timer;
    struct sigevent to = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
    struct itimerspec every = {{0, 20000}, {0, 20000}};
    signal(SIGUSR1, on_signal);
    if (timer_create(CLOCK_MONOTONIC, &to, &timer) || timer_settime(timer, 0, &every, NULL)) exit(77);
    return timer;
}

struct series {
    const char *name;
    double value; /* small and whole, so that sums of doubles are exact */
    metrics_histogram_t *h;
};

/* As many updates as fit into the time, and on until so many signals came in: of one series, so that a good part of it is
 * spent between stores. */
static uint64_t update(const struct series *s, double seconds, int wanted)
{
    struct timespec begin, now;
    uint64_t n = 0;
    clock_gettime(CLOCK_MONOTONIC, &begin);
    do {
        for (int i = 0; i < 10000; i++) metrics_histogram_update(s->h, s->value);
        n += 10000;
        clock_gettime(CLOCK_MONOTONIC, &now);
    } while (signals <= wanted ||
             (double)(now.tv_sec - begin.tv_sec) + (double)(now.tv_nsec - begin.tv_nsec) * 1e-9 < seconds);
    return n;
}

int main(void)
{
    multi_begin(170);
    double seconds = multi_campaign("long") ? SECONDS_LONG : SECONDS;
    metrics_registry_t *r = test_open(NULL);
    const double bounds[] = {1, 10};
    metrics_describe(
        r, "exponential",
        &(metrics_family_t){.size = sizeof(metrics_family_t), .reservoir = METRICS_BUCKETS_EXPONENTIAL},
        NULL);
    metrics_describe(r, "explicit",
                     &(metrics_family_t){.size = sizeof(metrics_family_t),
                                         .reservoir = METRICS_BUCKETS,
                                         .bounds = bounds,
                                         .bound_count = 2},
                     NULL);
    struct series all[] = {{.name = "exponential", .value = 3},
                           {.name = "explicit", .value = 5},
                           {.name = "sample", .value = 7}};
    enum { ALL = sizeof all / sizeof *all };
    uint64_t done[ALL];
    for (int i = 0; i < ALL; i++) all[i].h = metrics_histogram(r, all[i].name);
    timer_t timer = storm();
    for (int i = 0; i < ALL; i++) done[i] = update(&all[i], seconds / ALL, WANTED * (i + 1) / ALL);
    timer_delete(timer);
    printf("     %d signals\n", (int)signals);
    for (int i = 0; i < ALL; i++) {
        printf("     %s\n", all[i].name);
        EXPECT_EQ(multi_number(all[i].name, NULL, "count"), done[i], "count");
        EXPECT_EQ(multi_number(all[i].name, NULL, "sum"), (double)done[i] * all[i].value, "sum");
    }
    EXPECT_EQ(multi_number("sample", NULL, "sum_squares"), (double)done[2] * 49, "sum of squares");
    return multi_end();
}
