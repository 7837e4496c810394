/* SPDX-License-Identifier: Apache-2.0 */
/*
 * exporter.h - the whole exporter: the sampler, a consumer for each backend that sends, a page for each
 * backend that is scraped, the HTTP server, the exporter's own metrics; and what a new configuration changes
 * about them.
 *
 *     sampler thread:   sampler_step()         -> logs
 *     consumer threads: log -> encode -> send     one per backend that sends
 *     server threads:   page <- fresh snapshot
 *     main thread:      signals
 *
 * Locks, outermost first: exporter, sampler, consumer, log, ledger (a leaf). No lock is held while a backend
 * is waited for.
 *
 * Not thread-safe: one thread calls these functions (the main thread).
 */
#ifndef EXPORTERS_EXPORTER_H
#define EXPORTERS_EXPORTER_H

#include "config.h"

struct exporter;

/* Starts it with all its threads, and takes over the configuration. NULL, with the reason
 * appended to `why`, if a backend refuses its settings or a thread cannot be started; the
 * configuration is still the caller's then. The caller ends it with exporter_stop().
 * Signals should be blocked before, so that the threads inherit the mask. */
struct exporter *exporter_start(struct config *config, struct buf *why);

/* For tests: the same with another clock and without the sampler's thread. exporter_step() does what is due
 * and returns the monotonic time, in nanoseconds, at which it wants to be called again. */
struct exporter *exporter_begin(struct config *config, const metrics_clock_t *clock, struct buf *why);
uint64_t exporter_step(struct exporter *exporter);

/*
 * SIGHUP: replaces the configuration, which it takes over, and frees the old one. False, with the reason
 * appended to `why`, if a backend refuses its settings; nothing has changed then, and the configuration is
 * still the caller's. It waits for no backend.
 *
 * A backend
 *
 *   - whose type, options and tags are the same keeps its thread, connection, queue and pauses;
 *   - that is configured differently is replaced: the new one continues with the cursor of the old one, after
 *     the payload that the old one is sending;
 *   - that is removed tries once to send what is queued for it.
 */
bool exporter_reload(struct exporter *exporter, struct config *config, struct buf *why);

/* SIGTERM: takes a last snapshot, waits at most the configuration's flush_timeout for what is queued, and
 * frees the exporter; *exporter becomes NULL. A thread that waits for a backend even longer is left running
 * with what it needs, so the process should end then. */
void exporter_stop(struct exporter **exporter);

/* --once: sends one snapshot to each backend; pages go to standard output. Frees the configuration. The exit
 * status: 0, or 1 with a line on stderr. */
int exporter_once(struct config *config);

/* --forget: ends what the logs of the configuration's segments keep for the backend of that name, whether it
 * is configured or not. Frees the configuration. The exit status: 0, or 1 with a line on stderr if nothing was
 * kept for it, or if another exporter leads one of the segments. */
int exporter_forget(struct config *config, const char *name);

/* --check: appends to `out` what the configuration means for the segment that exists: the number of series
 * for each backend, and which of them are left out of pages. False, with lines appended to `mistakes`, if a
 * file, a folder or the address that the configuration names cannot be used now. */
bool exporter_check(const struct config *config, struct buf *out, struct buf *mistakes);

#endif
