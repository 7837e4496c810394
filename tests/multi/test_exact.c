/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Promise: N processes x M updates = the exact total: with restartable sequences, without, mixed in one
 * segment, with more runnable processes than cores, and with workers killed at random (at most one update per
 * kill apart).
 */
#include "multi.h"

enum { PROCESSES = 8, THREADS = 4, UPDATES = 1000000, KILLS = 200 };

static metrics_registry_t *registry;

/* The library reads the tunable when a process starts, so a process without the sequences is this program
 * again. */
static const char *self;

static void *thread(void *arg)
{
    (void)arg;
    metrics_counter_t *c = metrics_counter(registry, "counter", "k", "v");
    metrics_updown_t *u = metrics_updown(registry, "updown");
    metrics_meter_t *m = metrics_meter(registry, "meter");
    metrics_histogram_t *h = metrics_histogram(registry, "histogram"),
                        *b = metrics_histogram(registry, "buckets");
    metrics_timer_t *t = metrics_timer(registry, "timer");
    for (int i = 0; i < UPDATES; i++) {
        metrics_counter_inc(c);
        metrics_histogram_update(h, i % 100);
        if (i % 10) continue;
        metrics_histogram_update(b, i % 100);
        metrics_updown_add(u, i % 20 ? 3 : -2);
        metrics_meter_mark(m, 2);
        metrics_timer_update(t, 1000);
    }
    return NULL;
}

static void worker(void)
{
    pthread_t th[THREADS];
    for (int i = 0; i < THREADS; i++) pthread_create(&th[i], NULL, thread, NULL);
    for (int i = 0; i < THREADS; i++) pthread_join(th[i], NULL);
}

static void describe(metrics_registry_t *r)
{
    metrics_family_t f = {.size = sizeof f, .reservoir = METRICS_BUCKETS_EXPONENTIAL, .scale = 3};
    metrics_describe(r, "buckets", &f, NULL);
}

/* The process that main() starts anew for each worker: its segment is in MTX_SEGMENT. */
static int worker_program(void)
{
    registry = metrics_default();
    worker();
    return 0;
}

static pid_t start_worker(bool with_sequences)
{
    fflush(stdout);
    pid_t pid = fork();
    if (pid) return pid;
    setenv("MTX_SEGMENT", test_path, 1);
    if (!with_sequences) setenv("GLIBC_TUNABLES", "glibc.pthread.rseq=0", 1);
    execl(self, self, "worker", (char *)NULL);
    _exit(127);
}

/* which: 0 = none with sequences, 1 = all, 2 = every other one */
static void run(const char *name, int which, int competitors)
{
    pid_t pids[PROCESSES], others[16];
    describe(registry = test_open(NULL));
    for (int i = 0; i < competitors; i++)
        if (!(others[i] = fork()))
            for (;;) __asm__ volatile("" : : : "memory");
    for (int i = 0; i < PROCESSES; i++) pids[i] = start_worker(which == 1 || (which == 2 && i % 2));
    for (int i = 0, status; i < PROCESSES; i++) {
        waitpid(pids[i], &status, 0);
        if (status) EXPECT(false, "%s: a worker ended with status %d", name, status);
    }
    for (int i = 0; i < competitors; i++) kill(others[i], SIGKILL), waitpid(others[i], NULL, 0);
    const double all = (double)PROCESSES * THREADS * UPDATES;
    printf("     %s\n", name);
    EXPECT_EQ(multi_number("counter", NULL, "count"), all, "counter");
    EXPECT_EQ(multi_number("histogram", NULL, "count"), all, "histogram: count");
    EXPECT_EQ(multi_number("histogram", NULL, "sum"), all * 49.5, "histogram: sum");
    EXPECT_EQ(multi_number("histogram", NULL, "sum_squares"), all * 3283.5, "histogram: sum of squares");
    EXPECT_EQ(multi_number("histogram", NULL, "max"), 99, "histogram: max of the sample");
    EXPECT_EQ(multi_number("buckets", NULL, "count"), all / 10, "buckets: count");
    EXPECT_EQ(multi_number("buckets", NULL, "sum"), all / 10 * 45, "buckets: sum");
    EXPECT_EQ(multi_number("updown", NULL, "value"), all / 20, "updown");
    EXPECT_EQ(multi_number("meter", NULL, "count"), all / 5, "meter");
    EXPECT_EQ(multi_number("timer", NULL, "count"), all / 10, "timer");
    EXPECT(fabs(multi_number("timer", NULL, "sum") - all / 10 * 1e-6) < 1e-9, "timer: sum in seconds");
}

/* --- Killed at random
 * ---------------------------------------------------------------------------------------- */

struct book {
    uint64_t done; /* updates that returned */
};

static void victim(void *arg)
{
    struct book *book = arg;
    metrics_counter_t *c = metrics_counter(registry, "counter");
    metrics_histogram_t *h = metrics_histogram(registry, "histogram");
    for (;;) {
        metrics_counter_inc(c);
        metrics_histogram_update(h, 1);
        __atomic_store_n(&book->done, book->done + 1, __ATOMIC_RELAXED);
    }
}

static void killed_at_random(void)
{
    struct book *books = multi_shared(KILLS * sizeof *books);
    pid_t pids[4] = {0};
    uint64_t done = 0;
    registry = test_open(NULL);
    for (int i = 0; i < KILLS + 4; i++) {
        int at = i % 4;
        if (pids[at]) {
            kill(pids[at], SIGKILL);
            waitpid(pids[at], NULL, 0);
        }
        pids[at] = i < KILLS ? multi_fork(victim, &books[i]) : 0;
        multi_sleep_ms(i % 7);
    }
    for (int i = 0; i < KILLS; i++) done += books[i].done;
    double counted = multi_number("counter", NULL, "count"), seen = multi_number("histogram", NULL, "count");
    double sum = multi_number("histogram", NULL, "sum");
    printf("     %d workers killed at random after %" PRIu64 " updates\n", KILLS, done);
    EXPECT(counted >= (double)done && counted <= (double)done + KILLS,
           "counter within one update per kill: %.0f counted, %" PRIu64 " in the workers' books", counted,
           done);
    EXPECT(seen >= (double)done && seen <= (double)done + KILLS, "histogram count: %.0f", seen);
#if defined(__x86_64__)
    EXPECT(sum == seen, "count and sum are written together: %.0f, %.0f", seen, sum);
#else
    EXPECT(fabs(sum - seen) <= KILLS, "count and sum differ by at most one per kill: %.0f, %.0f", seen, sum);
#endif
}

int main(int argc, char **argv)
{
    self = "/proc/self/exe";
    if (argc > 1 && !strcmp(argv[1], "worker")) return worker_program();
    multi_begin(170);
    run("8 processes x 4 threads, restartable sequences", 1, 0);
    run("the same, without them (glibc.pthread.rseq=0)", 0, 0);
    run("half of the processes with, half without", 2, 0);
    run("with 8 competitors besides", 1, 8);
    killed_at_random();
    return multi_end();
}
