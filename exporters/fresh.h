/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fresh.h - a snapshot that is at most a quarter of a second old, for whoever asks, however many ask at once.
 *
 * A scraper must not be served the last interval's snapshot: at 15 s between scrapes of 10 s snapshots a
 * steady 100/s reads 133, 67, 133. So the segment is read afresh, at most every FRESH_NS; who comes in
 * between gets the same one. The published snapshot is an RCU pointer to a reference-counted object: readers
 * take a reference inside a read-side section and wait for nobody; the one that replaces it waits for them.
 */
#ifndef EXPORTERS_FRESH_H
#define EXPORTERS_FRESH_H

#include "clock.h"

#define FRESH_NS (CLOCK_SECOND / 4)

struct fresh;

/* Opens the segment read-only. NULL with *error if that fails. */
struct fresh *fresh_open(const char *path, const metrics_clock_t *clock, metrics_error_t *error);

/* A reference to a snapshot no older than FRESH_NS; if the segment cannot be read just now, the last one that
 * could; NULL if there never was one. Thread-safe. */
metrics_snapshot_t *fresh_get(struct fresh *fresh);

/* Nobody may be inside fresh_get() any more; *fresh becomes NULL. */
void fresh_close(struct fresh **fresh);

#endif
