/* SPDX-License-Identifier: Apache-2.0 */
/* log_attach.c - what is queued for a cursor is counted under the selection of the backend
 * that takes it up. */
#include "log_inside.h"

#include <stdlib.h>
#include <string.h>

void log_count(struct log *log, struct log_cursor *c, struct log_entry *e, const metrics_snapshot_t *snapshot)
{
    struct selection_count *had = &e->counts[c - log->cursors];
    struct selection_count has = c->sel && snapshot ? selection_count(c->sel, snapshot) : *had;
    if (has.readings > had->readings)
        log_take(log, c, has.readings - had->readings);
    else if (has.readings < had->readings)
        log_lose(log, c, LEDGER_REMOVED, had->readings - has.readings);
    *had = has;
}

/* --- The queue that was there before --- */

/* A snapshot was accepted in part under another selection, or, if it comes from the file, under one that took
 * another number of its readings. Where to go on is unknown, so the rest of it is given up. It becomes the
 * base: deltas from the one before would send again what was accepted. */
static void log_resume(struct log *log, struct log_cursor *c)
{
    struct log_entry *e = c->position ? log_at(log, c->at) : NULL;
    metrics_snapshot_t *snapshot = e ? log_unpack(e) : NULL;
    if (!snapshot) return;
    if (!c->loaded || selection_count(c->sel, snapshot).readings != c->of) {
        log_lose(log, c, LEDGER_REMOVED, c->of - c->position);
        log_pass(log, c, e->seq, snapshot);
        return;
    }
    metrics_snapshot_release(&snapshot);
}

/* Counts what is queued under the cursor's selection, from an entry on. Unlocks while it unpacks: what is
 * appended meanwhile is counted by log_append(), and what is merged into the next one needs no count. */
static void log_recount(struct log *log, struct log_cursor *c, uint64_t from)
{
    const uint64_t end = log->next_seq;
    for (struct log_entry *e; (e = log_at(log, from)) && e->seq < end;) {
        uint64_t seq = e->seq;
        from = seq + 1;
        if (seq < c->at || (seq == c->at && c->position)) continue;
        metrics_snapshot_t *snapshot = log_look(log, e);
        e = log_at(log, seq);
        if (e && e->seq == seq) log_count(log, c, e, snapshot);
        if (snapshot) metrics_snapshot_release(&snapshot);
    }
}

/* A cursor from the file knows how much was queued, but not how much of each entry. The difference to what is
 * there now went with damaged records, or with names that the filter no longer passes. */
static void log_recount_loaded(struct log *log, struct log_cursor *c)
{
    uint64_t had = c->account_here.queued, has = 0;
    for (struct log_entry *e = log->first; e; e = e->next) {
        metrics_snapshot_t *snapshot = e->seq >= c->at ? log_unpack(e) : NULL;
        if (!snapshot) continue;
        struct selection_count *count = &e->counts[c - log->cursors];
        *count = selection_count(c->sel, snapshot);
        has += count->readings - (e->seq == c->at ? c->position : 0);
        metrics_snapshot_release(&snapshot);
    }
    if (has > had) log_take(log, c, has - had);
    if (has < had && c->sent)
        log_settle(log, c, had - has, 0);
    else if (has < had)
        log_lose(log, c, log->damaged ? LEDGER_DAMAGED : LEDGER_REMOVED, had - has);
    c->loaded = c->sent = false;
}

/* Unlocks and locks again. */
static void log_count_queue(struct log *log, struct log_cursor *c, bool same)
{
    if (!same) log_resume(log, c);
    if (c->loaded)
        log_recount_loaded(log, c);
    else
        log_recount(log, c, same ? c->counted : 0);
}

/* --- Attaching --- */

/* A backend that comes back with the filter that it had has only to count what was appended since. */
static bool log_attach_to(struct log *log, struct log_cursor *c, const struct selection *sel, bool at_once)
{
    struct buf filter = {0};
    selection_filter(sel, &filter);
    bool same = c->filter && !strcmp(c->filter, buf_text(&filter));
    bool takes_long = c->filter && !same && log_at(log, c->at);
    char *copy = takes_long && at_once ? NULL : strdup(buf_text(&filter));
    buf_free(&filter);
    if (!copy) return false;
    free(c->filter);
    c->filter = copy;
    c->account = ledger_open(log->ledger, c->name);
    c->sel = sel;
    c->max_lag = sel->settings->max_lag;
    c->queue_bytes = sel->settings->queue_bytes;
    log_count_queue(log, c, same);
    log_count_events(log, c);
    log_trim_events(log);
    return true;
}

int log_attach(struct log *log, const char *name, const struct selection *sel, bool at_once)
{
    pthread_mutex_lock(&log->lock);
    struct log_cursor *c = log_cursor_named(log, name);
    if (c && (c->sel || !log_attach_to(log, c, sel, at_once))) c = NULL;
    log_mirror_commit(log);
    pthread_mutex_unlock(&log->lock);
    return c ? (int)(c - log->cursors) : LEDGER_NONE;
}
