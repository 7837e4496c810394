/* SPDX-License-Identifier: Apache-2.0 */
/*
 * leader.h - what only one process may do to a segment: tick its clock, fold rates, close intervals.
 *
 * Not installed: it is the contract between the exporter and the registry. The leader is the process that
 * holds the segment's leader lock (an OFD lock, so it is released when the process ends). A process may be
 * killed anywhere in here: the next leader finds the work done or not done, never half done.
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
 * Try to lead the segment at path. Needs write access to the file. options as for metrics_reader_open() (the
 * clock is used for everything). The caller owns the leader and releases it. NULL on error: METRICS_E_BUSY if
 * another process leads (try again later), METRICS_E_FULL if an earlier boot's segment cannot be continued,
 * or an error of metrics_reader_open(). Safety of all functions below, in the words of <mtx/snapshot.h>: one
 * thread per leader; process-safe; not async-signal-safe.
 */
metrics_leader_t *metrics_leader_acquire(const char *path, const metrics_reader_options_t *options,
                                         metrics_error_t *error);
void metrics_leader_release(metrics_leader_t **leader);

/* The leader's own reader, for metrics_reader_info() and so on; it belongs to the leader. */
metrics_reader_t *metrics_leader_reader(metrics_leader_t *leader);

/*
 * Test once per process whether the kernel restarts sequences (shm/restart.h; at most 100 ms), and note the verdict
 * in the segment, for the writers. -1 if it does not: writers that run already may lose updates. Else 0.
 */
int metrics_leader_prove(metrics_leader_t *leader);

/*
 * Do what is due: store the clock word (every 1/8 s), fold the rates (every 5 s). Returns how many
 * nanoseconds until the next call is due (at most 125 ms). A late call is harmless. No errors.
 */
uint64_t metrics_leader_tick(metrics_leader_t *leader);

/*
 * Close the running interval and read everything: a snapshot whose header.epoch is the closed interval. If an
 * earlier leader closed an interval and died before metrics_leader_logged(), that same interval is read
 * again, under the same epoch (the log refuses the duplicate if it has it). If the last sample was not
 * logged, the interval is not closed again: the new snapshot carries the same epoch and replaces the earlier
 * one. The caller owns one reference and releases it. NULL on error: METRICS_E_DAMAGED, METRICS_E_MEMORY.
 */
metrics_snapshot_t *metrics_leader_sample(metrics_leader_t *leader, metrics_error_t *error);

/* The snapshot is safe in the log: the next sample may close the next interval. No errors. */
void metrics_leader_logged(metrics_leader_t *leader, const metrics_snapshot_t *snapshot);

/*
 * Events up to these positions (n of them, from metrics_events_positions()) are safe in the log: their room in the
 * rings is given back to the writers. Positions that cannot be are left alone. A process that is killed in here has
 * given back some of it: metrics_events_seek() to what the log says, and nothing comes twice.
 */
void metrics_leader_drained(metrics_leader_t *leader, const uint64_t *positions, size_t n);

/*
 * The segment's memory of what exporters delivered, in its own words (struct segment_note in layout.h: sent,
 * before, partly, some), which an exporter's log keeps up to date, so that another log, or an older one, knows.
 * Unlike the functions above, they may be called by another thread than the leader's, one at a time.
 */
enum { METRICS_NOTE_WORDS = 4 };

/* The number of the log to which the last interval was appended; 0 = none. */
uint64_t metrics_leader_log(const metrics_leader_t *leader);
void metrics_leader_set_log(metrics_leader_t *leader, uint64_t log);

/* The last interval that was logged; 0 = none. */
uint64_t metrics_leader_last(const metrics_leader_t *leader);

/* Copies the note of the backend of that name. 1, or 0 if there is none, or -1 if there may have been one that
 * was lost, because there were more backends than notes. */
int metrics_leader_note(const metrics_leader_t *leader, const char *backend,
                        uint64_t words[METRICS_NOTE_WORDS]);

/* Sets it, word by word: `some`, `before`, `sent`, `partly`. Without a free note, that of the backend that was
 * sent something the longest ago is used. */
void metrics_leader_set_note(metrics_leader_t *leader, const char *backend,
                             const uint64_t words[METRICS_NOTE_WORDS]);

#pragma GCC visibility pop

#endif
