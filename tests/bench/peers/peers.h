/* SPDX-License-Identifier: Apache-2.0 */
/* peers.h - what each peer gives to the comparison (peers.c). */
#ifndef METRICS_TESTS_BENCH_PEERS_H
#define METRICS_TESTS_BENCH_PEERS_H

#include "bench.h"

#ifdef __cplusplus
extern "C" {
#endif

struct peer {
    const char *name;
    const char *missing;   /* NULL, or a sentence that says why it is left out */
    int (*open)(void);     /* once, before anything is forked; 0, or -1: left out, .missing says why */
    void (*prepare)(void); /* in each process; may be NULL */
    const struct bench_op *ops;
    int count;
    void (*report)(int rounds); /* what takes no turns in rounds: pages and the like; may be NULL */
    void (*close)(void);        /* may be NULL */
};

extern struct peer peer_prometheus_cpp, peer_pcp_mmv, peer_statsd, peer_python, peer_python_multiprocess,
    peer_java;

enum { PEER_SERIES = 10000 }; /* beside the hot one, in whatever is looked up by name */
/* Bounds of the explicit buckets: the same as those of mtx's histogram_explicit. */
#define PEER_BOUNDS 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000

#ifdef __cplusplus
}
#endif
#endif
