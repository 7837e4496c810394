/* SPDX-License-Identifier: Apache-2.0 */
/* log.c - snapshots come into a log and are given out, one cursor's after the other; the log's life. */
#include "log_inside.h"

#include <stdlib.h>
#include <string.h>

/* The newest snapshots stay as they are, for the backends that are up to date; the others are packed. */
#define LOG_UNPACKED 2
/* How long sampler and consumers wait until what they did is in the file. A slower file catches up later,
 * and the successor of an exporter that is killed meanwhile may repeat or merge what it did last. */
#define LOG_PATIENCE (5 * CLOCK_SECOND)

void log_wait(struct log *log, uint64_t ticket)
{
    if (ticket) store_wait(log->store, ticket, LOG_PATIENCE);
}

/* --- Begin and end --- */

struct log *log_new(const struct log_limits *limits, struct ledger *ledger)
{
    struct log *log = calloc(1, sizeof *log);
    if (!log) return NULL;
    pthread_mutex_init(&log->lock, NULL);
    log->references = 1;
    log->limits = *limits;
    log->ledger = ledger;
    log_owner_begin(&log->owner);
    for (int i = 0; i < LOG_CURSORS; i++) log->cursors[i].base_seq = STORE_NO_BASE;
    return log;
}

struct log *log_retain(struct log *log)
{
    pthread_mutex_lock(&log->lock);
    log->references++;
    pthread_mutex_unlock(&log->lock);
    return log;
}

void log_release(struct log **log)
{
    struct log *l = *log;
    if (!l) return;
    *log = NULL;
    pthread_mutex_lock(&l->lock);
    bool last = !--l->references;
    pthread_mutex_unlock(&l->lock);
    if (!last) return;
    if (!l->spent) log_save(l);
    store_close(&l->store, l->spent);
    for (int i = 0; i < LOG_CURSORS; i++) log_cursor_clear(&l->cursors[i]);
    while (l->first) log_entry_free(l, l->first);
    log_events_free(l);
    pthread_mutex_destroy(&l->lock);
    free(l->owner.segment);
    free(l);
}

void log_set_limits(struct log *log, const struct log_limits *limits)
{
    pthread_mutex_lock(&log->lock);
    log->limits = *limits;
    pthread_mutex_unlock(&log->lock);
}

void log_set_replaced(struct log *log)
{
    pthread_mutex_lock(&log->lock);
    log->replaced = true;
    pthread_mutex_unlock(&log->lock);
}

/* --- Appending --- */

static void log_add(struct log *log, struct log_entry *e, metrics_snapshot_t *snapshot)
{
    const metrics_snapshot_header_t *h = metrics_snapshot_header(snapshot);
    e->snapshot = metrics_snapshot_retain(snapshot);
    e->seq = log->next_seq++;
    e->epoch = log->epoch = h->epoch;
    e->wall_ns = h->wall_ns;
    e->interval_ns = h->interval_ns;
    e->replaced = log->replaced;
    log->incarnation = h->incarnation;
    log->any = true;
    log_link(log, e);
    if ((log->store || log_is_bounded(log)) && log_encode(log, e)) log_mirror_put(log, e);
    for (struct log_cursor *c = log->cursors; c < log->cursors + LOG_CURSORS; c++)
        if (c->name) log_count(log, c, e, snapshot);
    log_drop_expired(log, e->wall_ns);
    struct log_entry *old = log->last;
    for (int i = 0; old && i < LOG_UNPACKED; i++) old = old->prev;
    if (old) log_pack(log, old);
    log_thin(log);
}

int log_append(struct log *log, metrics_snapshot_t *snapshot)
{
    const metrics_snapshot_header_t *h = metrics_snapshot_header(snapshot);
    pthread_mutex_lock(&log->lock);
    bool again = h->epoch && log->any && h->epoch == log->epoch && h->incarnation == log->incarnation;
    struct log_entry *e = again ? NULL : calloc(1, sizeof *e);
    if (e) log_add(log, e, snapshot);
    uint64_t ticket = log_mirror_commit(log);
    log->appending = true;
    pthread_mutex_unlock(&log->lock);
    log_wait(log, ticket);
    pthread_mutex_lock(&log->lock);
    log->appending = false;
    pthread_mutex_unlock(&log->lock);
    return again ? 0 : e ? 1 : -1;
}

/* --- Giving out --- */

