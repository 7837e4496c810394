/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store.h - the file behind a log: an SQLite database that mirrors it, so that a successor goes on where the
 * exporter was killed. One file per segment and incarnation.
 *
 * Changes are gathered into a transaction and handed to the store's own thread, the only one that touches the
 * database; nobody waits for a disk who does not ask for it. When the file cannot be written (no room, no
 * permission) the store gives up, says so once, and the log goes on in memory; the owner may write everything
 * anew from time to time. Records carry a checksum; a damaged one is left out, a damaged file is set aside.
 *
 * The calls that gather (store_put() to store_commit()) belong to one thread at a time; store_wait() is
 * thread-safe. SQLite: https://sqlite.org/wal.html, https://sqlite.org/pragma.html
 */
#ifndef EXPORTERS_STORE_H
#define EXPORTERS_STORE_H

#include "ledger.h"
#include "buf.h"

struct store;

struct store_entry {
    uint64_t seq, epoch, wall_ns, interval_ns;
    bool queued;   /* false: kept only because some cursor's base is this one */
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
};

/* What store_open() finds in the file, in order: entries by seq, then cursors. Pointers are valid during the
 * call.
 */
struct store_finder {
    void (*entry)(void *arg, const struct store_entry *entry);
    void (*damaged)(void *arg, uint64_t seq);
    void (*cursor)(void *arg, const struct store_cursor *cursor);
    void *arg;
};

enum store_opened { STORE_OK, STORE_BUSY /* another process has it */, STORE_FAILED };

/*
 * Opens or makes the file at path, mode 0600. `durable`: what was committed survives a loss of power, not
 * only the death of the process. A file that is not a database, or is damaged, is renamed to <path>.damaged
 * and begun anew. A file that belongs to somebody else, or a link, is refused. Anything but STORE_OK comes
 * with the reason, and *out is NULL.
 */
enum store_opened store_open(const char *path, bool durable, const struct store_finder *finder,
                             struct store **out, struct buf *why);

/* Writes what is waiting and ends; *store becomes NULL. `remove`: the file goes, too. */
void store_close(struct store **store, bool remove);

/* Parts of the transaction that is being gathered. Bytes are copied. */
void store_put(struct store *store, const struct store_entry *entry); /* new, or in place of that seq */
void store_unqueue(struct store *store, uint64_t seq);
void store_remove(struct store *store, uint64_t seq);
void store_put_cursor(struct store *store, const struct store_cursor *cursor);
void store_remove_cursor(struct store *store, const char *name);
void store_clear(struct store *store); /* everything, before it is written anew */

/* Forgets what was gathered. */
void store_abandon(struct store *store);

/* Hands the transaction over. Returns a ticket, 0 if there was nothing in it. */
uint64_t store_commit(struct store *store);

/* Waits until that transaction is written or given up, for so long at most. True if it is written. */
bool store_wait(struct store *store, uint64_t ticket, uint64_t timeout_ns);

/* True if the file lacks something that was committed. It ends with a transaction that begins with
 * store_clear() and is written. Thread-safe. */
bool store_broken(struct store *store);

/* How many transactions were given up. Thread-safe. */
uint64_t store_failures(struct store *store);

#endif
