/* SPDX-License-Identifier: Apache-2.0 */
/*
 * log_inside.h - what the log's sources share; for nobody else. From the bottom up: log_mirror.c (the file
 * follows the memory), log_entry.c (entries and accounts), log_thin.c (fewer entries for all), log_fold.c
 * (fewer for one cursor), log_cursor.c (cursors come and go), log_kept.c (those without a backend), log_attach.c
 * (what a cursor's queue holds), log_gap.c and log_note.c (what was sent from another log),
 * log_chunk.c and log_events.c (events), log.c (appending, reading, the log's life), log_recover.c (a log from its
 * file).
 *
 * Everything in these structs is protected by log->lock, unless a field says otherwise, and every function
 * here is called with it held. Those that say so unlock it and lock it again: they do what takes long, and
 * the sampler does not wait for them. The ledger's lock and those of the store are taken under it.
 */
#ifndef EXPORTERS_LOG_INSIDE_H
#define EXPORTERS_LOG_INSIDE_H

#include "event_view.h"
#include "log.h"
#include "store.h"

#include <pthread.h>

/* A snapshot in the list, which is in the order of seq. */
struct log_entry {
    struct log_entry *next, *prev;
    uint64_t seq;
    uint64_t wall_ns, interval_ns;
    metrics_snapshot_t *snapshot; /* NULL if packed */
    void *packed;                 /* NULL if it never was */
    size_t packed_n;
    uint64_t epoch;
    bool replaced;                              /* see log_set_replaced() */
    struct selection_count counts[LOG_CURSORS]; /* what each cursor takes of it */
};

/* Places in a cursor's queue that begin behind something the backend was sent from another log. */
enum { LOG_GAPS = 4 };

/* Chunks in a list, which is in the order of seq. */
struct log_chunk {
    struct log_chunk *next;
    uint64_t seq, wall_ns;
    unsigned char *bytes;
    size_t n;
    struct event_chunk chunk;
    size_t references;                                 /* the list's, and one for each cursor that reads it */
    bool ready;                                        /* it is in the file, or was waited for */
    uint32_t counts[LOG_CURSORS][METRICS_EVENT_TYPES]; /* what each cursor still takes of it */
};

struct log_events {
    struct log_chunk *first;
    uint64_t next_seq, bytes, chunks;
    uint64_t *places; /* see log_append_events() */
    size_t place_count;
    uint64_t ticket; /* of the last append */
    bool thinned;    /* something was dropped for its size or age */
};

/* Which types a cursor's backend takes, as its file says. */
enum { LOG_TAKES_UNKNOWN = 0, LOG_TAKES_NONE = 1 };

/* The part of a cursor that is about events. */
struct log_cursor_events {
    uint64_t at;     /* the first chunk that is not settled */
    size_t position; /* of it: the first event that is not, if the chunk is that one */
    uint32_t takes;  /* EVENT_BIT(), or one of these */
    struct ledger_account account[METRICS_EVENT_TYPES]; /* by type: this log's part */
};

struct log_cursor {
    char *name; /* NULL: free */
    int account;
    const struct selection *sel;   /* NULL: nobody is attached */
    char *filter;                  /* of the selection that counted the entries; NULL: none yet */
    uint64_t max_lag, queue_bytes; /* of the one who attached last; 0 = any */
    uint64_t gap_from, gap_to;     /* entries from..to-1 were given up; both 0: none */
    bool over;                     /* more than queue_bytes wait; of log_thin() */
    uint64_t counted;              /* entries from this one on were appended while nobody was attached */
    uint64_t at;                   /* the first entry that is not settled */
    size_t position;               /* readings settled of it */
    bool busy;                     /* between log_next() and its end */
    uint64_t busy_through;         /* the last entry that it reads meanwhile */
    uint64_t of;                   /* readings of the entry at `at`, if position is not 0 */
    metrics_snapshot_t *sum;       /* what the entry at `at` is read as, if older ones were merged into it */
    metrics_snapshot_t *base;
    uint64_t last_stamp;                /* see struct log_next */
    uint64_t begun_stamp;               /* of the interval that was begun last */
    uint64_t base_seq;                  /* STORE_NO_BASE without one */
    uint64_t gaps[LOG_GAPS];            /* deltas of such an entry do not count from one before it; 0: none */
    bool sent;                          /* part of its queue was sent, says the segment, and is not counted */
    bool loaded;                        /* from the file, and nobody has attached yet */
    bool dirty;                         /* differs from what the file says */
    struct ledger_account account_here; /* this log's part of the account */
    struct log_cursor_events events;
};

