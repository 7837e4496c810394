/* SPDX-License-Identifier: Apache-2.0 */
/*
 * exporter.h - the whole of it: sampler, one consumer per backend that sends, pages for those that are
 * scraped, the server, the meta-metrics; and how they change with the configuration.
 *
 *     sampler thread:   sampler_step()         -> logs
 *     consumer threads: log -> encode -> send     one each
 *     server threads:   page <- fresh snapshot
 *     main thread:      signals
 *
 * Locks, outermost first: exporter, sampler, consumer, log, ledger (a leaf). None of them is held while a
 * backend is waited for.
 */
#ifndef EXPORTERS_EXPORTER_H
#define EXPORTERS_EXPORTER_H

#include "config.h"

struct exporter;

/* Takes the configuration over. NULL, with the reason, if a backend refuses its settings. Signals should be
 * blocked before, so that the threads inherit that. */
struct exporter *exporter_start(struct config *config, struct buf *why);

/* For tests: the same with another clock and without the sampler's thread; exporter_step() does what is due
 * and returns the monotonic time at which it wants to be called again. */
struct exporter *exporter_begin(struct config *config, const metrics_clock_t *clock, struct buf *why);
uint64_t exporter_step(struct exporter *exporter);

/*
 * SIGHUP: a new configuration in place of the old one (which is freed). False, with the reason and everything
 * as it was, if a backend refuses it; the configuration is the caller's then. By one thread at a time, and it
 * waits for no backend.
 *
 * A backend whose type, options and tags are what they were goes on with its thread, connection, queue and
 * pauses. One that is configured otherwise is made anew and goes on where the old one stops: with its cursor,
 * after the payload that the old one is in the middle of. One that is gone tries once what it has queued.
 */
bool exporter_reload(struct exporter *exporter, struct config *config, struct buf *why);

/* SIGTERM: a last snapshot, then up to the configuration's flush_timeout for what is queued. The process
 * should end after it: a thread that waits for a backend beyond that time is left behind. */
void exporter_stop(struct exporter **exporter);

/* --once: one snapshot to every backend; pages go to standard output. 0, or 1 with a line on stderr. */
int exporter_once(struct config *config);

/* --check: what the configuration means for the segment that is there: per backend how many series, and which
 * are left out of pages. Appends to `out`. */
void exporter_check(const struct config *config, struct buf *out);

#endif
