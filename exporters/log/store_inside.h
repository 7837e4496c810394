/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_inside.h - what the store's sources share; for nobody else. From the bottom up: store_guard.c (files
 * beside those of others), store_file.c (the database and its schema), store_recover.c (what is done when it is
 * damaged), store_rows.c (entries, cursors and accounts as rows), store_events.c (chunks and places as rows), store_fact.c (what the file says about
 * itself), store_page.c and store_salvage.c (rows of a damaged file), store_gather.c (a transaction in memory),
 * store.c (the thread that writes transactions, and the store's life).
 */
#ifndef EXPORTERS_STORE_INSIDE_H
#define EXPORTERS_STORE_INSIDE_H

#include "complain.h"
#include "store.h"
#include "wake.h"

#include <pthread.h>
#include <sqlite3.h>
#include <sys/types.h>

enum store_op_type {
    OP_CLEAR,
    OP_PUT,
    OP_UNQUEUE,
    OP_REMOVE,
    OP_CURSOR,
    OP_CURSOR_GONE,
    OP_FACT,
    OP_CHUNK,
    OP_CHUNK_GONE,
    OP_PLACE,
    OP_TYPES
};

/* One part of a transaction. */
struct store_op {
    struct store_op *next;
    enum store_op_type type;
    struct store_entry
        entry; /* OP_PUT, OP_CHUNK; of it only seq to remove; OP_PLACE: number, position as seq, epoch */
    struct store_cursor cursor; /* OP_CURSOR */
    char *name;                 /* of the cursor or the fact */
    unsigned char bytes[];      /* of the entry; the text of the fact */
};

struct store_batch {
    struct store_batch *next;
    uint64_t ticket;
    bool clears; /* begins with OP_CLEAR */
    bool lost;   /* a part could not be gathered, or one before it */
    bool facts;  /* has facts: they are moved into the database at once, where store_peek() finds them */
    struct store_op *first, **end;
};

/* The prepared statements: one for each type of op, and these. */
enum {
    ST_BEGIN = OP_TYPES,
    ST_COMMIT,
    ST_ROLLBACK,
    ST_CLEAR_CURSORS,
    ST_CLEAR_ACCOUNTS,
    ST_CLEAR_CHUNKS,
    ST_CLEAR_PLACES,
    ST_ACCOUNT,
    ST_ACCOUNTS_GONE,
    ST_COUNT
};

/* Which file a name leads to; all zeros: none. */
struct store_place {
    dev_t device;
    ino_t inode;
};

struct store {
    char *path; /* without links; never changes */

    /* Of the thread that gathers: */
    struct store_batch *gathering; /* NULL: nothing */
    uint64_t tickets;              /* given out */
    bool lost;                     /* there was no memory for `gathering` */

    /* Of the store's thread, and before and after its life of store_open() and store_close(): */
    sqlite3 *db;
    sqlite3_stmt *prepared[ST_COUNT];
    struct complain trouble;
    bool durable;                 /* as it was opened */
    struct store_place file, wal; /* what was opened */
    char *kept;                   /* where a damaged file is kept, to be read by store_salvage(); or NULL */

    pthread_mutex_t lock; /* of all below but the thread; a leaf */
    struct store_batch *queue, **queue_end;
    bool stop, broken;
    uint64_t written, settled; /* tickets up to which all is written, or at least tried */
    uint64_t failures;
    struct wake called, done; /* have locks of their own: a batch was queued; a batch was tried */
    pthread_t thread;
    bool started;
};

/* SQLite's integers are signed; these bits are not. */
static inline void store_bind(sqlite3_stmt *s, int i, uint64_t v)
{
    sqlite3_bind_int64(s, i, (sqlite3_int64)v);
}
static inline uint64_t store_column(sqlite3_stmt *s, int i)
{
    return (uint64_t)sqlite3_column_int64(s, i);
}

/*
 * All functions below need the database for themselves: they are called by the store's thread, or while there
 * is none. An int that they return is one of SQLite's codes, 0 (SQLITE_OK) for success.
 */

/* --- store_file.c --- */

/* Makes the file, mode 0600, if it is not there. False, with the reason, if it cannot, or if what is there
 * is not a plain file of this user alone: see store_guard.h. */
bool store_file_make(const char *path, struct buf *why);

/* Opens the database at s->path, makes the tables if they are not there, prepares the statements. After a
 * failure, too, store_file_close() frees what there is. */
int store_file_open(struct store *s, bool durable);
void store_file_close(struct store *s);

/* True if the database or its write-ahead log was removed or replaced since store_file_open(): what is written
 * is lost. */
bool store_file_moved(const struct store *s);

/* Removes the database and what SQLite keeps beside it. */
void store_file_remove(const char *path);

/* Runs a prepared statement (a type of op, or ST_...) and forgets what was bound to it. */
int store_step(struct store *s, int statement);

/* The next row of a query that was prepared with that code. False at the end and after an error; *code says which. */
bool store_next(sqlite3_stmt *q, int *code);

/* What the column `checksum` holds. Pure. */
uint64_t store_checksum(uint64_t seq, const void *bytes, size_t n);

/* --- store_recover.c --- */

/*
 * store_file_open(), and a check of the whole file. A damaged one is renamed to <path>.damaged (s->kept), which
 * is logged, and an empty one takes its place. Anything but 0 comes with the reason.
 */
int store_recover(struct store *s, bool durable, struct buf *why);

/* --- store_rows.c --- */

enum { STORE_ENTRY_COLUMNS = 7 };

/* What the column `queued` says. */
void store_entry_flags(struct store_entry *entry, uint64_t flags);

/* The number of that name among a cursor's accounts; NULL: there is none. */
uint64_t *store_account_field(struct store_cursor *cursor, const char *what);

/* The second copy of a cursor. */
struct store_seal {
    uint64_t at, position, of, base, stamp, checksum;
};

/* Takes the position of the cursor, whose name is set, from its second copy. False if that is damaged: nothing
 * has changed. */
bool store_unseal(struct store_cursor *cursor, const void *bytes, size_t n);

/* Reads all entries, then all cursors, and hands them to the finder. A record whose checksum is wrong is
 * handed over as damaged. */
int store_read(struct store *s, const struct store_finder *finder);

/* Writes one part of a transaction. */
int store_write(struct store *s, const struct store_op *op);

/* --- store_events.c --- */

/* Reads chunks, then places. */
int store_read_events(struct store *s, const struct store_finder *finder);

/* Writes one. */
int store_write_chunk(struct store *s, const struct store_op *op);
int store_write_place(struct store *s, const struct store_op *op);

/* --- store_salvage.c --- */

/* Hands what can still be read in the damaged file s->kept to the finder; at least one record as damaged. */
int store_salvage(struct store *s, const struct store_finder *finder);

/* --- store_fact.c --- */

/* Hands all facts to the finder. */
int store_read_facts(struct store *s, const struct store_finder *finder);

/* Writes one. */
int store_write_fact(struct store *s, const struct store_op *op);

/* --- store_gather.c --- */

void store_batch_free(struct store_batch *batch);

#endif
