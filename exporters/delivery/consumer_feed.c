/* SPDX-License-Identifier: Apache-2.0 */
/* consumer_feed.c - the logs that a consumer follows: beginning, leaving, how far it is behind. */
#include "consumer_inside.h"

#include <stdlib.h>
#include <string.h>

void consumer_let_go(struct consumer *c)
{
    if (!c->work.feed) return;
    if (c->work.of_events)
        log_undo_events(c->work.feed->log, c->work.feed->cursor, &c->work.next_events);
    else
        log_undo(c->work.feed->log, c->work.feed->cursor, &c->work.next);
    event_view_free(&c->work.events);
    view_free(&c->work.view);
    c->work = (struct work){0};
}

static void feed_free(struct feed *f)
{
    log_release(&f->log);
    free(f->segment);
    free(f);
}

void consumer_quit(struct consumer *c, struct feed *f, bool drop)
{
    /* A predecessor may have left the cursor before it could be taken over. */
    if (drop && f->cursor == LEDGER_NONE)
        f->cursor = log_attach(f->log, c->settings->name, &c->selection, true);
    if (f->cursor != LEDGER_NONE && drop)
        log_drop(f->log, f->cursor, LEDGER_REMOVED);
    else if (f->cursor != LEDGER_NONE)
        log_detach(f->log, f->cursor);
    feed_free(f);
}

static bool consumer_follows(struct consumer *c, const struct log *log)
{
    pthread_mutex_lock(&c->lock);
    const struct feed *f = c->feeds;
    while (f && f->log != log) f = f->next;
    pthread_mutex_unlock(&c->lock);
    return f != NULL;
}

/* NULL without memory. */
static struct feed *feed_new(const struct consumer *c, struct log *log, const char *path)
{
    const char *segment = segment_tag_value(c->options.segment_tag, path);
    struct feed *f = calloc(1, sizeof *f);
    if (f && segment) f->segment = strdup(segment);
    if (f && segment && !f->segment) {
        free(f);
        return NULL;
    }
    if (f) f->log = log_retain(log);
    return f;
}

bool consumer_follow(struct consumer *c, struct log *log, const char *path)
{
    if (consumer_follows(c, log)) return true;
    struct feed *f = log_reserve(log, c->settings->name) ? feed_new(c, log, path) : NULL;
    if (!f) return false;
    f->cursor = log_attach(log, c->settings->name, &c->selection, true);
    pthread_mutex_lock(&c->lock);
    struct feed **end = &c->feeds;
    while (*end) end = &(*end)->next;
    *end = f;
    pthread_mutex_unlock(&c->lock);
    wake_call(c->options.wake);
    return true;
}

void consumer_unlink(struct consumer *c, struct feed *gone)
{
    struct feed **f = &c->feeds;
    while (*f != gone) f = &(*f)->next;
    *f = gone->next;
    if (gone->cursor != LEDGER_NONE && gone->keep)
        log_detach(gone->log, gone->cursor);
    else if (gone->cursor != LEDGER_NONE)
        log_drop(gone->log, gone->cursor, LEDGER_REMOVED);
    feed_free(gone);
}

void consumer_leave(struct consumer *c, struct log *log, bool keep)
{
    pthread_mutex_lock(&c->lock);
    struct feed *f = c->feeds;
    while (f && f->log != log) f = f->next;
    if (f) {
        f->leaving = true;
        f->keep = keep;
        if (c->work.feed != f) consumer_unlink(c, f);
    }
    pthread_mutex_unlock(&c->lock);
    wake_call(c->options.wake);
}

bool consumer_held_back(struct consumer *c)
{
    bool held = false;
    pthread_mutex_lock(&c->lock);
    for (struct feed *f = c->feeds; f && !held; f = f->next) held = log_is_appending(f->log);
    pthread_mutex_unlock(&c->lock);
    return held;
}

/* A consumer that is unpacking a snapshot just now, or counting a queue, returns the last values: the
 * sampler does not wait for it. */
struct log_lag consumer_lag(struct consumer *c)
{
    struct log_lag sum = {0};
    if (pthread_mutex_trylock(&c->lock)) {
        pthread_mutex_lock(&c->flags);
        sum = c->lag;
        pthread_mutex_unlock(&c->flags);
        return sum;
    }
    for (struct feed *f = c->feeds; f; f = f->next) {
        if (f->cursor == LEDGER_NONE) continue;
        struct log_lag one = log_lag(f->log, f->cursor);
        sum.snapshots += one.snapshots;
        if (one.ns > sum.ns) sum.ns = one.ns;
    }
    pthread_mutex_unlock(&c->lock);
    pthread_mutex_lock(&c->flags);
    c->lag = sum;
    pthread_mutex_unlock(&c->flags);
    return sum;
}

bool consumer_idle(struct consumer *c)
{
    bool idle = true;
    pthread_mutex_lock(&c->lock);
    for (struct feed *f = c->feeds; f && idle; f = f->next)
        idle = f->cursor != LEDGER_NONE && !log_lag(f->log, f->cursor).snapshots &&
               !log_waiting_events(f->log, f->cursor);
    pthread_mutex_unlock(&c->lock);
    return idle;
}
