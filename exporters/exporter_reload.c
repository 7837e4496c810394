/* SPDX-License-Identifier: Apache-2.0 */
/*
 * exporter_reload.c - replaces the configuration, backend by backend.
 *
 * All that can fail is done first, while the old parts run. Then the parts are exchanged under the lock,
 * which is held for nothing else. Old parts that are sending a payload end by themselves.
 */
#include "exporter_inside.h"
#include "say.h"

#include <stdlib.h>
#include <string.h>

struct reload {
    struct exporter *exporter;
    struct config *config;
    struct part *fresh;                 /* new and changed backends */
    struct part *pages;                 /* old pages, to be freed when the server no longer uses them */
    struct buf added, changed, removed; /* names, separated by commas */
    size_t unchanged;
};

/* --- All that can fail --- */

static void reload_note(struct buf *names, const char *name)
{
    buf_printf(names, "%s%s", names->len ? "," : "", name);
}

static bool reload_backend(struct reload *r, const struct config_backend *b, struct buf *why)
{
    struct part_options options = exporter_part_options(r->exporter);
    struct part *old = part_named(r->exporter->parts, b->settings->name);
    bool tagged_alike = old && segment_tag(&old->config->segments) == segment_tag(&r->config->segments);
    if (tagged_alike && config_backend_same(old->config, old->backend, r->config, b)) {
        old->stays = true;
        r->unchanged++;
        return true;
    }
    reload_note(old ? &r->changed : &r->added, b->settings->name);
    struct part *p = part_new(&options, r->config, b, why);
    if (!p) return false;
    part_append(&r->fresh, p);
    if (!p->consumer || consumer_start(p->consumer)) return true;
    buf_printf(why, "%s: cannot start a thread", part_name(p));
    return false;
}

/* Only this thread changes the list of parts, so it may read it without the lock. */
static bool reload_prepare(struct reload *r, struct buf *why)
{
    size_t n = 0;
    for (struct part *p = r->exporter->parts; p; p = p->next) p->stays = false;
    for (const struct config_backend *b = r->config->backends; b; b = b->next, n++) {
        if (n == EXPORTER_PARTS) {
            buf_printf(why, "more than %d backends", EXPORTER_PARTS);
            return false;
        }
        if (!reload_backend(r, b, why)) return false;
    }
    return true;
}

/* --- The exchange --- */

/* A log that is open stays at its place. */
static void reload_keep_log(struct reload *r)
{
    struct config_log *was = &r->exporter->config->log, *now = &r->config->log;
    bool moved = was->place != now->place || !was->state_dir != !now->state_dir ||
                 (was->state_dir && strcmp(was->state_dir, now->state_dir));
    if (!moved) return;
    say(SAY_WARN, "a new place of the log takes effect at the next start", "settings",
        "log.place, log.state_dir", NULL);
    char *state_dir = now->state_dir;
    now->place = was->place;
    now->state_dir = was->state_dir;
    was->state_dir = state_dir;
}

/* A part that does not stay: its page is freed later, its consumer ends after its payload. */
static void reload_part(struct reload *r, struct part *p)
{
    if (!part_named(r->fresh, part_name(p))) {
        reload_note(&r->removed, part_name(p));
        names_add(&r->exporter->removed, part_name(p));
    }
    part_append(p->page ? &r->pages : &r->exporter->leavers, p);
}

static void reload_parts(struct reload *r)
{
    struct exporter *e = r->exporter;
    struct part *old = e->parts, *next;
    e->parts = NULL;
    for (struct part *p = old; p; p = next) {
        next = p->next;
        if (p->stays)
            part_append(&e->parts, p);
        else
            reload_part(r, p);
    }
    for (struct part *p = e->parts; p; p = p->next)
        if (p->consumer) consumer_reopen(p->consumer);
    for (struct part *p = r->fresh; p; p = next) {
        next = p->next;
        part_append(&e->parts, p);
    }
    r->fresh = NULL;
    for (struct part *p = e->parts; p; p = p->next) names_remove(&e->removed, part_name(p));
    for (struct part *p = e->leavers; p; p = p->next) {
        const struct part *successor = part_named(e->parts, part_name(p));
        consumer_retire(p->consumer, successor && successor->consumer);
    }
}

static bool reload_has_pages(const struct part *list)
{
    for (; list; list = list->next)
        if (list->page && !list->stays) return true;
    return false;
}

/* The server to stop, or NULL if it stays: its address and its pages are the same. */
static struct serve *reload_server(struct reload *r)
{
    struct exporter *e = r->exporter;
    const char *was = e->config->http.listen, *now = r->config->http.listen;
    bool moved = !was != !now || (was && strcmp(was, now));
    if (!moved && !reload_has_pages(e->parts) && !reload_has_pages(r->fresh)) return NULL;
    struct serve *serve = e->serve;
    e->serve = NULL;
    e->unserved = true;
    return serve;
}

static void reload_exchange(struct reload *r)
{
    struct exporter *e = r->exporter;
    pthread_mutex_lock(&e->lock);
    exporter_tidy(e);
    struct serve *serve = reload_server(r);
    reload_parts(r);
    reload_keep_log(r);
    struct config *old = e->config;
    e->config = r->config;
    config_free(&old);
    sampler_each(e->sampler, exporter_follow, e);
    pthread_mutex_unlock(&e->lock);
    serve_stop(&serve); /* without the lock: waits for running answers */
    pthread_mutex_lock(&e->lock);
    part_free_all(&r->pages);
    if (e->unserved) exporter_route(e);
    e->unserved = false;
    if (sampler_attached(e->sampler)) exporter_serve(e);
    pthread_mutex_unlock(&e->lock);
}

bool exporter_reload(struct exporter *e, struct config *config, struct buf *why)
{
    struct reload r = {.exporter = e, .config = config};
    bool good = reload_prepare(&r, why);
    if (good) {
        reload_exchange(&r);
        exporter_configure(e);
        wake_call(&e->wake);
        wake_call(&e->sampler_wake);
        say(SAY_INFO, "configuration read again", "added", r.added.len ? buf_text(&r.added) : NULL, "changed",
            r.changed.len ? buf_text(&r.changed) : NULL, "removed",
            r.removed.len ? buf_text(&r.removed) : NULL, "unchanged", SAY_U64(r.unchanged), NULL);
    }
    part_free_all(&r.fresh);
    buf_free(&r.added);
    buf_free(&r.changed);
    buf_free(&r.removed);
    return good;
}
