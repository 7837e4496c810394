/* SPDX-License-Identifier: Apache-2.0 */
#include "store.h"

#include "clock.h"
#include "complain.h"
#include "say.h"
#include "wake.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

enum op_type { OP_CLEAR, OP_PUT, OP_UNQUEUE, OP_REMOVE, OP_CURSOR, OP_CURSOR_GONE, OP_TYPES };

/* Bits of the column `queued`. */
enum { STORE_QUEUED = 1, STORE_REPLACED = 2 };

/* One part of a transaction. */
struct op {
    struct op *next;
    enum op_type type;
    struct store_entry entry;
    struct store_cursor cursor;
    char *name;
    unsigned char bytes[];
};

struct batch_of_ops {
    struct batch_of_ops *next;
    uint64_t ticket;
    bool clears, lost; /* lost: a part could not be gathered */
    struct op *first, **end;
};

/* The statements of the thread. */
enum {
    ST_BEGIN = OP_TYPES,
    ST_COMMIT,
    ST_ROLLBACK,
    ST_CLEAR_CURSORS,
    ST_CLEAR_ACCOUNTS,
    ST_ACCOUNT,
    ST_ACCOUNTS_GONE,
    ST_COUNT
};
static const char *const statements[ST_COUNT] = {
    [OP_CLEAR] = "DELETE FROM entries",
    [OP_PUT] = ("INSERT OR REPLACE INTO entries(seq, epoch, wall, interval, queued, checksum, bytes) "
                "VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7)"),
    [OP_UNQUEUE] = "UPDATE entries SET queued = 0 WHERE seq = ?1",
    [OP_REMOVE] = "DELETE FROM entries WHERE seq = ?1",
    [OP_CURSOR] =
        "INSERT OR REPLACE INTO cursors(name, at, position, of, base, stamp) VALUES(?1, ?2, ?3, ?4, ?5, ?6)",
    [OP_CURSOR_GONE] = "DELETE FROM cursors WHERE name = ?1",
    [ST_BEGIN] = "BEGIN IMMEDIATE",
    [ST_COMMIT] = "COMMIT",
    [ST_ROLLBACK] = "ROLLBACK",
    [ST_CLEAR_CURSORS] = "DELETE FROM cursors",
    [ST_CLEAR_ACCOUNTS] = "DELETE FROM accounts",
    [ST_ACCOUNT] = "INSERT OR REPLACE INTO accounts(name, what, n) VALUES(?1, ?2, ?3)",
    [ST_ACCOUNTS_GONE] = "DELETE FROM accounts WHERE name = ?1",
};

struct store {
    char *path;
    sqlite3 *db;
    sqlite3_stmt *prepared[ST_COUNT];
    struct batch_of_ops *gathering; /* of the owner; NULL: nothing */
    uint64_t tickets;

    pthread_mutex_t lock; /* of all below */
    struct batch_of_ops *queue, **queue_end;
    bool stop, broken;
    uint64_t written, settled; /* tickets up to which all is written, or at least tried */
    uint64_t failures;
    struct wake called, done;
    struct complain trouble;
    pthread_t thread;
    bool started;
};

/* --- Values --- */

/* SQLite's integers are signed; the bits are ours. */
static void bind_u64(sqlite3_stmt *s, int i, uint64_t v)
{
    sqlite3_bind_int64(s, i, (sqlite3_int64)v);
}
static uint64_t column_u64(sqlite3_stmt *s, int i)
{
    return (uint64_t)sqlite3_column_int64(s, i);
}

static uint64_t checksum(uint64_t seq, const void *bytes, size_t n)
{
    uLong crc = crc32(0, (const Bytef *)&seq, sizeof seq);
    return crc32_z(crc, bytes, n);
}

/* An account is rows of a name and a number, so that a reason more or less does not matter to old files. */
static uint64_t *account_field(struct ledger_account *a, const char *name)
{
    for (size_t w = 0; w < LEDGER_WORDS; w++)
        if (!strcmp(name, ledger_word_name(w))) return ledger_word(a, w);
    return NULL;
}

/* --- The file --- */

static bool check_owner(const char *path, struct buf *why)
{
    struct stat st;
    if (lstat(path, &st)) return errno == ENOENT;
    if (!S_ISREG(st.st_mode) || st.st_nlink != 1)
        buf_printf(why, "%s is not a plain file: remove it", path);
    else if (st.st_uid != geteuid())
        buf_printf(why, "%s belongs to another user (%u): remove it, or run as that user", path,
                   (unsigned)st.st_uid);
    else
        return true;
    return false;
}

