/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Promise: what 128 CPUs cost a process. A segment is made with 128 lanes and 100 timers with buckets; a
 * process that attaches and takes all their handles pays for their pages once, and its page tables grow by 8
 * bytes for each page of 4 KiB; an update then causes no fault; a process that takes one handle pays for one.
 * Bounds are on bytes and faults, which repeat exactly; times are printed only.
 */
#include "multi.h"

#include <sched.h>
#include <sys/resource.h>

/* A read maps so many KiB about it that are there already. */
enum { AROUND = 64 };
enum { LANES = 128, ATOMIC_LANES = 4, TIMERS = 100, UPDATES = 100000, KIB = 1024 };

static const double bounds[] = {0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01,
                                0.02,   0.05,   0.1,    0.2,   0.5,   1};
enum { BOUNDS = sizeof bounds / sizeof *bounds };

struct cost {
    double tables, shared, own; /* KiB: page tables, resident shared and private memory */
    long faults;
    double ms; /* how long it took */
};

/* KiB of that field of /proc/self/status. */
static double field(const char *name)
{
    char line[256];
    double kib = 0;
    FILE *f = fopen("/proc/self/status", "re");
    while (f && fgets(line, sizeof line, f))
        if (!strncmp(line, name, strlen(name))) kib = strtod(line + strlen(name), NULL);
    if (f) fclose(f);
    return kib;
}

/* KiB of the segment that this process has mapped, and of
 * memory that is its own. The sums in status are not exact. */
static void resident(double *shared, double *own)
{
    char line[512];
    bool segment = false;
    FILE *f = fopen("/proc/self/smaps", "re");
    *shared = *own = 0;
    while (f && fgets(line, sizeof line, f)) {
        if (strchr(line, '-') && strchr(line, '/'))
            segment = strstr(line, test_path) != NULL;
        else if (strchr(line, '-') && !strchr(line, ':'))
            segment = false;
        if (segment && !strncmp(line, "Rss:", 4)) *shared += strtod(line + 4, NULL);
        if (!strncmp(line, "Anonymous:", 10)) *own += strtod(line + 10, NULL);
    }
    if (f) fclose(f);
}

static double now_ms(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec * 1e3 + (double)ts.tv_nsec / 1e6;
}

static struct cost cost(void)
{
    struct rusage u;
    struct cost c = {.tables = field("VmPTE:")};
    resident(&c.shared, &c.own);
    getrusage(RUSAGE_SELF, &u);
    c.faults = u.ru_minflt + u.ru_majflt;
    c.ms = now_ms();
    return c;
}

static struct cost since(struct cost then)
{
    double ms = now_ms(); /* looking takes a while */
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    struct cost now = cost();
    now.ms = ms;
    now.faults = u.ru_minflt + u.ru_majflt;
    return (struct cost){now.tables - then.tables, now.shared - then.shared, now.own - then.own,
                         now.faults - then.faults, now.ms - then.ms};
}

static void print(const char *what, struct cost c)
{
    printf("     %s: page tables %.0f KiB, shared %.0f KiB, private %.0f KiB, %ld faults, %.2f ms\n", what,
           c.tables, c.shared, c.own, c.faults, c.ms);
}

static metrics_registry_t *attach(void)
{
    return metrics_open(&(metrics_options_t){.size = sizeof(metrics_options_t),
                                             .path = test_path,
                                             .segment_bytes = UINT64_C(256) << 20,
                                             .lanes = LANES},
                        NULL);
}

static metrics_timer_t *timer(metrics_registry_t *r, int i)
{
    char tag[16];
    snprintf(tag, sizeof tag, "%d", i);
    return metrics_timer(r, "timer", "n", tag);
}

struct kind {
    const char *name;
    metrics_family_t family;
    double kib; /* of cells that one timer has in all lanes, as docs/format.md has it */
};

static metrics_timer_t *timers[TIMERS];

/* On every CPU there is, so that every lane that can be written is. */
static void update_all(void)
{
    cpu_set_t all, one;
    sched_getaffinity(0, sizeof all, &all);
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        if (!CPU_ISSET(cpu, &all)) continue;
        CPU_ZERO(&one);
        CPU_SET(cpu, &one);
        sched_setaffinity(0, sizeof one, &one);
        for (int i = 0; i < UPDATES; i++)
            metrics_timer_update(timers[i % TIMERS], (uint64_t)i * 10000 % 2000000000);
    }
    sched_setaffinity(0, sizeof all, &all);
}

