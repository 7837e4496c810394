/* SPDX-License-Identifier: Apache-2.0 */
#include "source.h"

#include "leader.h"
#include "say.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A replaced segment to which some process is still attached counts as drained after
 * so many still intervals. */
#define SOURCE_QUIET 6

/* --- Begin and end --- */

/* Writers that begin after this use the lanes that the verdict allows. */
static void source_prove(const struct source *s)
{
    if (metrics_leader_prove(s->leader))
        say(SAY_WARN,
            "this kernel does not restart sequences that it interrupts: programs that start from now on use "
            "atomic lanes; restart those that are running, whose updates may get lost",
            "segment", s->path, NULL);
}

/* The file is opened, and is this segment's. */
static enum store_opened source_open_file(struct source *s, const struct source_log *log,
                                          struct ledger *ledger, struct buf *why)
{
    struct log_owner owner;
    if (!s->log_path) return STORE_FAILED;
    enum store_opened opened =
        log_open(&log->limits, ledger, s->log_path, log->state_dir != NULL, &s->log, why);
    if (opened != STORE_OK) return opened;
    bool good = source_owner(s->path, s->incarnation, &owner) && log_claim(s->log, &owner);
    free(owner.segment);
    if (good) return STORE_OK;
    buf_printf(why, "%s is the log of another segment", s->log_path);
    log_release(&s->log);
    return STORE_FAILED;
}

/* A file that cannot be used must not keep anything from being reported. */
static bool source_open_log(struct source *s, const struct source_log *log, struct ledger *ledger,
                            metrics_error_t *error)
{
    metrics_segment_info_t info;
    struct buf why = {0};
    if (!metrics_reader_info(metrics_leader_reader(s->leader), &info, NULL))
        s->incarnation = info.incarnation;
    if (!log->memory && s->incarnation) {
        s->log_path = source_log_path(s->path, s->incarnation, log);
        if (!s->log_path) return false;
    }
    enum store_opened opened = source_open_file(s, log, ledger, &why);
    if (opened == STORE_BUSY) {
        error->code = METRICS_E_BUSY;
        snprintf(error->text, sizeof error->text, "another exporter writes %s", s->log_path);
    } else if (opened == STORE_FAILED) {
        if (s->log_path)
            say(SAY_WARN, "the log's file cannot be used; the log is in memory and ends with the exporter",
                "segment", s->path, "reason", buf_text(&why), NULL);
        free(s->log_path);
        s->log_path = NULL;
        s->log = log_new(&log->limits, ledger);
    }
    buf_free(&why);
    return s->log != NULL;
}

/* --- What the segment remembers --- */

_Static_assert(LOG_NOTE_WORDS == (int)METRICS_NOTE_WORDS, "the segment has room for what the log notes");

static int source_get_note(void *leader, const char *backend, uint64_t words[LOG_NOTE_WORDS])
{
    return metrics_leader_note(leader, backend, words);
}

static void source_set_note(void *leader, const char *backend, const uint64_t words[LOG_NOTE_WORDS])
{
    metrics_leader_set_note(leader, backend, words);
}

static void source_join(struct source *s, const metrics_clock_t *clock, bool said)
{
    log_join(s->log,
             &(struct log_memory){.get = source_get_note,
                                  .set = source_set_note,
                                  .arg = s->leader,
                                  .log = metrics_leader_log(s->leader),
                                  .last = metrics_leader_last(s->leader),
                                  .wall = clock_wall(clock)},
             said);
}

struct source *source_open(const char *path, const metrics_clock_t *clock, const struct source_log *log,
                           struct ledger *ledger, metrics_error_t *error)
{
    metrics_reader_options_t options = {.size = sizeof options, .clock = *clock};
    struct source *s = calloc(1, sizeof *s);
    if (s) s->path = strdup(path);
    if (s && s->path) s->leader = metrics_leader_acquire(path, &options, error);
    if (s && s->leader) source_prove(s);
    if (s && s->leader) s->fresh = fresh_new(metrics_leader_reader(s->leader), clock);
    bool good = s && s->fresh && source_open_log(s, log, ledger, error);
    if (good) source_join(s, clock, log->memory);
    if (good) source_events_begin(&s->events, s->leader, s->fresh, s->log, s->path);
    if (s && !good) source_free(&s);
    return s;
}

