/* SPDX-License-Identifier: Apache-2.0 */
/* log_chunk.c - the chunks of a log's list, and what each cursor has to do with them. */
#include "log_inside.h"

#include <stdlib.h>
#include <string.h>

_Static_assert((int)LEDGER_ANNOTATIONS == (int)METRICS_EVENT_ANNOTATION &&
                   (int)LEDGER_SPANS == (int)METRICS_EVENT_SPAN &&
                   (int)LEDGER_LOGS == (int)METRICS_EVENT_LOG &&
                   (int)LEDGER_POINTS == (int)METRICS_EVENT_POINT,
               "the signal of an event has the number of its type");

/* --- Accounts: this log's part is kept beside the cursor, for the file --- */

void log_take_events(struct log *log, struct log_cursor *c, int type, uint64_t n)
{
    ledger_take(log->ledger, c->account, (enum ledger_signal)type, n);
    c->events.account[type].taken += n;
    c->events.account[type].queued += n;
    c->dirty |= n != 0;
}

void log_lose_events(struct log *log, struct log_cursor *c, int type, enum ledger_reason reason, uint64_t n)
{
    ledger_drop(log->ledger, c->account, (enum ledger_signal)type, reason, n);
    c->events.account[type].dropped[reason] += n;
    c->events.account[type].queued -= n;
    c->dirty |= n != 0;
}

void log_settle_events(struct log *log, struct log_cursor *c, int type, uint64_t n, uint64_t points)
{
    ledger_deliver(log->ledger, c->account, (enum ledger_signal)type, n, points);
    c->events.account[type].delivered += n;
    c->events.account[type].points += points;
    c->events.account[type].queued -= n;
    c->dirty |= n != 0;
}

/* --- Chunks --- */

struct log_chunk *log_chunk_new(const void *bytes, size_t n, bool hostile)
{
    struct log_chunk *k = calloc(1, sizeof *k);
    void *copy = k ? malloc(n) : NULL;
    if (copy) memcpy(copy, bytes, n);
    if (copy && event_chunk_open(&k->chunk, copy, n, hostile)) {
        k->bytes = copy;
        k->n = n;
        k->references = 1;
        return k;
    }
    free(copy);
    free(k);
    return NULL;
}

void log_chunk_drop(struct log_chunk *k)
{
    if (--k->references) return;
    event_chunk_free(&k->chunk);
    free(k->bytes);
    free(k);
}

struct log_chunk *log_chunk_at(const struct log *log, uint64_t seq)
{
    struct log_chunk *k = log->events.first;
    while (k && k->seq < seq) k = k->next;
    return k;
}

void log_chunk_link(struct log *log, struct log_chunk *k)
{
    struct log_chunk **end = &log->events.first;
    while (*end) end = &(*end)->next;
    *end = k;
    log->events.bytes += k->n;
    log->events.chunks++;
}

static void chunk_unlink(struct log *log, struct log_chunk **at)
{
    struct log_chunk *k = *at;
    *at = k->next;
    k->next = NULL;
    log->events.bytes -= k->n;
    log->events.chunks--;
    if (log->store) store_remove_chunk(log->store, k->seq);
    log_chunk_drop(k);
}

/* --- What is needed --- */

bool log_chunk_waits(const struct log *log, const struct log_cursor *c, const struct log_chunk *k)
{
    const uint32_t *counts = k->counts[c - log->cursors];
    bool any = false;
    for (int type = METRICS_EVENT_ANNOTATION; type < METRICS_EVENT_TYPES; type++) any = any || counts[type];
    return any;
}

/* A cursor that nobody is attached to has not counted what came since; its backend may take it. */
static bool needs(const struct log *log, const struct log_cursor *c, const struct log_chunk *k)
{
    if (!c->name || k->seq < c->events.at) return false;
    return log_chunk_waits(log, c, k) || (!c->sel && c->events.takes != LOG_TAKES_NONE);
}

static bool is_needed(const struct log *log, const struct log_chunk *k)
{
    for (const struct log_cursor *c = log->cursors; c < log->cursors + LOG_CURSORS; c++)
        if (needs(log, c, k)) return true;
    return false;
}

