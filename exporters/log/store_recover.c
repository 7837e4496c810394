/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_recover.c - opens a store's database even if it is damaged: the damaged file is set aside, so that
 * somebody can look at it, and the exporter goes on with an empty one. Single damaged records are found when
 * they are read (store_rows.c), and what the log does without them is in log_recover.c.
 */
#include "store_inside.h"

#include "say.h"

#include <stdio.h>
#include <unistd.h>

static bool is_damage(int code)
{
    code &= 0xff; /* without what SQLite's extended codes add */
    return code == SQLITE_CORRUPT || code == SQLITE_NOTADB || code == SQLITE_ERROR;
}

/* A header that was cut shows as an error of a statement, damage within as a failed check. */
static int open_and_check(struct store *s, bool durable)
{
    int code = store_file_open(s, durable);
    return code ? code : sqlite3_exec(s->db, "PRAGMA quick_check(1)", NULL, NULL, NULL);
}

static const char *reason(const struct store *s, int code)
{
    return s->db ? sqlite3_errmsg(s->db) : sqlite3_errstr(code);
}

static void set_aside(const char *path, const char *why)
{
    struct buf name = {0};
    buf_printf(&name, "%s.damaged", path);
    if (rename(path, buf_text(&name))) unlink(path);
    store_file_remove(path); /* the write-ahead log belongs to the damaged file */
    say(SAY_WARN, "the log's file is damaged; it was renamed, and an empty one takes its place", "file", path,
        "kept_as", buf_text(&name), "reason", why, NULL);
    buf_free(&name);
}

/* Sets the file aside for that reason and opens an empty one. */
static int begin_anew(struct store *s, bool durable, int damage, struct buf *why)
{
    struct buf text = {0};
    buf_str(&text, reason(s, damage));
    store_file_close(s);
    set_aside(s->path, buf_text(&text));
    buf_free(&text);
    return store_file_make(s->path, why) ? store_file_open(s, durable) : SQLITE_CANTOPEN;
}

int store_recover(struct store *s, bool durable, struct buf *why)
{
    int code = open_and_check(s, durable);
    if (is_damage(code)) code = begin_anew(s, durable, code, why);
    if (code && !why->len) buf_printf(why, "%s: %s", s->path, reason(s, code));
    return code;
}