struct source *source_open_rest(const char *path, const char *log_path, const struct source_log *log,
                                struct ledger *ledger, struct complain *trouble)
{
    struct buf why = {0};
    struct source *s = calloc(1, sizeof *s);
    if (!s) return NULL;
    s->path = strdup(path);
    s->log_path = strdup(log_path);
    s->ended = s->replaced = true;
    if (s->path && s->log_path &&
        log_open(&log->limits, ledger, log_path, log->state_dir != NULL, &s->log, &why) == STORE_FAILED)
        complain(trouble, clock_mono(&clock_system), "the log of an earlier exporter cannot be read", "file",
                 log_path, buf_text(&why));
    buf_free(&why);
    if (!s->log) source_free(&s);
    return s;
}

uint64_t source_tick(struct source *source)
{
    if (!source->leader) return CLOCK_SECOND;
    fresh_hold(source->fresh);
    uint64_t pause = metrics_leader_tick(source->leader);
    fresh_let(source->fresh);
    return pause;
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

static bool source_info(struct source *source, metrics_segment_info_t *info)
{
    fresh_hold(source->fresh);
    bool good = metrics_reader_info(metrics_leader_reader(source->leader), info, NULL) == 0;
    fresh_let(source->fresh);
    return good;
}

static void source_tell(struct source *source, struct meta *meta, const metrics_snapshot_t *snapshot)
{
    metrics_segment_info_t info;
    if (source_info(source, &info))
        meta_segment(meta, &info, metrics_snapshot_header(snapshot), log_size(source->log));
}

bool source_sample(struct source *source, const metrics_clock_t *clock, struct meta *meta)
{
    metrics_error_t error = {0};
    uint64_t start = clock_mono(clock);
    fresh_hold(source->fresh);
    metrics_snapshot_t *snapshot = metrics_leader_sample(source->leader, &error);
    fresh_let(source->fresh);
    uint64_t taken = clock_mono(clock);
    int appended = snapshot ? log_append(source->log, snapshot) : -1;
    uint64_t now = clock_mono(clock);
    if (appended < 0) {
        complain(&source->trouble, now, "cannot take a snapshot", "segment", source->path,
                 snapshot ? "out of memory" : error.text);
        if (snapshot) metrics_snapshot_release(&snapshot);
        return false;
    }
    complain_over(&source->trouble, now, "takes snapshots again", "segment", source->path);
    fresh_hold(source->fresh);
    metrics_leader_set_log(source->leader, log_number(source->log));
    metrics_leader_logged(source->leader, snapshot);
    fresh_let(source->fresh);
    if (meta) {
        meta_sampled(meta, taken - start, now - taken);
        source_tell(source, meta, snapshot);
    }
    source_remember(source, snapshot);
    return true;
}

bool source_is_filling(struct source *source)
{
    return source_events_fill(&source->events);
}

bool source_drain(struct source *source, const metrics_clock_t *clock, struct meta *meta)
{
    bool some = source_events_drain(&source->events, clock, meta);
    if (some) source->quiet = 0;
    return some;
}

bool source_was_replaced(const struct source *source)
{
    return source->replaced ||
           (source->leader && metrics_reader_replaced(metrics_leader_reader(source->leader)) == 1);
}

bool source_is_drained(struct source *source)
{
    metrics_segment_info_t info;
    if (!source->leader || source->quiet >= SOURCE_QUIET) return true;
    return source_info(source, &info) && !info.attached;
}

void source_end(struct source *source)
{
    if (source->fresh) fresh_forget(source->fresh);
    if (source->log) log_part(source->log);
    source_events_end(&source->events);
    if (source->leader) metrics_leader_release(&source->leader);
    source->ended = true;
}

void source_free(struct source **source)
{
    struct source *s = *source;
    if (!s) return;
    source_end(s);
    fresh_free(&s->fresh);
    if (s->last) metrics_snapshot_release(&s->last);
    if (s->log && s->replaced && log_is_empty(s->log)) log_spent(s->log);
    log_release(&s->log);
    free(s->path);
    free(s->log_path);
    free(s);
    *source = NULL;
}
