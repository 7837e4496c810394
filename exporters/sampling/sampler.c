/* SPDX-License-Identifier: Apache-2.0 */
/* sampler.c - segments that come and go, and the times at which they are sampled. */
#include "sampler_inside.h"

#include "say.h"

#include <stdlib.h>
#include <string.h>

#define SAMPLER_LOOK       (1 * CLOCK_SECOND) /* how often it looks for segments */
#define SAMPLER_POLL_LEAST (CLOCK_SECOND / 500)
#define SAMPLER_POLL       (CLOCK_SECOND / 10) /* how often it looks at the rings of events, at first */

struct sampler *sampler_new(const struct sampler_options *options)
{
    struct sampler *s = calloc(1, sizeof *s);
    if (!s) return NULL;
    s->options = *options;
    s->poll_interval = SAMPLER_POLL;
    pthread_mutex_init(&s->lock, NULL);
    return s;
}

void sampler_free(struct sampler **sampler)
{
    struct sampler *s = *sampler;
    if (!s) return;
    while (s->sources) {
        struct source *source = s->sources;
        s->sources = source->next;
        source_free(&source);
    }
    sampler_recover_end(s);
    sampler_wishes_free(&s->wishes);
    free(s->log.state_dir);
    pthread_mutex_destroy(&s->lock);
    free(s);
    *sampler = NULL;
}

/* --- Segments that come --- */

/* Other segments in the folders that the documentation names: the usual mistake is another user or another path. */
static void sampler_others(struct buf *out)
{
    glob_t seen;
    glob("/dev/shm/*.seg", 0, NULL, &seen);
    glob("/run/mtx/*.seg", GLOB_APPEND, NULL, &seen);
    if (!seen.gl_pathc) {
        globfree(&seen);
        return;
    }
    buf_str(out, "; others are");
    for (size_t i = 0; i < seen.gl_pathc; i++) buf_printf(out, "%s %s", i ? "," : "", seen.gl_pathv[i]);
    globfree(&seen);
}

static void sampler_wait(struct sampler *s, const char *path, const metrics_error_t *error)
{
    struct buf reason = {0};
    buf_str(&reason, error->text);
    if (error->code == METRICS_E_MISSING) {
        buf_str(&reason, "; it is followed as soon as a program creates it");
        if (!strcmp(path, metrics_default_path())) sampler_others(&reason);
    }
    complain(&s->waiting, clock_mono(s->options.clock),
             error->code == METRICS_E_BUSY ? "another exporter leads the segment; waiting"
                                           : "waiting for the segment",
             "segment", path, buf_text(&reason));
    buf_free(&reason);
}

static void sampler_begin(struct sampler *s, const char *path)
{
    metrics_error_t error = {0};
    struct source_log log = sampler_log(s);
    struct source *source = source_open(path, s->options.clock, &log, s->options.ledger, &error);
    free(log.state_dir);
    if (!source) {
        s->busy |= error.code == METRICS_E_BUSY;
        sampler_wait(s, path, &error);
        return;
    }
    complain_over(&s->waiting, clock_mono(s->options.clock), "the segment is there", "segment", path);
    say(SAY_INFO, "following", "segment", path, NULL);
    sampler_add(s, source);
}

/* --- Segments that go --- */

static bool sampler_is_wanted(const glob_t *paths, const char *path)
{
    for (size_t i = 0; i < paths->gl_pathc; i++)
        if (!strcmp(paths->gl_pathv[i], path)) return true;
    return false;
}

static bool sampler_check_replaced(struct sampler *s, struct source *source)
{
    if (source->replaced || !source_was_replaced(source)) return source->replaced;
    say(SAY_INFO, "the segment was replaced; following the old one until it is quiet", "segment",
        source->path, NULL);
    pthread_mutex_lock(&s->lock);
    source->replaced = true;
    pthread_mutex_unlock(&s->lock);
    return true;
}

static void sampler_look_at(struct sampler *s, struct source *source, const glob_t *paths)
{
    if (source->ended) return;
    bool wanted = source->replaced || sampler_is_wanted(paths, source->path);
    if (!sampler_check_replaced(s, source) && wanted) return;
    if (wanted && !source_is_drained(source)) return;
    source_sample(source, s->options.clock, s->options.meta);
    source_drain(source, s->options.clock, s->options.meta);
    say(SAY_INFO, "followed to its end", "segment", source->path, NULL);
    pthread_mutex_lock(&s->lock);
    source_end(source);
    pthread_mutex_unlock(&s->lock);
}

