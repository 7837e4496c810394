/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pcp_mmv.c - Performance Co-Pilot's memory mapped values: a file that a daemon maps. One process, one thread
 * writes it: increments are plain, so with two writers some are lost; how many is reported.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <pcp/pmapi.h>
#include <pcp/mmv_stats.h>

#include "peers.h"

static char directory[64], file[80];
static void *map;
static pmAtomValue *counter, *gauge;

static int open_file(void)
{
    snprintf(directory, sizeof directory, "/dev/shm/mtx-bench-pcp-%d", (int)getpid());
    snprintf(file, sizeof file, "%s/mmv", directory);
    if (mkdir(directory, 0700) || mkdir(file, 0700)) return -1;
    snprintf(file, sizeof file, "%s/mmv/bench", directory);
    setenv("PCP_TMP_DIR", directory, 1);
    mmv_registry_t *r = mmv_stats_registry("bench", 321, MMV_FLAG_PROCESS);
    pmUnits count = MMV_UNITS(0, 0, 1, 0, 0, PM_COUNT_ONE);
    mmv_stats_add_indom(r, 1, "requests", "requests");
    for (int i = 0; i <= PEER_SERIES; i++) {
        static char names[PEER_SERIES + 1][MMV_NAMEMAX];
        snprintf(names[i], sizeof names[i], "route=/cart/%05d,status=200", i);
        mmv_stats_add_instance(r, 1, i, names[i]);
    }
    mmv_stats_add_metric(r, "counter", 1, MMV_TYPE_U64, MMV_SEM_COUNTER, count, MMV_INDOM_NULL, "c", "c");
    mmv_stats_add_metric(r, "gauge", 2, MMV_TYPE_DOUBLE, MMV_SEM_INSTANT, count, MMV_INDOM_NULL, "g", "g");
    mmv_stats_add_metric(r, "requests", 3, MMV_TYPE_U64, MMV_SEM_COUNTER, count, 1, "r", "r");
    map = mmv_stats_start(r); /* the registry must outlive it */
    if (!map) {
        peer_pcp_mmv.missing = "mmv_stats_start() failed";
        return -1;
    }
    counter = mmv_lookup_value_desc(map, "counter", "");
    gauge = mmv_lookup_value_desc(map, "gauge", "");
    return counter && gauge ? 0 : -1;
}

static void inc(uint64_t n)
{
    BENCH_LOOP(mmv_inc(map, counter))
}
static void inc_value(uint64_t n)
{
    BENCH_LOOP(mmv_inc_value(map, counter, 1))
}
static void set_value(uint64_t n)
{
    BENCH_LOOP(mmv_set_value(map, gauge, (double)i))
}
/* The last of 10,000 instances and the first. */
static void find_last(uint64_t n)
{
    BENCH_LOOP(mmv_lookup_value_desc(map, "requests", "route=/cart/09999,status=200"))
}
static void find_first(uint64_t n)
{
    BENCH_LOOP(mmv_lookup_value_desc(map, "requests", "route=/cart/00000,status=200"))
}

/* Two processes, ten million increments each: the share that is missing in the end. */
static void report_lost(int rounds)
{
    enum { EACH = 10000000 };
    (void)rounds;
    uint64_t before = counter->ull;
    pid_t pid = fork();
    bench_pin(pid == 0);
    inc(EACH);
    if (pid == 0) _exit(0);
    waitpid(pid, NULL, 0);
    double lost = 1 - (double)(counter->ull - before) / (2.0 * EACH);
    if (bench_json)
        printf("{\"op\":\"pcp_mmv.lost\",\"procs\":2,\"ratio\":%.3f}\n", lost);
    else
        printf("PCP MMV: of 20 million increments by two processes %.1f %% are lost\n", 100 * lost);
}

static void remove_file(void)
{
    char inner[80];
    mmv_stats_stop("bench", map);
    unlink(file);
    snprintf(inner, sizeof inner, "%s/mmv", directory);
    rmdir(inner);
    rmdir(directory);
}

static const struct bench_op ops[] = {
    {.name = "pcp_mmv.counter_inc", .run = inc, .two = BENCH_PROCESS},
    {.name = "pcp_mmv.counter_inc_value", .run = inc_value, .two = BENCH_PROCESS},
    {.name = "pcp_mmv.gauge_set", .run = set_value, .two = BENCH_PROCESS},
    {.name = "pcp_mmv.find_first", .run = find_first, .two = BENCH_PROCESS},
    {.name = "pcp_mmv.find", .run = find_last, .two = BENCH_PROCESS},
};
struct peer peer_pcp_mmv = {.name = "PCP MMV",
                            .open = open_file,
                            .ops = ops,
                            .count = sizeof ops / sizeof *ops,
                            .report = report_lost,
                            .close = remove_file};
