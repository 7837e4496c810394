/* SPDX-License-Identifier: Apache-2.0 */
/*
 * meta.h - the exporter's metrics about itself: ordinary series, written with the public API into the first
 * segment that it leads, and so reported like all others. docs/exporter.md lists them.
 *
 * All functions are thread-safe unless they say otherwise. Without a segment they do nothing. Durations are
 * in nanoseconds.
 */
#ifndef EXPORTERS_META_H
#define EXPORTERS_META_H

#include "ledger.h"
#include "log.h"

#include <mtx/events_read.h>

struct meta;

/* NULL without memory. The caller frees it with meta_free(). */
struct meta *meta_new(void);
/* *meta becomes NULL. Not thread-safe: nobody may be inside any other call. */
void meta_free(struct meta **meta);

/* Writes into this segment from now on (NULL: into none). False, with the reason, if that segment cannot
 * be written to: then nothing changes. */
bool meta_attach(struct meta *meta, const char *path, struct buf *why);

/*
 * After the first meta_attach(); later calls do nothing. What an earlier exporter counted, and was killed
 * before it added it to the segment's counters, is added by the next meta_ledger(); what it added, and was
 * killed before its log's file had it, so that it happens again, is not added twice. The snapshot, a fresh
 * one of that segment, says what it had added; what it had counted is what ledger_restore() brought.
 */
void meta_recall(struct meta *meta, struct ledger *ledger, const metrics_snapshot_t *snapshot);

/* A payload was given to a backend's transport, and sending it took this long. */
void meta_sent(struct meta *meta, const char *backend, uint64_t ns);

/* A snapshot was taken: this long to read it, this long to put it into the log. */
void meta_sampled(struct meta *meta, uint64_t read_ns, uint64_t log_ns);

/* A scrape was answered: how long that took, and how many bytes it was. */
void meta_scraped(struct meta *meta, const char *backend, uint64_t ns, uint64_t bytes);

/* What has happened according to the ledger since the last call is added to the counters. */
void meta_ledger(struct meta *meta, struct ledger *ledger);

/* How far a backend is behind. */
void meta_lag(struct meta *meta, const char *backend, struct log_lag lag);

/* How many snapshots wait for backends that are not configured: begin, once for each log and backend, end. A
 * backend that is not named any more has 0. One thread at a time. */
void meta_kept_begin(struct meta *meta);
void meta_kept(struct meta *meta, const char *backend, uint64_t snapshots);
void meta_kept_end(struct meta *meta);

/* Events that the segment's writers, or its exporter, have lost. */
void meta_events(struct meta *meta, const metrics_events_stats_t *stats);

/* The state of the segment. */
void meta_segment(struct meta *meta, const metrics_segment_info_t *info,
                  const metrics_snapshot_header_t *header, struct log_size log);

#endif
