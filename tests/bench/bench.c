/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench.c - what an operation costs, as a ratio to yardsticks measured in the same run.
 *
 * All operations and yardsticks take turns in short rounds, so that a machine whose speed drifts slows all of
 * them alike; the median over the rounds is printed. With two processes, a forked companion on the other CPU
 * runs the same operation on the same series all the while. Nothing here asserts anything.
 */
#include <errno.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include <mtx/metrics.h>
#include <mtx/snapshot.h>

#include "bench.h"

enum { ROUNDS_MAX = 201, SNAPSHOT_SERIES = 10000 };

static struct {
    metrics_registry_t *registry;
    metrics_counter_t *counter;
    metrics_updown_t *updown;
    metrics_meter_t *meter;
    metrics_gauge_t *gauge, *gauge_sum;
    metrics_histogram_t *buckets, *explicit_buckets, *decaying, *uniform, *sliding;
    metrics_timer_t *timer;
    metrics_set_t *set;
    uint64_t *shared; /* a word on a page of its own, for the locked add */
} b;

#define LOOP(STATEMENT)                      \
    for (uint64_t i = 0; i < n; i++) {       \
        STATEMENT;                           \
        __asm__ volatile("" : : : "memory"); \
    }

static void plain_add(uint64_t n)
{
    static uint64_t word;
    LOOP(word += 1)
}
static void lock_xadd(uint64_t n)
{
    static uint64_t word; /* uncontended: each process has its own */
    LOOP(__atomic_fetch_add(&word, 1, __ATOMIC_RELAXED))
}
static void lock_xadd_shared(uint64_t n)
{
    LOOP(__atomic_fetch_add(b.shared, 1, __ATOMIC_RELAXED))
}
static void two_rdtsc(uint64_t n)
{
#if defined(__x86_64__)
    LOOP(__builtin_ia32_rdtsc(); __builtin_ia32_rdtsc())
#else
    LOOP(metrics_now(); metrics_now())
#endif
}
static void clock_gettime_once(uint64_t n)
{
    struct timespec ts;
    LOOP(clock_gettime(CLOCK_MONOTONIC, &ts))
}
static void counter_inc(uint64_t n)
{
    LOOP(metrics_counter_inc(b.counter))
}
static void counter_inc_call(uint64_t n)
{
    LOOP(metrics_counter_add_call(b.counter, 1))
}
static void updown_add(uint64_t n)
{
    LOOP(metrics_updown_add(b.updown, -1))
}
static void meter_mark(uint64_t n)
{
    LOOP(metrics_meter_mark(b.meter, 1))
}
static void gauge_set(uint64_t n)
{
    LOOP(metrics_gauge_set(b.gauge, (double)i))
}
static void gauge_add(uint64_t n)
{
    LOOP(metrics_gauge_add(b.gauge_sum, 1))
}
static void histogram_buckets(uint64_t n)
{
    LOOP(metrics_histogram_update(b.buckets, (double)(i & 1023)))
}
static void histogram_explicit(uint64_t n)
{
    LOOP(metrics_histogram_update(b.explicit_buckets, (double)(i & 1023)))
}
static void histogram_decaying(uint64_t n)
{
    LOOP(metrics_histogram_update(b.decaying, (double)(i & 1023)))
}
static void histogram_uniform(uint64_t n)
{
    LOOP(metrics_histogram_update(b.uniform, (double)(i & 1023)))
}
static void histogram_sliding(uint64_t n)
{
    LOOP(metrics_histogram_update(b.sliding, (double)(i & 1023)))
}
static void timer(uint64_t n)
{
    metrics_timer_t *t = b.timer;
    LOOP(metrics_timer_start(t); metrics_timer_stop(t))
}
static void set_add(uint64_t n)
{
    LOOP(metrics_set_add(b.set, &i, sizeof i))
}
static void find_hot(uint64_t n)
{
    LOOP(metrics_counter(b.registry, "bench.requests", "route", "/cart", "status", "200"))
}
static void find_inc(uint64_t n)
{
    LOOP(
        metrics_counter_inc(metrics_counter(b.registry, "bench.requests", "route", "/cart", "status", "200")))
}
static void find_macro(uint64_t n)
{
    LOOP(METRICS_INC("bench.requests", "route", "/cart", "status", "200"))
}

