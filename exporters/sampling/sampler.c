/* SPDX-License-Identifier: Apache-2.0 */
#include "sampler.h"

#include "say.h"

#include <glob.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SAMPLER_LOOK (1 * CLOCK_SECOND) /* how often it looks for segments */

struct sampler {
    struct sampler_options options;
    pthread_mutex_t lock; /* of the list, of who is replaced or ended, and of the wishes; only the sampler's
                             thread changes the first two */
    struct source *sources;
    struct option_list wishes; /* what was asked for */
    struct source_log log;
    uint64_t interval;
    uint64_t due_wall;       /* the multiple at which the next snapshot is taken; 0 = to be computed */
    uint64_t look_at;        /* monotonic */
    struct complain waiting; /* for the segments that are not there */
    bool busy;
};

struct sampler *sampler_new(const struct sampler_options *options)
{
    struct sampler *s = calloc(1, sizeof *s);
    if (!s) return NULL;
    s->options = *options;
    pthread_mutex_init(&s->lock, NULL);
    return s;
}

static void sampler_wishes_free(struct option_list *wishes)
{
    for (size_t i = 0; i < wishes->n; i++) free(wishes->items[i]);
    free(wishes->items);
    *wishes = (struct option_list){0};
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
    sampler_wishes_free(&s->wishes);
    free(s->log.state_dir);
    pthread_mutex_destroy(&s->lock);
    free(s);
    *sampler = NULL;
}

static bool sampler_wish(struct option_list *wishes, const char *path)
{
    wishes->items[wishes->n] = strdup(path);
    return wishes->items[wishes->n++] != NULL;
}

bool sampler_configure(struct sampler *s, const struct option_list *segments, uint64_t interval,
                       const struct source_log *log)
{
    struct option_list wishes = {.items = calloc(segments->n + 1, sizeof(char *))};
    char *state_dir = log->state_dir ? strdup(log->state_dir) : NULL;
    bool good = wishes.items != NULL && !log->state_dir == !state_dir;
    if (good && !segments->n) good = sampler_wish(&wishes, metrics_default_path());
    for (size_t i = 0; good && i < segments->n; i++) good = sampler_wish(&wishes, segments->items[i]);
    pthread_mutex_lock(&s->lock);
    if (good) {
        struct option_list old = s->wishes;
        s->wishes = wishes;
        wishes = old;
        /* A snapshot that is due, or soon will be, is not put off. */
        uint64_t due = clock_next_multiple(clock_wall(s->options.clock), interval);
        if (s->due_wall && interval != s->interval && due < s->due_wall) s->due_wall = due;
        s->interval = interval;
        char *old_dir = s->log.state_dir;
        s->log = *log;
        s->log.state_dir = state_dir;
        state_dir = old_dir;
        s->look_at = 0;
        for (struct source *source = s->sources; source; source = source->next)
            log_set_limits(source->log, &log->limits);
    }
    pthread_mutex_unlock(&s->lock);
    sampler_wishes_free(&wishes);
    free(state_dir);
    return good;
}

/* --- Segments that come --- */

/* The paths that the wishes lead to now. */
static bool sampler_paths(struct sampler *s, glob_t *paths)
{
    bool good = true;
    *paths = (glob_t){0};
    pthread_mutex_lock(&s->lock);
    for (size_t i = 0; i < s->wishes.n && good; i++) {
        /* A path without wildcards stands for itself, there or not. */
        int result = glob(s->wishes.items[i], GLOB_NOMAGIC | (i ? GLOB_APPEND : 0), NULL, paths);
        good = result == 0 || result == GLOB_NOMATCH;
    }
    pthread_mutex_unlock(&s->lock);
    return good;
}

static bool sampler_follows(const struct sampler *s, const char *path)
{
    for (const struct source *source = s->sources; source; source = source->next)
        if (!source->replaced && !source->ended && !strcmp(source->path, path)) return true;
    return false;
}

/* Other segments that lie about where the default one would: the usual mistake is another user or another
 * path. */
static void sampler_others(struct buf *out)
{
    glob_t seen;
    if (glob("/dev/shm/mtx-*.seg", 0, NULL, &seen)) return;
    buf_str(out, "; there are");
    for (size_t i = 0; i < seen.gl_pathc; i++) buf_printf(out, "%s %s", i ? "," : "", seen.gl_pathv[i]);
    globfree(&seen);
}

