/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fresh.h - a snapshot that is at most a quarter of a second old, for whoever asks, however many ask at once.
 *
 * A scraper must not be served the last interval's snapshot: at 15 s between scrapes of 10 s snapshots a
 * steady 100/s reads 133, 67, 133. So the segment is read afresh, at most every FRESH_NS; who comes in
 * between gets the same one. The reader is the leader's, whose catalog of series would otherwise be kept
 * twice: so a snapshot waits for the leader, and the leader for one snapshot at most, never for who makes use
 * of it. The published snapshot is an RCU pointer to a reference-counted object: readers take a reference
 * inside a read-side section and wait for nobody; the one that replaces it waits for them.
 */
#ifndef EXPORTERS_FRESH_H
#define EXPORTERS_FRESH_H

#include "clock.h"

#define FRESH_NS (CLOCK_SECOND / 4)

struct fresh;

/* Reads by that reader, which belongs to somebody else, and which fresh_forget() must be told to be gone.
 * NULL without memory. */
struct fresh *fresh_new(metrics_reader_t *reader, const metrics_clock_t *clock);

/* Between these two nobody else uses the reader, or what it is a part of: it is the caller's. */
void fresh_hold(struct fresh *fresh);
void fresh_let(struct fresh *fresh);

/* The reader is about to go: from now on there are no new snapshots. Not while it is held. */
void fresh_forget(struct fresh *fresh);

/* A reference to a snapshot no older than FRESH_NS; if the segment cannot be read just now, the last one that
 * could; NULL if there never was one. Thread-safe. */
metrics_snapshot_t *fresh_get(struct fresh *fresh);

/* Nobody may be inside any other call any more; *fresh becomes NULL. */
void fresh_free(struct fresh **fresh);

#endif
