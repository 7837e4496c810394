/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Promise: the memory of a series is what docs/performance.md says, to the byte: 8 bytes per counter, updown
 * or meter and lane, and so on for each kind, whatever the number of CPUs; a name and its tags take a record
 * of 64 bytes and their length, rounded up; gauges take a group per eight of them and block of 64 processes.
 *
 * A kind's cells are what is left of the growth of a segment when that of the same names as facts, which have
 * no cells, is taken away. Places are handed out by the block; the numbers of series here fill whole blocks.
 */
#include "multi.h"

enum { WARM_UP = 16, ATOMIC_LANES = 4, BLOCK = 16384, LINE = 128, CELLS_OF_A_LINE = 16 };

struct kind {
    const char *what;
    void (*make)(metrics_registry_t *r, const char *number);
    metrics_family_t family;
    double per_lane, fixed; /* bytes per series */
};

static void make_info(metrics_registry_t *r, const char *number)
{
    metrics_info(r, "memory", "number", number);
}
static void make_counter(metrics_registry_t *r, const char *number)
{
    metrics_counter_inc(metrics_counter(r, "memory", "number", number));
}
static void make_updown(metrics_registry_t *r, const char *number)
{
    metrics_updown_dec(metrics_updown(r, "memory", "number", number));
}
static void make_meter(metrics_registry_t *r, const char *number)
{
    metrics_meter_mark(metrics_meter(r, "memory", "number", number), 1);
}
static void make_histogram(metrics_registry_t *r, const char *number)
{
    metrics_histogram_update(metrics_histogram(r, "memory", "number", number), 1);
}
static void make_timer(metrics_registry_t *r, const char *number)
{
    metrics_timer_update(metrics_timer(r, "memory", "number", number), 1);
}
static void make_set(metrics_registry_t *r, const char *number)
{
    metrics_set_add(metrics_set(r, "memory", "number", number), number, strlen(number));
}

static const double ten_bounds[] = {1, 2, 5, 10, 20, 50, 100, 200, 500, 1000};
static const double twelve_bounds[] = {1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000};
#define FAMILY(...)                                   \
    {                                                 \
        .size = sizeof(metrics_family_t), __VA_ARGS__ \
    }

/* As in the table "Memory" of docs/performance.md. */
static const struct kind kinds[] = {
    {"counter", make_counter, FAMILY(), 8, 0},
    {"updown", make_updown, FAMILY(), 8, 0},
    {"meter", make_meter, FAMILY(), 8, 128},
    {"histogram, 1028 samples", make_histogram, FAMILY(), 64, 16704},
    {"timer, 1028 samples", make_timer, FAMILY(), 64, 16832},
    {"histogram, 11 buckets", make_histogram,
     FAMILY(.reservoir = METRICS_BUCKETS, .bounds = ten_bounds, .bound_count = 10), 128, 0},
    {"timer, 13 buckets", make_timer,
     FAMILY(.reservoir = METRICS_BUCKETS, .bounds = twelve_bounds, .bound_count = 12), 256, 128},
    {"set", make_set, FAMILY(), 0, 12352},
};

static uint64_t bytes_used(void)
{
    metrics_segment_info_t i = {0};
    metrics_reader_t *r = metrics_reader_open(test_path, NULL, NULL);
    if (!r || metrics_reader_info(r, &i, NULL)) exit(1);
    metrics_reader_close(&r);
    return i.bytes_used;
}

static void make_from(metrics_registry_t *r, const struct kind *k, int from, int to)
{
    char number[16];
    for (int i = from; i < to; i++) {
        snprintf(number, sizeof number, "%04d", i);
        k->make(r, number);
    }
}

/* Bytes by which a segment with that many lanes grows from WARM_UP series of a kind to n more. */
static double growth(const struct kind *k, uint32_t lanes, int n)
{
    metrics_options_t o = {.size = sizeof o, .lanes = lanes, .segment_bytes = 256u << 20};
    metrics_registry_t *r = test_open(&o);
    metrics_describe(r, "memory", &k->family, NULL);
    make_from(r, k, 0, WARM_UP);
    uint64_t before = bytes_used();
    make_from(r, k, WARM_UP, WARM_UP + n);
    uint64_t after = bytes_used();
    if (metrics_status(r, NULL)) after = 0; /* something was refused */
    metrics_close(&r);
    return (double)after - (double)before;
}

