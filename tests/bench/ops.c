/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ops.c - mtx's operations, as loops.
 *
 * A loop that updates one series again and again waits for the store of its own last turn to come back as a
 * load (store forwarding): four to five cycles, and three or four more where a double is added. No program
 * updates one series back to back for ever, so beside the histograms there is the same over eight series in
 * turn ("_8"), where that wait overlaps with other work. A plain add to one word is spared it on recent CPUs,
 * which rename the word of a loop to a register.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <mtx/metrics.h>

#include "bench.h"
#include "leader.h"
#include "ops_events.h"

enum { EIGHT = 8 };

static struct {
    metrics_registry_t *registry, *leaderless;
    metrics_counter_t *counter;
    metrics_updown_t *updown;
    metrics_meter_t *meter;
    metrics_gauge_t *gauge, *gauge_sum;
    metrics_histogram_t *buckets[EIGHT], *explicit_buckets, *decaying[EIGHT], *uniform, *sliding;
    metrics_histogram_t *decaying_leaderless, *buckets_leaderless;
    metrics_timer_t *timer, *timer_buckets, *timer_leaderless;
    metrics_set_t *set;
    uint64_t *shared; /* a word on a page of its own, for the locked add */
    pid_t leader;
    char leaderless_path[80];
} b;

static void lock_xadd_shared(uint64_t n)
{
    BENCH_LOOP(__atomic_fetch_add(b.shared, 1, __ATOMIC_RELAXED))
}
static void clock_gettime_once(uint64_t n)
{
    struct timespec ts;
    BENCH_LOOP(clock_gettime(CLOCK_MONOTONIC, &ts))
}
static void counter_inc(uint64_t n)
{
    BENCH_LOOP(metrics_counter_inc(b.counter))
}
static void counter_inc_call(uint64_t n)
{
    BENCH_LOOP(metrics_counter_add_call(b.counter, 1))
}
static void updown_add(uint64_t n)
{
    BENCH_LOOP(metrics_updown_add(b.updown, -1))
}
static void meter_mark(uint64_t n)
{
    BENCH_LOOP(metrics_meter_mark(b.meter, 1))
}
static void meter_mark_call(uint64_t n)
{
    BENCH_LOOP(metrics_meter_mark_call(b.meter, 1))
}
static void gauge_set(uint64_t n)
{
    BENCH_LOOP(metrics_gauge_set(b.gauge, (double)i))
}
static void gauge_set_sum(uint64_t n)
{
    BENCH_LOOP(metrics_gauge_set(b.gauge_sum, (double)i))
}
static void gauge_add(uint64_t n)
{
    BENCH_LOOP(metrics_gauge_add(b.gauge_sum, 1))
}
static void histogram_buckets(uint64_t n)
{
    BENCH_LOOP(metrics_histogram_update(b.buckets[0], (double)(i & 1023)))
}
static void histogram_buckets_8(uint64_t n)
{
    BENCH_LOOP(metrics_histogram_update(b.buckets[i % EIGHT], (double)(i & 1023)))
}
static void histogram_explicit(uint64_t n)
{
    BENCH_LOOP(metrics_histogram_update(b.explicit_buckets, (double)(i & 1023)))
}
static void histogram_decaying(uint64_t n)
{
    BENCH_LOOP(metrics_histogram_update(b.decaying[0], (double)(i & 1023)))
}
static void histogram_decaying_8(uint64_t n)
{
    BENCH_LOOP(metrics_histogram_update(b.decaying[i % EIGHT], (double)(i & 1023)))
}
static void histogram_decaying_no_leader(uint64_t n)
{
    BENCH_LOOP(metrics_histogram_update(b.decaying_leaderless, (double)(i & 1023)))
}
static void histogram_uniform(uint64_t n)
{
    BENCH_LOOP(metrics_histogram_update(b.uniform, (double)(i & 1023)))
}
static void histogram_sliding(uint64_t n)
{
    BENCH_LOOP(metrics_histogram_update(b.sliding, (double)(i & 1023)))
}
static void timer(uint64_t n)
{
    metrics_timer_t *t = b.timer;
    BENCH_LOOP(metrics_timer_start(t); metrics_timer_stop(t))
}
static void timer_buckets(uint64_t n)
{
    metrics_timer_t *t = b.timer_buckets;
    BENCH_LOOP(metrics_timer_start(t); metrics_timer_stop(t))
}
static void timer_no_leader(uint64_t n)
{
    metrics_timer_t *t = b.timer_leaderless;
    BENCH_LOOP(metrics_timer_start(t); metrics_timer_stop(t))
}
/* Elements that were all seen before, as in a server whose clients return, and far more than 256 of them. */
static void set_add(uint64_t n)
{
    BENCH_LOOP(uint64_t element = i & 65535; metrics_set_add(b.set, &element, sizeof element))
}
static void find_hot(uint64_t n)
{
    BENCH_LOOP(metrics_counter(b.registry, "bench.requests", "route", "/cart", "status", "200"))
}
/* One of 1,000 names of 30 bytes without tags, among some
 * 10,000 series, in an order that no cache foresees. */
