/* SPDX-License-Identifier: Apache-2.0 */
/*
 * zoo.c - a segment with series of every kind and setting, for readers that were written by others.
 *     zoo FIRST PROCESSES [FILL [LANES]]
 * Processes FIRST, FIRST + 1 ... record in turn; the last one is killed at once. Then it says "ready", keeps the
 * others, whose gauges live, until its standard input ends, and changes nothing meanwhile. Process 0 also adds FILL
 * counters. LANES: how many CPU lanes a new segment has.
 */
#include <mtx/metrics.h>

#include <math.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PROCESSES_MOST = 64, EVENTS = 700 };

static const char *const samples[] = {"decaying", "uniform", "sliding", "sliding_time"};
static const char *const merges[] = {"last", "sum", "min", "max", "avg", "all"};

static void describe(metrics_registry_t *r, const char *group, const char *name, metrics_family_t family)
{
    char full[64];
    metrics_error_t error = {0};
    family.size = sizeof family;
    snprintf(full, sizeof full, "%s.%s", group, name);
    if (metrics_describe(r, full, &family, &error)) fprintf(stderr, "%s: %s\n", full, error.text);
}

static void families(metrics_registry_t *r)
{
    static const double bounds[] = {-5, 0, 0.005, 1, 2.5, 1000000};
    for (int i = 0; i < 4; i++) {
        enum metrics_reservoir how = (enum metrics_reservoir)i;
        describe(r, samples[i], "small", (metrics_family_t){.reservoir = how, .samples = 100});
        describe(r, samples[i], "roomy", (metrics_family_t){.reservoir = how, .samples = 20000});
        describe(r, samples[i], "timer", (metrics_family_t){.reservoir = how, .alpha = 0.5, .window_s = 7});
    }
    for (int i = 0; i < 6; i++)
        describe(r, "gauge", merges[i], (metrics_family_t){.merge = (enum metrics_merge)i});
    describe(r, "gauge", "persistent", (metrics_family_t){.persistent = 1});
    describe(r, "buckets", "signed",
             (metrics_family_t){.reservoir = METRICS_BUCKETS, .bounds = bounds, .bound_count = 6});
    describe(r, "buckets", "timer",
             (metrics_family_t){
                 .reservoir = METRICS_BUCKETS, .bounds = bounds + 2, .bound_count = 3, .unit = "x"});
    for (int scale = 0; scale <= 5; scale++) {
        char name[16];
        metrics_family_t family = {.reservoir = METRICS_BUCKETS_EXPONENTIAL, .scale = scale};
        snprintf(name, sizeof name, "scale%d", scale);
        describe(r, "exponential", name, family);
    }
    describe(r, "exponential", "narrow",
             (metrics_family_t){
                 .reservoir = METRICS_BUCKETS_EXPONENTIAL, .scale = 3, .low = 0.75, .high = 64, .unit = "y"});
    describe(r, "exponential", "timer",
             (metrics_family_t){.reservoir = METRICS_BUCKETS_EXPONENTIAL, .scale = 4});
    describe(r, "limited", "family", (metrics_family_t){.series_limit = 2});
}

/*
 * Like a latency: most are small, some are not, and each process is slower than the one before, so that the weights of
 * samples show. No two are equal: the order of equal ones is not defined.
 */
static double value_of(unsigned n)
{
    double part = (n * 2654435761u + 1.0) / 4294967296.0;
    return part * part * 500 * (1 + n / EVENTS);
}

static void update(metrics_registry_t *r, const char *group, const char *name, double x)
{
    char full[64];
    snprintf(full, sizeof full, "%s.%s", group, name);
    metrics_histogram_update(metrics_histogram(r, full, "zone", "b", "area", "a"), x);
}

static void update_timer(metrics_registry_t *r, const char *group, double x)
{
    char full[64];
    snprintf(full, sizeof full, "%s.timer", group);
    metrics_timer_update(metrics_timer(r, full), (uint64_t)(x * 1e6));
}

static void distributions(metrics_registry_t *r, unsigned n)
{
    double x = value_of(n);
    for (int i = 0; i < 4; i++) {
        update(r, samples[i], "small", x);
        update(r, samples[i], "roomy", x);
        update_timer(r, samples[i], x);
    }
    update(r, "buckets", "signed", x * 2 - 10);
    update_timer(r, "buckets", x);
    for (int scale = 0; scale <= 5; scale++) {
        char name[16];
        snprintf(name, sizeof name, "scale%d", scale);
        update(r, "exponential", name, n % 50 == 0 ? -x : x);
    }
    update(r, "exponential", "narrow", x);
    update_timer(r, "exponential", x);
}

static void totals(metrics_registry_t *r, unsigned n)
{
    char text[16];
    snprintf(text, sizeof text, "%u", n % 40);
    metrics_counter_add(metrics_counter(r, "counter.big"), UINT64_C(10000000000000000) + n);
    metrics_counter_inc(metrics_counter(r, "counter.tagged", "n", text, "empty", ""));
    metrics_counter_inc(metrics_counter(r, "limited.family", "n", text));
    metrics_updown_add(metrics_updown(r, "updown.down"), n % 2 ? 3 : -7);
    metrics_meter_mark(metrics_meter(r, "meter.marks"), n % 5);
    metrics_set_add(metrics_set(r, "set.few"), text, 2);
}

