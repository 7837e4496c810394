/* SPDX-License-Identifier: Apache-2.0 */
/*
 * attach.c - what a process pays once: attaching to a segment for the first time (mapping it, and measuring
 * the clock), attaching again in the same process, and its first updates. Each in a fresh program: children
 * that were forked from an attached process have inherited all that.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <mtx/metrics.h>

#include "bench.h"

enum { FIRST, AGAIN, CLOCK, COUNTER, GAUGE, PHASES };
static const char *const names[PHASES] = {"attach_first", "attach_again", "clock_attach", "first_counter_inc",
                                          "first_gauge_set"};

/* The child's part, a program of its own: ns of each phase to stdout. */
int bench_attach_child(const char *path)
{
    double t[PHASES + 1];
    metrics_options_t options = {.size = sizeof options, .path = path, .attach = METRICS_EXISTING};
    bench_pin(0);
    t[0] = bench_ns();
    metrics_registry_t *first = metrics_open(&options, NULL);
    t[1] = bench_ns();
    metrics_registry_t *again = metrics_open(&options, NULL);
    t[2] = bench_ns();
    metrics_counter_t *counter = metrics_counter(first, "bench.counter");
    metrics_gauge_t *gauge = metrics_gauge(first, "bench.gauge");
    double before_counter = bench_ns();
    metrics_counter_inc(counter);
    double before_gauge = bench_ns();
    metrics_gauge_set(gauge, 1);
    double end = bench_ns();
    metrics_close(&again);
    metrics_close(&first);
    double took[PHASES] = {[FIRST] = t[1] - t[0],
                           [AGAIN] = t[2] - t[1],
                           [CLOCK] = t[1] - t[0] - (t[2] - t[1]),
                           [COUNTER] = before_gauge - before_counter,
                           [GAUGE] = end - before_gauge};
    return fwrite(took, sizeof took, 1, stdout) != 1;
}

static int run_child(const char *path, double took[PHASES])
{
    int fds[2], status;
    if (pipe2(fds, O_CLOEXEC)) return -1;
    pid_t pid = fork();
    if (pid == 0) {
        dup2(fds[1], 1);
        execl("/proc/self/exe", "bench", "-a", path, (char *)NULL);
        _exit(127);
    }
    close(fds[1]);
    ssize_t n = read(fds[0], took, PHASES * sizeof *took);
    close(fds[0]);
    waitpid(pid, &status, 0);
    return n == (ssize_t)(PHASES * sizeof *took) ? 0 : -1;
}

void bench_attach(const char *path, int rounds)
{
    static struct bench_sample samples[PHASES];
    for (int r = 0; r < rounds; r++) {
        double took[PHASES];
        bench_yardsticks_t y = bench_yardsticks();
        if (run_child(path, took)) continue;
        for (int i = 0; i < PHASES; i++) bench_sample_add(&samples[i], took[i], y);
    }
    for (int i = 0; i < PHASES; i++) bench_sample_print(&samples[i], names[i], 1, 1);
}
