/* SPDX-License-Identifier: Apache-2.0 */
/*
 * peers.c - the same work done by mtx and by other libraries, in the rounds of one run (bench.h). Peers that
 * know only threads are measured next to a second thread, the others next to a second process. A library that
 * is not installed is left out, with a line that says so.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "peers.h"

#ifndef HAVE_PROMETHEUS_CPP
struct peer peer_prometheus_cpp = {.name = "prometheus-cpp",
                                   .missing = "it was not there at build time (Debian: prometheus-cpp-dev)"};
#endif
#ifndef HAVE_PCP_MMV
struct peer peer_pcp_mmv = {.name = "PCP MMV",
                            .missing = "it was not there at build time (Debian: libpcp-mmv1-dev)"};
#endif

static struct peer *const peers[] = {
    &peer_statsd, &peer_pcp_mmv, &peer_python, &peer_python_multiprocess, &peer_java, &peer_prometheus_cpp};
enum { PEERS = sizeof peers / sizeof *peers, OPS_MAX = 64 };

static bool open_peers[PEERS];
static struct bench_op ops[OPS_MAX];
static int count;

static void add_op(const struct bench_op *op)
{
    if (count < OPS_MAX) ops[count++] = *op;
}

static void add_ours(void)
{
    static const char *const names[] = {"counter_inc",        "counter_inc_call",   "meter_mark",
                                        "gauge_set",          "gauge_set_sum",      "histogram_buckets",
                                        "histogram_explicit", "histogram_decaying", "timer",
                                        "find_hot",           "find_macro"};
    for (size_t k = 0; k < sizeof names / sizeof *names; k++)
        for (int i = 0; i < bench_op_count; i++)
            if (!strcmp(bench_ops[i].name, names[k])) add_op(&bench_ops[i]);
}

static void prepare(void)
{
    bench_prepare();
    for (int i = 0; i < PEERS; i++)
        if (open_peers[i] && peers[i]->prepare) peers[i]->prepare();
}

static void open_all(void)
{
    add_ours();
    for (int i = 0; i < PEERS; i++) {
        open_peers[i] = peers[i]->open && peers[i]->open() == 0;
        for (int k = 0; open_peers[i] && k < peers[i]->count; k++) add_op(&peers[i]->ops[k]);
        if (!open_peers[i])
            fprintf(stderr, "Left out: %s: %s.\n", peers[i]->name,
                    peers[i]->missing ? peers[i]->missing : "it did not start");
    }
}

static void report_all(const char *path, const char *exporter, int rounds)
{
    bench_print_head();
    for (int i = 0; i < count; i++)
        for (int procs = 1; procs <= 2; procs++)
            bench_sample_print(&ops[i].sample[procs], ops[i].name, procs, 1);
    bench_snapshot(path, rounds);
    if (exporter) bench_page(exporter, path, rounds / 4 + 1);
    for (int i = 0; i < PEERS; i++)
        if (open_peers[i] && peers[i]->report) peers[i]->report(rounds);
}

int main(int argc, char **argv)
{
    int rounds = 41;
    const char *exporter = NULL;
    for (int o; (o = getopt(argc, argv, "jr:e:")) != -1;) {
        if (o == 'j') bench_json = true;
        if (o == 'r') rounds = atoi(optarg);
        if (o == 'e') exporter = optarg;
        if (o == '?') return 2;
    }
    if (rounds < 3 || rounds > BENCH_ROUNDS_MAX) rounds = 41;
    char path[64];
    snprintf(path, sizeof path, "/dev/shm/mtx-bench-%d.seg", (int)getpid());
    bench_open(path);
    open_all();
    bench_ops_run(ops, count, rounds, prepare);
    bench_close();
    report_all(path, exporter, rounds);
    for (int i = 0; i < PEERS; i++)
        if (open_peers[i] && peers[i]->close) peers[i]->close();
    unlink(path);
    return 0;
}
