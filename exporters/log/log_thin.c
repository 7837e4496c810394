/* SPDX-License-Identifier: Apache-2.0 */
/*
 * log_thin.c - how a log becomes smaller without losing what was counted: neighbouring intervals become one,
 * if the log is over its size or something is too old, or if a backend's part of it is over its queue_bytes.
 * The first that waits for a backend is never merged into the next: an exporter that was killed may have sent
 * it, and what comes again must be the same.
 */
#include "log_inside.h"

#include <stdlib.h>
#include <string.h>

/* --- What is needed --- */

static bool log_needs(const struct log_cursor *c, const struct log_entry *e)
{
    return c->name && e->seq >= c->at && !(e->seq >= c->gap_from && e->seq < c->gap_to);
}

static bool log_has_gaps(const struct log *log)
{
    for (const struct log_cursor *c = log->cursors; c < log->cursors + LOG_CURSORS; c++)
        if (c->name && c->gap_to) return true;
    return false;
}

static bool log_is_needed(const struct log *log, const struct log_entry *e)
{
    for (const struct log_cursor *c = log->cursors; c < log->cursors + LOG_CURSORS; c++)
        if (log_needs(c, e)) return true;
    return false;
}

/* Mostly the oldest ones are no longer needed. (Cursors have references of their own to their bases.) */
void log_trim(struct log *log)
{
    while (log->first && !log_is_needed(log, log->first)) log_entry_free(log, log->first);
    if (!log_has_gaps(log)) return;
    for (struct log_entry *e = log->first, *next; e; e = next) {
        next = e->next;
        if (!log_is_needed(log, e)) log_entry_free(log, e);
    }
}

/* --- Two become one --- */

/* Puts another snapshot in an entry's place; takes over the reference. */
static void log_replace(struct log *log, struct log_entry *e, metrics_snapshot_t *snapshot)
{
    bool packed = e->snapshot == NULL;
    metrics_snapshot_release(&e->snapshot);
    log->bytes -= e->packed_n;
    free(e->packed);
    e->packed = NULL;
    e->packed_n = 0;
    e->snapshot = snapshot;
    e->interval_ns = metrics_snapshot_header(snapshot)->interval_ns;
    if (log->store && log_encode(log, e)) log_mirror_put(log, e);
    if (packed) log_pack(log, e);
}

/* True if the entry may be merged into its successor: no cursor is between the two,
 * or is reading either. */
static bool log_mergeable(const struct log *log, const struct log_entry *e)
{
    if (!e->next) return false;
    for (const struct log_cursor *c = log->cursors; c < log->cursors + LOG_CURSORS; c++) {
        if (!c->name || c->at > e->next->seq) continue;
        if (log_gap_between(c, e->seq, e->next->seq)) return false;
        if (c->at == e->next->seq || (c->at > e->seq && c->at < e->next->seq)) return false;
        if (c->at == e->seq) return false; /* it may have been sent, see above */
        if (c->busy && c->busy_through >= e->seq) return false;
    }
    return true;
}

/* Merges an entry into the next one. False without memory: the log is as it was. */
static bool log_merge(struct log *log, struct log_entry *e)
{
    metrics_snapshot_t *older = log_unpack(e), *newer = log_unpack(e->next);
    metrics_snapshot_t *both = older && newer ? metrics_snapshot_merge(older, newer, NULL) : NULL;
    if (older) metrics_snapshot_release(&older);
    if (newer) metrics_snapshot_release(&newer);
    if (!both) return false;
    log_replace(log, e->next, both);
    for (struct log_cursor *c = log->cursors; c < log->cursors + LOG_CURSORS; c++)
        if (c->name && c->at <= e->seq) log_account_merge(log, c, e);
    log_entry_free(log, e);
    return true;
}

/* True if only backends whose parts are too large need the entry. */
static bool log_is_excess(const struct log *log, const struct log_entry *e)
{
    for (const struct log_cursor *c = log->cursors; c < log->cursors + LOG_CURSORS; c++)
        if (!c->over && log_needs(c, e)) return false;
    return true;
}

