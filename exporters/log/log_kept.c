/* SPDX-License-Identifier: Apache-2.0 */
/*
 * log_kept.c - cursors that nobody is attached to. The backend of such a cursor may be configured for another
 * exporter of the same log (a run with --once, a test), so only an explicit act or the log's age ends it.
 */
#include "log_inside.h"

#include "say.h"

#include <string.h>

static bool log_is_kept(const struct log_cursor *c)
{
    return c->name && !c->sel;
}

static void log_expire_cursor(struct log *log, struct log_cursor *c, uint64_t wall_ns)
{
    const struct log_entry *e = log_at(log, c->at);
    if (!e || wall_ns < e->wall_ns || wall_ns - e->wall_ns <= log->limits.age_ns) return;
    say(SAY_WARN, "what was kept for a backend that is not configured is older than log.age; it is dropped",
        "backend", c->name, "readings", SAY_U64(c->account_here.queued), NULL);
    log_cursor_drop(log, c, LEDGER_EXPIRED);
}

void log_drop_expired(struct log *log, uint64_t wall_ns)
{
    for (struct log_cursor *c = log->cursors; c < log->cursors + LOG_CURSORS; c++)
        if (log_is_kept(c)) log_expire_cursor(log, c, wall_ns);
    log_trim(log);
}

void log_expire(struct log *log, uint64_t wall_ns)
{
    pthread_mutex_lock(&log->lock);
    log_drop_expired(log, wall_ns);
    log_thin_events(log, wall_ns);
    log_mirror_commit(log);
    pthread_mutex_unlock(&log->lock);
}

bool log_forget(struct log *log, const char *name, enum ledger_reason reason)
{
    bool found = false;
    pthread_mutex_lock(&log->lock);
    for (struct log_cursor *c = log->cursors; c < log->cursors + LOG_CURSORS && !found; c++) {
        found = log_is_kept(c) && !strcmp(c->name, name);
        if (found) log_cursor_drop(log, c, reason);
    }
    log_trim(log);
    log_mirror_commit(log);
    pthread_mutex_unlock(&log->lock);
    return found;
}

void log_each_kept(struct log *log, void (*fn)(void *arg, const char *name, uint64_t snapshots), void *arg)
{
    pthread_mutex_lock(&log->lock);
    for (const struct log_cursor *c = log->cursors; c < log->cursors + LOG_CURSORS; c++) {
        uint64_t n = 0;
        if (!log_is_kept(c)) continue;
        for (const struct log_entry *e = log_at(log, c->at); e; e = e->next) n++;
        fn(arg, c->name, n);
    }
    pthread_mutex_unlock(&log->lock);
}

static bool log_awaits_events(const struct log_cursor *c)
{
    uint64_t queued = 0;
    for (int type = METRICS_EVENT_ANNOTATION; type < METRICS_EVENT_TYPES; type++)
        queued += c->events.account[type].queued;
    return queued != 0;
}

bool log_is_awaited(struct log *log)
{
    bool awaited = false;
    pthread_mutex_lock(&log->lock);
    for (const struct log_cursor *c = log->cursors; c < log->cursors + LOG_CURSORS && !awaited; c++)
        awaited = c->sel && (log_at(log, c->at) || log_awaits_events(c));
    pthread_mutex_unlock(&log->lock);
    return awaited;
}

void log_drop_detached(struct log *log, bool (*keep)(void *arg, const char *name), void *arg,
                       enum ledger_reason reason)
{
    pthread_mutex_lock(&log->lock);
    for (struct log_cursor *c = log->cursors; c < log->cursors + LOG_CURSORS; c++)
        if (c->name && !c->sel && !(keep && keep(arg, c->name))) log_cursor_drop(log, c, reason);
    log_trim(log);
    log_mirror_commit(log);
    pthread_mutex_unlock(&log->lock);
}
