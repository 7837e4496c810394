/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Promise: fork at any moment, while other threads register and update: no deadlock, no double count, handles
 * stay valid in the child, and every process draws its own random numbers.
 */
#include "multi.h"

#include "process.h"

enum { GENERATIONS = 4, FORKS = 3, PER_PROCESS = 20000 };

static metrics_registry_t *registry;
static metrics_counter_t *counter;
static metrics_gauge_t *gauge;
static int stop;

struct totals {
    uint64_t processes, updates, seeds[1024];
};
static struct totals *totals;

/* Registers new series and updates all the time, so that forks find every lock held now and then. */
static void *restless(void *arg)
{
    char name[32];
    uint64_t updates = 0;
    (void)arg;
    for (int i = 0; !__atomic_load_n(&stop, __ATOMIC_RELAXED); i++) {
        snprintf(name, sizeof name, "restless.%d", i % 500);
        metrics_counter_inc(metrics_counter(registry, name));
        metrics_counter_inc(counter);
        metrics_gauge_set(gauge, i);
        updates++;
    }
    __atomic_fetch_add(&totals->updates, updates, __ATOMIC_RELAXED);
    return NULL;
}

static void generation(int depth)
{
    pthread_t th[2];
    pid_t pids[FORKS];
    uint64_t n = __atomic_fetch_add(&totals->processes, 1, __ATOMIC_RELAXED);
    if (n < 1024) totals->seeds[n] = process_random();
    stop = 0;
    for (int i = 0; i < 2; i++) pthread_create(&th[i], NULL, restless, NULL);
    for (int f = 0; f < FORKS && depth < GENERATIONS; f++) {
        multi_sleep_ms(2);
        pids[f] = fork();
        if (pids[f] == 0) {
            multi_limit(60);
            generation(depth + 1);
            _exit(0);
        }
    }
    for (int i = 0; i < PER_PROCESS; i++) metrics_counter_inc(counter);
    __atomic_fetch_add(&totals->updates, PER_PROCESS, __ATOMIC_RELAXED);
    __atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
    for (int i = 0; i < 2; i++) pthread_join(th[i], NULL);
    for (int f = 0; f < FORKS && depth < GENERATIONS; f++) {
        int status;
        waitpid(pids[f], &status, 0);
        if (status) _exit(1); /* a child hung (its alarm) or crashed */
    }
}

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

int main(void)
{
    multi_begin(150);
    totals = multi_shared(sizeof *totals);
    registry = test_open(NULL);
    counter = metrics_counter(registry, "counter");
    gauge = metrics_gauge(registry, "gauge");
    int status;
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        generation(0);
        _exit(0);
    }
    waitpid(pid, &status, 0);
    EXPECT(status == 0, "four generations end, none hangs or crashes (status %d)", status);
    EXPECT_EQ(totals->processes, 1 + 3 + 9 + 27 + 81, "processes");
    EXPECT_EQ(multi_number("counter", NULL, "count"), (double)totals->updates, "updates counted once each");
    uint64_t n = totals->processes < 1024 ? totals->processes : 1024, same = 0;
    qsort(totals->seeds, n, sizeof *totals->seeds, compare);
    for (uint64_t i = 1; i < n; i++) same += totals->seeds[i] == totals->seeds[i - 1];
    EXPECT_EQ(same, 0, "processes that drew the same random number");
    return multi_end();
}
