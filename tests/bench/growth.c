/* SPDX-License-Identifier: Apache-2.0 */
/*
 * growth.c - how memory, registration and snapshots grow: with series (10 to 100,000), with CPUs (lanes of a
 * segment that are more than this machine has), and with processes (1 to 256 that set gauges). Each
 * configuration in a fresh segment; the writer and the reader are fresh processes, so that their resident
 * memory is their own.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <mtx/metrics.h>
#include <mtx/snapshot.h>

#include "bench.h"

enum { SNAPSHOTS = 21, GAUGES = 100 };

/* What is measured in one configuration. */
struct figures {
    double bytes_used, bytes_resident; /* of the segment */
    double register_ns;                /* per series */
    double snapshot_ns;
    double writer_kb, reader_kb; /* resident, private to the process: without the segment's own pages */
};

struct config {
    const char *what; /* "counter", "timer", "gauge" */
    int series, lanes, processes;
};

static char path[64];
static struct figures *figures; /* shared with the children */

/* Resident memory of this process that is not the segment's (RssAnon), in KiB. */
static double anonymous_kb(void)
{
    char line[128];
    double kb = 0;
    FILE *f = fopen("/proc/self/status", "re");
    while (f && fgets(line, sizeof line, f))
        if (!strncmp(line, "RssAnon:", 8)) kb = atof(line + 8);
    if (f) fclose(f);
    return kb;
}

static metrics_registry_t *open_segment(const struct config *c)
{
    metrics_options_t options = {.size = sizeof options,
                                 .path = path,
                                 .segment_bytes = UINT64_C(4) << 30,
                                 .family_series = 1000000,
                                 .lanes = (uint32_t)c->lanes};
    metrics_error_t error;
    metrics_registry_t *r = metrics_open(&options, &error);
    if (!metrics_status(r, &error)) return r;
    fprintf(stderr, "bench: %s\n", error.text);
    exit(1);
}

static void make_series(metrics_registry_t *r, const struct config *c)
{
    char number[16];
    for (int i = 0; i < c->series; i++) {
        snprintf(number, sizeof number, "%06d", i);
        switch (c->what[0]) {
        case 'c': metrics_counter_inc(metrics_counter(r, "growth.counter", "series", number)); break;
        case 't': metrics_timer_update(metrics_timer(r, "growth.timer", "series", number), 1000); break;
        default: metrics_gauge_set(metrics_gauge(r, "growth.gauge", "series", number), 1);
        }
    }
}

static void write_series(const struct config *c)
{
    metrics_registry_t *r = open_segment(c);
    double kb = anonymous_kb(), took = -bench_ns();
    make_series(r, c);
    took += bench_ns();
    figures->register_ns = took / c->series;
    figures->writer_kb = anonymous_kb() - kb;
    metrics_error_t error;
    if (metrics_status(r, &error)) fprintf(stderr, "bench: %s\n", error.text);
}

static void read_series(void)
{
    double took[SNAPSHOTS], kb = anonymous_kb();
    metrics_error_t error;
    metrics_segment_info_t info;
    metrics_reader_t *reader = metrics_reader_open(path, NULL, &error);
    if (!reader || metrics_reader_info(reader, &info, &error)) exit(1);
    for (int i = 0; i < SNAPSHOTS; i++) {
        took[i] = -bench_ns();
        metrics_snapshot_t *s = metrics_snapshot_take(reader, &error);
        took[i] += bench_ns();
        if (i == SNAPSHOTS - 1) figures->reader_kb = anonymous_kb() - kb;
        metrics_snapshot_release(&s);
    }
    figures->bytes_used = (double)info.bytes_used;
    figures->bytes_resident = (double)info.bytes_resident;
    figures->snapshot_ns = bench_median(took, SNAPSHOTS);
}

