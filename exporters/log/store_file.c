/* SPDX-License-Identifier: Apache-2.0 */
/* store_file.c - the database of a store: its file, its schema, its statements. */
#include "store_inside.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *const schema[] = {
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
bool store_file_make(const char *path, struct buf *why)
{
    if (!check_owner(path, why)) return false;
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

int store_file_open(struct store *s, bool durable)
{
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOFOLLOW | SQLITE_OPEN_FULLMUTEX;
    int code = sqlite3_open_v2(s->path, &s->db, flags, NULL);
    for (size_t i = 0; !code && i < sizeof schema / sizeof *schema; i++) code = run(s->db, schema[i]);
    if (!code) code = run(s->db, durable ? "PRAGMA synchronous = NORMAL" : "PRAGMA synchronous = OFF");
    for (int i = 0; !code && i < ST_COUNT; i++)
        code = sqlite3_prepare_v2(s->db, statements[i], -1, &s->prepared[i], NULL);
    return code;
}

void store_file_close(struct store *s)
{
    for (int i = 0; i < ST_COUNT; i++) sqlite3_finalize(s->prepared[i]);
    memset(s->prepared, 0, sizeof s->prepared);
    sqlite3_close(s->db);
    s->db = NULL;
}

void store_file_remove(const char *path)
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

int store_step(struct store *s, int statement)
{
    sqlite3_stmt *q = s->prepared[statement];
    int code = sqlite3_step(q);
    sqlite3_reset(q);
    sqlite3_clear_bindings(q);
    return code == SQLITE_DONE ? SQLITE_OK : code ? code : SQLITE_ERROR;
}