/* A process that comes when all is made. */
static void one_process(void *arg)
{
    const struct kind *k = arg;
    const double cells = k->kib * TIMERS;
    multi_passed = multi_failed = 0;
    cost(); /* what it does for the first time in a process is not the library's */
    struct cost start = cost(), c;
    metrics_registry_t *r = attach();
    c = since(start);
    print("attach", c);
    EXPECT(c.shared <= 64 && c.tables <= 24 && c.own <= 128, "%s: attaching takes next to nothing", k->name);
    start = cost();
    timers[0] = timer(r, 0);
    c = since(start);
    print("one timer", c);
    EXPECT(c.shared <= k->kib + 5 * AROUND && c.tables <= k->kib / 512 + 16 && c.faults <= k->kib / 4 + 64,
           "%s: one timer costs one timer", k->name);
    start = cost();
    for (int i = 0; i < TIMERS; i++) timers[i] = timer(r, i);
    c = since(start);
    print("100 timers", c);
    /* Page tables: one of 4 KiB for each 2 MiB. */
    EXPECT(c.tables <= cells / 512 + 24, "%s: page tables grow with the pages alone", k->name);
    EXPECT(c.shared <= cells * 1.1 + 256 && c.shared >= cells * 0.95,
           "%s: %.0f KiB of the segment are there before the first update, for %.0f KiB of cells", k->name,
           c.shared, cells);
    EXPECT(c.own <= 192, "%s: %.0f KiB of its own, handles and their table", k->name, c.own);
    EXPECT((double)c.faults <= (cells * 1.1 + 256) / 4 + c.own / 4 + 16, "%s: %ld faults, one for each page",
           k->name, c.faults);
    /* The first call of anything reads the program's own pages: that is another timer's. */
    for (int i = 0; i < UPDATES; i++) metrics_timer_update(timer(r, TIMERS), (uint64_t)i * 10000);
    start = cost();
    update_all();
    c = since(start);
    print("updates on every CPU", c);
    EXPECT(c.faults <= TIMERS / 4,
           "%s: no update faults for its timer's pages (%ld faults, of the program's own)", k->name,
           c.faults);
    _exit(multi_failed ? 1 : 0);
}

static void read_it(const char *name)
{
    metrics_reader_t *reader = metrics_reader_open(test_path, NULL, NULL);
    struct cost start = cost();
    metrics_snapshot_t *s = metrics_snapshot_take(reader, NULL);
    struct cost first = since(start);
    metrics_snapshot_release(&s);
    double best = 1e9, count = 0;
    for (int i = 0; i < 10; i++) {
        double from = now_ms();
        s = metrics_snapshot_take(reader, NULL);
        double took = now_ms() - from;
        if (took < best) best = took;
        if (i < 9) metrics_snapshot_release(&s);
    }
    for (int i = 0; i < TIMERS; i++) {
        char tag[16];
        snprintf(tag, sizeof tag, "%d", i);
        count += test_number(test_find(s, "timer", tag), NULL, NULL, "count");
    }
    print("first snapshot", first);
    printf("     snapshot of %d lanes: %.2f ms, %.2f us for each timer\n", LANES + ATOMIC_LANES, best,
           best * 1000 / TIMERS);
    cpu_set_t all;
    sched_getaffinity(0, sizeof all, &all);
    EXPECT_EQ(count, (double)CPU_COUNT(&all) * UPDATES, name);
    metrics_snapshot_release(&s);
    metrics_reader_close(&reader);
}

static void try_kind(const struct kind *k)
{
    int status;
    metrics_registry_t *r = test_open(&(metrics_options_t){
        .size = sizeof(metrics_options_t), .segment_bytes = UINT64_C(256) << 20, .lanes = LANES});
    metrics_describe(r, "timer", &k->family, NULL);
    metrics_reader_t *reader = metrics_reader_open(test_path, NULL, NULL);
    metrics_segment_info_t before, after;
    metrics_reader_info(reader, &before, NULL);
    for (int i = 0; i < TIMERS; i++) timer(r, i);
    metrics_reader_info(reader, &after, NULL);
    metrics_reader_close(&reader);
    double kib = (double)(after.bytes_used - before.bytes_used) / KIB;
    printf("%s: %d lanes, %d timers, %.0f KiB of the segment, %.2f KiB each, %.1f bytes each and lane\n",
           k->name, LANES + ATOMIC_LANES, TIMERS, kib, kib / TIMERS,
           kib * KIB / TIMERS / (LANES + ATOMIC_LANES));
    EXPECT_EQ(after.cpu_lanes, LANES, "lanes");
    EXPECT(kib <= (k->kib + 1) * (TIMERS + 1), "%s: no more than its cells and a record (%.2f KiB each)",
           k->name, k->kib + 1);
    waitpid(multi_fork(one_process, (void *)k), &status, 0);
    EXPECT(status == 0, "%s: all of it in a process that came later", k->name);
    read_it("updates that it counted");
    metrics_close(&r);
    unlink(test_path);
}

/* Cells in all lanes: each lane's are rounded up to 128 bytes. */
static double cells_kib(int cells)
{
    return (double)((cells * 8 + 127) / 128 * 128) * (LANES + ATOMIC_LANES) / KIB;
}

int main(void)
{
    multi_begin(100);
    /* Besides buckets: the sum in four parts and what was
     * ignored; 1 us to 1000 s is 30 powers of 2, 8 buckets each. */
    struct kind kinds[] = {
        {"13 bounds",
         {.size = sizeof(metrics_family_t),
          .reservoir = METRICS_BUCKETS,
          .bounds = bounds,
          .bound_count = BOUNDS},
         cells_kib(BOUNDS + 1 + 5)},
        {"exponential buckets",
         {.size = sizeof(metrics_family_t), .reservoir = METRICS_BUCKETS_EXPONENTIAL, .scale = 3},
         cells_kib(30 * 8 + 5 + 5)},
    };
    for (int i = 0; i < 2; i++) try_kind(&kinds[i]);
    return multi_end();
}
