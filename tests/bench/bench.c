/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench.c - what an operation costs, as a ratio to yardsticks measured in the same run (bench.h). Nothing
 * here asserts anything.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "bench.h"

static void print_ops(void)
{
    bench_print_head();
    for (int i = 0; i < bench_op_count; i++)
        for (int procs = 1; procs <= 2; procs++)
            bench_sample_print(&bench_ops[i].sample[procs], bench_ops[i].name, procs, 1);
}

int main(int argc, char **argv)
{
    int rounds = 41;
    const char *exporter = NULL;
    for (int o; (o = getopt(argc, argv, "jr:e:a:")) != -1;) {
        if (o == 'j') bench_json = true;
        if (o == 'r') rounds = atoi(optarg);
        if (o == 'e') exporter = optarg;
        if (o == 'a') return bench_attach_child(optarg);
        if (o == '?') return 2;
    }
    if (rounds < 3 || rounds > BENCH_ROUNDS_MAX) rounds = 41;
    char path[64];
    snprintf(path, sizeof path, "/dev/shm/mtx-bench-%d.seg", (int)getpid());
    bench_open(path);
    bench_ops_run(bench_ops, bench_op_count, rounds, bench_prepare);
    print_ops();
    bench_attach(path, rounds);
    bench_churn(path, rounds);
    bench_snapshot(path, rounds);
    bench_close();
    if (exporter) {
        bench_page(exporter, path, rounds / 4 + 1);
        bench_page_memory(exporter, path);
    }
    unlink(path);
    return 0;
}
