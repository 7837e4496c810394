/* SPDX-License-Identifier: Apache-2.0 */
/*
 * source.h - one segment that is followed: the leader's hold on it, its log, its fresh snapshots.
 *
 * A source is one incarnation of a segment. When its file is replaced the old source goes on until its
 * writers are done, beside a new one.
 *
 * Not thread-safe: all functions belong to the sampler's thread.
 */
#ifndef EXPORTERS_SOURCE_H
#define EXPORTERS_SOURCE_H

#include "complain.h"
#include "fresh.h"
#include "meta.h"
#include "source_events.h"
#include "source_log.h"

typedef struct metrics_leader metrics_leader_t; /* leader.h */

struct source {
    struct source *next; /* changes under the sampler's lock */
    char *path;
    uint64_t incarnation;     /* 0: not known */
    char *log_path;           /* NULL: in memory */
    metrics_leader_t *leader; /* NULL once it has ended */
    struct log *log;          /* thread-safe */
    struct fresh *fresh;      /* thread-safe; NULL for what an earlier exporter left */
    bool replaced;            /* the path leads elsewhere now; changes under the sampler's lock */
    bool ended; /* nothing more comes; the log may still hold something; changes under the sampler's lock */
    unsigned quiet; /* intervals in a row without any change, while replaced */
    metrics_snapshot_t *last;
    struct source_events events;
    struct complain trouble;
};

/* Leads the segment at path. Without a file for its log, which is logged, the log is in memory. NULL with
 * *error: METRICS_E_MISSING, METRICS_E_BUSY (another exporter leads it, or writes its log's file), and
 * others. Freed by source_free(). */
struct source *source_open(const char *path, const metrics_clock_t *clock, const struct source_log *log,
                           struct ledger *ledger, metrics_error_t *error);

/* What an earlier exporter left of a segment that is gone: only its log, already ended. NULL if another
 * exporter has the file, or if it cannot be read, which is logged at growing intervals. Freed by
 * source_free(). */
struct source *source_open_rest(const char *path, const char *log_path, const struct source_log *log,
                                struct ledger *ledger, struct complain *trouble);

/* Does the leader's chores; returns after how many nanoseconds again. */
uint64_t source_tick(struct source *source);

/* Closes the interval, reads everything, appends it to the log. False if that failed: that is logged, and the
 * interval stays open. `meta` may be NULL. */
bool source_sample(struct source *source, const metrics_clock_t *clock, struct meta *meta);

/* True if a ring of events is so full that it must not wait until the interval ends. */
bool source_is_filling(struct source *source);

/* Moves all events that wait in the rings into the log. True if there were some. `meta` may be NULL. */
bool source_drain(struct source *source, const metrics_clock_t *clock, struct meta *meta);

/* True if the file was replaced or removed. */
bool source_was_replaced(const struct source *source);

/* True if a replaced segment's writers are done with it: nobody is attached, or nothing moved for a while. */
bool source_is_drained(struct source *source);

/* Lets go of the segment; the log stays until source_free(). */
void source_end(struct source *source);

/* Frees it and its reference to the log; *source becomes NULL. The log's file is removed if the segment was
 * replaced and nothing is queued: the next exporter delivers the rest. */
void source_free(struct source **source);

#endif