/* SQLite would make it readable for everybody. */
static bool make_file(const char *path, struct buf *why)
{
    int fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0) {
        buf_printf(why, "cannot open %s: %s", path, strerror(errno));
        return false;
    }
    close(fd);
    return true;
}

static int run(sqlite3 *db, const char *sql)
{
    return sqlite3_exec(db, sql, NULL, NULL, NULL);
}

static int prepare_file(struct store *s, bool durable)
{
    static const char *const scheme[] = {
        "PRAGMA page_size = 16384",
        "PRAGMA locking_mode = EXCLUSIVE",
        "PRAGMA journal_mode = WAL",
        "PRAGMA wal_autocheckpoint = 64",
        "CREATE TABLE IF NOT EXISTS entries(seq INTEGER PRIMARY KEY, epoch INTEGER, wall INTEGER, "
        "interval INTEGER, queued INTEGER, checksum INTEGER, bytes BLOB)",
        "CREATE TABLE IF NOT EXISTS cursors(name TEXT PRIMARY KEY, at INTEGER, position INTEGER, of INTEGER, "
        "base INTEGER, stamp INTEGER)",
        "CREATE TABLE IF NOT EXISTS accounts(name TEXT, what TEXT, n INTEGER, PRIMARY KEY(name, what))",
    };
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOFOLLOW | SQLITE_OPEN_FULLMUTEX;
    int code = sqlite3_open_v2(s->path, &s->db, flags, NULL);
    for (size_t i = 0; !code && i < sizeof scheme / sizeof *scheme; i++) code = run(s->db, scheme[i]);
    if (!code) code = run(s->db, durable ? "PRAGMA synchronous = NORMAL" : "PRAGMA synchronous = OFF");
    for (int i = 0; !code && i < ST_COUNT; i++)
        code = sqlite3_prepare_v2(s->db, statements[i], -1, &s->prepared[i], NULL);
    return code;
}

static void close_file(struct store *s)
{
    for (int i = 0; i < ST_COUNT; i++) sqlite3_finalize(s->prepared[i]);
    memset(s->prepared, 0, sizeof s->prepared);
    sqlite3_close(s->db);
    s->db = NULL;
}

static void remove_files(const char *path)
{
    static const char *const tails[] = {"-wal", "-shm", "-journal", ""};
    struct buf name = {0};
    for (size_t i = 0; i < sizeof tails / sizeof *tails; i++) {
        buf_reset(&name);
        buf_printf(&name, "%s%s", path, tails[i]);
        unlink(buf_text(&name));
    }
    buf_free(&name);
}

static void set_aside(const char *path, const char *reason)
{
    struct buf name = {0};
    buf_printf(&name, "%s.damaged", path);
    if (rename(path, buf_text(&name))) unlink(path);
    remove_files(path); /* the write-ahead log belongs to the damaged file */
    say(SAY_WARN, "the log's file is damaged; it is set aside and a new one begun", "file", path, "kept_as",
        buf_text(&name), "reason", reason, NULL);
    buf_free(&name);
}

/* --- Reading it --- */

static int read_entries(struct store *s, const struct store_finder *finder)
{
    sqlite3_stmt *q;
    int code = sqlite3_prepare_v2(
        s->db, "SELECT seq, epoch, wall, interval, queued, checksum, bytes FROM entries ORDER BY seq", -1, &q,
        NULL);
    while (!code && (code = sqlite3_step(q)) == SQLITE_ROW) {
        struct store_entry e = {.seq = column_u64(q, 0),
                                .epoch = column_u64(q, 1),
                                .wall_ns = column_u64(q, 2),
                                .interval_ns = column_u64(q, 3),
                                .queued = sqlite3_column_int(q, 4) & STORE_QUEUED,
                                .replaced = sqlite3_column_int(q, 4) & STORE_REPLACED,
                                .bytes = sqlite3_column_blob(q, 6),
                                .n = (size_t)sqlite3_column_bytes(q, 6)};
        if (e.bytes && column_u64(q, 5) == checksum(e.seq, e.bytes, e.n))
            finder->entry(finder->arg, &e);
        else
            finder->damaged(finder->arg, e.seq);
        code = SQLITE_OK;
    }
    sqlite3_finalize(q);
    return code == SQLITE_DONE ? SQLITE_OK : code;
}

