/* SPDX-License-Identifier: Apache-2.0 */
/*
 * awkward.c - records one of everything, under names, tags, help texts and values that are hard to print,
 * says "ready", and keeps a steady 100 per second of `steady` until its standard input ends. (If it was kept from running, it catches up.)
 */
#include <mtx/metrics.h>

#include <poll.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

static void describe(metrics_registry_t *r, const char *name, metrics_family_t family)
{
    metrics_error_t error = {0};
    family.size = sizeof family;
    if (metrics_describe(r, name, &family, &error)) fprintf(stderr, "%s: %s\n", name, error.text);
}

static void families(metrics_registry_t *r)
{
    static const double bounds[] = {-5, 0, 0.005, 1, 2.5, 1000000};
    describe(r, "help", (metrics_family_t){.help = "Quotes \" and \\ and a tab\t."});
    describe(r, "buckets",
             (metrics_family_t){
                 .unit = "bytes", .reservoir = METRICS_BUCKETS, .bounds = bounds + 2, .bound_count = 4});
    describe(r, "signed",
             (metrics_family_t){.reservoir = METRICS_BUCKETS, .bounds = bounds, .bound_count = 6});
    describe(r, "exponential",
             (metrics_family_t){.unit = "seconds", .reservoir = METRICS_BUCKETS_EXPONENTIAL, .scale = 4});
    describe(r, "workers", (metrics_family_t){.merge = METRICS_MERGE_ALL});
    describe(r, "age", (metrics_family_t){.unit = "milliseconds"});
    describe(r, "load.percent", (metrics_family_t){.unit = "percent"});
}

static void names(metrics_registry_t *r)
{
    metrics_counter_inc(metrics_counter(r, "9 lives/of \xc3\xa4 cat"));
    metrics_counter_inc(metrics_counter(r, "a.b"));
    metrics_counter_inc(metrics_counter(r, "a-b"));
    metrics_gauge_set(metrics_gauge(r, "a_b"), 1);
    metrics_counter_inc(metrics_counter(r, "total"));
    metrics_counter_inc(metrics_counter(r, "already_total"));
    metrics_counter_inc(metrics_counter(r, "already"));
    metrics_gauge_set(metrics_gauge(r, "wait.seconds.count"), 5);
    metrics_gauge_set(metrics_gauge(r, "__name__"), 1);
    metrics_gauge_set(metrics_gauge(r, "x_created"), 1);
    metrics_counter_inc(metrics_counter(r, "x"));
    metrics_counter_inc(metrics_counter(r, "help"));
}

static void tags(metrics_registry_t *r)
{
    metrics_counter_inc(
        metrics_counter(r, "tags", "quote", "a\"b", "back", "c\\d", "line", "e\nf", "utf", "\xe2\x82\xac"));
    metrics_counter_inc(metrics_counter(r, "tags", "empty", ""));
    metrics_counter_inc(metrics_counter(r, "tags"));
    metrics_counter_inc(
        metrics_counter(r, "tags", "le", "1", "quantile", "2", "__name__", "n", "mtx_name", "m"));
    metrics_counter_inc(metrics_counter(r, "tags", "a.b", "1", "a-b", "2", "a b", "3"));
    metrics_counter_inc(metrics_counter(r, "tags", "9", "\r\ttab and return"));
}

static void values(metrics_registry_t *r)
{
    metrics_timer_update(metrics_timer(r, "wait"), 1500000);
    metrics_timer(r, "idle");
    metrics_histogram_update(metrics_histogram(r, "plain"), -7.25);
    for (int i = -10; i < 1000; i++) {
        metrics_histogram_update(metrics_histogram(r, "buckets"), i < 0 ? 0 : i);
        metrics_histogram_update(metrics_histogram(r, "signed"), i);
        metrics_histogram_update(metrics_histogram(r, "exponential"), i * 0.01);
    }
    metrics_gauge_set(metrics_gauge(r, "workers", "worker", "mine"), 3);
    metrics_gauge_set(metrics_gauge(r, "age"), 1.5e300);
    metrics_gauge_set(metrics_gauge(r, "load.percent"), 12.5);
    metrics_gauge_set(metrics_gauge(r, "infinite"), 1e308 * 10);
    metrics_gauge_set(metrics_gauge(r, "tiny"), -5e-324);
    metrics_counter_add(metrics_counter(r, "huge"), UINT64_MAX);
    metrics_updown_add(metrics_updown(r, "down"), -5);
    metrics_meter_mark(metrics_meter(r, "marks"), 3);
    metrics_set_add(metrics_set(r, "distinct"), "abc", 3);
    metrics_info(r, "build", "version", "1.0 \"final\"");
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

int main(void)
{
    metrics_error_t error;
    metrics_registry_t *r = metrics_default();
    if (metrics_status(r, &error) < 0) {
        fprintf(stderr, "%s\n", error.text);
        return 1;
    }
    families(r);
    names(r);
    tags(r);
    values(r);
    puts("ready");
    fflush(stdout);
    metrics_counter_t *steady = metrics_counter(r, "steady");
    struct pollfd in = {.fd = STDIN_FILENO, .events = POLLIN};
    double begin = now();
    for (uint64_t n = 0, want; poll(&in, 1, 10) == 0; n = want) {
        want = (uint64_t)((now() - begin) * 100);
        metrics_counter_add(steady, want - n);
    }
    return 0;
}
