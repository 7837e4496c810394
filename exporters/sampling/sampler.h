/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sampler.h - finds the segments, leads them, and takes a snapshot of each on every multiple of the interval.
 *
 * One thread calls sampler_step(); it never sleeps and says when it wants to be called again. What else
 * happens when a segment comes or goes is for the owner to do, in the hooks, which are called in that thread.
 *
 * Not thread-safe: the functions belong to that one thread, the sampler's. Those that any thread may call say
 * so: they are thread-safe.
 */
#ifndef EXPORTERS_SAMPLER_H
#define EXPORTERS_SAMPLER_H

#include "source.h"

struct sampler;

struct sampler_hooks {
    void (*began)(void *arg, struct source *source); /* before its first snapshot */
    void (*ended)(void *arg, struct source *source); /* its log was delivered; it is freed after this */
    void (*sampling)(void *arg);                     /* just before all segments are sampled */
    void (*sampled)(void *arg);                      /* and after it */
    void (*drained)(void *arg);                      /* events came into a log between two samplings */
    void (*looked)(void *arg, bool busy); /* about once a second; busy: another exporter leads one of them */
    void *arg;
};

/* What they point to must outlive the sampler. */
struct sampler_options {
    const metrics_clock_t *clock;
    struct ledger *ledger;
    struct meta *meta; /* may be NULL */
    struct sampler_hooks hooks;
};

/* NULL without memory. The caller frees it with sampler_free(), which lets go of the
 * segments; *sampler becomes NULL. */
struct sampler *sampler_new(const struct sampler_options *options);
void sampler_free(struct sampler **sampler);

/* Which segments (paths, patterns; none = the default path), how often (nanoseconds), how much log. Copies
 * what it needs. A segment that is no longer named is sampled a last time and ends. False without memory:
 * then nothing changes. Thread-safe. */
bool sampler_configure(struct sampler *sampler, const struct option_list *segments, uint64_t interval,
                       const struct source_log *log);

/* How often it looks whether rings of events are half full (nanoseconds; at first 100 ms). Thread-safe. */
void sampler_poll_events(struct sampler *sampler, uint64_t interval);

/* Does what is due. Returns the monotonic time at which it wants to be called again. */
uint64_t sampler_step(struct sampler *sampler);

/* Samples everything now, whatever the time: for the end. */
void sampler_finish(struct sampler *sampler);

/* How many segments are being followed. Thread-safe. */
size_t sampler_attached(struct sampler *sampler);

/* True if another exporter leads a segment that was asked for. */
bool sampler_is_busy(const struct sampler *sampler);

/* A fresh snapshot of each segment (not of replaced ones), at most `most`, and its path; the references and the
 * paths are the caller's. Returns their number. Thread-safe. */
size_t sampler_fresh(struct sampler *sampler, metrics_snapshot_t **snapshots, char **paths, size_t most);

/* Calls fn with each source while none can go; fn must not call the sampler. Thread-safe. */
void sampler_each(struct sampler *sampler, void (*fn)(void *arg, struct source *source), void *arg);

#endif