static double asked(void *arg)
{
    (void)arg;
    return 12.75;
}

static void gauges(metrics_registry_t *r, int process)
{
    char full[64];
    for (int i = 0; i < 6; i++) {
        snprintf(full, sizeof full, "gauge.%s", merges[i]);
        metrics_gauge_set(metrics_gauge(r, full), process * 1.25 - 1);
    }
    metrics_gauge_set(metrics_gauge(r, "gauge.persistent"), process);
    if (process == 0) metrics_gauge_set(metrics_gauge(r, "gauge.absent"), NAN);
    if (process == 1) metrics_gauge_set(metrics_gauge(r, "gauge.last"), 77.5);
    metrics_gauge_callback(metrics_gauge(r, "gauge.callback"), asked, NULL);
    metrics_poll(r);
}

/* What only the first process does. */
static void odds(metrics_registry_t *r, int fill)
{
    char text[16];
    metrics_counter_inc(
        metrics_counter(r, "9 lives/of \xc3\xa4 cat", "tag \"q\"", "line\nbreak \xe2\x82\xac"));
    metrics_counter(r, "counter.idle");
    metrics_timer(r, "timer.idle");
    metrics_histogram_update(metrics_histogram(r, "histogram.one"), -7.25);
    for (int i = 0; i < 3; i++) metrics_histogram_update(metrics_histogram(r, "histogram.three"), i * i);
    metrics_histogram_update(metrics_histogram(r, "histogram.three"), NAN);
    metrics_info_v(r, (const char *const[]){"info.build", "version", "1.0", "commit", "abc"}, 5);
    metrics_counter_inc(metrics_counter(r, "counter.retired"));
    metrics_retire(r, (const char *const[]){"counter.retired"}, 1);
    for (int i = 0; i < 9000; i++) metrics_set_add(metrics_set(r, "set.many"), &i, sizeof i);
    for (int i = 0; i < fill; i++) {
        snprintf(text, sizeof text, "%d", i);
        metrics_counter_add(metrics_counter(r, "counter.fill", "n", text), (uint64_t)i);
    }
}

/* One of the processes: says so when it has recorded, and lives on. */
static void work(int process, int fill)
{
    metrics_registry_t *r = metrics_default();
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (unsigned n = 0; n < EVENTS; n++) {
        distributions(r, n + EVENTS * (unsigned)process);
        totals(r, n + EVENTS * (unsigned)process);
    }
    gauges(r, process);
    if (process == 0) odds(r, fill);
    while (write(STDOUT_FILENO, "x", 1) == 1) pause();
}

static void end(pid_t pid)
{
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

static int argument(int argc, char **argv, int i)
{
    return argc > i ? atoi(argv[i]) : 0;
}

/* With that many CPU lanes, if it is new. */
static int make_segment(int lanes)
{
    metrics_error_t error = {0};
    metrics_options_t options = {.size = sizeof options, .lanes = (uint32_t)lanes};
    metrics_registry_t *r = metrics_open(&options, &error);
    bool failed = metrics_status(r, &error) < 0 || metrics_status(metrics_default(), &error) < 0;
    if (failed) fprintf(stderr, "%s\n", error.text);
    metrics_close(&r);
    return failed;
}

/* A process of its own, not a forked copy. Returns when it has recorded; -1 if it cannot. */
static pid_t start(int process, char *fill)
{
    int said[2];
    char number[16], byte, *argv[] = {"zoo", "process", number, fill, NULL};
    snprintf(number, sizeof number, "%d", process);
    if (pipe(said)) return -1;
    pid_t pid = fork();
    if (pid == 0) {
        dup2(said[1], STDOUT_FILENO);
        close(said[0]);
        close(said[1]);
        execv("/proc/self/exe", argv);
        _exit(1);
    }
    close(said[1]);
    bool good = pid > 0 && read(said[0], &byte, 1) == 1;
    close(said[0]);
    return good ? pid : -1;
}

int main(int argc, char **argv)
{
    enum { BETWEEN_US = 150000 }; /* more than a tick: so that decay matters */
    if (argc == 4 && !strcmp(argv[1], "process")) work(atoi(argv[2]), atoi(argv[3]));
    int first = argument(argc, argv, 1), processes = argument(argc, argv, 2);
    pid_t pids[PROCESSES_MOST];
    char byte;
    if (processes < 1 || processes > PROCESSES_MOST) return 2;
    if (make_segment(argument(argc, argv, 4))) return 1;
    families(metrics_default());
    for (int i = 0; i < processes; i++) {
        if (i) usleep(BETWEEN_US);
        pids[i] = start(first + i, argc > 3 ? argv[3] : "0");
        if (pids[i] < 0) return 1;
    }
    end(pids[--processes]);
    puts("ready");
    fflush(stdout);
    while (read(STDIN_FILENO, &byte, 1) > 0) {
    }
    while (processes) end(pids[--processes]);
    return 0;
}
