/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store.h - the file behind a log: an SQLite database that mirrors it, so that a successor goes on where the
 * exporter was killed. One file per segment and incarnation.
 *
 * Changes are gathered into a transaction and handed to the store's own thread, the only one that uses the
 * database, so that only those who ask for it wait for a disk. When the file cannot be written (no room, no
 * permission) the store gives the transaction up and logs that once, and the log goes on in memory; its owner
 * may write everything anew from time to time. Records carry a checksum; a damaged one is left out, a damaged
 * file is set aside.
 *
 * Not thread-safe: one thread at a time opens, gathers (store_put() to store_commit()) and closes.
 * store_wait(), store_broken() and store_failures() are thread-safe.
 *
 * SQLite: https://sqlite.org/wal.html, https://sqlite.org/pragma.html
 */
#ifndef EXPORTERS_STORE_H
#define EXPORTERS_STORE_H

#include "ledger.h"
#include "buf.h"

struct store;

struct store_entry {
    uint64_t seq, epoch, wall_ns, interval_ns;
    bool queued;   /* false: kept only because it is some cursor's base */
    bool replaced; /* see log_set_replaced() */
    const void *bytes;
    size_t n;
};

#define STORE_NO_BASE UINT64_MAX
struct store_cursor {
    const char *name;
    uint64_t at, position, of; /* first unsettled entry; readings settled of it, of so many */
    uint64_t base;             /* seq of an entry, or STORE_NO_BASE */
    uint64_t last_stamp;       /* see struct log_next */
    struct ledger_account account;
    uint64_t events_at, events_position;               /* first unsettled chunk; events settled of it */
    uint64_t events_taken;                             /* which types */
    struct ledger_account events[LEDGER_SIGNAL_COUNT]; /* by signal; that of metrics is `account` */
};

/* Takes what store_open() finds in the file: entries by seq, then cursors. Pointers are valid during the call.
 * A damaged entry is passed with its seq, or once with STORE_UNKNOWN if nothing says what is missing. */
#define STORE_UNKNOWN UINT64_MAX
struct store_finder {
    void (*entry)(void *arg, const struct store_entry *entry);
    void (*damaged)(void *arg, uint64_t seq);
    void (*cursor)(void *arg, const struct store_cursor *cursor);
    void *arg;
    void (*fact)(void *arg, const char *name, const char *text);  /* after the cursors; may be NULL */
    void (*chunk)(void *arg, const struct store_entry *entry);    /* of events; n = 0: damaged; may be NULL */
    void (*place)(void *arg, uint32_t number, uint64_t position); /* may be NULL */
};

enum store_opened { STORE_OK, STORE_BUSY /* another process has it */, STORE_FAILED };

/*
 * Opens or makes the file at path, mode 0600. `durable`: what was written survives a loss of power, not only
 * the death of the process. A file that is not a database, or is damaged, is renamed to <path>.damaged; a new
 * one takes its place, and what can be read of the damaged one is found. A file that belongs to another user,
 * or that others may write, is refused, and so is a link that somebody else may have made. Anything but
 * STORE_OK comes with the reason, and *out is NULL. The caller frees the store with store_close().
 */
enum store_opened store_open(const char *path, bool durable, const struct store_finder *finder,
                             struct store **out, struct buf *why);

/* Hands the facts in a file to fn without a lock, and without changing or believing anything but the database
 * itself: for a file that may be another exporter's. False if it is not a plain file of this user, or cannot be
 * read just now. */
bool store_peek(const char *path, void (*fn)(void *arg, const char *name, const char *text), void *arg);

/* Writes what is waiting and ends; *store becomes NULL. `remove`: the file is removed, too.
 * Waits for the disk. */
void store_close(struct store **store, bool remove);

/* Parts of the transaction that is being gathered; what they point to is copied. Without memory the
 * transaction, or the next one, is given up. */
void store_put(struct store *store, const struct store_entry *entry); /* new, or in place of that seq */
void store_unqueue(struct store *store, uint64_t seq);
void store_remove(struct store *store, uint64_t seq);
void store_put_cursor(struct store *store, const struct store_cursor *cursor);
void store_remove_cursor(struct store *store, const char *name);
void store_put_fact(struct store *store, const char *name, const char *text); /* stays when all is cleared */
void store_put_chunk(struct store *store, const struct store_entry *chunk);   /* of it seq, wall_ns, bytes */
void store_remove_chunk(struct store *store, uint64_t seq);
void store_put_place(struct store *store, uint32_t number, uint64_t position);
void store_clear(struct store *store); /* everything, before it is written anew */

/* Forgets what was gathered. */
void store_abandon(struct store *store);

/* Hands the transaction over, without waiting. Returns a ticket for store_wait(), 0
 * if nothing was gathered. */
uint64_t store_commit(struct store *store);

/* Waits until that transaction is written or given up, for so many nanoseconds at most. True
 * if it is written. */
bool store_wait(struct store *store, uint64_t ticket, uint64_t timeout_ns);

/* True if the file lacks something that was committed, until a transaction that begins
 * with store_clear() is written. */
bool store_broken(struct store *store);

/* How many transactions were given up. */
uint64_t store_failures(struct store *store);

#endif
