/* SPDX-License-Identifier: Apache-2.0 */
/* reading.c - what a snapshot costs, and whether it stays as quick while processes come and go. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <mtx/metrics.h>
#include <mtx/snapshot.h>

#include "bench.h"

static metrics_reader_t *open_reader(const char *path)
{
    metrics_error_t error;
    metrics_reader_t *reader = metrics_reader_open(path, NULL, &error);
    if (reader) return reader;
    fprintf(stderr, "bench: %s\n", error.text);
    exit(1);
}

static void take(metrics_reader_t *reader, struct bench_sample *sample)
{
    metrics_error_t error;
    bench_yardsticks_t y;
    double took;
    long before;
    int tries = 0;
    do {
        before = bench_preemptions();
        y = bench_yardsticks();
        took = -bench_ns();
        metrics_snapshot_t *s = metrics_snapshot_take(reader, &error);
        took += bench_ns();
        metrics_snapshot_release(&s);
    } while (bench_preemptions() != before && ++tries < BENCH_TRIES);
    bench_sample_add(sample, took, y);
}

/* Snapshots of many counters: whole, per series, and per series and lane. */
void bench_snapshot(const char *path, int rounds)
{
    static struct bench_sample sample;
    char counters[80];
    snprintf(counters, sizeof counters, "%s.counters", path);
    metrics_options_t options = {.size = sizeof options, .path = counters};
    metrics_registry_t *r = metrics_open(&options, NULL);
    for (int i = 0; i < BENCH_SERIES; i++) {
        char name[32];
        snprintf(name, sizeof name, "series.%05d", i);
        metrics_counter_inc(metrics_counter(r, name));
    }
    metrics_reader_t *reader = open_reader(counters);
    metrics_segment_info_t info;
    if (metrics_reader_info(reader, &info, NULL)) exit(1);
    for (int i = 0; i < rounds; i++) take(reader, &sample);
    double lanes = info.cpu_lanes + info.atomic_lanes;
    bench_sample_print(&sample, "snapshot_10000", 1, 1);
    bench_sample_print(&sample, "snapshot_series", 1, BENCH_SERIES);
    bench_sample_print(&sample, "snapshot_cell", 1, BENCH_SERIES * lanes);
    metrics_reader_close(&reader);
    metrics_close(&r);
    unlink(counters);
}

/* One life: it counts, sets a gauge, and is killed. */
static void live_and_die(metrics_counter_t *counter, metrics_gauge_t *gauge)
{
    pid_t pid = fork();
    if (pid == 0) {
        metrics_counter_inc(counter);
        metrics_gauge_set(gauge, 1);
        raise(SIGKILL);
    }
    if (pid > 0) waitpid(pid, NULL, 0);
}

/* The time of a snapshot after 2,000 killed processes, and its ratio to that after 100. */
void bench_churn(const char *path, int rounds)
{
    static struct bench_sample sample[2];
    metrics_registry_t *r = metrics_default();
    metrics_counter_t *counter = metrics_counter(r, "bench.counter");
    metrics_gauge_t *gauge = metrics_gauge(r, "bench.gauge");
    metrics_reader_t *reader = open_reader(path);
    for (int phase = 0; phase < 2; phase++) {
        for (int i = 0; i < (phase ? 1900 : 100); i++) live_and_die(counter, gauge);
        for (int i = 0; i < rounds; i++) take(reader, &sample[phase]);
    }
    metrics_reader_close(&reader);
    double before = bench_median(sample[0].ns, sample[0].n), after = bench_median(sample[1].ns, sample[1].n);
    if (bench_json)
        printf("{\"op\":\"snapshot_after_churn\",\"procs\":2000,\"ns\":%.0f,\"ratio\":%.3f}\n", after,
               after / before);
    else
        printf("snapshot after 2000 killed processes: %.0f ns, %.2f times that after 100\n", after,
               after / before);
}
