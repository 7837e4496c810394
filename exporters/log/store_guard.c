/* SPDX-License-Identifier: Apache-2.0 */
#include "store_guard.h"

#include "clock.h"
#include "complain.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define GUARD_LINKS 40 /* as many as the kernel follows */
#define GUARD_NAMES 16 /* that a write-ahead log may have */

/* --- What is ours --- */

/* Why a file is not used, or NULL if it is. */
static const char *guard_fault(const struct stat *st)
{
    if (!S_ISREG(st->st_mode)) return "is not a plain file";
    if (st->st_uid != geteuid()) return "belongs to another user";
    if (st->st_nlink > 1) return "has another name, too";
    return st->st_mode & (S_IWGRP | S_IWOTH) ? "may be written by others" : NULL;
}

static void guard_refuse(const char *path, const struct stat *st, const char *fault, struct buf *why)
{
    buf_printf(why, "%s %s", path, fault);
    if (S_ISREG(st->st_mode) && st->st_uid != geteuid()) buf_printf(why, " (%u)", (unsigned)st->st_uid);
    buf_str(why, ": remove it");
}

/* Opens a file that is ours; -1 with errno. A FIFO in its place must not make us wait. */
static int guard_open_ours(const char *path, int flags, mode_t mode, struct stat *st, const char **fault)
{
    int fd = open(path, flags | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, mode);
    *fault = NULL;
    if (fd < 0) return -1;
    *fault = fstat(fd, st) ? "cannot be examined" : S_ISREG(st->st_mode) ? guard_fault(st) : NULL;
    if (!*fault) return fd;
    close(fd);
    errno = EACCES;
    return -1;
}

int guard_open(const char *path, struct buf *why)
{
    struct stat st;
    const char *fault;
    if (!lstat(path, &st) && (fault = guard_fault(&st))) {
        guard_refuse(path, &st, fault, why);
        return -1;
    }
    int fd = guard_open_ours(path, O_RDWR | O_CREAT, 0600, &st, &fault);
    if (fd < 0 && fault)
        guard_refuse(path, &st, fault, why);
    else if (fd < 0)
        buf_printf(why, "cannot open %s: %s", path, strerror(errno));
    /* An earlier version, or somebody's restored copy, may have left it readable for all. */
    if (fd >= 0 && st.st_mode & 077) fchmod(fd, 0600);
    return fd;
}

/* --- Links --- */

struct guard_walk {
    char rest[PATH_MAX]; /* what is still to be followed */
    unsigned links;
};

/* Puts the target of a link before what is still to be followed; an absolute one starts anew. */
static bool guard_follow(struct guard_walk *w, const char *link, struct buf *real)
{
    char target[PATH_MAX], rest[PATH_MAX];
    ssize_t n = readlink(link, target, sizeof target - 1);
    if (n < 0 || ++w->links > GUARD_LINKS) return n < 0 ? false : (errno = ELOOP, false);
    target[n] = '\0';
    if (target[0] == '/') buf_reset(real);
    size_t len = strlen(w->rest);
    if ((size_t)n + len + 2 > sizeof rest) return errno = ENAMETOOLONG, false;
    memcpy(rest, w->rest, len + 1);
    memcpy(w->rest, target, (size_t)n);
    w->rest[n] = '/';
    memcpy(w->rest + n + 1, rest, len + 1);
    return true;
}

/* A link that another user made, where others can make one. */
static bool guard_is_planted(const char *dir, const struct stat *link)
{
    struct stat st;
    if (!link->st_uid || link->st_uid == geteuid()) return false;
    return stat(*dir ? dir : "/", &st) || st.st_mode & (S_IWGRP | S_IWOTH);
}

/* One more component, of n bytes. */
static bool guard_step(struct guard_walk *w, const char *name, size_t n, struct buf *real, struct buf *why)
{
    struct stat st;
    size_t dir = real->len;
    if (n == 2 && !memcmp(name, "..", 2)) { /* `real` has no links, so this is the parent */
        const char *slash = dir ? strrchr(buf_text(real), '/') : NULL;
        buf_cut(real, slash ? (size_t)(slash - buf_text(real)) : 0);
        return true;
    }
    buf_printf(real, "/%.*s", (int)n, name);
    if (lstat(buf_text(real), &st)) return errno == ENOENT && !w->rest[strspn(w->rest, "/")];
    bool last = !w->rest[strspn(w->rest, "/")];
    if (!S_ISLNK(st.st_mode) || last) return true;
    char link[PATH_MAX];
    if (real->len >= sizeof link) return errno = ENAMETOOLONG, false;
    memcpy(link, buf_text(real), real->len + 1);
    buf_cut(real, dir);
    if (!guard_is_planted(buf_text(real), &st)) return guard_follow(w, link, real);
    buf_printf(why, "%s is a link that belongs to another user (%u): remove it", link, (unsigned)st.st_uid);
    return false;
}

