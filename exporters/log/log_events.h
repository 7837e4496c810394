/* SPDX-License-Identifier: Apache-2.0 */
/*
 * log_events.h - the events of one segment on their way to the backends, in the same log as its snapshots.
 *
 * What is drained at one time is a chunk (event_chunk.h). It is appended together with the places up to which the rings
 * were read: in the log's file both are one transaction, so that an exporter that goes on after one that was killed
 * knows exactly what it has. Each cursor of the log has a position among the chunks, too. Events are never merged.
 * Over its bounds the log drops the oldest chunks, counted as thinned.
 *
 * All functions are thread-safe, but each cursor is used by one thread at a time. log_append_events() and
 * log_settled_events() wait for the file for 5 seconds at most.
 */
#ifndef EXPORTERS_LOG_EVENTS_H
#define EXPORTERS_LOG_EVENTS_H

#include "event_view.h"
#include "log.h"

/*
 * Appends a chunk, whose bytes are copied, and the places up to which the rings were read: numbers of which the log
 * knows nothing but their order. `n` = 0: only the places. What no backend takes is left out. False without memory, or
 * if the bytes are not a chunk: then nothing was changed.
 */
bool log_append_events(struct log *log, const void *bytes, size_t n, uint64_t wall_ns, const uint64_t *places,
                       size_t place_count);

/* True if all that was appended is where it is to be: in the file, or in memory, if there is no file or it cannot be
 * written. Only then may the rings forget it. */
bool log_has_events(struct log *log);

/* Copies the places that were appended last, at most `room`. Returns how many there are; 0 if none were. */
size_t log_places(struct log *log, uint64_t *places, size_t room);

/* A chunk as a cursor gets it; it stays until log_done_events() or log_undo_events(). */
struct log_next_events {
    struct log_chunk *of;
    const struct event_chunk *chunk;
    size_t position; /* the first event that is not settled, its number in the chunk */
};

/* The next chunk of which something passes the cursor's filter; false if there is none. */
bool log_next_events(struct log *log, int cursor, struct log_next_events *next);

/* What happened to the events of a type before number `position`, from the one before on. */
struct log_outcome_events {
    int type; /* enum metrics_event_type */
    struct log_outcome outcome;
    size_t position;
};

/* Position and ledger change in one transaction. */
void log_settled_events(struct log *log, int cursor, struct log_next_events *next,
                        const struct log_outcome_events *outcome);

/* All of the chunk is settled: the cursor moves on. */
void log_done_events(struct log *log, int cursor, struct log_next_events *next);

/* The cursor stays, and the same comes again. */
void log_undo_events(struct log *log, int cursor, struct log_next_events *next);

/* How many events wait for a cursor. */
uint64_t log_waiting_events(struct log *log, int cursor);

#endif