static struct op {
    const char *name;
    void (*run)(uint64_t n);
    bool two;   /* also with a second process */
    uint64_t n; /* iterations per round */
    double ns[3][ROUNDS_MAX];
    double median[3];
} ops[] = {
    {.name = "plain_add", .run = plain_add},
    {.name = "lock_xadd", .run = lock_xadd},
    {.name = "lock_xadd_shared", .run = lock_xadd_shared, .two = true},
    {.name = "clock_gettime", .run = clock_gettime_once},
    {.name = "two_rdtsc", .run = two_rdtsc, .two = true},
    {.name = "counter_inc", .run = counter_inc, .two = true},
    {.name = "counter_inc_call", .run = counter_inc_call, .two = true},
    {.name = "updown_add", .run = updown_add, .two = true},
    {.name = "meter_mark", .run = meter_mark, .two = true},
    {.name = "gauge_set", .run = gauge_set, .two = true},
    {.name = "gauge_add", .run = gauge_add, .two = true},
    {.name = "histogram_buckets", .run = histogram_buckets, .two = true},
    {.name = "histogram_explicit", .run = histogram_explicit, .two = true},
    {.name = "histogram_decaying", .run = histogram_decaying, .two = true},
    {.name = "histogram_uniform", .run = histogram_uniform, .two = true},
    {.name = "histogram_sliding", .run = histogram_sliding, .two = true},
    {.name = "timer", .run = timer, .two = true},
    {.name = "set_add", .run = set_add, .two = true},
    {.name = "find_hot", .run = find_hot, .two = true},
    {.name = "find_inc", .run = find_inc, .two = true},
    {.name = "find_macro", .run = find_macro, .two = true},
};
enum { OPS = sizeof ops / sizeof *ops, PLAIN = 0, XADD = 1 };

/* --- Measuring
 * ---------------------------------------------------------------------------------------------- */

double bench_ns(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec * 1e9 + (double)ts.tv_nsec;
}

static int compare(const void *x, const void *y)
{
    double p = *(const double *)x, q = *(const double *)y;
    return (p > q) - (p < q);
}

double bench_median(double *values, int n)
{
    qsort(values, (size_t)n, sizeof *values, compare);
    return n % 2 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
}

static void pin(int cpu)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    sched_setaffinity(0, sizeof set, &set);
}

/* What the companion is to do: an op's number + 1, 0 = rest, -1 = end. */
struct companion {
    int wanted, doing;
};

static void companion_loop(struct companion *c)
{
    pin(1);
    metrics_prepare(b.registry);
    for (int now; (now = __atomic_load_n(&c->wanted, __ATOMIC_ACQUIRE)) >= 0;) {
        if (now) ops[now - 1].run(1000);
        __atomic_store_n(&c->doing, now, __ATOMIC_RELEASE);
        if (!now) sched_yield();
    }
    _exit(0);
}

static void set_companion(struct companion *c, int wanted)
{
    __atomic_store_n(&c->wanted, wanted, __ATOMIC_RELEASE);
    while (wanted >= 0 && __atomic_load_n(&c->doing, __ATOMIC_ACQUIRE) != wanted) {
    }
}

static void calibrate(double round_ns)
{
    for (int i = 0; i < OPS; i++) {
        uint64_t n = 1000;
        double took = 0;
        while ((took = -bench_ns(), ops[i].run(n), took += bench_ns()) < round_ns / 4) n *= 2;
        ops[i].n = (uint64_t)((double)n * round_ns / took) + 1;
    }
}