static int read_account(struct store *s, const char *name, struct ledger_account *account)
{
    sqlite3_stmt *q;
    int code = sqlite3_prepare_v2(s->db, "SELECT what, n FROM accounts WHERE name = ?1", -1, &q, NULL);
    if (!code) sqlite3_bind_text(q, 1, name, -1, SQLITE_TRANSIENT);
    while (!code && (code = sqlite3_step(q)) == SQLITE_ROW) {
        const char *what = (const char *)sqlite3_column_text(q, 0);
        uint64_t *field = what ? account_field(account, what) : NULL;
        if (field) *field = column_u64(q, 1);
        code = SQLITE_OK;
    }
    sqlite3_finalize(q);
    return code == SQLITE_DONE ? SQLITE_OK : code;
}

static int read_cursors(struct store *s, const struct store_finder *finder)
{
    sqlite3_stmt *q;
    int code =
        sqlite3_prepare_v2(s->db, "SELECT name, at, position, of, base, stamp FROM cursors", -1, &q, NULL);
    while (!code && (code = sqlite3_step(q)) == SQLITE_ROW) {
        struct store_cursor c = {.name = (const char *)sqlite3_column_text(q, 0),
                                 .at = column_u64(q, 1),
                                 .position = column_u64(q, 2),
                                 .of = column_u64(q, 3),
                                 .base = column_u64(q, 4),
                                 .last_stamp = column_u64(q, 5)};
        code = c.name ? read_account(s, c.name, &c.account) : SQLITE_OK;
        if (c.name && !code) finder->cursor(finder->arg, &c);
    }
    sqlite3_finalize(q);
    return code == SQLITE_DONE ? SQLITE_OK : code;
}

/* --- Writing it: the thread --- */

static int step(struct store *s, int which)
{
    int code = sqlite3_step(s->prepared[which]);
    sqlite3_reset(s->prepared[which]);
    sqlite3_clear_bindings(s->prepared[which]);
    return code == SQLITE_DONE ? SQLITE_OK : code ? code : SQLITE_ERROR;
}

static int write_word(struct store *s, const char *name, const char *what, uint64_t n)
{
    if (!n) return SQLITE_OK;
    sqlite3_stmt *q = s->prepared[ST_ACCOUNT];
    sqlite3_bind_text(q, 1, name, -1, SQLITE_STATIC);
    sqlite3_bind_text(q, 2, what, -1, SQLITE_STATIC);
    bind_u64(q, 3, n);
    return step(s, ST_ACCOUNT);
}

static int write_account(struct store *s, const char *name, struct ledger_account a)
{
    sqlite3_bind_text(s->prepared[ST_ACCOUNTS_GONE], 1, name, -1, SQLITE_STATIC);
    int code = step(s, ST_ACCOUNTS_GONE); /* numbers that became zero have no row */
    for (size_t w = 0; w < LEDGER_WORDS && !code; w++)
        code = write_word(s, name, ledger_word_name(w), *ledger_word(&a, w));
    return code;
}

static int write_entry(struct store *s, const struct store_entry *e)
{
    sqlite3_stmt *q = s->prepared[OP_PUT];
    bind_u64(q, 1, e->seq);
    bind_u64(q, 2, e->epoch);
    bind_u64(q, 3, e->wall_ns);
    bind_u64(q, 4, e->interval_ns);
    sqlite3_bind_int(q, 5, (e->queued ? STORE_QUEUED : 0) | (e->replaced ? STORE_REPLACED : 0));
    bind_u64(q, 6, checksum(e->seq, e->bytes, e->n));
    sqlite3_bind_blob64(q, 7, e->bytes, e->n, SQLITE_STATIC);
    return step(s, OP_PUT);
}

static int write_cursor(struct store *s, const struct op *op)
{
    sqlite3_stmt *q = s->prepared[OP_CURSOR];
    sqlite3_bind_text(q, 1, op->name, -1, SQLITE_STATIC);
    bind_u64(q, 2, op->cursor.at);
    bind_u64(q, 3, op->cursor.position);
    bind_u64(q, 4, op->cursor.of);
    bind_u64(q, 5, op->cursor.base);
    bind_u64(q, 6, op->cursor.last_stamp);
    int code = step(s, OP_CURSOR);
    return code ? code : write_account(s, op->name, op->cursor.account);
}

static int write_op(struct store *s, const struct op *op)
{
    int code;
    switch (op->type) {
    case OP_CLEAR:
        code = step(s, OP_CLEAR);
        if (!code) code = step(s, ST_CLEAR_CURSORS);
        return code ? code : step(s, ST_CLEAR_ACCOUNTS);
    case OP_PUT: return write_entry(s, &op->entry);
    case OP_CURSOR: return write_cursor(s, op);
    case OP_CURSOR_GONE:
        sqlite3_bind_text(s->prepared[ST_ACCOUNTS_GONE], 1, op->name, -1, SQLITE_STATIC);
        code = step(s, ST_ACCOUNTS_GONE);
        sqlite3_bind_text(s->prepared[OP_CURSOR_GONE], 1, op->name, -1, SQLITE_STATIC);
        return code ? code : step(s, OP_CURSOR_GONE);
    default: bind_u64(s->prepared[op->type], 1, op->entry.seq); return step(s, op->type);
    }
}