static void sampler_wait(struct sampler *s, const char *path, const metrics_error_t *error)
{
    struct buf reason = {0};
    buf_str(&reason, error->text);
    if (error->code == METRICS_E_MISSING) {
        buf_str(&reason, "; it is followed as soon as a program makes it");
        if (!strcmp(path, metrics_default_path())) sampler_others(&reason);
    }
    complain(&s->waiting, clock_mono(s->options.clock),
             error->code == METRICS_E_BUSY ? "another exporter leads the segment; waiting"
                                           : "waiting for the segment",
             "segment", path, buf_text(&reason));
    buf_free(&reason);
}

/* A copy of the wishes about logs; the caller frees state_dir. */
static struct source_log sampler_log(struct sampler *s)
{
    pthread_mutex_lock(&s->lock);
    struct source_log log = s->log;
    if (log.state_dir) log.state_dir = strdup(log.state_dir);
    pthread_mutex_unlock(&s->lock);
    return log;
}

static void sampler_add(struct sampler *s, struct source *source)
{
    pthread_mutex_lock(&s->lock);
    struct source **end = &s->sources;
    for (; *end; end = &(*end)->next)
        if (!source->ended && !strcmp((*end)->path, source->path)) log_set_replaced((*end)->log);
    *end = source;
    pthread_mutex_unlock(&s->lock);
    s->options.hooks.began(s->options.hooks.arg, source);
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

/* --- What earlier exporters left --- */

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
    struct source *rest = unsure ? NULL : source_open_rest(buf_text(&path), log_path, log, s->options.ledger);
    buf_free(&path);
    if (!rest) return;
    say(SAY_INFO, "delivering what was left of an earlier segment", "file", log_path, NULL);
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

/* The log of an incarnation that is no more is delivered before it goes. Looked for once the segments that
 * are there have their own logs open, so that none of these can be taken for a rest. */
static void sampler_rests(struct sampler *s)
{
    struct source_log log = sampler_log(s);
    glob_t found = {0};
    if (!log.memory) sampler_find_logs(s, &log, &found);
    for (size_t i = 0; i < found.gl_pathc; i++)
        if (!sampler_has_log(s, found.gl_pathv[i])) sampler_rest(s, found.gl_pathv[i], &log);
    globfree(&found);
    free(log.state_dir);
}

/* --- Segments that go --- */

static bool sampler_is_wanted(const glob_t *paths, const char *path)
{
    for (size_t i = 0; i < paths->gl_pathc; i++)
        if (!strcmp(paths->gl_pathv[i], path)) return true;
    return false;
}

/* An ended source leaves when its log is empty. */
static void sampler_reap(struct sampler *s)
{
    for (struct source **at = &s->sources; *at;) {
        struct source *source = *at;
        if (!source->ended || log_size(source->log).snapshots) {
            at = &source->next;
            continue;
        }
        pthread_mutex_lock(&s->lock);
        *at = source->next;
        pthread_mutex_unlock(&s->lock);
        s->options.hooks.ended(s->options.hooks.arg, source);
        source_free(&source);
    }
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
        if (!s->busy) sampler_rests(s);
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
        if (!source->ended) source_sample(source, s->options.clock, s->options.meta);
    s->options.hooks.sampled(s->options.hooks.arg);
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
    if (sampler_due(s, &left)) {
        sampler_sample(s);
        return clock_mono(clock); /* that took a while: see what is due now */
    }
    return now + left < next ? now + left : next;
}

void sampler_finish(struct sampler *s)
{
    sampler_sample(s);
}

size_t sampler_attached(struct sampler *s)
{
    size_t n = 0;
    pthread_mutex_lock(&s->lock);
    for (const struct source *source = s->sources; source; source = source->next)
        n += !source->replaced && !source->ended;
    pthread_mutex_unlock(&s->lock);
    return n;
}

size_t sampler_fresh(struct sampler *s, metrics_snapshot_t **snapshots, size_t most)
{
    size_t n = 0;
    pthread_mutex_lock(&s->lock);
    for (struct source *source = s->sources; source && n < most; source = source->next) {
        if (source->replaced || source->ended) continue;
        snapshots[n] = fresh_get(source->fresh);
        n += snapshots[n] != NULL;
    }
    pthread_mutex_unlock(&s->lock);
    return n;
}

void sampler_each(struct sampler *s, void (*fn)(void *arg, struct source *source), void *arg)
{
    pthread_mutex_lock(&s->lock);
    for (struct source *source = s->sources; source; source = source->next) fn(arg, source);
    pthread_mutex_unlock(&s->lock);
}
