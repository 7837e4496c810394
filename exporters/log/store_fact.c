/* SPDX-License-Identifier: Apache-2.0 */
/* store_fact.c - what a store's file says about itself: texts with names. */
#include "store_inside.h"

#include "store_guard.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int store_read_facts(struct store *s, const struct store_finder *finder)
{
    sqlite3_stmt *q;
    if (!finder->fact) return SQLITE_OK;
    int code = sqlite3_prepare_v2(s->db, "SELECT name, text FROM facts", -1, &q, NULL);
    while (!code && (code = sqlite3_step(q)) == SQLITE_ROW) {
        const char *name = (const char *)sqlite3_column_text(q, 0);
        const char *text = (const char *)sqlite3_column_text(q, 1);
        if (name && text) finder->fact(finder->arg, name, text);
        code = SQLITE_OK;
    }
    sqlite3_finalize(q);
    return code == SQLITE_DONE ? SQLITE_OK : code;
}

int store_write_fact(struct store *s, const struct store_op *op)
{
    sqlite3_stmt *q = s->prepared[OP_FACT];
    sqlite3_bind_text(q, 1, op->name, -1, SQLITE_STATIC);
    sqlite3_bind_text(q, 2, (const char *)op->bytes, -1, SQLITE_STATIC);
    return store_step(s, OP_FACT);
}

/* SQLite reads such a file as it is: without locks, and without the write-ahead log beside it. */
static sqlite3 *open_unchanged(const char *path)
{
    struct buf uri = {0};
    sqlite3 *db = NULL;
    buf_str(&uri, "file:");
    for (const char *c = path; *c; c++)
        if (strchr("%?#", *c))
            buf_printf(&uri, "%%%02X", (unsigned)(unsigned char)*c);
        else
            buf_char(&uri, *c);
    buf_str(&uri, "?immutable=1");
    int flags = SQLITE_OPEN_READONLY | SQLITE_OPEN_URI | SQLITE_OPEN_FULLMUTEX;
    if (!guard_sqlite() || sqlite3_open_v2(buf_text(&uri), &db, flags, NULL)) {
        sqlite3_close(db);
        db = NULL;
    }
    buf_free(&uri);
    return db;
}

bool store_peek(const char *path, void (*fn)(void *arg, const char *name, const char *text), void *arg)
{
    struct stat st;
    if (lstat(path, &st) || !S_ISREG(st.st_mode) || st.st_uid != geteuid()) return false;
    struct store s = {.db = open_unchanged(path)};
    struct store_finder finder = {.fact = fn, .arg = arg};
    bool good = s.db && store_read_facts(&s, &finder) == SQLITE_OK;
    sqlite3_close(s.db);
    return good;
}