static bool write_batch(struct store *s, const struct batch_of_ops *batch)
{
    int code = batch->lost ? SQLITE_NOMEM : step(s, ST_BEGIN);
    for (const struct op *op = batch->first; op && !code; op = op->next) code = write_op(s, op);
    if (!code) code = step(s, ST_COMMIT);
    uint64_t now = clock_mono(&clock_system);
    if (!code) {
        complain_over(&s->trouble, now, "the log's file is written again", "file", s->path);
        return true;
    }
    complain(&s->trouble, now, "the log's file cannot be written; the log goes on in memory", "file", s->path,
             batch->lost ? "out of memory" : sqlite3_errmsg(s->db));
    if (!sqlite3_get_autocommit(s->db)) step(s, ST_ROLLBACK);
    return false;
}

static void free_batch(struct batch_of_ops *batch)
{
    for (struct op *op = batch->first, *next; op; op = next) {
        next = op->next;
        free(op->name);
        free(op);
    }
    free(batch);
}

/* The next one, or NULL at the end. */
static struct batch_of_ops *next_batch(struct store *s)
{
    for (uint64_t seen = wake_calls(&s->called);; seen = wake_wait(&s->called, seen, CLOCK_NEVER)) {
        pthread_mutex_lock(&s->lock);
        struct batch_of_ops *batch = s->queue;
        bool stop = s->stop;
        if (batch && !(s->queue = batch->next)) s->queue_end = &s->queue;
        pthread_mutex_unlock(&s->lock);
        if (batch || stop) return batch;
    }
}

static void *write_all(void *arg)
{
    struct store *s = arg;
    for (struct batch_of_ops *batch; (batch = next_batch(s));) {
        /* After a failure only everything anew makes sense: a part would be a lie. */
        bool try = !store_broken(s) || batch->clears;
        bool good = try && write_batch(s, batch);
        pthread_mutex_lock(&s->lock);
        s->settled = batch->ticket;
        if (good) s->written = batch->ticket;
        s->failures += !good;
        s->broken = !good;
        pthread_mutex_unlock(&s->lock);
        free_batch(batch);
        wake_call(&s->done);
    }
    return NULL;
}

/* --- Begin and end --- */

static void free_store(struct store *s)
{
    close_file(s);
    pthread_mutex_destroy(&s->lock);
    wake_destroy(&s->called);
    wake_destroy(&s->done);
    free(s->path);
    free(s);
}

static struct store *new_store(const char *path)
{
    struct store *s = calloc(1, sizeof *s);
    if (!s) return NULL;
    pthread_mutex_init(&s->lock, NULL);
    wake_init(&s->called);
    wake_init(&s->done);
    s->queue_end = &s->queue;
    s->path = strdup(path);
    if (s->path) return s;
    free_store(s);
    return NULL;
}

static bool is_damage(int code)
{
    return (code & 0xff) == SQLITE_CORRUPT || (code & 0xff) == SQLITE_NOTADB || (code & 0xff) == SQLITE_ERROR;
}

/* Opens, and begins anew once if the file is no good. */
static int open_file(struct store *s, bool durable, struct buf *why)
{
    int code = prepare_file(s, durable);
    /* A header that was cut shows as an error of a statement, damage within as a failed check. */
    if (!code) code = run(s->db, "PRAGMA quick_check(1)");
    if (is_damage(code)) {
        buf_str(why, s->db ? sqlite3_errmsg(s->db) : sqlite3_errstr(code));
        close_file(s);
        set_aside(s->path, buf_text(why));
        buf_reset(why);
        code = make_file(s->path, why) ? prepare_file(s, durable) : SQLITE_CANTOPEN;
    }
    if (code && !why->len)
        buf_printf(why, "%s: %s", s->path, s->db ? sqlite3_errmsg(s->db) : sqlite3_errstr(code));
    return code;
}