bool log_next(struct log *log, int cursor, struct log_next *next)
{
    struct log_cursor *c = &log->cursors[cursor];
    *next = (struct log_next){0};
    pthread_mutex_lock(&log->lock);
    struct log_entry *e = c->name && !c->busy && !log->appending ? log_at(log, c->at) : NULL;
    if (e) {
        c->at = c->busy_through = e->seq;
        c->busy = true;
        next->snapshot = log_read(log, c, e);
        c->busy = next->snapshot != NULL;
    }
    if (next->snapshot) {
        bool counts = c->base && !log_gap_between(c, c->base_seq, c->busy_through);
        next->base = counts ? metrics_snapshot_retain(c->base) : NULL;
        next->position = c->position;
        next->through = c->busy_through;
        e = log_at(log, c->busy_through);
        next->replaced = e->replaced;
        next->last_stamp = log_last_stamp(log, c, e);
    }
    pthread_mutex_unlock(&log->lock);
    return next->snapshot != NULL;
}

void log_begun(struct log *log, int cursor, const struct log_next *next)
{
    pthread_mutex_lock(&log->lock);
    log->cursors[cursor].begun_stamp = next->stamp;
    log_note_begun(log, &log->cursors[cursor], next);
    pthread_mutex_unlock(&log->lock);
}

/* The position moves on, as the account already did. */
static void log_advance(struct log *log, struct log_cursor *c, struct log_next *next, size_t n)
{
    struct log_entry *e = log_at(log, c->at);
    c->position = next->position += n;
    c->of = e ? e->counts[c - log->cursors].readings : 0;
    c->dirty = true;
}

void log_settled(struct log *log, int cursor, struct log_next *next, const struct log_outcome *outcome)
{
    struct log_cursor *c = &log->cursors[cursor];
    pthread_mutex_lock(&log->lock);
    log_settle(log, c, outcome->delivered, outcome->points);
    log_lose(log, c, outcome->reason, outcome->dropped);
    log_lose(log, c, LEDGER_LEFT_OUT, outcome->left_out);
    log_advance(log, c, next, outcome->delivered + outcome->dropped + outcome->left_out);
    uint64_t ticket = log_mirror_commit(log);
    pthread_mutex_unlock(&log->lock);
    log_wait(log, ticket);
    /* After the file, which also says what was dropped: the segment is for what the file lacks. */
    pthread_mutex_lock(&log->lock);
    log_note_partly(log, c, next->stamp);
    pthread_mutex_unlock(&log->lock);
}

void log_done(struct log *log, int cursor, struct log_next *next)
{
    struct log_cursor *c = &log->cursors[cursor];
    pthread_mutex_lock(&log->lock);
    log_pass(log, c, next->through, next->snapshot);
    next->snapshot = NULL;
    c->last_stamp = next->stamp;
    /* In the same transaction, so that what comes next does not depend on when it is asked for. */
    struct log_entry *e = log_at(log, c->at);
    if (e) log_fold(log, c, e);
    c->busy = false;
    log_trim(log);
    uint64_t ticket = log_mirror_commit(log);
    pthread_mutex_unlock(&log->lock);
    log_wait(log, ticket);
    pthread_mutex_lock(&log->lock);
    log_note_whole(log, c, next->base);
    pthread_mutex_unlock(&log->lock);
    if (next->base) metrics_snapshot_release(&next->base);
}

void log_undo(struct log *log, int cursor, struct log_next *next)
{
    pthread_mutex_lock(&log->lock);
    log->cursors[cursor].busy = false;
    pthread_mutex_unlock(&log->lock);
    if (next->snapshot) metrics_snapshot_release(&next->snapshot);
    if (next->base) metrics_snapshot_release(&next->base);
}

/* --- How it is --- */

bool log_is_appending(struct log *log)
{
    pthread_mutex_lock(&log->lock);
    bool appending = log->appending;
    pthread_mutex_unlock(&log->lock);
    return appending;
}

struct log_lag log_lag(struct log *log, int cursor)
{
    struct log_lag lag = {0};
    pthread_mutex_lock(&log->lock);
    struct log_entry *e = log_at(log, log->cursors[cursor].at);
    if (e) lag.ns = log_age(log, e) + e->interval_ns;
    for (; e; e = e->next) lag.snapshots++;
    pthread_mutex_unlock(&log->lock);
    return lag;
}

struct log_size log_size(struct log *log)
{
    pthread_mutex_lock(&log->lock);
    struct log_size size = {log->bytes, log->snapshots, 0, log->events.chunks};
    pthread_mutex_unlock(&log->lock);
    size.failures = log_failures(log);
    return size;
}

bool log_is_empty(struct log *log)
{
    struct log_size size = log_size(log);
    return !size.snapshots && !size.chunks;
}

void log_spent(struct log *log)
{
    pthread_mutex_lock(&log->lock);
    log->spent = true;
    pthread_mutex_unlock(&log->lock);
}

bool log_is_durable(struct log *log)
{
    return log->store != NULL;
}

uint64_t log_failures(struct log *log)
{
    return log->store ? store_failures(log->store) : 0;
}
