/* SPDX-License-Identifier: Apache-2.0 */
/* multi.h - what the tests with several processes share: checks that count, a segment, processes. */
#ifndef METRICS_TESTS_MULTI_H
#define METRICS_TESTS_MULTI_H

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "../testing.h"

static int multi_passed, multi_failed;

/* How long an event is waited for, however busy the machine is: no test judges how soon it comes. */
enum { PATIENCE_MS = 60000 };

#define EXPECT(COND, ...)                                 \
    do {                                                  \
        bool multi_ok = (COND);                           \
        *(multi_ok ? &multi_passed : &multi_failed) += 1; \
        printf("%s ", multi_ok ? "ok  " : "FAIL");        \
        printf(__VA_ARGS__);                              \
        printf("\n");                                     \
        fflush(stdout);                                   \
    } while (0)
#define EXPECT_EQ(GOT, WANT, WHAT)                                                           \
    do {                                                                                     \
        double multi_g = (double)(GOT), multi_w = (double)(WANT);                            \
        EXPECT(multi_g == multi_w, "%s: expected %.17g, got %.17g", WHAT, multi_w, multi_g); \
    } while (0)

static inline bool multi_campaign(const char *name)
{
    const char *campaign = getenv("MTX_CAMPAIGN");
    return campaign && !strcmp(campaign, name);
}

/* No process of a test may hang. A long campaign is as long as it is, and an emulated machine as slow. */
static inline void multi_limit(unsigned seconds)
{
    alarm(multi_campaign("long") || multi_campaign("emulated") ? 7200 : seconds);
}

/* Call first. */
static inline void multi_begin(unsigned seconds)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    multi_limit(seconds);
}
static inline int multi_end(void)
{
    printf("%d passed, %d failed\n", multi_passed, multi_failed);
    return multi_failed || !multi_passed;
}

/* n, or a tenth of it where the machine is emulated (MTX_CAMPAIGN=emulated; tests/arm64). */
static inline int multi_dose(int n)
{
    static int part;
    if (!part) part = multi_campaign("emulated") ? 10 : 1;
    return n / part;
}

/* Children that wait here go on all at once, when the parent opens the gate: without using a CPU meanwhile. */
static int multi_gate[2];
static inline void multi_gate_make(void)
{
    if (pipe(multi_gate)) exit(1);
}
static inline void multi_gate_wait(void)
{
    char c;
    close(multi_gate[1]);
    while (read(multi_gate[0], &c, 1) < 0) continue;
    close(multi_gate[0]);
}
static inline void multi_gate_open(void)
{
    close(multi_gate[1]);
    close(multi_gate[0]);
}

/* Memory shared with children. */
static inline void *multi_shared(size_t n)
{
    void *p = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED) exit(1);
    return p;
}

static inline void multi_sleep_ms(long ms)
{
    struct timespec ts = {ms / 1000, ms % 1000 * 1000000};
    while (nanosleep(&ts, &ts) && errno == EINTR) {
    }
}

/* Whether the program that this process executes next has restartable sequences: glibc asks at its start. */
static inline void multi_sequences(bool with)
{
    if (with)
        unsetenv("GLIBC_TUNABLES");
    else
        setenv("GLIBC_TUNABLES", "glibc.pthread.rseq=0", 1);
}

/* A child that runs fn(arg) and ends without the parent's atexit handlers. */
static inline pid_t multi_fork(void (*fn)(void *), void *arg)
{
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        multi_limit(120);
        fn(arg);
        _exit(0);
    }
    return pid;
}

/* The number of a row of the segment as it is now. */
static inline double multi_number(const char *name, const char *value, const char *suffix)
{
    metrics_snapshot_t *s = test_take();
    double v = test_number(test_find(s, name, value), NULL, NULL, suffix);
    if (s) metrics_snapshot_release(&s);
    return v;
}

#endif