static void find_many(uint64_t n)
{
    static char names[1000][32];
    if (!*names[0])
        for (int k = 0; k < 1000; k++)
            snprintf(names[k], sizeof names[k], "series.with.a.longer.name%05d", k * 10);
    BENCH_LOOP(metrics_counter(b.registry, names[i * 617 % 1000]))
}
static void find_inc(uint64_t n)
{
    BENCH_LOOP(
        metrics_counter_inc(metrics_counter(b.registry, "bench.requests", "route", "/cart", "status", "200")))
}
static void find_macro(uint64_t n)
{
    BENCH_LOOP(METRICS_INC("bench.requests", "route", "/cart", "status", "200"))
}

#define OP(NAME, TWO)                          \
    {                                          \
        .name = #NAME, .run = NAME, .two = TWO \
    }
struct bench_op bench_ops[] = {
    {.name = "plain_add", .run = bench_plain_add, .two = BENCH_PROCESS},
    {.name = "lock_xadd", .run = bench_lock_xadd, .two = BENCH_PROCESS},
    OP(lock_xadd_shared, BENCH_PROCESS),
    {.name = "two_rdtsc", .run = bench_two_rdtsc, .two = BENCH_PROCESS},
    {.name = "clock_gettime", .run = clock_gettime_once, .two = BENCH_PROCESS},
    OP(counter_inc, BENCH_PROCESS),
    OP(counter_inc_call, BENCH_PROCESS),
    OP(updown_add, BENCH_PROCESS),
    OP(meter_mark, BENCH_PROCESS),
    OP(meter_mark_call, BENCH_PROCESS),
    OP(gauge_set, BENCH_PROCESS),
    OP(gauge_set_sum, BENCH_PROCESS),
    OP(gauge_add, BENCH_PROCESS),
    OP(histogram_buckets, BENCH_PROCESS),
    OP(histogram_buckets_8, BENCH_PROCESS),
    OP(histogram_explicit, BENCH_PROCESS),
    OP(histogram_decaying, BENCH_PROCESS),
    OP(histogram_decaying_8, BENCH_PROCESS),
    OP(histogram_decaying_no_leader, BENCH_PROCESS),
    OP(histogram_uniform, BENCH_PROCESS),
    OP(histogram_sliding, BENCH_PROCESS),
    OP(timer, BENCH_PROCESS),
    OP(timer_buckets, BENCH_PROCESS),
    OP(timer_no_leader, BENCH_PROCESS),
    OP(set_add, BENCH_PROCESS),
    OP(find_hot, BENCH_PROCESS),
    OP(find_many, BENCH_PROCESS),
    OP(find_inc, BENCH_PROCESS),
    OP(find_macro, BENCH_PROCESS),
    {.name = "ring_put_128", .run = bench_ring_put_128, .two = BENCH_PROCESS},
    {.name = "ring_put_512", .run = bench_ring_put_512, .two = BENCH_PROCESS},
    {.name = "event_128", .run = bench_event_128, .two = BENCH_PROCESS},
    {.name = "event_512", .run = bench_event_512, .two = BENCH_PROCESS},
    {.name = "span_two_tags", .run = bench_span_two_tags, .two = BENCH_PROCESS},
    {.name = "log_line", .run = bench_log_line, .two = BENCH_PROCESS},
    {.name = "log_filtered", .run = bench_log_filtered, .two = BENCH_PROCESS},
};
const int bench_op_count = sizeof bench_ops / sizeof *bench_ops;

