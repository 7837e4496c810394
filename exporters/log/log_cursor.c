/* SPDX-License-Identifier: Apache-2.0 */
/* log_cursor.c - the cursors of a log: made, moved on, left, ended. */
#include "log_inside.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct log_cursor *log_cursor_named(struct log *log, const char *name)
{
    struct log_cursor *empty = NULL;
    for (struct log_cursor *c = log->cursors; c < log->cursors + LOG_CURSORS; c++) {
        if (c->name && !strcmp(c->name, name)) return c;
        if (!c->name && !empty) empty = c;
    }
    if (!empty) return NULL;
    *empty = (struct log_cursor){.name = strdup(name),
                                 .at = log->next_seq,
                                 .base_seq = STORE_NO_BASE,
                                 .last_stamp = log->ended_stamp,
                                 .dirty = true};
    empty->events.at = log->events.next_seq;
    return empty->name ? empty : NULL;
}

void log_cursor_clear(struct log_cursor *c)
{
    if (c->base) metrics_snapshot_release(&c->base);
    if (c->sum) metrics_snapshot_release(&c->sum);
    free(c->name);
    free(c->filter);
    *c = (struct log_cursor){.base_seq = STORE_NO_BASE};
}

void log_pass(struct log *log, struct log_cursor *c, uint64_t through, metrics_snapshot_t *snapshot)
{
    uint64_t old_base = c->base_seq;
    if (c->base) metrics_snapshot_release(&c->base);
    if (c->sum) metrics_snapshot_release(&c->sum);
    c->base = snapshot;
    c->base_seq = through;
    c->at = c->gap_to > through ? c->gap_to : through + 1;
    struct log_entry *e = log_at(log, c->at);
    if (e) c->at = e->seq; /* the entry of that number may have been merged into this one */
    c->gap_from = c->gap_to = 0;
    log_gap_passed(log, c, through);
    c->position = 0;
    c->dirty = true;
    log_mirror_rebase(log, old_base);
}

bool log_reserve(struct log *log, const char *name)
{
    pthread_mutex_lock(&log->lock);
    struct log_cursor *c = log_cursor_named(log, name);
    log_mirror_commit(log);
    pthread_mutex_unlock(&log->lock);
    return c != NULL;
}

void log_detach(struct log *log, int cursor)
{
    pthread_mutex_lock(&log->lock);
    log->cursors[cursor].sel = NULL;
    log->cursors[cursor].counted = log->next_seq;
    pthread_mutex_unlock(&log->lock);
}

#define LOG_ENDED_FACT "ended"

/* A backend that leaves and comes back gets no second interval under a time that it knows. */
static void log_cursor_remember(struct log *log, const struct log_cursor *c)
{
    char text[24];
    uint64_t last = c->begun_stamp > c->last_stamp ? c->begun_stamp : c->last_stamp;
    if (last <= log->ended_stamp) return;
    log->ended_stamp = last;
    if (!log->store) return;
    snprintf(text, sizeof text, "%" PRIx64, last);
    store_put_fact(log->store, LOG_ENDED_FACT, text);
}

void log_cursor_load(struct log *log, const char *fact, const char *text)
{
    if (!strcmp(fact, LOG_ENDED_FACT)) log->ended_stamp = strtoull(text, NULL, 16);
}

void log_cursor_drop(struct log *log, struct log_cursor *c, enum ledger_reason reason)
{
    for (struct log_entry *e = log->first; e; e = e->next) {
        struct selection_count *count = &e->counts[c - log->cursors];
        uint64_t settled = e->seq == c->at ? c->position : 0;
        if (e->seq >= c->at && count->readings > settled) log_lose(log, c, reason, count->readings - settled);
        *count = (struct selection_count){0};
    }
    /* One that was loaded and never attached has not counted its entries. */
    if (c->loaded && c->account_here.queued) log_lose(log, c, reason, c->account_here.queued);
    log_drop_events(log, c, reason);
    uint64_t base = c->base_seq;
    log_cursor_remember(log, c);
    log_mirror_drop(log, c->name);
    log_cursor_clear(c);
    log_mirror_rebase(log, base);
    log_trim_events(log);
}

void log_drop(struct log *log, int cursor, enum ledger_reason reason)
{
    pthread_mutex_lock(&log->lock);
    log_cursor_drop(log, &log->cursors[cursor], reason);
    log_trim(log);
    log_mirror_commit(log);
    pthread_mutex_unlock(&log->lock);
}
