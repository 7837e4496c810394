/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_recover.c - opens a store's database even if it is damaged: the damaged file is set aside, so that
 * somebody can look at it, and the exporter goes on with an empty one. Single damaged records are found when
 * they are read (store_rows.c), and what the log does without them is in log_recover.c.
 */
#include "store_inside.h"

#include "say.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static bool is_damage(int code)
{
    code &= 0xff; /* without what SQLite's extended codes add */
    return code == SQLITE_CORRUPT || code == SQLITE_NOTADB || code == SQLITE_ERROR;
}

/* A row of the check is "ok" or says what is wrong. */
static int note_damage(void *damage, int n, char **columns, char **names)
{
    (void)n, (void)names;
    if (!columns[0] || strcmp(columns[0], "ok")) buf_str(damage, columns[0] ? columns[0] : "damaged");
    return 0;
}

/* A header that was cut shows as an error of a statement, damage within as what the check says, or as its
 * error. Anything but 0 comes with the reason. */
static int open_and_check(struct store *s, bool durable, struct buf *reason)
{
    int code = store_file_open(s, durable);
    if (!code) code = sqlite3_exec(s->db, "PRAGMA quick_check(1)", note_damage, reason, NULL);
    if (code) buf_reset(reason);
    if (code) buf_str(reason, s->db ? sqlite3_errmsg(s->db) : sqlite3_errstr(code));
    return !code && reason->len ? SQLITE_CORRUPT : code;
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

int store_recover(struct store *s, bool durable, struct buf *why)
{
    struct buf reason = {0};
    int code = open_and_check(s, durable, &reason);
    if (is_damage(code)) {
        store_file_close(s);
        set_aside(s->path, buf_text(&reason));
        buf_reset(&reason);
        code = store_file_make(s->path, why) ? open_and_check(s, durable, &reason) : SQLITE_CANTOPEN;
    }
    if (code && !why->len) buf_printf(why, "%s: %s", s->path, buf_text(&reason));
    buf_free(&reason);
    return code;
}