struct log {
    pthread_mutex_t lock;
    size_t references;
    struct log_limits limits;
    struct ledger *ledger; /* never changes */
    struct log_entry *first, *last;
    uint64_t next_seq, bytes, snapshots;
    uint64_t incarnation, epoch; /* of the last one appended */
    bool any;                    /* something was appended ever */
    /* The file has not caught up with the last append. A backend that got what the file does not know
     * would get it again, in other intervals, after a kill. */
    bool appending;
    struct log_owner owner;   /* of it, the number never changes */
    struct log_memory memory; /* get is NULL without a segment */
    struct store *store;      /* NULL: in memory only; never changes once the log is open */
    bool replaced;            /* see log_set_replaced(): so is what is appended from now on */
    bool spent;               /* the file is removed with the log: its segment is gone */
    uint64_t damaged;         /* records left out when it was loaded */
    uint64_t ended_stamp;     /* the last time under which a cursor that has ended was sent something */
    uint64_t rewrite_at;      /* monotonic: after a failure, when the whole file is tried again */
    struct log_events events;
    struct log_cursor cursors[LOG_CURSORS];
};

/* The first entry that is not before seq; NULL if there is none. */
static inline struct log_entry *log_at(const struct log *log, uint64_t seq)
{
    struct log_entry *e = log->first;
    while (e && e->seq < seq) e = e->next;
    return e;
}

/* --- log_mirror.c: all do nothing without a file --- */

/* An entry is new, or has other bytes. It is packed. */
void log_mirror_put(struct log *log, const struct log_entry *e);
/* The same for a chunk. */
void log_put_chunk(struct log *log, const struct log_chunk *k);
/* An entry leaves the list. */
void log_mirror_gone(struct log *log, const struct log_entry *e);
/* A cursor has another base than before, or has ended. */
void log_mirror_rebase(struct log *log, uint64_t old_base);
/* The cursor of that name has ended. */
void log_mirror_drop(struct log *log, const char *name);

/* Hands over what has changed, cursors and their accounts included. Returns the ticket, 0 for nothing.
 * After a failure everything is written anew from time to time. */
uint64_t log_mirror_commit(struct log *log);

/* --- log_entry.c --- */

/* The ledger's account is the sum over all logs; this log's part of it is kept beside the cursor, for the
 * file. n readings are taken; dropped for that reason; delivered as so many points. */
void log_take(struct log *log, struct log_cursor *c, uint64_t n);
void log_lose(struct log *log, struct log_cursor *c, enum ledger_reason reason, uint64_t n);
void log_settle(struct log *log, struct log_cursor *c, uint64_t n, uint64_t points);

/* An entry is merged into the next one before this cursor saw it: plain levels are lost, all else
 * is in the next. */
void log_account_merge(struct log *log, struct log_cursor *c, const struct log_entry *e);

/* Appends an entry to the list, which owns it; its snapshot or its bytes are counted by the caller. */
void log_link(struct log *log, struct log_entry *e);

/* Takes an entry out of the list and frees it. */
void log_entry_free(struct log *log, struct log_entry *e);

/* Makes the bytes, if they are not there. False without memory. */
bool log_encode(struct log *log, struct log_entry *e);

/* Swaps the snapshot for its bytes. Without memory it stays as it is. */
void log_pack(struct log *log, struct log_entry *e);

/* A reference to an entry's snapshot, the caller's; NULL without memory. */
metrics_snapshot_t *log_unpack(const struct log_entry *e);

/* How much older than the newest one, in nanoseconds; 0 if the wall clock was set back in between. */
uint64_t log_age(const struct log *log, const struct log_entry *e);

/* The packed bytes of an entry (NULL: none) and those after it, but for the newest, which others
 * have not seen yet. */
uint64_t log_bytes_from(const struct log *log, const struct log_entry *e);

/* --- log_thin.c --- */

/* Frees what no cursor needs any more. */
void log_trim(struct log *log);

/* Merges and gives up until the log, and each backend's part of it, is within its bounds again. */
void log_thin(struct log *log);

/* True if some backend has a bound of its own. */
bool log_is_bounded(const struct log *log);

/* --- log_fold.c --- */

/* A reference to an entry's snapshot, the caller's; NULL without memory. Unlocks and locks again: the
 * entry may be gone then. */
metrics_snapshot_t *log_look(struct log *log, const struct log_entry *e);

/* The snapshot that a cursor reads, from its entry `e`: a reference, the caller's; NULL without memory.
 * The cursor is busy. Unlocks and locks again. */
metrics_snapshot_t *log_read(struct log *log, const struct log_cursor *c, const struct log_entry *e);

/* A cursor that is busy has come to entry `e`: what follows is merged into it as far as max_lag and
 * queue_bytes want, into c->sum, and the cursor moves to the last one. Unlocks and locks again. */
void log_fold(struct log *log, struct log_cursor *c, const struct log_entry *e);

/* --- log_cursor.c --- */

/* The cursor of that name, which is made if there is none; NULL when there are
 * LOG_CURSORS, or without memory. */
struct log_cursor *log_cursor_named(struct log *log, const char *name);

/* The cursor moves behind an entry, whose snapshot becomes the base; takes over the reference. */
void log_pass(struct log *log, struct log_cursor *c, uint64_t through, metrics_snapshot_t *snapshot);

