/* SPDX-License-Identifier: Apache-2.0 */
/*
 * leader.h - what only one process may do to a segment: tick its clock, fold rates, close intervals.
 *
 * Not installed: it is the contract between the exporter and the registry. The leader is whoever holds the
 * segment's leader lock (an OFD lock, so it falls with the process). Everything here is safe to be killed in:
 * the next leader finds the work done or not done, never half done.
 *
 * Use, from one thread:
 *     while (running) {
 *         wait for metrics_leader_tick(leader) nanoseconds, or until the interval is over
 *         if the interval is over:
 *             snapshot = metrics_leader_sample(leader, &err);
 *             append it to the log;
 *             metrics_leader_logged(leader, snapshot);
 *     }
 */
#ifndef METRICS_LEADER_H
#define METRICS_LEADER_H

#include <mtx/snapshot.h>

#pragma GCC visibility push(default)

typedef struct metrics_leader metrics_leader_t;

/*
 * Try to lead the segment at path. NULL on error; METRICS_E_BUSY = somebody else leads: try again later.
 * options as for metrics_reader_open (the clock is used for everything). Needs write access to the file.
 */
metrics_leader_t *metrics_leader_acquire(const char *path, const metrics_reader_options_t *options,
                                         metrics_error_t *error);
void metrics_leader_release(metrics_leader_t **leader);

/* The leader's own reader, for metrics_reader_info() and friends; belongs to the leader. */
metrics_reader_t *metrics_leader_reader(metrics_leader_t *leader);

/*
 * Do what is due: store the clock word (every 1/8 s), fold the rates (every 5 s). Returns how many
 * nanoseconds until it wants to be called again (at most 125 ms). A late call is harmless.
 */
uint64_t metrics_leader_tick(metrics_leader_t *leader);

/*
 * Close the running interval and read everything: a snapshot whose header.epoch is the closed interval. If an
 * earlier leader closed an interval and died before metrics_leader_logged(), that same interval is read
 * again, under the same epoch (the log refuses the duplicate if it has it). If the last sample was not
 * logged, the interval is not closed again: the new snapshot carries the same epoch and replaces the earlier
 * one.
 */
metrics_snapshot_t *metrics_leader_sample(metrics_leader_t *leader, metrics_error_t *error);

/* The snapshot is safe in the log: the next sample may close the next interval. */
void metrics_leader_logged(metrics_leader_t *leader, const metrics_snapshot_t *snapshot);

#pragma GCC visibility pop

#endif
