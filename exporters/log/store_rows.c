/* SPDX-License-Identifier: Apache-2.0 */
/* store_rows.c - entries, cursors and accounts as rows of a store's tables, in both directions. */
#include "store_inside.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <zlib.h>

/* --- Entries --- */

/* Bits of the column `queued`. */
enum { STORE_QUEUED = 1, STORE_REPLACED = 2 };

void store_entry_flags(struct store_entry *e, uint64_t flags)
{
    e->queued = flags & STORE_QUEUED;
    e->replaced = flags & STORE_REPLACED;
}

static int write_entry(struct store *s, const struct store_entry *e)
{
    sqlite3_stmt *q = s->prepared[OP_PUT];
    store_bind(q, 1, e->seq);
    store_bind(q, 2, e->epoch);
    store_bind(q, 3, e->wall_ns);
    store_bind(q, 4, e->interval_ns);
    sqlite3_bind_int(q, 5, (e->queued ? STORE_QUEUED : 0) | (e->replaced ? STORE_REPLACED : 0));
    store_bind(q, 6, store_checksum(e->seq, e->bytes, e->n));
    sqlite3_bind_blob64(q, 7, e->bytes, e->n, SQLITE_STATIC);
    return store_step(s, OP_PUT);
}

static int read_entries(struct store *s, const struct store_finder *finder)
{
    sqlite3_stmt *q;
    int code = sqlite3_prepare_v2(
        s->db, "SELECT seq, epoch, wall, interval, queued, checksum, bytes FROM entries ORDER BY seq", -1, &q,
        NULL);
    while (store_next(q, &code)) {
        struct store_entry e = {.seq = store_column(q, 0),
                                .epoch = store_column(q, 1),
                                .wall_ns = store_column(q, 2),
                                .interval_ns = store_column(q, 3),
                                .bytes = sqlite3_column_blob(q, 6),
                                .n = (size_t)sqlite3_column_bytes(q, 6)};
        store_entry_flags(&e, store_column(q, 4));
        if (e.bytes && store_column(q, 5) == store_checksum(e.seq, e.bytes, e.n))
            finder->entry(finder->arg, &e);
        else
            finder->damaged(finder->arg, e.seq);
    }
    sqlite3_finalize(q);
    return code;
}

/* --- Accounts: rows of a name and a number, so that a reason or a signal more or less does not matter to old
 * files. Those of metrics are called as in the ledger, those of other signals spans.taken --- */

static int write_word(struct store *s, const char *name, const char *what, uint64_t n)
{
    if (!n) return SQLITE_OK;
    sqlite3_stmt *q = s->prepared[ST_ACCOUNT];
    sqlite3_bind_text(q, 1, name, -1, SQLITE_STATIC);
    sqlite3_bind_text(q, 2, what, -1, SQLITE_STATIC);
    store_bind(q, 3, n);
    return store_step(s, ST_ACCOUNT);
}

static int remove_account(struct store *s, const char *name)
{
    sqlite3_bind_text(s->prepared[ST_ACCOUNTS_GONE], 1, name, -1, SQLITE_STATIC);
    return store_step(s, ST_ACCOUNTS_GONE);
}

enum { NAME_MOST = 64 };

static void signal_word_name(char out[NAME_MOST], int signal, size_t word)
{
    snprintf(out, NAME_MOST, "%s.%s", ledger_signal_name((enum ledger_signal)signal), ledger_word_name(word));
}

static int write_events_account(struct store *s, const struct store_cursor *c, int signal)
{
    struct ledger_account a = c->events[signal];
    char what[NAME_MOST];
    int code = SQLITE_OK;
    for (size_t w = 0; w < LEDGER_WORDS && !code; w++) {
        signal_word_name(what, signal, w);
        code = write_word(s, c->name, what, *ledger_word(&a, w));
    }
    return code;
}

/* Where the cursor is among the events. */
static int write_events_place(struct store *s, const struct store_cursor *c)
{
    int code = write_word(s, c->name, "events.at", c->events_at);
    if (!code) code = write_word(s, c->name, "events.position", c->events_position);
    return code ? code : write_word(s, c->name, "events.taken", c->events_taken);
}

static int write_accounts(struct store *s, const struct store_cursor *c)
{
    struct ledger_account a = c->account;
    int code = remove_account(s, c->name); /* numbers that became zero have no row */
    for (size_t w = 0; w < LEDGER_WORDS && !code; w++)
        code = write_word(s, c->name, ledger_word_name(w), *ledger_word(&a, w));
    for (int signal = LEDGER_METRICS + 1; signal < LEDGER_SIGNAL_COUNT && !code; signal++)
        code = write_events_account(s, c, signal);
    return code ? code : write_events_place(s, c);
}

static uint64_t *events_field(struct store_cursor *c, const char *what)
{
    char name[NAME_MOST];
    if (!strcmp(what, "events.at")) return &c->events_at;
    if (!strcmp(what, "events.position")) return &c->events_position;
    if (!strcmp(what, "events.taken")) return &c->events_taken;
    for (int signal = LEDGER_METRICS + 1; signal < LEDGER_SIGNAL_COUNT; signal++)
        for (size_t w = 0; w < LEDGER_WORDS; w++) {
            signal_word_name(name, signal, w);
            if (!strcmp(what, name)) return ledger_word(&c->events[signal], w);
        }
    return NULL;
}

uint64_t *store_account_field(struct store_cursor *c, const char *what)
{
    for (size_t w = 0; what && w < LEDGER_WORDS; w++)
        if (!strcmp(what, ledger_word_name(w))) return ledger_word(&c->account, w);
    return what ? events_field(c, what) : NULL;
}

