/* SPDX-License-Identifier: Apache-2.0 */
/*
 * log.h - the snapshots of one segment on their way to the backends: appended by the sampler, read by one
 * cursor per backend, each at its own speed.
 *
 * A cursor knows the next snapshot, how many of its readings the backend has accepted, and its *base*: the
 * last snapshot that was accepted whole, from which deltas count. The base is kept however long the backend
 * takes.
 *
 * Over its bounds the log thins: two neighbouring snapshots become one that covers both intervals. Totals,
 * buckets and distinct counts stay exact; plain levels between are lost. A backend's own bound (queue_bytes)
 * is for what waits behind the snapshot that it is being sent: if that is too much even as one interval, it
 * is given up, and the totals come with a later one. Each cursor gets its snapshots strictly in order, and
 * never part of an interval twice.
 *
 * The newest snapshots are kept as they are, older ones packed. A log from log_new() ends with the process;
 * one from log_open() is mirrored in a file, and a successor goes on with its snapshots, cursors, bases and
 * accounts.
 *
 * All functions are thread-safe, but each cursor is used by one thread at a time. log_append(), log_settled()
 * and log_done() wait for the file for 5 seconds at most, log_open(), log_save() and the last log_release() for as
 * long as it takes, no other function.
 */
#ifndef EXPORTERS_LOG_H
#define EXPORTERS_LOG_H

#include "clock.h"
#include "ledger.h"
#include "store.h"
#include "view.h"

struct log;

struct log_limits {
    uint64_t size;          /* bytes of packed snapshots */
    uint64_t age_ns;        /* a snapshot older than this is merged into the next */
    uint64_t events_size;   /* bytes of waiting events; 0 = any */
    uint64_t events_age_ns; /* events older than this are dropped; 0 = any */
};

/* A log in memory, with one reference, the caller's. The ledger must outlive it. NULL without memory. */
struct log *log_new(const struct log_limits *limits, struct ledger *ledger);

/*
 * The same with a file (see store.h), and with what is in it already. `durable`: what is written survives a
 * loss of power. Anything but STORE_OK comes with the reason, and *out is NULL: another process has the file
 * (STORE_BUSY), or it cannot be used, or there is no memory (STORE_FAILED).
 */
enum store_opened log_open(const struct log_limits *limits, struct ledger *ledger, const char *path,
                           bool durable, struct log **out, struct buf *why);

/*
 * What a segment remembers of its delivery, whichever log it came from: for each backend four words (see
 * log_note.c), which the log keeps up to date, and which it believes when its own file is older. The functions
 * are called with the log locked, so they must not use the log.
 */
enum { LOG_NOTE_WORDS = 4 };
struct log_memory {
    int (*get)(void *arg, const char *backend,
               uint64_t words[LOG_NOTE_WORDS]); /* 1, 0 without, -1 = was lost */
    void (*set)(void *arg, const char *backend, const uint64_t words[LOG_NOTE_WORDS]);
    void *arg;
    uint64_t log;  /* the number of the log to which the last interval was appended; 0 = none */
    uint64_t last; /* that interval; 0 = none */
    uint64_t wall; /* the time of the call; 0 = not known */
};

/*
 * Joins the log to its segment. What the file says waits for a backend, but the segment says was sent, is
 * counted as delivered. Where what a backend was sent last is not in the log, its next interval counts as zero
 * (rebased). Both are logged. `said`: the log has no file by choice, so that it is not worth a warning.
 */
void log_join(struct log *log, const struct log_memory *memory, bool said);

/* The segment is about to go: its memory is used no longer. */
void log_part(struct log *log);

/* A random number, never 0, by which the log is known; from its file, if it has one. Never changes. */
uint64_t log_number(const struct log *log);

/* The segment that a log belongs to: not the path alone, under which there may be another one by now. */
struct log_owner {
    char *segment; /* its absolute path; NULL: not known */
    uint64_t incarnation, device, inode;
    char boot[40];   /* the kernel's boot id: devices have other numbers after a boot */
    uint64_t number; /* see log_number() */
};

/* Writes the segment's identity into the log's file. False if the file names another one: the log is not
 * this segment's. */
bool log_claim(struct log *log, const struct log_owner *owner);

/* Reads it from a file that may be another exporter's, without a lock and without changing anything. False if
 * it says none, or is not a plain file of this user. The caller frees owner->segment. */
bool log_peek(const char *path, struct log_owner *owner);

/* The log's segment was replaced by another of the same name, which is followed, too: what is appended
 * from now on is reported beside what is in that one, and struct log_next says so. */
void log_set_replaced(struct log *log);

/* The log's segment is gone: the last release removes the file. */
void log_spent(struct log *log);

/* True if it has a file: what is queued need not be given up at the end. */
bool log_is_durable(struct log *log);

/* How many transactions could not be written to the file. */
uint64_t log_failures(struct log *log);

/* One reference more, the caller's. Returns the log. */
struct log *log_retain(struct log *log);
/* Gives a reference back; *log becomes NULL. The last one writes what the file lacks and frees the log. */
void log_release(struct log **log);

/* Writes what the file lacks, which may take a minute: for an exporter that ends without releasing it. */
void log_save(struct log *log);

