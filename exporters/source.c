/* SPDX-License-Identifier: Apache-2.0 */
#include "source.h"

#include "leader.h"
#include "say.h"

#include <stdlib.h>
#include <string.h>

/* A replaced segment to which some process is still attached counts as drained after so many still intervals.
 */
#define SOURCE_QUIET 6

struct source *source_open(const char *path, const metrics_clock_t *clock, const struct log_limits *limits,
                           struct ledger *ledger, metrics_error_t *error)
{
    metrics_reader_options_t options = {.size = sizeof options, .clock = *clock};
    struct source *s = calloc(1, sizeof *s);
    if (s) s->path = strdup(path);
    if (s && s->path) s->leader = metrics_leader_acquire(path, &options, error);
    if (s && s->leader) s->fresh = fresh_open(path, clock, error);
    if (s && s->fresh) s->log = log_new(limits, ledger);
    if (s && !s->log) source_free(&s);
    return s;
}

uint64_t source_tick(struct source *source)
{
    return source->leader ? metrics_leader_tick(source->leader) : CLOCK_SECOND;
}

/* True if no total and no level differs from the last snapshot's. */
static bool source_is_still(const metrics_snapshot_t *now, const metrics_snapshot_t *last)
{
    metrics_row_options_t options = {.size = sizeof options,
                                     .attributes = METRICS_ATTR(METRICS_COUNT) | METRICS_ATTR(METRICS_VALUE)};
    metrics_row_t row;
    if (!last || metrics_snapshot_count(now) != metrics_snapshot_count(last)) return false;
    for (size_t i = 0, n = metrics_snapshot_count(now); i < n; i++) {
        const metrics_reading_t *reading = metrics_snapshot_reading(now, i),
                                *was = metrics_snapshot_find(last, reading);
        if (!was) return false;
        double before = metrics_reading_rows(was, NULL, &options, &row, 1) ? metrics_row_number(&row) : 0;
        double after = metrics_reading_rows(reading, NULL, &options, &row, 1) ? metrics_row_number(&row) : 0;
        if (before != after) return false;
    }
    return true;
}

static void source_remember(struct source *source, metrics_snapshot_t *snapshot)
{
    if (source->replaced) source->quiet = source_is_still(snapshot, source->last) ? source->quiet + 1 : 0;
    if (source->last) metrics_snapshot_release(&source->last);
    source->last = snapshot;
}

static void source_tell(struct source *source, struct meta *meta, const metrics_snapshot_t *snapshot)
{
    metrics_segment_info_t info;
    if (metrics_reader_info(metrics_leader_reader(source->leader), &info, NULL) == 0)
        meta_segment(meta, &info, metrics_snapshot_header(snapshot), log_size(source->log));
}

bool source_sample(struct source *source, const metrics_clock_t *clock, struct meta *meta)
{
    metrics_error_t error = {0};
    uint64_t start = clock_mono(clock);
    metrics_snapshot_t *snapshot = metrics_leader_sample(source->leader, &error);
    int appended = snapshot ? log_append(source->log, snapshot) : -1;
    uint64_t now = clock_mono(clock);
    if (appended < 0) {
        complain(&source->trouble, now, "cannot take a snapshot", source->path,
                 snapshot ? "out of memory" : error.text);
        if (snapshot) metrics_snapshot_release(&snapshot);
        return false;
    }
    complain_over(&source->trouble, now, "takes snapshots again", source->path);
    metrics_leader_logged(source->leader, snapshot);
    if (meta) {
        meta_sampled(meta, now - start);
        source_tell(source, meta, snapshot);
    }
    source_remember(source, snapshot);
    return true;
}

bool source_check_replaced(struct source *source)
{
    if (!source->replaced && source->leader) {
        source->replaced = metrics_reader_replaced(metrics_leader_reader(source->leader)) == 1;
        if (source->replaced)
            say(SAY_INFO, "the segment was replaced; following the old one until it is quiet", "segment",
                source->path, NULL);
    }
    return source->replaced;
}

bool source_is_drained(struct source *source)
{
    metrics_segment_info_t info;
    if (!source->leader || source->quiet >= SOURCE_QUIET) return true;
    return metrics_reader_info(metrics_leader_reader(source->leader), &info, NULL) == 0 && !info.attached;
}

void source_end(struct source *source)
{
    if (source->leader) metrics_leader_release(&source->leader);
    source->ended = true;
}

void source_free(struct source **source)
{
    struct source *s = *source;
    if (!s) return;
    source_end(s);
    fresh_close(&s->fresh);
    if (s->last) metrics_snapshot_release(&s->last);
    log_release(&s->log);
    free(s->path);
    free(s);
    *source = NULL;
}
