/* SPDX-License-Identifier: Apache-2.0 */
/*
 * source_events.h - the events of a segment that is followed: from its rings into its log.
 *
 * Not thread-safe: all functions belong to the sampler's thread.
 */
#ifndef EXPORTERS_SOURCE_EVENTS_H
#define EXPORTERS_SOURCE_EVENTS_H

#include "event_chunk.h"
#include "complain.h"
#include "fresh.h"
#include "meta.h"

typedef struct metrics_leader metrics_leader_t; /* leader.h */

/* Zero at first. */
struct source_events {
    metrics_leader_t *leader; /* of the segment */
    struct fresh *fresh;      /* whose hold on the leader's reader is needed */
    struct log *log;
    const char *path;
    metrics_events_t *reader; /* NULL without memory, and without a leader */
    struct event_packer packer;
    struct buf chunk;
    uint64_t *places; /* those that the log has */
    size_t place_count;
    bool owed; /* the rings do not know yet that the log has them */
    struct complain trouble;
};

/* Begins where the log says that it has read to. What is given must outlive source_events_end(). */
void source_events_begin(struct source_events *e, metrics_leader_t *leader, struct fresh *fresh,
                         struct log *log, const char *path);

/* Frees what there is. The leader is still there. */
void source_events_end(struct source_events *e);

/* True if a ring is so full that it must not wait until the interval ends. */
bool source_events_fill(struct source_events *e);

/* Moves all events that wait in the rings into the log. True if there were some. `meta` may be NULL. */
bool source_events_drain(struct source_events *e, const metrics_clock_t *clock, struct meta *meta);

#endif