/* --- A second copy of each cursor, among the accounts, with a checksum: a page of the file that is damaged
 * has one of the two at most --- */

#define SEAL "position" /* what the row is called */

static uint64_t seal_checksum(const char *name, const struct store_seal *seal)
{
    uLong crc = crc32(0, (const Bytef *)name, (uInt)strlen(name));
    return crc32_z(crc, (const Bytef *)seal, offsetof(struct store_seal, checksum));
}

static int write_seal(struct store *s, const char *name, const struct store_cursor *c)
{
    struct store_seal seal = {c->at, c->position, c->of, c->base, c->last_stamp, 0};
    seal.checksum = seal_checksum(name, &seal);
    sqlite3_stmt *q = s->prepared[ST_ACCOUNT];
    sqlite3_bind_text(q, 1, name, -1, SQLITE_STATIC);
    sqlite3_bind_text(q, 2, SEAL, -1, SQLITE_STATIC);
    sqlite3_bind_blob(q, 3, &seal, sizeof seal, SQLITE_STATIC);
    return store_step(s, ST_ACCOUNT);
}

bool store_unseal(struct store_cursor *c, const void *bytes, size_t n)
{
    struct store_seal seal;
    if (n != sizeof seal) return false;
    memcpy(&seal, bytes, sizeof seal);
    if (seal.checksum != seal_checksum(c->name, &seal)) return false;
    c->at = seal.at;
    c->position = seal.position;
    c->of = seal.of;
    c->base = seal.base;
    c->last_stamp = seal.stamp;
    return true;
}

/* --- Cursors, each with its account --- */

static int write_cursor(struct store *s, const char *name, const struct store_cursor *c)
{
    sqlite3_stmt *q = s->prepared[OP_CURSOR];
    sqlite3_bind_text(q, 1, name, -1, SQLITE_STATIC);
    store_bind(q, 2, c->at);
    store_bind(q, 3, c->position);
    store_bind(q, 4, c->of);
    store_bind(q, 5, c->base);
    store_bind(q, 6, c->last_stamp);
    int code = store_step(s, OP_CURSOR);
    struct store_cursor named = *c;
    named.name = name;
    if (!code) code = write_accounts(s, &named);
    return code ? code : write_seal(s, name, c);
}

static int remove_cursor(struct store *s, const char *name)
{
    int code = remove_account(s, name);
    sqlite3_bind_text(s->prepared[OP_CURSOR_GONE], 1, name, -1, SQLITE_STATIC);
    return code ? code : store_step(s, OP_CURSOR_GONE);
}

static int read_account(struct store *s, struct store_cursor *c)
{
    sqlite3_stmt *q;
    int code = sqlite3_prepare_v2(s->db, "SELECT what, n FROM accounts WHERE name = ?1", -1, &q, NULL);
    if (!code) sqlite3_bind_text(q, 1, c->name, -1, SQLITE_TRANSIENT);
    while (store_next(q, &code)) {
        if (sqlite3_column_type(q, 1) == SQLITE_BLOB) {
            store_unseal(c, sqlite3_column_blob(q, 1), (size_t)sqlite3_column_bytes(q, 1));
            continue;
        }
        uint64_t *field = store_account_field(c, (const char *)sqlite3_column_text(q, 0));
        if (field) *field = store_column(q, 1);
    }
    sqlite3_finalize(q);
    return code;
}

static int read_cursors(struct store *s, const struct store_finder *finder)
{
    sqlite3_stmt *q;
    int code =
        sqlite3_prepare_v2(s->db, "SELECT name, at, position, of, base, stamp FROM cursors", -1, &q, NULL);
    while (store_next(q, &code)) {
        struct store_cursor c = {.name = (const char *)sqlite3_column_text(q, 0),
                                 .at = store_column(q, 1),
                                 .position = store_column(q, 2),
                                 .of = store_column(q, 3),
                                 .base = store_column(q, 4),
                                 .last_stamp = store_column(q, 5)};
        if (c.name) code = read_account(s, &c);
        if (c.name && !code) finder->cursor(finder->arg, &c);
    }
    sqlite3_finalize(q);
    return code;
}

/* --- All of them --- */

int store_read(struct store *s, const struct store_finder *finder)
{
    int code = read_entries(s, finder);
    if (!code) code = read_cursors(s, finder);
    if (!code) code = store_read_facts(s, finder);
    return code ? code : store_read_events(s, finder);
}

static int clear(struct store *s)
{
    static const int statements[] = {OP_CLEAR, ST_CLEAR_CURSORS, ST_CLEAR_ACCOUNTS, ST_CLEAR_CHUNKS,
                                     ST_CLEAR_PLACES};
    int code = SQLITE_OK;
    for (size_t i = 0; i < sizeof statements / sizeof *statements && !code; i++)
        code = store_step(s, statements[i]);
    return code;
}

int store_write(struct store *s, const struct store_op *op)
{
    switch (op->type) {
    case OP_CLEAR: return clear(s);
    case OP_PUT: return write_entry(s, &op->entry);
    case OP_CURSOR: return write_cursor(s, op->name, &op->cursor);
    case OP_FACT: return store_write_fact(s, op);
    case OP_CHUNK: return store_write_chunk(s, op);
    case OP_PLACE: return store_write_place(s, op);
    case OP_CURSOR_GONE: return remove_cursor(s, op->name);
    default: store_bind(s->prepared[op->type], 1, op->entry.seq); return store_step(s, op->type);
    }
}