static void measure(int rounds, bool two_cpus, struct companion *c)
{
    for (int r = 0; r < rounds; r++)
        for (int procs = 1; procs <= 2; procs++)
            for (int i = 0; i < OPS; i++) {
                if (procs == 2 && (!ops[i].two || !two_cpus)) continue;
                set_companion(c, procs == 2 ? i + 1 : 0);
                double took = -bench_ns();
                ops[i].run(ops[i].n);
                took += bench_ns();
                ops[i].ns[procs][r] = took / (double)ops[i].n;
            }
    set_companion(c, -1);
    for (int i = 0; i < OPS; i++)
        for (int procs = 1; procs <= 2; procs++)
            ops[i].median[procs] = bench_median(ops[i].ns[procs], rounds);
}

/* --- Output
 * ------------------------------------------------------------------------------------------------- */

static bool json;

void bench_print(const char *op, int procs, double ns)
{
    double add = ops[PLAIN].median[1], xadd = ops[XADD].median[1], two = 0;
    for (int i = 0; i < OPS; i++)
        if (!strcmp(ops[i].name, "two_rdtsc")) two = ops[i].median[1];
    if (json)
        printf(
            "{\"op\":\"%s\",\"procs\":%d,\"ns\":%.3f,\"x_add\":%.3f,\"x_xadd\":%.3f,\"x_two_rdtsc\":%.3f}\n",
            op, procs, ns, ns / add, ns / xadd, ns / two);
    else
        printf("%-22s %5d %12.2f %10.2f %10.2f %12.2f\n", op, procs, ns, ns / add, ns / xadd, ns / two);
    fflush(stdout);
}

static void print_ops(void)
{
    if (!json)
        printf("%-22s %5s %12s %10s %10s %12s\n", "operation", "procs", "ns", "x add", "x lock add",
               "x two rdtsc");
    for (int i = 0; i < OPS; i++)
        for (int procs = 1; procs <= 2; procs++)
            if (ops[i].median[procs] > 0) bench_print(ops[i].name, procs, ops[i].median[procs]);
}

/* --- Set-up
 * ------------------------------------------------------------------------------------------------- */

#define FAMILY(NAME, ...)                                                                                  \
    metrics_describe(b.registry, NAME, &(metrics_family_t){.size = sizeof(metrics_family_t), __VA_ARGS__}, \
                     NULL)

static void open_series(void)
{
    static const double bounds[] = {1, 2, 5, 10, 20, 50, 100, 200, 500, 1000};
    b.registry = metrics_default();
    FAMILY("bench.buckets", .reservoir = METRICS_BUCKETS_EXPONENTIAL, .scale = 4);
    FAMILY("bench.explicit", .reservoir = METRICS_BUCKETS, .bounds = bounds, .bound_count = 10);
    FAMILY("bench.uniform", .reservoir = METRICS_RESERVOIR_UNIFORM);
    FAMILY("bench.sliding", .reservoir = METRICS_RESERVOIR_SLIDING);
    FAMILY("bench.gauge_sum", .merge = METRICS_MERGE_SUM);
    b.counter = metrics_counter(b.registry, "bench.counter");
    b.updown = metrics_updown(b.registry, "bench.updown");
    b.meter = metrics_meter(b.registry, "bench.meter");
    b.gauge = metrics_gauge(b.registry, "bench.gauge");
    b.gauge_sum = metrics_gauge(b.registry, "bench.gauge_sum");
    b.buckets = metrics_histogram(b.registry, "bench.buckets");
    b.explicit_buckets = metrics_histogram(b.registry, "bench.explicit");
    b.decaying = metrics_histogram(b.registry, "bench.decaying");
    b.uniform = metrics_histogram(b.registry, "bench.uniform");
    b.sliding = metrics_histogram(b.registry, "bench.sliding");
    b.timer = metrics_timer(b.registry, "bench.timer");
    b.set = metrics_set(b.registry, "bench.set");
    b.shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    metrics_prepare(b.registry);
}