static void try_lanes(uint32_t cpu_lanes)
{
    static const struct kind info = {.what = "info", .make = make_info, .family = FAMILY()};
    int lanes = (int)cpu_lanes + ATOMIC_LANES, lines = BLOCK / (LINE * lanes);
    int n = CELLS_OF_A_LINE * (lines ? lines : 1);
    double names = growth(&info, cpu_lanes, n);
    char what[96];
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        double per_series = (growth(&kinds[k], cpu_lanes, n) - names) / n;
        snprintf(what, sizeof what, "%u CPU lanes, %s, bytes per series", cpu_lanes, kinds[k].what);
        EXPECT_EQ(per_series, kinds[k].per_lane * lanes + kinds[k].fixed, what);
    }
    /* "S" memory 0 number 0 0000 0: 20 bytes, with the head of 64 rounded up to 128. A level of the index
     * is allocated when one of the lines of the level below is full. */
    double levels = names - 128.0 * n;
    EXPECT(levels == 0 || levels == 8.0 * 8192,
           "%u CPU lanes, name and tags: %.0f bytes for %d series, of which %.0f are the index's", cpu_lanes,
           names, n, levels);
}

/* --- Gauges: a group of 640 bytes per eight, and per group and block of 64 processes 8 KiB --- */

static metrics_gauge_t *gauges[16];
static int *ready, *go;

static void hold_gauges(void *arg)
{
    (void)arg;
    for (int i = 0; i < 16; i++) metrics_gauge_set(gauges[i], i);
    __atomic_fetch_add(ready, 1, __ATOMIC_RELEASE);
    while (!__atomic_load_n(go, __ATOMIC_ACQUIRE)) multi_sleep_ms(1);
}

/* Bytes of the segment while that many processes hold values of 16 gauges. */
static double gauge_bytes(int processes)
{
    pid_t pids[128];
    *ready = *go = 0;
    for (int i = 0; i < processes; i++) pids[i] = multi_fork(hold_gauges, NULL);
    while (__atomic_load_n(ready, __ATOMIC_ACQUIRE) < processes) multi_sleep_ms(1);
    double bytes = (double)bytes_used();
    *go = 1;
    for (int i = 0; i < processes; i++) waitpid(pids[i], NULL, 0);
    return bytes;
}

static void try_gauges(void)
{
    ready = multi_shared(2 * sizeof *ready);
    go = ready + 1;
    metrics_registry_t *r = test_open(NULL);
    double names = (double)bytes_used();
    char number[16];
    for (int i = 0; i < 16; i++) {
        snprintf(number, sizeof number, "%04d", i);
        gauges[i] = metrics_gauge(r, "memory", "number", number);
    }
    double defined = (double)bytes_used(), one = gauge_bytes(1), ten = gauge_bytes(10),
           many = gauge_bytes(100);
    /* The family's record is 64 + 64 + its settings; sixteen names are 128 bytes each. */
    EXPECT(defined - names - 16 * 128 - 2 * 640 <= 512 && defined - names >= 16 * 128 + 2 * 640,
           "sixteen gauges: %.0f bytes, of which 2 groups are %d", defined - names, 2 * 640);
    EXPECT_EQ(one - defined, 2 * 8192 + 64 * 64,
              "the first process: its block in two groups, and 64 slot records");
    EXPECT_EQ(ten - one, 0, "nine more");
    EXPECT_EQ(many - ten, 2 * 8192 + 64 * 64, "ninety more: a second block");
    EXPECT_EQ(gauge_bytes(100) - many, 0, "a hundred others later");
    metrics_close(&r);
}

int main(void)
{
    multi_begin(100);
    try_lanes(1);
    try_lanes((uint32_t)sysconf(_SC_NPROCESSORS_CONF));
    try_lanes(64);
    try_gauges();
    return multi_end();
}