static void sampler_look(struct sampler *s)
{
    glob_t paths;
    if (sampler_paths(s, &paths)) {
        s->busy = false;
        for (struct source *source = s->sources; source; source = source->next)
            sampler_look_at(s, source, &paths);
        for (size_t i = 0; i < paths.gl_pathc; i++)
            if (!sampler_follows(s, paths.gl_pathv[i]) && !source_is_log(paths.gl_pathv[i]))
                sampler_begin(s, paths.gl_pathv[i]);
        if (!s->busy) sampler_recover(s);
    }
    globfree(&paths);
    sampler_reap(s);
    s->options.hooks.looked(s->options.hooks.arg, s->busy);
}

/* --- Time --- */

/* True if the multiple has come; *left = how long until the next. A clock that was set back, or far ahead,
 * gets a new multiple, not a flood. */
static bool sampler_due(struct sampler *s, uint64_t *left)
{
    pthread_mutex_lock(&s->lock);
    uint64_t wall = clock_wall(s->options.clock);
    bool astray = s->due_wall > wall + s->interval;
    bool due = s->due_wall && wall >= s->due_wall;
    if (!s->due_wall || astray || due) s->due_wall = clock_next_multiple(wall, s->interval);
    *left = s->due_wall - wall;
    pthread_mutex_unlock(&s->lock);
    return due;
}

/* True if it is time to look for segments; *next = when it is the next time. */
static bool sampler_looks(struct sampler *s, uint64_t now, uint64_t *next)
{
    pthread_mutex_lock(&s->lock);
    bool due = now >= s->look_at;
    if (due) s->look_at = now + SAMPLER_LOOK;
    *next = s->look_at;
    pthread_mutex_unlock(&s->lock);
    return due;
}

static void sampler_sample(struct sampler *s)
{
    s->options.hooks.sampling(s->options.hooks.arg);
    for (struct source *source = s->sources; source; source = source->next)
        if (!source->ended) {
            source_sample(source, s->options.clock, s->options.meta);
            source_drain(source, s->options.clock, s->options.meta);
        }
    s->options.hooks.sampled(s->options.hooks.arg);
}

/* Drains the rings that are filling. True if there were some. */
static bool sampler_drain(struct sampler *s)
{
    bool any = false;
    for (struct source *source = s->sources; source; source = source->next)
        if (!source->ended && source_is_filling(source))
            any |= source_drain(source, s->options.clock, s->options.meta);
    if (any && s->options.hooks.drained) s->options.hooks.drained(s->options.hooks.arg);
    return any;
}

/* Rings that fill up faster than an interval lasts. In a burst it looks more often. Returns how long until the next
 * look. */
static uint64_t sampler_poll(struct sampler *s, uint64_t now)
{
    if (now < s->poll_at) return s->poll_at - now;
    bool busy = sampler_drain(s);
    pthread_mutex_lock(&s->lock);
    uint64_t most = s->poll_interval;
    pthread_mutex_unlock(&s->lock);
    s->poll_pause = busy ? s->poll_pause / 2 : s->poll_pause * 2;
    if (s->poll_pause < SAMPLER_POLL_LEAST) s->poll_pause = SAMPLER_POLL_LEAST;
    if (s->poll_pause > most) s->poll_pause = most;
    s->poll_at = clock_mono(s->options.clock) + s->poll_pause;
    return s->poll_at - now;
}

uint64_t sampler_step(struct sampler *s)
{
    const metrics_clock_t *clock = s->options.clock;
    uint64_t now = clock_mono(clock), next, left;
    if (sampler_looks(s, now, &next)) sampler_look(s);
    for (struct source *source = s->sources; source; source = source->next) {
        uint64_t pause = source_tick(source);
        if (now + pause < next) next = now + pause;
    }
    uint64_t poll = sampler_poll(s, now);
    if (now + poll < next) next = now + poll;
    if (sampler_due(s, &left)) {
        sampler_sample(s);
        return clock_mono(clock); /* that took a while: see what is due now */
    }
    return now + left < next ? now + left : next;
}

bool sampler_is_busy(const struct sampler *s)
{
    return s->busy;
}

void sampler_finish(struct sampler *s)
{
    sampler_sample(s);
}
