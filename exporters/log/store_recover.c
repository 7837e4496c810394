/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_recover.c - opens a store's database even if it is damaged: the damaged file is set aside, so that
 * somebody can look at it, and the exporter goes on with a new one, and with what store_salvage.c finds in the
 * damaged one. Single damaged records are found when they are read (store_rows.c), and what the log does
 * without them is in log_recover.c.
 */
#include "store_inside.h"

#include "say.h"
#include "store_guard.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SET_ASIDE_NAMES 16

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

/* Gives a file another name, unless something of another user has it. */
static bool move_to(const char *from, const char *to)
{
    struct stat st;
    bool there = !lstat(to, &st), ours = there && S_ISREG(st.st_mode) && st.st_uid == geteuid();
    if (there && !ours) return false;
    if (ours) return !rename(from, to);
    if (!renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE)) return true;
    /* Some file systems cannot do that; nobody else writes in the folders of most of them. */
    return (errno == EINVAL || errno == ENOSYS) && !rename(from, to);
}

/* The write-ahead log goes with its file. */
static void move_wal(const char *from, const char *to)
{
    struct buf was = {0}, wal = {0}, is = {0};
    buf_printf(&was, "%s-wal", from);
    buf_printf(&is, "%s-wal", to);
    if (guard_wal(buf_text(&was), &wal) && !move_to(buf_text(&wal), buf_text(&is))) unlink(buf_text(&wal));
    buf_free(&was);
    buf_free(&wal);
    buf_free(&is);
}

/* Appends the name under which the file is kept now. Without a name that is free, it is removed. */
static bool set_aside(const char *path, struct buf *kept)
{
    for (int i = 0; i < SET_ASIDE_NAMES; i++) {
        buf_reset(kept);
        buf_printf(kept, "%s.damaged", path);
        if (i) buf_printf(kept, ".%d", i);
        if (!move_to(path, buf_text(kept))) continue;
        move_wal(path, buf_text(kept));
        return true;
    }
    buf_reset(kept);
    store_file_remove(path);
    return false;
}

static void begin_anew(struct store *s, const char *reason)
{
    struct buf kept = {0};
    store_file_close(s);
    bool good = set_aside(s->path, &kept);
    say(SAY_WARN,
        good ? "the log's file is damaged; it was renamed, and a new one takes its place"
             : "the log's file is damaged; it was removed, and a new one takes its place",
        "file", s->path, "kept_as", good ? buf_text(&kept) : NULL, "reason", reason, NULL);
    free(s->kept);
    s->kept = good ? buf_take(&kept) : NULL;
    buf_free(&kept);
}

int store_recover(struct store *s, bool durable, struct buf *why)
{
    struct buf reason = {0};
    int code = open_and_check(s, durable, &reason);
    if (is_damage(code)) {
        begin_anew(s, buf_text(&reason));
        buf_reset(&reason);
        code = store_file_make(s->path, why) ? open_and_check(s, durable, &reason) : SQLITE_CANTOPEN;
    }
    if (code && !why->len) buf_printf(why, "%s: %s", s->path, buf_text(&reason));
    buf_free(&reason);
    return code;
}
