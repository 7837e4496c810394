/* SPDX-License-Identifier: Apache-2.0 */
/* sampler_list.c - the segments that are followed, in a list that other threads may read. */
#include "sampler_inside.h"

#include <stdlib.h>
#include <string.h>

bool sampler_follows(const struct sampler *s, const char *path)
{
    for (const struct source *source = s->sources; source; source = source->next)
        if (!source->replaced && !source->ended && !strcmp(source->path, path)) return true;
    return false;
}

void sampler_add(struct sampler *s, struct source *source)
{
    pthread_mutex_lock(&s->lock);
    struct source **end = &s->sources;
    for (; *end; end = &(*end)->next)
        if (!source->ended && !strcmp((*end)->path, source->path)) log_set_replaced((*end)->log);
    *end = source;
    pthread_mutex_unlock(&s->lock);
    s->options.hooks.began(s->options.hooks.arg, source);
}

/* True if the source can go. The log of a segment that is gone waits for the backends that are configured
 * elsewhere, too; that of another segment keeps what is queued for them. */
static bool sampler_is_over(const struct sampler *s, const struct source *source)
{
    if (!source->ended) return false;
    if (!source->replaced) return !log_is_awaited(source->log);
    log_expire(source->log, clock_wall(s->options.clock));
    return log_is_empty(source->log);
}

void sampler_reap(struct sampler *s)
{
    for (struct source **at = &s->sources; *at;) {
        struct source *source = *at;
        if (!sampler_is_over(s, source)) {
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

/* --- For any thread --- */

size_t sampler_attached(struct sampler *s)
{
    size_t n = 0;
    pthread_mutex_lock(&s->lock);
    for (const struct source *source = s->sources; source; source = source->next)
        n += !source->replaced && !source->ended;
    pthread_mutex_unlock(&s->lock);
    return n;
}

size_t sampler_fresh(struct sampler *s, metrics_snapshot_t **snapshots, char **paths, size_t most)
{
    size_t n = 0;
    pthread_mutex_lock(&s->lock);
    for (struct source *source = s->sources; source && n < most; source = source->next) {
        if (source->replaced || source->ended) continue;
        snapshots[n] = fresh_get(source->fresh);
        paths[n] = snapshots[n] ? strdup(source->path) : NULL;
        if (paths[n])
            n++;
        else if (snapshots[n])
            metrics_snapshot_release(&snapshots[n]);
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