/* The working directory before a path that does not begin at the root. */
static bool guard_start(struct guard_walk *w, const char *path)
{
    char here[PATH_MAX] = "";
    *w = (struct guard_walk){.links = 0};
    if (*path != '/' && !getcwd(here, sizeof here)) return false;
    if (strlen(here) + strlen(path) + 2 > sizeof w->rest) return errno = ENAMETOOLONG, false;
    stpcpy(stpcpy(stpcpy(w->rest, here), "/"), path);
    return true;
}

bool guard_path(const char *path, struct buf *real, struct buf *why)
{
    struct guard_walk w;
    bool good = guard_start(&w, path);
    while (good) {
        char name[PATH_MAX];
        const char *at = w.rest + strspn(w.rest, "/");
        size_t n = strcspn(at, "/");
        if (!n) break;
        memcpy(name, at, n);
        memmove(w.rest, at + n, strlen(at + n) + 1);
        if (n != 1 || *name != '.') good = guard_step(&w, name, n, real, why);
    }
    if (!good && !why->len) buf_printf(why, "cannot follow %s: %s", path, strerror(errno));
    return good && buf_ok(real);
}

/* --- Names beside the database --- */

static bool guard_ends(const char *path, const char *tail)
{
    size_t n = strlen(path), t = strlen(tail);
    return n > t && !strcmp(path + n - t, tail);
}

/* Somebody has put a file where SQLite would look. */
static void guard_complain(const char *path, const char *fault)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* of `trouble` */
    static struct complain trouble;
    pthread_mutex_lock(&lock);
    complain(&trouble, clock_mono(&clock_system),
             "a file that is not ours is in the place of a file beside the log; it is not used", "file", path,
             fault);
    pthread_mutex_unlock(&lock);
}

bool guard_wal(const char *path, struct buf *out)
{
    struct buf free_name = {0}, name = {0};
    bool ours = false;
    for (int i = 0; i < GUARD_NAMES && !ours; i++) {
        struct stat st;
        buf_reset(&name);
        buf_str(&name, path);
        if (i) buf_printf(&name, ".%d", i);
        bool there = !lstat(buf_text(&name), &st);
        const char *fault = there ? guard_fault(&st) : NULL;
        ours = there && !fault;
        if (there && fault) guard_complain(buf_text(&name), fault);
        if (!there && !free_name.len) buf_str(&free_name, buf_text(&name));
    }
    if (ours || free_name.len) buf_str(out, buf_text(ours ? &name : &free_name));
    bool good = ours || free_name.len;
    buf_free(&name);
    buf_free(&free_name);
    return good;
}

/* --- SQLite's calls --- */

static int guard_call_open(const char *path, int flags, int mode)
{
    struct buf name = {0};
    struct stat st;
    const char *fault = NULL;
    int fd = -1;
    errno = EACCES;
    if (guard_ends(path, "-wal"))
        guard_wal(path, &name);
    else if (!guard_ends(path, "-journal"))
        buf_str(&name, path);
    if (name.len)
        fd = guard_open_ours(buf_text(&name), flags, flags & O_CREAT ? 0600 : (mode_t)mode, &st, &fault);
    int error = errno;
    buf_free(&name);
    errno = error;
    return fd;
}

static int guard_call_stat(const char *path, struct stat *st)
{
    struct buf name = {0};
    if (guard_ends(path, "-journal")) return errno = ENOENT, -1;
    if (guard_ends(path, "-wal"))
        guard_wal(path, &name);
    else
        buf_str(&name, path);
    int result = name.len ? stat(buf_text(&name), st) : (errno = ENOENT, -1);
    int error = errno;
    buf_free(&name);
    errno = error;
    return result;
}

static int guard_call_unlink(const char *path)
{
    struct buf name = {0};
    struct stat st;
    if (guard_ends(path, "-wal"))
        guard_wal(path, &name);
    else
        buf_str(&name, path);
    bool ours = name.len && !lstat(buf_text(&name), &st) && !guard_fault(&st);
    int result = ours ? unlink(buf_text(&name)) : (errno = ENOENT, -1);
    int error = errno;
    buf_free(&name);
    errno = error;
    return result;
}

static bool guard_good;

static void guard_install(void)
{
    sqlite3_vfs *vfs = sqlite3_vfs_find("unix");
    if (!vfs || vfs->iVersion < 3 || !vfs->xSetSystemCall) return;
    guard_good = vfs->xSetSystemCall(vfs, "open", (sqlite3_syscall_ptr)guard_call_open) == SQLITE_OK &&
                 vfs->xSetSystemCall(vfs, "stat", (sqlite3_syscall_ptr)guard_call_stat) == SQLITE_OK &&
                 vfs->xSetSystemCall(vfs, "unlink", (sqlite3_syscall_ptr)guard_call_unlink) == SQLITE_OK;
}

bool guard_sqlite(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, guard_install);
    return guard_good;
}
