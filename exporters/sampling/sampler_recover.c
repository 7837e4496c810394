/* SPDX-License-Identifier: Apache-2.0 */
/* sampler_recover.c - what earlier exporters left of segments that are gone: the files of their logs. */
#include "sampler_inside.h"

#include "say.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool sampler_has_log(const struct sampler *s, const char *log_path)
{
    for (const struct source *source = s->sources; source; source = source->next)
        if (source->log_path && !strcmp(source->log_path, log_path)) return true;
    return false;
}

static void sampler_rest(struct sampler *s, const char *log_path, const struct source_log *log)
{
    struct buf path = {0};
    buf_mem(&path, log_path, strlen(log_path) - strlen(".0123456789abcdef.log"));
    /* A segment that is there and cannot be followed just now may be the log's own. */
    bool unsure = access(buf_text(&path), F_OK) == 0 && !sampler_follows(s, buf_text(&path));
    struct source *rest =
        unsure ? NULL : source_open_rest(buf_text(&path), log_path, log, s->options.ledger, &s->rests);
    buf_free(&path);
    if (!rest) return;
    /* One that is empty is only removed; if that is impossible, it is found each second. */
    if (log_size(rest->log).snapshots)
        say(SAY_INFO, "delivering what an earlier exporter left of a segment", "file", log_path, NULL);
    sampler_add(s, rest);
}

/* The files of logs of segments that were asked for. */
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