/* --- Set-up --- */

/* The exporter's part: it ticks the segment's clock, eight times a second, on the companion's CPU. */
static void lead(const char *path)
{
    fflush(stdout);
    b.leader = fork();
    if (b.leader) return;
    bench_pin(1);
    metrics_error_t error;
    metrics_leader_t *leader = metrics_leader_acquire(path, NULL, &error);
    if (!leader) {
        fprintf(stderr, "bench: no leader: %s\n", error.text);
        _exit(1);
    }
    pid_t parent = getppid();
    while (getppid() == parent) {
        uint64_t ns = metrics_leader_tick(leader);
        nanosleep(&(struct timespec){.tv_nsec = (long)ns}, NULL);
    }
    _exit(0);
}

#define FAMILY(R, NAME, ...) \
    metrics_describe(R, NAME, &(metrics_family_t){.size = sizeof(metrics_family_t), __VA_ARGS__}, NULL)

static void open_distributions(metrics_registry_t *r)
{
    static const double bounds[] = {1, 2, 5, 10, 20, 50, 100, 200, 500, 1000};
    char number[2] = "0";
    FAMILY(r, "bench.buckets", .reservoir = METRICS_BUCKETS_EXPONENTIAL, .scale = 4);
    FAMILY(r, "bench.timer_buckets", .reservoir = METRICS_BUCKETS_EXPONENTIAL, .scale = 4);
    FAMILY(r, "bench.explicit", .reservoir = METRICS_BUCKETS, .bounds = bounds, .bound_count = 10);
    FAMILY(r, "bench.uniform", .reservoir = METRICS_RESERVOIR_UNIFORM);
    FAMILY(r, "bench.sliding", .reservoir = METRICS_RESERVOIR_SLIDING);
    for (int k = 0; k < EIGHT; k++, number[0]++) {
        b.buckets[k] = metrics_histogram(r, "bench.buckets", "which", number);
        b.decaying[k] = metrics_histogram(r, "bench.decaying", "which", number);
    }
    b.explicit_buckets = metrics_histogram(r, "bench.explicit");
    b.uniform = metrics_histogram(r, "bench.uniform");
    b.sliding = metrics_histogram(r, "bench.sliding");
    b.timer = metrics_timer(r, "bench.timer");
    b.timer_buckets = metrics_timer(r, "bench.timer_buckets");
    b.decaying_leaderless = metrics_histogram(b.leaderless, "bench.decaying");
    b.timer_leaderless = metrics_timer(b.leaderless, "bench.timer");
}

void bench_open(const char *path)
{
    char name[32];
    setenv("MTX_SEGMENT", path, 1);
    metrics_registry_t *r = b.registry = metrics_default();
    snprintf(b.leaderless_path, sizeof b.leaderless_path, "%s.leaderless", path);
    b.leaderless = metrics_open(
        &(metrics_options_t){.size = sizeof(metrics_options_t), .path = b.leaderless_path}, NULL);
    open_distributions(r);
    FAMILY(r, "bench.gauge_sum", .merge = METRICS_MERGE_SUM);
    b.counter = metrics_counter(r, "bench.counter");
    b.updown = metrics_updown(r, "bench.updown");
    b.meter = metrics_meter(r, "bench.meter");
    b.gauge = metrics_gauge(r, "bench.gauge");
    b.gauge_sum = metrics_gauge(r, "bench.gauge_sum");
    b.set = metrics_set(r, "bench.set");
    for (int i = 0; i < BENCH_SERIES; i++) {
        snprintf(name, sizeof name, "series.with.a.longer.name%05d", i);
        metrics_counter_inc(metrics_counter(r, name));
    }
    bench_events_open(path, r);
    b.shared = (uint64_t *)mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    metrics_error_t error;
    if (metrics_status(r, &error) || metrics_status(b.leaderless, &error)) {
        fprintf(stderr, "bench: %s\n", error.text);
        exit(1);
    }
    lead(path);
}

void bench_prepare(void)
{
    metrics_prepare(b.registry);
    metrics_prepare(b.leaderless);
}

void bench_close(void)
{
    if (b.leader > 0) {
        kill(b.leader, SIGTERM);
        waitpid(b.leader, NULL, 0);
    }
    unlink(b.leaderless_path);
}
