/* SPDX-License-Identifier: Apache-2.0 */
/* sampler_recover.c - what earlier exporters left of segments that are gone: the files of their logs. */
#include "sampler_inside.h"

#include "say.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static bool sampler_has_log(const struct sampler *s, const char *log_path)
{
    for (const struct source *source = s->sources; source; source = source->next)
        if (source->log_path && !strcmp(source->log_path, log_path)) return true;
    return false;
}

/* --- What is known of files --- */

/* The file is that of an earlier look, if its number and its time of change are the same. */
struct rest {
    struct rest *next;
    char *file;
    struct stat stat;
    bool good; /* it says to which segment it belongs: */
    struct log_owner owner;
    bool said;
};

static bool rest_is(const struct rest *r, const char *file, const struct stat *st)
{
    return !strcmp(r->file, file) && r->stat.st_ino == st->st_ino && r->stat.st_dev == st->st_dev &&
           (r->good ||
            (r->stat.st_mtim.tv_sec == st->st_mtim.tv_sec && r->stat.st_mtim.tv_nsec == st->st_mtim.tv_nsec));
}

static void rest_free(struct rest *r)
{
    free(r->file);
    free(r->owner.segment);
    free(r);
}

void sampler_recover_end(struct sampler *s)
{
    for (struct rest *r; (r = s->looked); rest_free(r)) s->looked = r->next;
}

/* A file beside the segment that says nothing is of an earlier version: the segment's path is in its name. */
static void rest_guess(struct rest *r, const struct source_log *log)
{
    if (r->good || log->state_dir) return;
    size_t n = strlen(r->file) - strlen(".0123456789abcdef.log");
    r->owner = (struct log_owner){.incarnation = strtoull(r->file + n + 1, NULL, 16)};
    r->owner.segment = strndup(r->file, n);
    r->good = r->owner.segment != NULL;
}

static struct rest *rest_look(struct sampler *s, const char *file, const struct source_log *log)
{
    struct stat st;
    if (lstat(file, &st)) return NULL;
    for (struct rest **at = &s->looked; *at; at = &(*at)->next) {
        if (strcmp((*at)->file, file)) continue;
        if (rest_is(*at, file, &st)) return *at;
        struct rest *old = *at;
        *at = old->next;
        rest_free(old);
        break;
    }
    struct rest *r = calloc(1, sizeof *r);
    if (r) r->file = strdup(file);
    if (!r || !r->file) return free(r), NULL;
    r->stat = st;
    r->good = log_peek(file, &r->owner);
    rest_guess(r, log);
    r->next = s->looked;
    s->looked = r;
    return r;
}

/* --- Whose they are --- */

static bool sampler_asked_for(struct sampler *s, const char *path)
{
    bool asked = false;
    pthread_mutex_lock(&s->lock);
    for (size_t i = 0; i < s->wishes.n && !asked; i++) {
        char *wish = source_absolute(s->wishes.items[i]), *own = source_absolute(path);
        asked = wish && own && (!strcmp(wish, own) || !fnmatch(wish, own, FNM_PATHNAME | FNM_PERIOD));
        free(wish);
        free(own);
    }
    pthread_mutex_unlock(&s->lock);
    return asked;
}

/* True if another segment than the owner's is followed at its path. */
static bool sampler_follows_other(const struct sampler *s, const struct log_owner *owner, bool *same)
{
    bool other = false;
    *same = false;
    for (const struct source *source = s->sources; source; source = source->next) {
        if (source->incarnation == owner->incarnation) *same = true;
        char *path = source_absolute(source->path), *own = source_absolute(owner->segment);
        other = other || (path && own && !source->ended && !source->replaced && source->incarnation &&
                          source->incarnation != owner->incarnation && !strcmp(path, own));
        free(path);
        free(own);
    }
    return other;
}

static bool rest_is_gone(const struct sampler *s, const struct log_owner *owner)
{
    struct stat st;
    bool same, other = sampler_follows_other(s, owner, &same);
    if (same) return false;
    return other || (lstat(owner->segment, &st) && (errno == ENOENT || errno == ENOTDIR));
}

/* True if the log is of a segment that was asked for and is surely gone. */
static bool rest_is_ours(struct sampler *s, struct rest *r)
{
    if (!r->good || !sampler_asked_for(s, r->owner.segment) || !rest_is_gone(s, &r->owner)) return false;
    if (!source_is_elsewhere(&r->owner)) return true;
    if (!r->said)
        say(SAY_WARN,
            "a log is left alone: its segment may live in another container that mounts this folder", "file",
            r->file, "segment", r->owner.segment, NULL);
    r->said = true;
    return false;
}

static void sampler_rest(struct sampler *s, const char *log_path, const struct source_log *log)
{
    struct rest *r = rest_look(s, log_path, log);
    if (!r || !rest_is_ours(s, r)) return;
    struct source *rest = source_open_rest(r->owner.segment, log_path, log, s->options.ledger, &s->rests);
    if (!rest) return;
    /* One that is empty is only removed; if that is impossible, it is found each second. */
    if (log_size(rest->log).snapshots)
        say(SAY_INFO, "delivering what an earlier exporter left of a segment", "file", log_path, NULL);
    sampler_add(s, rest);
}

/* The files of logs, those that are in use included. */
static void sampler_find_logs(struct sampler *s, const struct source_log *log, glob_t *found)
{
    struct buf pattern = {0};
    pthread_mutex_lock(&s->lock);
    for (size_t i = 0; i < s->wishes.n; i++) {
        buf_reset(&pattern);
        source_log_pattern(s->wishes.items[i], log, &pattern);
        glob(buf_text(&pattern), found->gl_pathc ? GLOB_APPEND : 0, NULL, found);
    }
    pthread_mutex_unlock(&s->lock);
    buf_free(&pattern);
}

void sampler_recover(struct sampler *s)
{
    struct source_log log = sampler_log(s);
    glob_t found = {0};
    if (!log.memory) sampler_find_logs(s, &log, &found);
    for (size_t i = 0; i < found.gl_pathc; i++)
        if (!sampler_has_log(s, found.gl_pathv[i])) sampler_rest(s, found.gl_pathv[i], &log);
    globfree(&found);
    free(log.state_dir);
}
