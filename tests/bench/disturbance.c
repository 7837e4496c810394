/* SPDX-License-Identifier: Apache-2.0 */
/*
 * disturbance.c - does a reader slow a writer? The writer, on CPU 0, updates in blocks of 100 and times each
 * block; its neighbour, on CPU 1, in turn only spins, or takes snapshots of 1,000,000 cells in a loop. The
 * p99.9 of the blocks beside the one is compared with that beside the other, phase by phase.
 *
 * Two ways of writing: `one` counts in one counter; `hundred` in 100 counters that lie all over the segment,
 * so that nearly each update of a block meets a cache line which the reader has just looked at.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <mtx/metrics.h>
#include <mtx/snapshot.h>

#include "bench.h"

enum { CELLS = 1000000, BLOCK = 100, PHASE_MS = 150, BINS = 1 << 16 };
enum neighbour { REST, SPIN, SNAPSHOT, NEIGHBOURS };
enum way { ONE, HUNDRED, WAYS };
static const char *const way_names[WAYS] = {"one", "hundred"};

static struct shared {
    int wanted, doing;
    uint64_t snapshots;
} * shared;
static metrics_counter_t *counters[BLOCK];
static double ticks_per_ns;

static uint64_t ticks(void)
{
#if defined(__x86_64__)
    return __builtin_ia32_rdtsc();
#else
    return metrics_now();
#endif
}

static void neighbour_loop(const char *path)
{
    metrics_error_t error;
    metrics_reader_t *reader = metrics_reader_open(path, NULL, &error);
    if (!reader) exit(1);
    pid_t parent = getppid();
    bench_pin(1);
    while (getppid() == parent) {
        int now = __atomic_load_n(&shared->wanted, __ATOMIC_ACQUIRE);
        __atomic_store_n(&shared->doing, now, __ATOMIC_RELEASE);
        if (now == SNAPSHOT) {
            metrics_snapshot_t *s = metrics_snapshot_take(reader, &error);
            metrics_snapshot_release(&s);
            __atomic_fetch_add(&shared->snapshots, 1, __ATOMIC_RELAXED);
        } else {
            for (volatile int i = 0; i < 100000; i++) {
            }
        }
    }
    _exit(0);
}

static void set_neighbour(enum neighbour n)
{
    __atomic_store_n(&shared->wanted, (int)n, __ATOMIC_RELEASE);
    while (__atomic_load_n(&shared->doing, __ATOMIC_ACQUIRE) != (int)n) usleep(1000);
}

static inline void block_of(enum way way)
{
    for (int k = 0; k < BLOCK; k++) metrics_counter_inc(counters[way == ONE ? 0 : k]);
}

/* The given quantile of the blocks' times within one phase, in ns per block. */
static double phase(enum way way, double quantile)
{
    static uint32_t bins[BINS];
    uint64_t blocks = 0, seen = 0, end = ticks() + (uint64_t)(PHASE_MS * 1e6 * ticks_per_ns);
    for (int i = 0; i < BINS; i++) bins[i] = 0;
    for (uint64_t before = ticks(), after; before < end; before = after, blocks++) {
        block_of(way);
        after = ticks();
        uint64_t took = after - before;
        bins[took < BINS ? took : BINS - 1]++;
    }
    for (int i = 0; i < BINS; i++)
        if ((double)(seen += bins[i]) >= quantile * (double)blocks) return i / ticks_per_ns;
    return 0;
}

static void open_cells(const char *path)
{
    metrics_options_t options = {.size = sizeof options, .path = path, .segment_bytes = 256u << 20};
    metrics_error_t error;
    metrics_registry_t *r = metrics_open(&options, &error);
    metrics_reader_t *reader = metrics_reader_open(path, NULL, &error);
    metrics_segment_info_t info;
    if (!reader || metrics_reader_info(reader, &info, &error)) {
        fprintf(stderr, "bench: %s\n", error.text);
        exit(1);
    }
    int series = CELLS / (int)(info.cpu_lanes + info.atomic_lanes) + 1, taken = 0;
    for (int i = 0; i < series; i++) {
        char name[32];
        snprintf(name, sizeof name, "cell.%06d", i);
        metrics_counter_t *c = metrics_counter(r, name);
        if (i % (series / BLOCK) == 0 && taken < BLOCK) counters[taken++] = c;
    }
    metrics_reader_close(&reader);
    if (metrics_status(r, &error)) {
        fprintf(stderr, "bench: %s\n", error.text);
        exit(1);
    }
}

static void measure_clock(void)
{
    uint64_t t = ticks();
    double ns = bench_ns(), now;
    while ((now = bench_ns()) - ns < 5e7) {
    }
    ticks_per_ns = (double)(ticks() - t) / (now - ns);
}

static void report(enum way way, double *spin, double *snapshot, double *ratio, int rounds)
{
    double a = bench_median(spin, rounds), b = bench_median(snapshot, rounds),
           x = bench_median(ratio, rounds);
    if (bench_json)
        printf(
            "{\"op\":\"disturbance_%s\",\"procs\":2,\"ns_spin\":%.1f,\"ns_snapshot\":%.1f,\"ratio\":%.3f}\n",
            way_names[way], a, b, x);
    else
        printf("%-28s %16.1f %16.1f %8.3f\n", way_names[way], a, b, x);
}

int main(int argc, char **argv)
{
    static double p999[WAYS][NEIGHBOURS][BENCH_ROUNDS_MAX], ratio[WAYS][BENCH_ROUNDS_MAX];
    int rounds = 41;
    char path[64];
    for (int o; (o = getopt(argc, argv, "jr:")) != -1;) {
        if (o == 'j') bench_json = true;
        if (o == 'r') rounds = atoi(optarg);
        if (o == '?') return 2;
    }
    if (rounds < 3 || rounds > BENCH_ROUNDS_MAX) rounds = 41;
    snprintf(path, sizeof path, "/dev/shm/mtx-bench-%d.seg", (int)getpid());
    shared = (struct shared *)mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    measure_clock();
    open_cells(path);
    pid_t pid = fork();
    if (pid == 0) neighbour_loop(path);
    bench_pin(0);
    for (int r = 0; r < rounds; r++)
        for (int w = 0; w < WAYS; w++) {
            for (int k = 0; k < 2; k++) {
                enum neighbour n = (k ^ r) & 1 ? SNAPSHOT : SPIN; /* who goes first takes turns */
                set_neighbour(n);
                p999[w][n][r] = phase((enum way)w, 0.999);
            }
            ratio[w][r] = p999[w][SNAPSHOT][r] / p999[w][SPIN][r];
        }
    kill(pid, SIGTERM);
    waitpid(pid, NULL, 0);
    unlink(path);
    if (!bench_json)
        printf("p99.9 of blocks of %d updates, ns (%d phases of %d ms each; %llu snapshots)\n%-28s %16s %16s "
               "%8s\n",
               BLOCK, rounds, PHASE_MS, (unsigned long long)shared->snapshots, "counters", "beside spinning",
               "beside snapshots", "ratio");
    for (int w = 0; w < WAYS; w++) report((enum way)w, p999[w][SPIN], p999[w][SNAPSHOT], ratio[w], rounds);
    return 0;
}
