/* SPDX-License-Identifier: Apache-2.0 */
/*
 * source_events.c - moves events from a segment's rings into its log. The log gets the events and the places in one
 * transaction; the rings are told when that is written. An exporter that is killed in between leaves a log that says
 * where to go on, and rings that still have what it has: nothing is lost, and nothing comes twice.
 */
#include "source_events.h"

#include "leader.h"
#include "log_events.h"

#include <stdlib.h>

#define SOURCE_FILLING 0.5

void source_events_begin(struct source_events *e, metrics_leader_t *leader, struct fresh *fresh,
                         struct log *log, const char *path)
{
    e->leader = leader;
    e->fresh = fresh;
    e->log = log;
    e->path = path;
    e->reader = metrics_events_open(metrics_leader_reader(leader), METRICS_EVENTS_DRAIN, NULL);
    e->place_count = e->reader ? metrics_events_positions(e->reader, NULL, 0) : 0;
    e->places = calloc(e->place_count + 1, sizeof *e->places);
    if (!e->places) metrics_events_close(&e->reader);
    if (!e->reader || log_places(log, e->places, e->place_count) != e->place_count) return;
    metrics_events_seek(e->reader, e->places, e->place_count);
    e->owed = true;
}

void source_events_end(struct source_events *e)
{
    metrics_events_close(&e->reader);
    event_packer_free(&e->packer);
    buf_free(&e->chunk);
    free(e->places);
    e->places = NULL;
}

bool source_events_fill(struct source_events *e)
{
    if (!e->reader) return false;
    fresh_hold(e->fresh);
    double fill = metrics_events_poll(e->reader);
    fresh_let(e->fresh);
    return fill >= SOURCE_FILLING;
}

/* Everything that waits becomes a chunk. False, with the reason, if the rings cannot be read. */
static bool take(struct source_events *e, metrics_error_t *error)
{
    const metrics_event_t *event;
    fresh_hold(e->fresh);
    bool good = metrics_events_take(e->reader, error) == 0;
    while (good && (event = metrics_events_next(e->reader))) event_pack(&e->packer, event);
    fresh_let(e->fresh);
    buf_reset(&e->chunk);
    if (event_packer_size(&e->packer)) event_packer_take(&e->packer, &e->chunk);
    return good;
}

/* The room of what the log has is given back to the writers, now or the next time. */
static void give_back(struct source_events *e)
{
    if (!e->owed || !log_has_events(e->log)) return;
    fresh_hold(e->fresh);
    metrics_leader_drained(e->leader, e->places, e->place_count);
    fresh_let(e->fresh);
    e->owed = false;
}

static bool append(struct source_events *e, const metrics_clock_t *clock)
{
    uint64_t now[e->place_count + 1];
    metrics_events_positions(e->reader, now, e->place_count);
    if (!memcmp(now, e->places, e->place_count * sizeof *now)) return true;
    bool good = buf_ok(&e->chunk) && log_append_events(e->log, e->chunk.data, e->chunk.len, clock_wall(clock),
                                                       now, e->place_count);
    if (good) memcpy(e->places, now, e->place_count * sizeof *now);
    e->owed |= good;
    return good;
}

static void complain_or_not(struct source_events *e, uint64_t now, bool good, const char *why)
{
    if (good)
        complain_over(&e->trouble, now, "takes events again", "segment", e->path);
    else
        complain(&e->trouble, now, "cannot take events", "segment", e->path, why);
}

bool source_events_drain(struct source_events *e, const metrics_clock_t *clock, struct meta *meta)
{
    metrics_error_t error = {0};
    if (!e->reader) return false;
    bool read = take(e, &error), good = read && append(e, clock);
    /* What the log could not take is still in the rings. */
    if (read && !good) metrics_events_seek(e->reader, e->places, e->place_count);
    complain_or_not(e, clock_mono(clock), good, read ? "out of memory" : error.text);
    give_back(e);
    if (meta && metrics_events_taken(e->reader)) meta_events(meta, metrics_events_stats(e->reader));
    return good && e->chunk.len;
}