/* True if all who need the entry will merge it when they read it: it is behind them by
 * more than their max_lag. */
static bool log_is_stale(const struct log *log, const struct log_entry *e)
{
    uint64_t age = log_age(log, e);
    for (const struct log_cursor *c = log->cursors; c < log->cursors + LOG_CURSORS; c++)
        if (log_needs(c, e) && !(c->max_lag && age > c->max_lag)) return false;
    return true;
}

/* The pair before `end` that is merged first: what will be read as one anyway, else what makes the shortest
 * interval, so that resolution fades evenly. `excess`: only what is that. */
static struct log_entry *log_pair(const struct log *log, struct log_entry *from, const struct log_entry *end,
                                  bool excess)
{
    struct log_entry *best = NULL;
    uint64_t least = UINT64_MAX;
    for (struct log_entry *e = from; e && e->next && e->next != end; e = e->next) {
        uint64_t sum = e->interval_ns + e->next->interval_ns;
        bool stale = log_is_stale(log, e);
        if ((sum >= least && !stale) || (excess && !log_is_excess(log, e)) || !log_mergeable(log, e))
            continue;
        if (stale) return e;
        least = sum;
        best = e;
    }
    return best;
}

/* --- The part of one backend --- */

bool log_is_bounded(const struct log *log)
{
    for (const struct log_cursor *c = log->cursors; c < log->cursors + LOG_CURSORS; c++)
        if (c->name && c->queue_bytes) return true;
    return false;
}

/* The first entry that waits behind the one that the cursor is at, which is being sent or is the next to be;
 * NULL if there is none, or only the newest. */
static struct log_entry *log_waiting(const struct log *log, const struct log_cursor *c)
{
    struct log_entry *e = log_at(log, c->at);
    uint64_t head = c->busy ? c->busy_through : e ? e->seq : 0;
    while (e && (e->seq <= head || e->seq < c->gap_to)) e = e->next;
    return e == log->last ? NULL : e;
}

/* Even as one interval it is too much: its totals will come with a later one, as if it had not existed. */
static void log_give_up(struct log *log, struct log_cursor *c, struct log_entry *e)
{
    struct selection_count *count = &e->counts[c - log->cursors];
    log_lose(log, c, LEDGER_QUEUE_FULL, count->readings);
    *count = (struct selection_count){0};
    if (!c->gap_to) c->gap_from = e->seq;
    c->gap_to = e->seq + 1;
}

static bool log_is_over(const struct log *log, const struct log_cursor *c)
{
    return c->name && c->queue_bytes && log_bytes_from(log, log_waiting(log, c)) > c->queue_bytes;
}

/* Where another backend still needs the intervals one by one, they stay, and are merged when this one reads
 * them: see log_fold.c. */
static void log_bound(struct log *log, struct log_cursor *c)
{
    struct log_entry *first, *pair;
    while ((c->over = log_is_over(log, c)) && (first = log_waiting(log, c))) {
        bool alone = first->next == log->last;
        if (alone) log_give_up(log, c, first);
        if (alone || !(pair = log_pair(log, first, log->last, true)) || !log_merge(log, pair)) return;
    }
}

void log_thin(struct log *log)
{
    struct log_entry *e = log->first;
    while (e && e->next && log_age(log, e) > log->limits.age_ns) {
        struct log_entry *next = e->next;
        if (log_mergeable(log, e) && !log_merge(log, e)) return;
        e = next;
    }
    for (struct log_cursor *c = log->cursors; c < log->cursors + LOG_CURSORS; c++)
        c->over = log_is_over(log, c);
    for (struct log_cursor *c = log->cursors; c < log->cursors + LOG_CURSORS; c++)
        if (c->over) log_bound(log, c);
    if (log_has_gaps(log)) log_trim(log);
    while (log->bytes > log->limits.size && (e = log_pair(log, log->first, NULL, false)))
        if (!log_merge(log, e)) return;
}
