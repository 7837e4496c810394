/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Promise: no reading of a gauge shows a value that nobody set: neither 0 nor half of two values, beside
 * processes that claim slots, set their gauges for the first time, fork and are killed. 3 seconds; ten minutes
 * with MTX_CAMPAIGN=long. MTX_CROWD_SECONDS says another time.
 */
#include <sys/prctl.h>

#include "multi.h"

enum { GAUGES = 128, WRITERS = 6, READERS = 2, TOLD = 20 };

/* Two values that differ in both halves: half of one and half of the other is neither. */
static const double values[2] = {0x1.0000123456789p0, 0x1.8fedcba987654p40};

static metrics_registry_t *registry;
static struct {
    uint64_t stop, snapshots, readings, writers, forks, violations;
} * all;

static void bump(uint64_t *n, uint64_t by)
{
    __atomic_fetch_add(n, by, __ATOMIC_RELAXED);
}

static bool stopped(void)
{
    return __atomic_load_n(&all->stop, __ATOMIC_RELAXED);
}

/* Each gauge for the first time in this process, then some again, for as long as it lives. */
static void write_gauges(void *arg)
{
    (void)arg;
    metrics_gauge_t *gauges[GAUGES];
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    bump(&all->writers, 1);
    for (int i = 0; i < GAUGES; i++) {
        char name[32];
        snprintf(name, sizeof name, "%s%d", i % 2 ? "last" : "each", i);
        gauges[i] = metrics_gauge(registry, name);
    }
    pid_t parent = getpid();
    if (parent % 2 && fork() == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent) _exit(0); /* killed before that: nobody would end this process */
        bump(&all->forks, 1);
    }
    for (int turn = 0; !stopped(); turn++)
        for (int i = 0; i < GAUGES; i++) {
            metrics_gauge_set(gauges[i], values[turn % 2]);
            if (turn == 0 && i % 8 == 0) sched_yield(); /* first sets beside as many copies as can be */
        }
}

static void check(const metrics_reading_t *r)
{
    metrics_row_t rows[256];
    size_t n = metrics_reading_rows(r, NULL, NULL, rows, 256);
    for (size_t i = 0; i < n && i < 256; i++) {
        double v = metrics_row_number(&rows[i]);
        if (v == values[0] || v == values[1]) continue;
        bump(&all->violations, 1);
        if (all->violations < TOLD) printf("FAIL %s is %a\n", metrics_reading_name(r), v);
    }
    bump(&all->readings, n);
}

static void read_gauges(void *arg)
{
    (void)arg;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    alarm(0);
    metrics_reader_t *reader = test_reader();
    for (; !stopped(); bump(&all->snapshots, 1)) {
        metrics_snapshot_t *s = metrics_snapshot_take(reader, NULL);
        for (size_t i = 0; s && i < metrics_snapshot_count(s); i++) check(metrics_snapshot_reading(s, i));
        if (s) metrics_snapshot_release(&s);
    }
}

static double campaign(void)
{
    const char *long_one = getenv("MTX_CAMPAIGN"), *seconds = getenv("MTX_CROWD_SECONDS");
    if (seconds) return strtod(seconds, NULL);
    return long_one && !strcmp(long_one, "long") ? 600 : 3;
}

static void describe_all(void)
{
    for (int i = 0; i < GAUGES; i += 2) {
        char name[32];
        metrics_family_t f = {.size = sizeof f, .merge = METRICS_MERGE_ALL};
        snprintf(name, sizeof name, "each%d", i);
        if (metrics_describe(registry, name, &f, NULL)) exit(1);
    }
}

int main(void)
{
    double seconds = campaign();
    pid_t writers[WRITERS], readers[READERS];
    multi_begin((unsigned)seconds + 120);
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    all = multi_shared(sizeof *all);
    registry = test_open(NULL);
    describe_all();
    for (int i = 0; i < WRITERS; i++) writers[i] = multi_fork(write_gauges, NULL);
    for (int i = 0; i < READERS; i++) readers[i] = multi_fork(read_gauges, NULL);
    for (time_t over = time(NULL) + (time_t)seconds; time(NULL) < over;) {
        int at = rand() % WRITERS;
        nanosleep(&(struct timespec){.tv_nsec = rand() % 8000000}, NULL);
        kill(writers[at], SIGKILL);
        waitpid(writers[at], NULL, 0);
        while (waitpid(-1, NULL, WNOHANG) > 0)
            continue; /* writers' orphans, which their parent's death kills */
        writers[at] = multi_fork(write_gauges, NULL);
    }
    __atomic_store_n(&all->stop, 1, __ATOMIC_RELAXED);
    for (int i = 0; i < READERS; i++) waitpid(readers[i], NULL, 0);
    while (waitpid(-1, NULL, 0) > 0) continue;
    printf("     %.0f s: %" PRIu64 " snapshots, %" PRIu64 " readings of gauges, %" PRIu64 " writers, %" PRIu64
           " of them forked\n",
           seconds, all->snapshots, all->readings, all->writers, all->forks);
    EXPECT(all->snapshots > 10 && all->readings > 1000, "the readers have read");
    EXPECT_EQ(all->violations, 0, "values that nobody set");
    return multi_end();
}
