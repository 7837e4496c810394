/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Promise: updates are async-signal-safe: a handler that updates the same series as the code it interrupted
 * loses nothing, a last update from a SIGSEGV handler is in the next snapshot, and errno is left alone.
 */
#include "multi.h"

#include <sys/time.h>

static metrics_counter_t *counter;
static metrics_histogram_t *histogram, *buckets;
static metrics_gauge_t *gauge;
static metrics_timer_t *timer;
static metrics_set_t *set;
static volatile uint64_t handled;

static void update_all(uint64_t i)
{
    metrics_counter_inc(counter);
    metrics_histogram_update(histogram, 1);
    metrics_histogram_update(buckets, 1);
    metrics_gauge_add(gauge, 1);
    metrics_timer_update(timer, 1000);
    metrics_set_add(set, &i, sizeof i);
}

static void on_timer(int signal)
{
    (void)signal;
    handled++;
    update_all(handled);
}

static void on_crash(int signal)
{
    (void)signal;
    metrics_counter_add(counter, 1000000);
    _exit(0);
}

static void crash(void *arg)
{
    (void)arg;
    signal(SIGSEGV, on_crash);
    *(volatile int *)mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) = 1;
}

int main(void)
{
    multi_begin(60);
    metrics_registry_t *r = test_open(NULL);
    metrics_family_t f = {.size = sizeof f, .reservoir = METRICS_BUCKETS_EXPONENTIAL, .scale = 2};
    metrics_describe(r, "buckets", &f, NULL);
    counter = metrics_counter(r, "counter");
    histogram = metrics_histogram(r, "histogram");
    buckets = metrics_histogram(r, "buckets");
    gauge = metrics_gauge(r, "gauge");
    timer = metrics_timer(r, "timer");
    set = metrics_set(r, "set");
    /* Take the process slot now: the first set of a gauge is dropped in a handler that interrupts a fork. */
    metrics_prepare(r);
    signal(SIGALRM, SIG_DFL);
    signal(SIGPROF, on_timer);
    /* The kernel's tick bounds how often ITIMER_PROF fires; a storm comes from another process besides. */
    struct itimerval every = {{0, 100}, {0, 100}};
    setitimer(ITIMER_PROF, &every, NULL);
    pid_t self = getpid();
    pid_t storm = fork();
    if (storm == 0) {
        signal(SIGPROF, SIG_IGN);
        for (int i = 0; i < 30000; i++) {
            kill(self, SIGPROF);
            if (i % 10 == 0) multi_sleep_ms(1);
        }
        _exit(0);
    }
    uint64_t n = 0;
    int status;
    errno = 4711;
    while (waitpid(storm, &status, WNOHANG) == 0) {
        errno = 4711;
        for (int i = 0; i < 1000; i++, n++) {
            update_all(n);
            if (errno != 4711) break;
        }
        if (errno != 4711) break;
    }
    EXPECT_EQ(errno == ECHILD ? 4711 : errno, 4711, "errno after updates and handlers");
    every = (struct itimerval){{0, 0}, {0, 0}};
    setitimer(ITIMER_PROF, &every, NULL);
    double all = (double)(n + handled);
    printf("     %" PRIu64 " updates, %" PRIu64 " signals\n", n, (uint64_t)handled);
    EXPECT(handled > 1000, "signals came in");
    EXPECT_EQ(multi_number("counter", NULL, "count"), all, "counter");
    EXPECT_EQ(multi_number("histogram", NULL, "count"), all, "histogram");
    EXPECT_EQ(multi_number("histogram", NULL, "sum"), all, "histogram: sum");
    EXPECT_EQ(multi_number("buckets", NULL, "count"), all, "buckets");
    EXPECT_EQ(multi_number("timer", NULL, "count"), all, "timer");
    EXPECT_EQ(multi_number("gauge", NULL, "value"), all, "gauge by gauge_add");
    waitpid(multi_fork(crash, NULL), &status, 0);
    EXPECT_EQ(multi_number("counter", NULL, "count"), all + 1000000, "the last update of a crashing process");
    return multi_end();
}
