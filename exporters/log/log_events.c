/* SPDX-License-Identifier: Apache-2.0 */
/* log_events.c - chunks of events come into a log and are given out, one cursor's after the other. */
#include "log_events.h"

#include "log_inside.h"

#include <stdlib.h>
#include <string.h>

/* --- Places --- */

bool log_set_place(struct log *log, size_t i, uint64_t position)
{
    struct log_events *e = &log->events;
    bool more_than_before = i >= e->place_count;
    if (i >= LOG_PLACES) return false;
    if (more_than_before) {
        uint64_t *more = realloc(e->places, (i + 1) * sizeof *more);
        if (!more) return false;
        memset(more + e->place_count, 0, (i + 1 - e->place_count) * sizeof *more);
        e->places = more;
        e->place_count = i + 1;
    }
    /* The last one says how many there are, even if it is 0. */
    if (log->store && (more_than_before || e->places[i] != position))
        store_put_place(log->store, (uint32_t)i, position);
    e->places[i] = position;
    return true;
}

size_t log_places(struct log *log, uint64_t *places, size_t room)
{
    pthread_mutex_lock(&log->lock);
    size_t n = log->events.place_count;
    for (size_t i = 0; i < n && i < room; i++) places[i] = log->events.places[i];
    pthread_mutex_unlock(&log->lock);
    return n;
}

/* --- Appending --- */

static void add_chunk(struct log *log, struct log_chunk *k, uint64_t wall_ns)
{
    k->seq = log->events.next_seq++;
    k->wall_ns = wall_ns;
    log_chunk_link(log, k);
    log_put_chunk(log, k);
    for (struct log_cursor *c = log->cursors; c < log->cursors + LOG_CURSORS; c++) {
        if (!c->name) continue;
        log_count_chunk(log, c, k);
        for (int type = METRICS_EVENT_ANNOTATION; type < METRICS_EVENT_TYPES; type++)
            log_take_events(log, c, type, k->counts[c - log->cursors][type]);
    }
    log_thin_events(log, wall_ns);
    log_trim_events(log);
}

bool log_append_events(struct log *log, const void *bytes, size_t n, uint64_t wall_ns, const uint64_t *places,
                       size_t place_count)
{
    struct log_chunk *k = n ? log_chunk_new(bytes, n, false) : NULL;
    pthread_mutex_lock(&log->lock);
    bool good = k || !n;
    for (size_t i = place_count; good && i > 0; i--) good = log_set_place(log, i - 1, places[i - 1]);
    uint64_t seq = log->events.next_seq;
    if (good && k) add_chunk(log, k, wall_ns);
    if (!good && k) log_chunk_drop(k);
    uint64_t ticket = log_mirror_commit(log);
    if (ticket) log->events.ticket = ticket;
    pthread_mutex_unlock(&log->lock);
    log_wait(log, ticket);
    pthread_mutex_lock(&log->lock);
    struct log_chunk *added = log_chunk_at(log, seq);
    if (added) added->ready = true;
    pthread_mutex_unlock(&log->lock);
    return good;
}

bool log_has_events(struct log *log)
{
    if (!log->store) return true;
    pthread_mutex_lock(&log->lock);
    uint64_t ticket = log->events.ticket;
    pthread_mutex_unlock(&log->lock);
    return !ticket || store_wait(log->store, ticket, 0) || store_broken(log->store);
}

/* --- Giving out --- */

bool log_next_events(struct log *log, int cursor, struct log_next_events *next)
{
    struct log_cursor *c = &log->cursors[cursor];
    *next = (struct log_next_events){0};
    pthread_mutex_lock(&log->lock);
    struct log_chunk *k = c->name && c->sel ? log_chunk_at(log, c->events.at) : NULL;
    while (k && !log_chunk_waits(log, c, k)) k = k->next;
    if (k && k->ready) {
        if (k->seq != c->events.at) c->events.position = 0;
        c->events.at = k->seq;
        k->references++;
        *next = (struct log_next_events){k, &k->chunk, c->events.position};
    }
    pthread_mutex_unlock(&log->lock);
    return next->of != NULL;
}

/* What was thinned or dropped meanwhile is not counted a second time. */
static uint64_t leave(struct log_chunk *k, size_t cursor, int type, uint64_t n)
{
    uint32_t *left = &k->counts[cursor][type];
    uint64_t some = n < *left ? n : *left;
    *left -= (uint32_t)some;
    return some;
}

void log_settled_events(struct log *log, int cursor, struct log_next_events *next,
                        const struct log_outcome_events *o)
{
    struct log_cursor *c = &log->cursors[cursor];
    size_t at = (size_t)cursor;
    int type = (int)o->type;
    pthread_mutex_lock(&log->lock);
    log_settle_events(log, c, type, leave(next->of, at, type, o->outcome.delivered), o->outcome.points);
    log_lose_events(log, c, type, o->outcome.reason, leave(next->of, at, type, o->outcome.dropped));
    log_lose_events(log, c, type, LEDGER_LEFT_OUT, leave(next->of, at, type, o->outcome.left_out));
    c->events.position = next->position = o->position;
    c->dirty = true;
    uint64_t ticket = log_mirror_commit(log);
    pthread_mutex_unlock(&log->lock);
    log_wait(log, ticket);
}

void log_done_events(struct log *log, int cursor, struct log_next_events *next)
{
    struct log_cursor *c = &log->cursors[cursor];
    pthread_mutex_lock(&log->lock);
    if (c->name)
        log_skip_chunk(log, c, next->of, LEDGER_REMOVED); /* nothing, unless the filter is another one */
    c->events.at = next->of->seq + 1;
    c->events.position = 0;
    c->dirty = true;
    log_chunk_drop(next->of);
    next->of = NULL;
    log_trim_events(log);
    log_mirror_commit(log);
    pthread_mutex_unlock(&log->lock);
}

void log_undo_events(struct log *log, int cursor, struct log_next_events *next)
{
    (void)cursor;
    pthread_mutex_lock(&log->lock);
    if (next->of) log_chunk_drop(next->of);
    next->of = NULL;
    pthread_mutex_unlock(&log->lock);
}

/* --- How it is --- */

uint64_t log_waiting_events(struct log *log, int cursor)
{
    uint64_t n = 0;
    pthread_mutex_lock(&log->lock);
    for (int type = METRICS_EVENT_ANNOTATION; type < METRICS_EVENT_TYPES; type++)
        n += log->cursors[cursor].events.account[type].queued;
    pthread_mutex_unlock(&log->lock);
    return n;
}
