/* SPDX-License-Identifier: Apache-2.0 */
/*
 * source_events.h - the events of a segment that is followed: from its rings into its log.
 *
 * Not thread-safe: all functions belong to the sampler's thread.
 */
#ifndef EXPORTERS_SOURCE_EVENTS_H
#define EXPORTERS_SOURCE_EVENTS_H

#include "complain.h"
#include "event_chunk.h"

struct source;
struct meta;

/* Zero at first. */
struct source_events {
    metrics_events_t *reader; /* NULL without memory, or without a leader */
    struct event_packer packer;
    struct buf chunk;
    uint64_t *places; /* those that the log has */
    size_t place_count;
    bool owed; /* the rings do not know yet that the log has them */
    struct complain trouble;
};

/* Begins where the log says that it has read to. */
void source_events_begin(struct source *source);

/* Frees what there is. The leader is still there. */
void source_events_end(struct source *source);

/* True if a ring is so full that it must not wait until the interval ends. */
bool source_is_filling(struct source *source);

/* Moves all events that wait in the rings into the log. True if there were some. `meta` may be NULL. */
bool source_drain(struct source *source, const metrics_clock_t *clock, struct meta *meta);

#endif
