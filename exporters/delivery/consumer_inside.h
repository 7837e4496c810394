/* SPDX-License-Identifier: Apache-2.0 */
/*
 * consumer_inside.h - what consumer.c (its life and thread), consumer_feed.c (the logs that it follows) and
 * consumer_work.c (the delivery of one snapshot or chunk), consumer_take.c (which one is next) share; for nobody
 * else.
 */
#ifndef EXPORTERS_CONSUMER_INSIDE_H
#define EXPORTERS_CONSUMER_INSIDE_H

#include "backoff.h"
#include "complain.h"
#include "consumer.h"
#include "log_events.h"

#include <pthread.h>

/* A log that is followed, and the cursor in it. */
struct feed {
    struct feed *next;
    struct log *log; /* a reference */
    char *segment;   /* the value of SEGMENT_TAG; NULL: no tag */
    int cursor;      /* LEDGER_NONE while a predecessor has it */
    bool leaving;    /* as soon as the work on it is over */
    bool keep;       /* the cursor stays in the log then */
};

/* The snapshot, or the chunk of events, that is being delivered: their items are readings, or events. */
struct work {
    struct feed *feed; /* NULL: none */
    bool of_events;
    struct log_next next;
    struct view view; /* of events: empty, for the session */
    struct log_next_events next_events;
    struct event_view events;
    size_t n;        /* items */
    size_t most;     /* items in the next payloads; halved when they were too large, doubled by success */
    size_t from, to; /* items in the payloads; from == to: none are ready */
    int sending;     /* which of the payloads is next */
    size_t first_to; /* items before this one need no first payload: it was accepted before a split */
    size_t points, refused, left_out;
    bool prepared, halved;
};

struct consumer {
    /* Never change: */
    struct consumer_options options;
    const struct backend *backend;
    const struct backend_common *settings;
    struct selection selection, replaced; /* `replaced`: for segments that have a successor */
    int account;

    /* Of the consumer's thread, or of the owner while there is none: */
    void *link, *session;
    struct work work; /* but work.feed is changed under `lock` */
    struct payload payloads[PAYLOADS];
    struct backoff backoff;
    uint64_t not_before;
    bool events_first; /* snapshots and chunks take turns */
    struct complain trouble, unprepared, undone, halves, left_out, refused, given_up, logins;

    /* Of the list of feeds, what is in them, and work.feed. Never held while a backend is waited for; logs
     * are locked under it. */
    pthread_mutex_t lock;
    struct feed *feeds;

    /* Of `stop`, `reopen`, `sending`, `abandoned`, `lag` and `retired`. Nothing else is locked under it. */
    pthread_mutex_t flags;
    bool stop, reopen;
    bool sending;       /* the thread waits for an answer, and does not touch `work` meanwhile */
    bool abandoned;     /* nor after that: the owner has settled what was under way, and the process ends */
    struct log_lag lag; /* what consumer_lag() returned last */
    enum consumer_retired { CONSUMER_STAYS, CONSUMER_HANDS_OVER, CONSUMER_GOES } retired;

    /* Of the owner: */
    pthread_t thread;
    bool started;
    struct wake ended; /* called once, by the thread, as its last act; thread-safe */
};

/* Sets a flag under its lock; returns what it was. Thread-safe. */
static inline bool consumer_flag(struct consumer *c, bool *flag, bool value)
{
    pthread_mutex_lock(&c->flags);
    bool was = *flag;
    *flag = value;
    pthread_mutex_unlock(&c->flags);
    return was;
}

/* --- consumer_feed.c: called with consumer->lock held, unless it says otherwise --- */

/* Gives back the snapshot that is being delivered, if there is one; it comes again. */
void consumer_let_go(struct consumer *consumer);

/* Frees a feed that is in no list any more; its cursor stays in the log, or (`drop`) ends as removed. */
void consumer_quit(struct consumer *consumer, struct feed *feed, bool drop);

/* Takes a feed that is not being worked on out of the list and frees it; its cursor ends as removed, or
 * stays, as the feed says. */
void consumer_unlink(struct consumer *consumer, struct feed *feed);

/* Takes the next snapshot or chunk of the first feed that has one; that feed goes to the end of the list. */
bool consumer_take(struct consumer *consumer);

/* How many items a payload may have. */
size_t consumer_most(const struct consumer *consumer);

/* The signal of what is being delivered, from item w->from on. Needs no lock. */
enum ledger_signal consumer_signal(const struct consumer *consumer);

/* True if some log holds back what was just appended; `wake` is called after that. Takes the lock itself. */
bool consumer_held_back(struct consumer *consumer);

#endif
