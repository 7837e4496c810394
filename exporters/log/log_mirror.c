/* SPDX-License-Identifier: Apache-2.0 */
/*
 * log_mirror.c - keeps a log's file the same as the log in memory, which is the authority: what changes is
 * put into one transaction and handed to the store's thread under the log's lock, so that transactions have
 * the order of the changes.
 *
 * A cursor's base is kept in the file for as long as it is some cursor's base, though its entry has left the
 * list. A base that covers several entries is stored as the last of them: the totals are the same.
 */
#include "log_inside.h"

#include "say.h"

#include <stdlib.h>
#include <string.h>

#define LOG_REWRITE_PAUSE (30 * CLOCK_SECOND)
#define LOG_LAST          (60 * CLOCK_SECOND) /* the file may take this long at the end */

static bool is_base(const struct log *log, uint64_t seq)
{
    for (const struct log_cursor *c = log->cursors; c < log->cursors + LOG_CURSORS; c++)
        if (c->name && c->base_seq == seq) return true;
    return false;
}

static bool is_listed(const struct log *log, uint64_t seq)
{
    const struct log_entry *e = log_at(log, seq);
    return e && e->seq == seq;
}

static void put(struct log *log, const struct log_entry *e, bool queued)
{
    store_put(log->store, &(struct store_entry){.seq = e->seq,
                                                .epoch = e->epoch,
                                                .wall_ns = e->wall_ns,
                                                .interval_ns = e->interval_ns,
                                                .queued = queued,
                                                .replaced = e->replaced,
                                                .bytes = e->packed,
                                                .n = e->packed_n});
}

void log_mirror_put(struct log *log, const struct log_entry *e)
{
    if (log->store) put(log, e, true);
}

void log_put_chunk(struct log *log, const struct log_chunk *k)
{
    if (log->store)
        store_put_chunk(log->store, &(struct store_entry){
                                        .seq = k->seq, .wall_ns = k->wall_ns, .bytes = k->bytes, .n = k->n});
}

void log_mirror_gone(struct log *log, const struct log_entry *e)
{
    if (!log->store) return;
    if (is_base(log, e->seq))
        store_unqueue(log->store, e->seq);
    else
        store_remove(log->store, e->seq);
}

void log_mirror_rebase(struct log *log, uint64_t old_base)
{
    if (!log->store || old_base == STORE_NO_BASE) return;
    if (!is_base(log, old_base) && !is_listed(log, old_base)) store_remove(log->store, old_base);
}

void log_mirror_drop(struct log *log, const char *name)
{
    if (log->store) store_remove_cursor(log->store, name);
}

static void put_cursor(struct log *log, const struct log_cursor *c)
{
    struct store_cursor out = {.name = c->name,
                               .at = c->at,
                               .position = c->position,
                               .of = c->of,
                               .base = c->base_seq,
                               .last_stamp = c->last_stamp,
                               .account = c->account_here,
                               .events_at = c->events.at,
                               .events_position = c->events.position,
                               .events_taken = c->events.takes};
    memcpy(out.events + 1, c->events.account + 1, sizeof out.events - sizeof *out.events);
    store_put_cursor(log->store, &out);
}

/* A base may be a snapshot that no entry holds any more, or holds merged with others. */
static void put_base(struct log *log, const struct log_cursor *c)
{
    const metrics_snapshot_header_t *h = metrics_snapshot_header(c->base);
    struct log_entry e = {
        .seq = c->base_seq, .epoch = h->epoch, .wall_ns = h->wall_ns, .interval_ns = h->interval_ns};
    if (is_listed(log, c->base_seq) || metrics_snapshot_encode(c->base, &e.packed, &e.packed_n, NULL)) return;
    put(log, &e, false);
    free(e.packed);
}

/* Writes everything anew, after the file lacked something. */
static void rewrite(struct log *log)
{
    store_clear(log->store);
    log_owner_save(log);
    for (struct log_entry *e = log->first; e; e = e->next) {
        void *bytes = NULL;
        size_t n;
        struct log_entry copy = *e;
        if (!e->packed && metrics_snapshot_encode(e->snapshot, &bytes, &n, NULL) == 0) {
            copy.packed = bytes;
            copy.packed_n = n;
        }
        if (copy.packed) put(log, &copy, true);
        free(bytes);
    }
    for (struct log_chunk *k = log->events.first; k; k = k->next) log_put_chunk(log, k);
    for (size_t i = 0; i < log->events.place_count; i++)
        store_put_place(log->store, (uint32_t)i, log->events.places[i]);
    for (struct log_cursor *c = log->cursors; c < log->cursors + LOG_CURSORS; c++) {
        if (c->name && c->base) put_base(log, c);
        if (c->name) put_cursor(log, c);
        if (c->name && c->gaps[0]) log_gap_save(log, c);
        c->dirty = false;
    }
}

/* The ticket of everything, after the file lacked something. */
static uint64_t rewrite_now(struct log *log)
{
    pthread_mutex_lock(&log->lock);
    store_abandon(log->store);
    rewrite(log);
    uint64_t ticket = store_commit(log->store);
    pthread_mutex_unlock(&log->lock);
    return ticket;
}

void log_save(struct log *log)
{
    if (!log->store) return;
    pthread_mutex_lock(&log->lock);
    uint64_t ticket = log_mirror_commit(log);
    pthread_mutex_unlock(&log->lock);
    if (ticket && store_wait(log->store, ticket, LOG_LAST)) return;
    if (!store_broken(log->store) || store_wait(log->store, rewrite_now(log), LOG_LAST)) return;
    say(SAY_WARN, "the log's file could not be written before the end; the segment has noted what was sent",
        "segment", log->owner.segment, NULL);
}

uint64_t log_mirror_commit(struct log *log)
{
    if (!log->store) return 0;
    uint64_t now = clock_mono(&clock_system);
    if (store_broken(log->store)) {
        store_abandon(log->store);
        if (now < log->rewrite_at) return 0;
        log->rewrite_at = now + LOG_REWRITE_PAUSE;
        rewrite(log);
    }
    for (struct log_cursor *c = log->cursors; c < log->cursors + LOG_CURSORS; c++) {
        if (c->name && c->dirty) put_cursor(log, c);
        c->dirty = false;
    }
    return store_commit(log->store);
}
