/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fresh.h - a snapshot that is at most a quarter of a second old, for whoever asks, however many ask at once.
 *
 * A scraper must not be served the last interval's snapshot: at 15 s between scrapes of 10 s snapshots a
 * steady 100/s reads 133, 67, 133. So the segment is read afresh, at most every FRESH_NS; those who ask in
 * between get the same one. The reader is the leader's, since one of its own would keep the catalog of series
 * a second time: so a snapshot waits for the leader, and the leader for one snapshot at most, never for those
 * who use it. The published snapshot is an RCU pointer to a reference-counted object: readers take a
 * reference inside a read-side section and wait for nobody; the one that replaces it waits for them.
 *
 * All functions are thread-safe unless they say otherwise.
 */
#ifndef EXPORTERS_FRESH_H
#define EXPORTERS_FRESH_H

#include "clock.h"

#define FRESH_NS (CLOCK_SECOND / 4)

struct fresh;

/* Reads by that reader, which belongs to somebody else, who calls fresh_forget() before it goes. NULL
 * without memory. The caller frees it with fresh_free(). */
struct fresh *fresh_new(metrics_reader_t *reader, const metrics_clock_t *clock);

/* Between these two nobody else uses the reader, or what it is a part of: it is the caller's. */
void fresh_hold(struct fresh *fresh);
void fresh_let(struct fresh *fresh);

/* The reader is about to go: from now on there are no new snapshots. Not while it is held. */
void fresh_forget(struct fresh *fresh);

/* A reference, the caller's, to a snapshot no older than FRESH_NS; if the segment cannot be read just
 * now, or there is no memory, to the last one that could be read; NULL if there never was one. May
 * wait for the reader. */
metrics_snapshot_t *fresh_get(struct fresh *fresh);

/* *fresh becomes NULL. Not thread-safe: nobody may be inside any other call. */
void fresh_free(struct fresh **fresh);

#endif
