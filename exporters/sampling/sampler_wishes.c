/* SPDX-License-Identifier: Apache-2.0 */
/* sampler_wishes.c - what the configuration asks of the sampler: which segments, how often, how much log. */
#include "sampler_inside.h"

#include <stdlib.h>
#include <string.h>

void sampler_wishes_free(struct option_list *wishes)
{
    for (size_t i = 0; i < wishes->n; i++) free(wishes->items[i]);
    free(wishes->items);
    *wishes = (struct option_list){0};
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

void sampler_poll_events(struct sampler *s, uint64_t interval)
{
    pthread_mutex_lock(&s->lock);
    s->poll_interval = interval;
    pthread_mutex_unlock(&s->lock);
}

bool sampler_paths(struct sampler *s, glob_t *paths)
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

struct source_log sampler_log(struct sampler *s)
{
    pthread_mutex_lock(&s->lock);
    struct source_log log = s->log;
    if (log.state_dir) log.state_dir = strdup(log.state_dir);
    pthread_mutex_unlock(&s->lock);
    return log;
}