static pid_t start(const struct config *c, int cpu, int stay)
{
    int fds[2];
    char byte;
    if (pipe(fds)) exit(1);
    pid_t pid = fork();
    if (pid == 0) {
        bench_pin(cpu);
        if (c)
            write_series(c);
        else
            read_series();
        if (write(fds[1], "", 1) != 1) _exit(1);
        if (stay) pause();
        _exit(0);
    }
    close(fds[1]);
    if (read(fds[0], &byte, 1) != 1) exit(1);
    close(fds[0]);
    return pid;
}

static void measure(const struct config *c)
{
    pid_t pids[1024];
    *figures = (struct figures){0};
    double register_ns = 0, writer_kb = 0;
    for (int i = 0; i < c->processes; i++) {
        pids[i] = start(c, 0, 1);
        if (i == 0) { /* the others find what the first one has made */
            register_ns = figures->register_ns;
            writer_kb = figures->writer_kb;
        }
    }
    waitpid(start(NULL, 1, 0), NULL, 0);
    figures->register_ns = register_ns;
    figures->writer_kb = writer_kb;
    for (int i = 0; i < c->processes; i++) kill(pids[i], SIGKILL);
    for (int i = 0; i < c->processes; i++) waitpid(pids[i], NULL, 0);
    unlink(path);
}

static void print(const struct config *c)
{
    const struct figures *f = figures;
    if (bench_json)
        printf(
            "{\"op\":\"growth\",\"kind\":\"%s\",\"series\":%d,\"lanes\":%d,\"procs\":%d,\"bytes_used\":%.0f,"
            "\"bytes_resident\":%.0f,\"register_ns\":%.1f,\"snapshot_ns\":%.0f,\"writer_kb\":%.0f,"
            "\"reader_kb\":%.0f}\n",
            c->what, c->series, c->lanes, c->processes, f->bytes_used, f->bytes_resident, f->register_ns,
            f->snapshot_ns, f->writer_kb, f->reader_kb);
    else
        printf("%-8s %7d %6d %6d %13.0f %10.1f %12.0f %12.3f %11.0f %11.0f\n", c->what, c->series, c->lanes,
               c->processes, f->bytes_used, f->bytes_used / c->series, f->register_ns, f->snapshot_ns / 1e6,
               f->writer_kb, f->reader_kb);
    fflush(stdout);
}

int main(int argc, char **argv)
{
    for (int o; (o = getopt(argc, argv, "j")) != -1;) {
        if (o == 'j') bench_json = true;
        if (o == '?') return 2;
    }
    int lanes = (int)sysconf(_SC_NPROCESSORS_CONF);
    const struct config configs[] = {
        {"counter", 10, lanes, 1},    {"counter", 100, lanes, 1},    {"counter", 1000, lanes, 1},
        {"counter", 10000, lanes, 1}, {"counter", 100000, lanes, 1}, {"timer", 10, lanes, 1},
        {"timer", 100, lanes, 1},     {"timer", 1000, lanes, 1},     {"timer", 10000, lanes, 1},
        {"counter", 10000, 1, 1},     {"counter", 10000, 4, 1},      {"counter", 10000, 16, 1},
        {"counter", 10000, 64, 1},    {"timer", 1000, 1, 1},         {"timer", 1000, 4, 1},
        {"timer", 1000, 16, 1},       {"timer", 1000, 64, 1},        {"gauge", GAUGES, lanes, 1},
        {"gauge", GAUGES, lanes, 16}, {"gauge", GAUGES, lanes, 256}};
    snprintf(path, sizeof path, "/dev/shm/mtx-bench-%d.seg", (int)getpid());
    figures = (struct figures *)mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (!bench_json)
        printf("%-8s %7s %6s %6s %13s %10s %12s %12s %11s %11s\n", "kind", "series", "lanes", "procs",
               "segment bytes", "per series", "register ns", "snapshot ms", "writer KiB", "reader KiB");
    for (size_t i = 0; i < sizeof configs / sizeof *configs; i++) {
        measure(&configs[i]);
        print(&configs[i]);
    }
    return 0;
}