/* New bounds, from the next append on. */
void log_set_limits(struct log *log, const struct log_limits *limits);

/*
 * Appends a snapshot (with a reference of its own) and counts it as taken for every cursor. A snapshot that
 * closes the same interval of the same segment as the last one is refused: 0 then, 1 if appended, -1 without
 * memory (nothing was changed).
 */
int log_append(struct log *log, metrics_snapshot_t *snapshot);

enum { LOG_CURSORS = LEDGER_BACKENDS };

/* Makes sure that there is a cursor of that name: a new one begins after the last snapshot and has no
 * base. What is appended from now on waits for whoever attaches to it. False when there are
 * LOG_CURSORS, or without memory. */
bool log_reserve(struct log *log, const char *name);

/*
 * Takes the cursor of that name, which is made if there is none. What is queued is counted anew if the
 * selection passes other names than the one before did, which may take long, but keeps nobody else waiting;
 * `at_once`: not then. The selection must live until the cursor is detached or dropped. LEDGER_NONE while
 * somebody else is attached to it, when it would take long, when there are LOG_CURSORS, or without memory.
 */
int log_attach(struct log *log, const char *name, const struct selection *sel, bool at_once);

/* The cursor stays, with what is queued; what is appended from now on is counted by the next who attaches. */
void log_detach(struct log *log, int cursor);

/* The cursor ends; what is queued for it is dropped for that reason. */
void log_drop(struct log *log, int cursor, enum ledger_reason reason);

/* Drops the cursor of that name, unless somebody is attached to it. False if there is none. */
bool log_forget(struct log *log, const char *name, enum ledger_reason reason);

/*
 * A cursor that nobody is attached to is kept, since its backend may be configured elsewhere, but not for
 * ever: it is dropped as expired when the oldest snapshot that waits for it is older than the log's age_ns at
 * that wall time. log_append() does the same.
 */
void log_expire(struct log *log, uint64_t wall_ns);

/* Calls fn for each cursor that nobody is attached to, with what waits for it. fn must not use the log. */
void log_each_kept(struct log *log, void (*fn)(void *arg, const char *name, uint64_t snapshots), void *arg);

/* True if snapshots or events wait for a cursor that somebody is attached to. */
bool log_is_awaited(struct log *log);

/* Drops every cursor that nobody is attached to, but those that `keep` wants (NULL: none). It is called with
 * the log locked, so it must not use the log. */
void log_drop_detached(struct log *log, bool (*keep)(void *arg, const char *name), void *arg,
                       enum ledger_reason reason);

/* A snapshot as a cursor gets it. The two references are the receiver's, given back
 * by log_done() or log_undo(). */
struct log_next {
    metrics_snapshot_t *snapshot;
    metrics_snapshot_t *base; /* NULL: none */
    size_t position;          /* readings that were accepted earlier */
    uint64_t through;         /* the last entry that it includes */
    bool replaced;            /* its segment had a successor by then, see log_set_replaced() */
    uint64_t last_stamp;      /* the time under which the snapshot before went out, 0 for the first */
    uint64_t stamp;           /* for the receiver to set: the time under which this one goes out */
};

/*
 * The next snapshot for the cursor. Intervals that ended longer than the backend's max_lag before the newest
 * one are merged into one, and so are the oldest ones if more than its queue_bytes wait; but not the first
 * that waits: an exporter that was killed may have sent it, and what is sent again must be the same. False if
 * there is none, or without memory. Until log_done() or log_undo() the cursor stays where it is.
 */
bool log_next(struct log *log, int cursor, struct log_next *next);

/* The receiver has set next->stamp, and is about to send it: no other log will use that time for another interval. */
void log_begun(struct log *log, int cursor, const struct log_next *next);

/* What happened to readings: so many were delivered, as so many points, so many dropped for a reason, and so many
 * left out (LEDGER_LEFT_OUT). */
struct log_outcome {
    size_t delivered, points, dropped;
    enum ledger_reason reason;
    size_t left_out;
};

/* The first of the readings still queued in `next` are settled, as many as were delivered and dropped.
 * Position and ledger change in one transaction: an exporter that is killed has recorded both or neither. */
void log_settled(struct log *log, int cursor, struct log_next *next, const struct log_outcome *outcome);

/* All of `next` is settled: it becomes the base, and the cursor moves on. Takes the references back. */
void log_done(struct log *log, int cursor, struct log_next *next);

/* Takes the references back; the cursor stays, and the same comes again. */
void log_undo(struct log *log, int cursor, struct log_next *next);

/* True while the file has not caught up with the last append: log_next() gives out nothing until then. */
bool log_is_appending(struct log *log);

/* How far a cursor is behind: snapshots queued, and the age of the oldest against
 * the newest, in nanoseconds. */
struct log_lag {
    uint64_t snapshots, ns;
};
struct log_lag log_lag(struct log *log, int cursor);

/* Bytes of packed snapshots, the number of snapshots, what the file could not take (log_failures()), and the number
 * of chunks of events. */
struct log_size {
    uint64_t bytes, snapshots, failures, chunks;
};
struct log_size log_size(struct log *log);

/* True if neither snapshots nor events wait for anybody. */
bool log_is_empty(struct log *log);

#endif
