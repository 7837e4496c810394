/* SPDX-License-Identifier: Apache-2.0 */
/*
 * audit.h - what the receivers ought to have been told, and what they were. It knows what the writers counted, which
 * losses and repeats mtx documents, and each request that a service applied; it never looks into an exporter.
 *
 * A *backend* is a service and the queue of that name; a *place* is the path of a segment, a *segment* one incarnation of
 * it. Owed is what a backend must have been told by the end: all that was counted while the backend was known to the
 * segment's log, or before the segment was first exported, less the losses that are documented.
 */
#ifndef SIMULATE_AUDIT_H
#define SIMULATE_AUDIT_H

#include "ledger.h"
#include "told.h"

#include <stdbool.h>
#include <stdint.h>

enum { AUDIT_BACKENDS = 4, AUDIT_PLACES = 2, AUDIT_SERIES = 3, AUDIT_SEGMENTS = 32 };

/* Series `a0a` to `a2a` are counters of the first segment of place a, `a0b`... of its second; `level.aa`,
 * `level.ab`... are gauges, whose value only grows. */
void audit_begin(void);

/* A backend of that protocol; what is ambiguous is dropped, or sent again. */
void audit_backend(unsigned backend, const struct told_protocol *protocol);
void audit_drops(unsigned backend, bool drops);

/* Logs lie now here, now there. If several intervals of a second wait in one of them, they go out under the following
 * seconds, which another one may have used meanwhile: two intervals may have one time. */
void audit_logs_move(void);

/* --- What happens to segments --- */

/* A new segment at a place, by its incarnation; it is the one that the next calls mean. Returns the letter of its series. */
char audit_segment(unsigned place, uint64_t incarnation);
void audit_counted(unsigned place, unsigned series, uint64_t n);
void audit_level(unsigned place, double value);

/* The segment at the place is deleted. If an exporter still follows it, it may be read to its end; else what was counted
 * since the last snapshot is lost. */
void audit_deleted(unsigned place, bool followed);

/* Whoever followed deleted segments is gone. */
void audit_unfollowed(void);

/* A snapshot of a segment is in the log of an exporter that has these backends (a bit each). */
void audit_sampled(uint64_t incarnation, unsigned backends);

/* Everything in this place's logs may be lost, for these backends: what they were not told until now is not owed, and
 * they begin anew with the next snapshot. */
void audit_forgiven(int place, unsigned backends);

/* From now on, these series (a bit for each number) are not selected, and the others are. What was not told of a series
 * whose selection changes is not owed. */
void audit_excludes(unsigned series);

/* The power failed: all segments are gone, and a log in a state_dir is as it was at some moment before. What was told may
 * come again as it was. */
void audit_power_lost(void);

/* --- What is told --- */

enum audit_answer {
    AUDIT_WELL,    /* it knows that all was accepted */
    AUDIT_UNSURE,  /* the answer was lost, or is one that says nothing of what was accepted */
    AUDIT_NOT_NOW, /* it knows that nothing was accepted, and comes again */
    AUDIT_NEVER,   /* it knows that nothing was accepted; a single reading does not come again */
};

/* A request came: the points that were applied, by exporter `life`, and the answer. `partly`: all but this one, -1: all. */
void audit_told(unsigned backend, unsigned life, const struct told_list *list, bool applied,
                enum audit_answer answer, int partly);

/* An exporter was killed: `busy` = not while all its threads waited. What it sent last may come again, if it was busy
 * or had no answer; at these places (a bit each), whose logs may not be used next, with other intervals. */
void audit_killed(unsigned life, bool busy, unsigned otherwise);

/* An exporter is over, killed or not: if the file of a log lacks something, the segment knows what was sent, but not
 * what the values were; if the segment goes, too, what was sent since then may come again. */
void audit_left(unsigned life);

/* The log's file of that segment cannot be written by this exporter, from now on; it can again. */
void audit_unwritten(unsigned life, uint64_t incarnation, bool unwritten);

/* The log whose file lacked something is used again, and has learned from the segment. */
void audit_caught_up(uint64_t incarnation);

/* An exporter begins; `beside`: --once, while another one runs. */
void audit_lives(unsigned life, bool beside);

/* One that has ended says this of a backend, by its type. */
void audit_account(unsigned life, const char *type, const struct ledger_account *account);

/* --- Verdict --- */

/* Something is not as it must be: it goes to the story, and is counted. */
void audit_complain(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The end: everything works and has been delivered. Returns how many violations there were in all. */
unsigned audit_end(void);

#endif
