/* SPDX-License-Identifier: Apache-2.0 */
/*
 * consumer.h - brings one backend its snapshots: next from the log, delta against the base, encode, hand to
 * the transport, settle. One thread each, so that a backend that hangs or is down delays no other.
 *
 * consumer_step() does what is due and returns when it wants to be called again; it never sleeps. The thread
 * is a loop around it, and a test calls it with a clock of its own.
 *
 * Not thread-safe: its owner, one thread at a time, makes, starts, stops and frees a consumer. What that
 * thread or another may call while the consumer's own thread runs says so: it is thread-safe.
 */
#ifndef EXPORTERS_CONSUMER_H
#define EXPORTERS_CONSUMER_H

#include "config.h"
#include "log.h"
#include "wake.h"

struct consumer;
struct meta;

/* What they point to must outlive the consumer. */
struct consumer_options {
    const struct config_backend *backend; /* with settings and selection */
    const struct option_tags *tags;       /* top level */
    struct ledger *ledger;
    struct meta *meta; /* may be NULL */
    struct wake *wake; /* called when a log has something new */
    const metrics_clock_t *clock;
    uint64_t seed; /* of the jitter */
    enum segment_tag segment_tag;
};

/* NULL, with the reason, if its transport or session refuses the settings, if the ledger has no account
 * left for it, or without memory. The caller frees it with consumer_free(). */
struct consumer *consumer_new(const struct consumer_options *options, struct buf *why);

/* Stops the thread if there is one (which waits for a payload that is under way), detaches from all logs,
 * frees; *consumer becomes NULL. The cursors stay in the logs, unless it was retired without `keep`. */
void consumer_free(struct consumer **consumer);

/*
 * Begin to follow the log of the segment at `path` (a reference is kept), or leave it; the cursor stays in the log if
 * `keep` says so, else what is queued is dropped as removed. Thread-safe, and neither waits for the backend: a payload
 * that is under way is finished first, by the consumer's thread.
 * While a predecessor of the same name still has the cursor, the snapshots wait for it to let go.
 * consumer_follow() is false if the log has no cursor left, or without memory.
 */
bool consumer_follow(struct consumer *consumer, struct log *log, const char *path);
void consumer_leave(struct consumer *consumer, struct log *log, bool keep);

/* Does one thing that is due. Returns the monotonic time of the next, CLOCK_NEVER to wait for the logs.
 * For the owner where there is no thread: the consumer's thread calls it otherwise. */
uint64_t consumer_step(struct consumer *consumer);

/* Runs the steps in a thread of its own until consumer_free(). False if there can be no thread. */
bool consumer_start(struct consumer *consumer);

/* Ends the thread, waiting for a payload that is under way until that monotonic time at most. False if the
 * thread is still running then: the consumer cannot be freed, only left to the end of the process. */
bool consumer_stop(struct consumer *consumer, uint64_t deadline);

/* The process ends although consumer_stop() was false: a payload that has no answer yet counts as one whose answer was
 * lost. With on_ambiguous: drop its readings are dropped now, in the log's file, too; else they are sent again by the next
 * exporter. The thread does nothing more. */
void consumer_abandon(struct consumer *consumer);

/*
 * Its backend has left the configuration, or is configured otherwise: the thread ends by itself. With `keep`
 * it does so after the interval that is under way or at the first failure, and the cursors stay for a
 * consumer of the same name; else what is queued is tried once, and from the first failure on the rest is
 * dropped as removed. May be called again, to change that. Thread-safe; does not wait.
 */
void consumer_retire(struct consumer *consumer, bool keep);

/* Frees a retired consumer whose thread has ended; *consumer becomes NULL. False if the thread is still
 * running. Does not wait. */
bool consumer_reap(struct consumer **consumer);

/* Open files anew before the next payload. Thread-safe. */
void consumer_reopen(struct consumer *consumer);

/* True if nothing is queued or under way. Thread-safe. */
bool consumer_idle(struct consumer *consumer);

/* Queue and lag over all logs followed. Thread-safe. */
struct log_lag consumer_lag(struct consumer *consumer);

#endif