void log_trim_events(struct log *log)
{
    for (struct log_chunk **at = &log->events.first; *at;)
        if (is_needed(log, *at))
            at = &(*at)->next;
        else
            chunk_unlink(log, at);
}

void log_events_free(struct log *log)
{
    for (struct log_chunk *k = log->events.first, *next; k; k = next) {
        next = k->next;
        log_chunk_drop(k);
    }
    free(log->events.places);
    log->events = (struct log_events){.next_seq = log->events.next_seq};
}

/* --- Thinning --- */

void log_skip_chunk(struct log *log, struct log_cursor *c, struct log_chunk *k, enum ledger_reason reason)
{
    uint32_t *counts = k->counts[c - log->cursors];
    for (int type = METRICS_EVENT_ANNOTATION; type < METRICS_EVENT_TYPES; type++) {
        log_lose_events(log, c, type, reason, counts[type]);
        counts[type] = 0;
    }
}

static bool is_old(const struct log *log, const struct log_chunk *k, uint64_t wall_ns)
{
    uint64_t most = log->limits.events_age_ns;
    return most && wall_ns > k->wall_ns && wall_ns - k->wall_ns > most;
}

/* What a backend is being sent stays until that is over, and the newest chunk comes on top of the size. */
void log_thin_events(struct log *log, uint64_t wall_ns)
{
    uint64_t most = log->limits.events_size;
    for (struct log_chunk **at = &log->events.first; *at;) {
        struct log_chunk *k = *at;
        bool much = most && log->events.bytes > most && k->next;
        if (!much && !is_old(log, k, wall_ns)) return;
        if (k->references > 1) {
            at = &k->next;
            continue;
        }
        for (struct log_cursor *c = log->cursors; c < log->cursors + LOG_CURSORS; c++)
            if (c->name) log_skip_chunk(log, c, k, LEDGER_THINNED);
        log->events.thinned = true;
        chunk_unlink(log, at);
    }
}

/* --- Counting --- */

void log_count_chunk(struct log *log, struct log_cursor *c, struct log_chunk *k)
{
    uint32_t *counts = k->counts[c - log->cursors];
    if (!c->sel || k->seq < c->events.at) return;
    selection_count_events(c->sel, &k->chunk, k->seq == c->events.at ? c->events.position : 0, counts);
}

/* Events are counted anew for whoever attaches. The difference to what was queued came while nobody was attached, or
 * went with another filter, with chunks that were thinned meanwhile, or with damaged records of the file. */
void log_count_events(struct log *log, struct log_cursor *c)
{
    uint64_t has[METRICS_EVENT_TYPES] = {0};
    enum ledger_reason reason = log->damaged          ? LEDGER_DAMAGED
                                : log->events.thinned ? LEDGER_THINNED
                                                      : LEDGER_REMOVED;
    for (struct log_chunk *k = log->events.first; k; k = k->next) {
        log_count_chunk(log, c, k);
        for (int type = 0; type < METRICS_EVENT_TYPES; type++) has[type] += k->counts[c - log->cursors][type];
    }
    for (int type = METRICS_EVENT_ANNOTATION; type < METRICS_EVENT_TYPES; type++) {
        uint64_t had = c->events.account[type].queued;
        if (has[type] > had) log_take_events(log, c, type, has[type] - had);
        if (has[type] < had) log_lose_events(log, c, type, reason, had - has[type]);
    }
    c->events.takes = c->sel->events ? c->sel->events : LOG_TAKES_NONE;
    c->dirty = true;
}

void log_drop_events(struct log *log, struct log_cursor *c, enum ledger_reason reason)
{
    for (struct log_chunk *k = log->events.first; k; k = k->next) log_skip_chunk(log, c, k, reason);
    /* What was never counted, because nobody has attached since it came from the file. */
    for (int type = METRICS_EVENT_ANNOTATION; type < METRICS_EVENT_TYPES; type++)
        log_lose_events(log, c, type, reason, c->events.account[type].queued);
}