/* Frees what a cursor has. */
void log_cursor_clear(struct log_cursor *c);

/* Takes over the last time of cursors that have ended, if the file's fact is about that. */
void log_cursor_load(struct log *log, const char *fact, const char *text);

/* Ends a cursor: what is queued for it is dropped for that reason. */
void log_cursor_drop(struct log *log, struct log_cursor *c, enum ledger_reason reason);

/* --- log_kept.c --- */

/* log_expire(), with the lock held. */
void log_drop_expired(struct log *log, uint64_t wall_ns);

/* --- log_owner.c --- */

/* Gives a new log its number. */
void log_owner_begin(struct log_owner *owner);

/* Takes over what a log's file says, if it is about the owner. */
void log_owner_load(struct log_owner *owner, const char *fact, const char *text);

/* Writes it to the file. */
void log_owner_save(struct log *log);

/* --- log_chunk.c --- */

/* n events of a type are taken for a cursor; dropped; delivered. */
void log_take_events(struct log *log, struct log_cursor *c, int type, uint64_t n);
void log_lose_events(struct log *log, struct log_cursor *c, int type, enum ledger_reason reason, uint64_t n);
void log_settle_events(struct log *log, struct log_cursor *c, int type, uint64_t n, uint64_t points);

/* A chunk with a copy of the bytes, in no list, with one reference. NULL without memory, or if they are not a chunk.
 * Needs no lock. */
struct log_chunk *log_chunk_new(const void *bytes, size_t n, bool hostile);
/* Gives a reference back. */
void log_chunk_drop(struct log_chunk *k);

/* The first chunk that is not before seq; NULL if there is none. */
struct log_chunk *log_chunk_at(const struct log *log, uint64_t seq);

/* Appends a chunk to the list, which takes over the reference. */
void log_chunk_link(struct log *log, struct log_chunk *k);

/* True if something of the chunk waits for the cursor. */
bool log_chunk_waits(const struct log *log, const struct log_cursor *c, const struct log_chunk *k);

/* What the cursor would still take of the chunk is dropped. */
void log_skip_chunk(struct log *log, struct log_cursor *c, struct log_chunk *k, enum ledger_reason reason);

/* Frees what no cursor needs any more. */
void log_trim_events(struct log *log);

/* Drops the oldest chunks until the log is within its bounds again. */
void log_thin_events(struct log *log, uint64_t wall_ns);

/* Counts what a cursor takes of a chunk. The account does not change. */
void log_count_chunk(struct log *log, struct log_cursor *c, struct log_chunk *k);

/* A selection was attached to the cursor: counts all chunks, and corrects the account. */
void log_count_events(struct log *log, struct log_cursor *c);

/* A cursor ends: what is queued is dropped. */
void log_drop_events(struct log *log, struct log_cursor *c, enum ledger_reason reason);

/* Frees all chunks, and nothing else changes. */
void log_events_free(struct log *log);

/* --- log_events.c --- */

/* Place i. False without memory. */
enum { LOG_PLACES = 65536 };
bool log_set_place(struct log *log, size_t i, uint64_t position);

/* --- log.c --- */

/* Waits for a transaction, for some seconds at most. Without the lock. */
void log_wait(struct log *log, uint64_t ticket);

/* --- log_gap.c --- */

/* Deltas of that entry and the following ones do not count from an earlier one, for this cursor. */
void log_gap_add(struct log *log, struct log_cursor *c, uint64_t seq);

/* True if there is such a place behind entry `from` (STORE_NO_BASE: behind all), up to entry `to`. */
bool log_gap_between(const struct log_cursor *c, uint64_t from, uint64_t to);

/* The cursor has moved behind an entry. */
void log_gap_passed(struct log *log, struct log_cursor *c, uint64_t through);

/* Writes them all to the file, or reads those of a cursor from what the file says. */
void log_gap_save(struct log *log, const struct log_cursor *c);
void log_gap_load(struct log *log, const char *backend, const char *text);

/* --- log_note.c --- */

/* Notes in the segment what this cursor is being sent from now on, or was just sent: readings of the entry it is at, under that time, or all of
 * its base, counted from that one. */
void log_note_begun(struct log *log, const struct log_cursor *c, const struct log_next *next);
void log_note_partly(struct log *log, const struct log_cursor *c, uint64_t stamp);
void log_note_whole(struct log *log, const struct log_cursor *c, const metrics_snapshot_t *from);

/* The time under which the backend was sent what came before this entry, from this log or another; 0: none. */
uint64_t log_last_stamp(const struct log *log, const struct log_cursor *c, const struct log_entry *e);

/* --- log_attach.c --- */

/* Counts the entry, whose snapshot this is, for a cursor under its selection: the difference to the earlier
 * count is taken, or dropped as removed. Without a selection or a snapshot the earlier count stays. */
void log_count(struct log *log, struct log_cursor *c, struct log_entry *e,
               const metrics_snapshot_t *snapshot);

#endif
