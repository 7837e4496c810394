/* SPDX-License-Identifier: Apache-2.0 */
/* store_file.c - the database of a store: its file, its schema, its statements. */
#include "store_inside.h"

#include "store_guard.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

static const char *const schema[] = {
    "PRAGMA journal_mode = WAL",
    "PRAGMA wal_autocheckpoint = 64",
    "PRAGMA temp_store = MEMORY",
    "PRAGMA synchronous = OFF",
    "CREATE TABLE IF NOT EXISTS entries(seq INTEGER PRIMARY KEY, epoch INTEGER, wall INTEGER, "
    "interval INTEGER, queued INTEGER, checksum INTEGER, bytes BLOB)",
    "CREATE TABLE IF NOT EXISTS cursors(name TEXT PRIMARY KEY, at INTEGER, position INTEGER, of INTEGER, "
    "base INTEGER, stamp INTEGER)",
    "CREATE TABLE IF NOT EXISTS accounts(name TEXT, what TEXT, n INTEGER, PRIMARY KEY(name, what))",
    "CREATE TABLE IF NOT EXISTS facts(name TEXT PRIMARY KEY, text TEXT)",
    "CREATE TABLE IF NOT EXISTS chunks(seq INTEGER PRIMARY KEY, wall INTEGER, checksum INTEGER, bytes BLOB)",
    "CREATE TABLE IF NOT EXISTS places(number INTEGER PRIMARY KEY, position INTEGER)",
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
    [OP_FACT] = "INSERT OR REPLACE INTO facts(name, text) VALUES(?1, ?2)",
    [OP_CHUNK] = "INSERT OR REPLACE INTO chunks(seq, wall, checksum, bytes) VALUES(?1, ?2, ?3, ?4)",
    [OP_CHUNK_GONE] = "DELETE FROM chunks WHERE seq = ?1",
    [OP_PLACE] = "INSERT OR REPLACE INTO places(number, position) VALUES(?1, ?2)",
    [ST_BEGIN] = "BEGIN IMMEDIATE",
    [ST_COMMIT] = "COMMIT",
    [ST_ROLLBACK] = "ROLLBACK",
    [ST_CLEAR_CURSORS] = "DELETE FROM cursors",
    [ST_CLEAR_ACCOUNTS] = "DELETE FROM accounts",
    [ST_CLEAR_CHUNKS] = "DELETE FROM chunks",
    [ST_CLEAR_PLACES] = "DELETE FROM places",
    [ST_ACCOUNT] = "INSERT OR REPLACE INTO accounts(name, what, n) VALUES(?1, ?2, ?3)",
    [ST_ACCOUNTS_GONE] = "DELETE FROM accounts WHERE name = ?1",
};

/* SQLite would make it readable for everybody. */
bool store_file_make(const char *path, struct buf *why)
{
    int fd = guard_open(path, why);
    if (fd < 0) return false;
    close(fd);
    return true;
}

static int run(sqlite3 *db, const char *sql)
{
    return sqlite3_exec(db, sql, NULL, NULL, NULL);
}

static int note_mode(void *is_wal, int n, char **columns, char **names)
{
    (void)n, (void)names;
    *(bool *)is_wal = columns[0] && !strcmp(columns[0], "wal");
    return 0;
}

/* A new database would begin with a rollback journal, under a name that others know. */
static int begin_without_journal(sqlite3 *db)
{
    bool is_wal = false;
    int code = sqlite3_exec(db, "PRAGMA journal_mode", note_mode, &is_wal, NULL);
    return code || is_wal ? code : run(db, "PRAGMA journal_mode = OFF");
}

static struct store_place place_of(const char *path)
{
    struct stat st;
    return lstat(path, &st) ? (struct store_place){0, 0} : (struct store_place){st.st_dev, st.st_ino};
}

static struct store_place wal_of(const struct store *s)
{
    struct buf name = {0}, real = {0};
    buf_printf(&name, "%s-wal", s->path);
    bool good = guard_wal(buf_text(&name), &real);
    struct store_place place = good ? place_of(buf_text(&real)) : (struct store_place){0, 0};
    buf_free(&name);
    buf_free(&real);
    return place;
}

static int open_database(struct store *s, bool durable)
{
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_FULLMUTEX;
    int code = guard_sqlite() ? sqlite3_open_v2(s->path, &s->db, flags, NULL) : SQLITE_MISUSE;
    if (!code) code = run(s->db, "PRAGMA page_size = 16384");
    if (!code) code = run(s->db, "PRAGMA locking_mode = EXCLUSIVE"); /* no shared memory beside the file */
    if (!code) code = begin_without_journal(s->db);
    for (size_t i = 0; !code && i < sizeof schema / sizeof *schema; i++) code = run(s->db, schema[i]);
    return code || !durable ? code : run(s->db, "PRAGMA synchronous = FULL");
}

int store_file_open(struct store *s, bool durable)
{
    int code = open_database(s, durable);
    for (int i = 0; !code && i < ST_COUNT; i++)
        code = sqlite3_prepare_v2(s->db, statements[i], -1, &s->prepared[i], NULL);
    s->durable = durable;
    s->file = place_of(s->path);
    s->wal = wal_of(s);
    return code;
}

bool store_file_moved(const struct store *s)
{
    struct store_place file = place_of(s->path), wal = wal_of(s);
    return !s->db || file.device != s->file.device || file.inode != s->file.inode ||
           wal.device != s->wal.device || wal.inode != s->wal.inode;
}

/* What is beside the file now is not ours to remove if the file is another one. */
static void keep_wal(sqlite3 *db)
{
    int persist = 1;
    sqlite3_file_control(db, NULL, SQLITE_FCNTL_PERSIST_WAL, &persist);
}

void store_file_close(struct store *s)
{
    for (int i = 0; i < ST_COUNT; i++) sqlite3_finalize(s->prepared[i]);
    memset(s->prepared, 0, sizeof s->prepared);
    if (s->db && store_file_moved(s)) keep_wal(s->db);
    sqlite3_close(s->db);
    s->db = NULL;
}

void store_file_remove(const char *path)
{
    struct buf wal = {0}, real = {0};
    buf_printf(&wal, "%s-wal", path);
    if (guard_wal(buf_text(&wal), &real)) unlink(buf_text(&real));
    unlink(path);
    buf_free(&wal);
    buf_free(&real);
}

int store_step(struct store *s, int statement)
{
    sqlite3_stmt *q = s->prepared[statement];
    int code = sqlite3_step(q);
    sqlite3_reset(q);
    sqlite3_clear_bindings(q);
    return code == SQLITE_DONE ? SQLITE_OK : code ? code : SQLITE_ERROR;
}

bool store_next(sqlite3_stmt *q, int *code)
{
    if (*code) return false;
    *code = sqlite3_step(q);
    bool row = *code == SQLITE_ROW;
    if (row || *code == SQLITE_DONE) *code = SQLITE_OK;
    return row;
}

uint64_t store_checksum(uint64_t seq, const void *bytes, size_t n)
{
    uLong crc = crc32(0, (const Bytef *)&seq, sizeof seq);
    return crc32_z(crc, bytes, n);
}
