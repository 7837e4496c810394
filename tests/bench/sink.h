/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sink.h - the other side for the benchmark of delivery: a process on loopback that takes everything as fast
 * as it can and answers what satisfies all backends. It distinguishes protocols by their first byte: HTTP,
 * Redis (an asterisk), or else lines that are not answered.
 */
#ifndef METRICS_TESTS_SINK_H
#define METRICS_TESTS_SINK_H

/* Forks it, pinned to that CPU; it ends with its parent. Returns
 * its port, or exits with a message. Before there are threads. */
int sink_start(int cpu);

#endif