/* Snapshots of many counters: per series and lane. */
static void bench_snapshot(const char *path, int rounds)
{
    metrics_error_t error;
    double took[ROUNDS_MAX];
    char name[32];
    for (int i = 0; i < SNAPSHOT_SERIES; i++) {
        snprintf(name, sizeof name, "series.%05d", i);
        metrics_counter_inc(metrics_counter(b.registry, name));
    }
    metrics_reader_t *reader = metrics_reader_open(path, NULL, &error);
    metrics_segment_info_t info;
    if (!reader || metrics_reader_info(reader, &info, &error)) {
        fprintf(stderr, "bench: %s\n", error.text);
        exit(1);
    }
    for (int r = 0; r < rounds; r++) {
        took[r] = -bench_ns();
        metrics_snapshot_t *s = metrics_snapshot_take(reader, &error);
        took[r] += bench_ns();
        metrics_snapshot_release(&s);
    }
    double ns = bench_median(took, rounds);
    bench_print("snapshot_10000", 1, ns);
    bench_print("snapshot_series", 1, ns / SNAPSHOT_SERIES);
    bench_print("snapshot_cell", 1, ns / SNAPSHOT_SERIES / (info.cpu_lanes + info.atomic_lanes));
    metrics_reader_close(&reader);
}

/* Does a snapshot stay as quick while processes come and go? Time after 2,000 of them to time after 100. */
static void bench_churn(const char *path, int rounds)
{
    metrics_error_t error;
    double took[2][ROUNDS_MAX];
    for (int phase = 0; phase < 2; phase++) {
        for (int i = 0; i < (phase ? 1900 : 100); i++) {
            pid_t pid = fork();
            if (pid == 0) {
                metrics_counter_inc(b.counter);
                metrics_gauge_set(b.gauge, i);
                raise(SIGKILL);
            }
            if (pid > 0) waitpid(pid, NULL, 0);
        }
        metrics_reader_t *reader = metrics_reader_open(path, NULL, &error);
        for (int r = 0; reader && r < rounds; r++) {
            took[phase][r] = -bench_ns();
            metrics_snapshot_t *s = metrics_snapshot_take(reader, &error);
            took[phase][r] += bench_ns();
            metrics_snapshot_release(&s);
        }
        if (reader) metrics_reader_close(&reader);
    }
    double before = bench_median(took[0], rounds), after = bench_median(took[1], rounds);
    if (json)
        printf("{\"op\":\"snapshot_after_churn\",\"procs\":2000,\"ns\":%.0f,\"ratio\":%.3f}\n", after,
               after / before);
    else
        printf("snapshot after 2000 killed processes: %.0f ns, %.2f times that after 100\n", after,
               after / before);
}

int main(int argc, char **argv)
{
    int rounds = 41;
    const char *exporter = NULL;
    for (int o; (o = getopt(argc, argv, "jr:e:")) != -1;) {
        if (o == 'j') json = true;
        if (o == 'r') rounds = atoi(optarg);
        if (o == 'e') exporter = optarg;
        if (o == '?') return 2;
    }
    if (rounds < 3 || rounds > ROUNDS_MAX) rounds = 41;
    char path[64];
    snprintf(path, sizeof path, "/dev/shm/mtx-bench-%d.seg", (int)getpid());
    setenv("MTX_SEGMENT", path, 1);
    open_series();
    struct companion *c = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    bool two_cpus = sysconf(_SC_NPROCESSORS_ONLN) > 1;
    pid_t pid = fork();
    if (pid == 0) companion_loop(c);
    pin(0);
    calibrate(2e6);
    measure(rounds, two_cpus, c);
    waitpid(pid, NULL, 0);
    print_ops();
    bench_churn(path, rounds);
    bench_snapshot(path, rounds);
    if (exporter) bench_page(exporter, path, rounds / 4 + 1);
    unlink(path);
    return 0;
}