enum store_opened store_open(const char *path, bool durable, const struct store_finder *finder,
                             struct store **out, struct buf *why)
{
    *out = NULL;
    if (!check_owner(path, why) || !make_file(path, why)) return STORE_FAILED;
    struct store *s = new_store(path);
    int code = s ? open_file(s, durable, why) : SQLITE_NOMEM;
    if (!code) code = read_entries(s, finder);
    if (!code) code = read_cursors(s, finder);
    if (!code) {
        s->started = !pthread_create(&s->thread, NULL, write_all, s);
        if (!s->started) code = SQLITE_NOMEM;
    }
    if (!code) {
        *out = s;
        return STORE_OK;
    }
    if (!why->len) buf_printf(why, "%s: %s", path, sqlite3_errstr(code));
    if (s) free_store(s);
    return (code & 0xff) == SQLITE_BUSY || (code & 0xff) == SQLITE_LOCKED ? STORE_BUSY : STORE_FAILED;
}

void store_close(struct store **store, bool remove)
{
    struct store *s = *store;
    if (!s) return;
    *store = NULL;
    store_commit(s);
    pthread_mutex_lock(&s->lock);
    s->stop = true;
    pthread_mutex_unlock(&s->lock);
    wake_call(&s->called);
    if (s->started) pthread_join(s->thread, NULL);
    close_file(s);
    if (remove) remove_files(s->path);
    free_store(s);
}

/* --- Gathering --- */

static struct op *gather(struct store *s, enum op_type type, const void *bytes, size_t n, const char *name)
{
    if (!s->gathering) {
        s->gathering = calloc(1, sizeof *s->gathering);
        if (!s->gathering) return NULL;
        s->gathering->end = &s->gathering->first;
    }
    struct op *op = malloc(sizeof *op + n);
    char *copy = name && op ? strdup(name) : NULL;
    if (!op || (name && !copy)) {
        free(op);
        s->gathering->lost = true;
        return NULL;
    }
    *op = (struct op){.type = type, .name = copy};
    if (n) memcpy(op->bytes, bytes, n);
    *s->gathering->end = op;
    s->gathering->end = &op->next;
    return op;
}

void store_put(struct store *s, const struct store_entry *entry)
{
    struct op *op = gather(s, OP_PUT, entry->bytes, entry->n, NULL);
    if (!op) return;
    op->entry = *entry;
    op->entry.bytes = op->bytes;
}

void store_unqueue(struct store *s, uint64_t seq)
{
    struct op *op = gather(s, OP_UNQUEUE, NULL, 0, NULL);
    if (op) op->entry.seq = seq;
}

void store_remove(struct store *s, uint64_t seq)
{
    struct op *op = gather(s, OP_REMOVE, NULL, 0, NULL);
    if (op) op->entry.seq = seq;
}

void store_put_cursor(struct store *s, const struct store_cursor *cursor)
{
    struct op *op = gather(s, OP_CURSOR, NULL, 0, cursor->name);
    if (op) op->cursor = *cursor;
}

void store_remove_cursor(struct store *s, const char *name)
{
    gather(s, OP_CURSOR_GONE, NULL, 0, name);
}

void store_clear(struct store *s)
{
    if (gather(s, OP_CLEAR, NULL, 0, NULL)) s->gathering->clears = true;
}

void store_abandon(struct store *s)
{
    if (s->gathering) free_batch(s->gathering);
    s->gathering = NULL;
}

uint64_t store_commit(struct store *s)
{
    struct batch_of_ops *batch = s->gathering;
    if (!batch) return 0;
    s->gathering = NULL;
    uint64_t ticket = batch->ticket = ++s->tickets;
    pthread_mutex_lock(&s->lock);
    *s->queue_end = batch;
    s->queue_end = &batch->next;
    pthread_mutex_unlock(&s->lock);
    wake_call(&s->called);
    return ticket;
}

bool store_wait(struct store *s, uint64_t ticket, uint64_t timeout_ns)
{
    uint64_t until = clock_mono(&clock_system) + timeout_ns;
    for (;;) {
        uint64_t seen = wake_calls(&s->done);
        pthread_mutex_lock(&s->lock);
        bool written = s->written >= ticket, settled = s->settled >= ticket;
        pthread_mutex_unlock(&s->lock);
        if (settled) return written;
        if (clock_mono(&clock_system) >= until) return false;
        wake_wait(&s->done, seen, until);
    }
}

bool store_broken(struct store *s)
{
    pthread_mutex_lock(&s->lock);
    bool broken = s->broken;
    pthread_mutex_unlock(&s->lock);
    return broken;
}

uint64_t store_failures(struct store *s)
{
    pthread_mutex_lock(&s->lock);
    uint64_t n = s->failures;
    pthread_mutex_unlock(&s->lock);
    return n;
}
