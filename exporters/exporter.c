/* SPDX-License-Identifier: Apache-2.0 */
#include "exporter_inside.h"

#include "say.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* --- Health --- */

static void exporter_healthy(void *arg, const struct serve_request *request, struct serve_answer *answer)
{
    (void)arg, (void)request;
    *answer = (struct serve_answer){.type = "text/plain; charset=utf-8", .body = "healthy\n", .n = 8};
}

static void exporter_ready(void *arg, const struct serve_request *request, struct serve_answer *answer)
{
    struct exporter *e = arg;
    struct buf text = {0};
    size_t n = sampler_attached(e->sampler);
    if (n)
        buf_printf(&text, "ready: %zu segment%s\n", n, n == 1 ? "" : "s");
    else
        buf_str(&text, "not ready: no segment yet\n");
    serve_text(answer, request, "text/plain; charset=utf-8", &text);
    if (!n) answer->status = 503;
}

/* --- The server --- */

void exporter_route(struct exporter *e)
{
    size_t n = 0;
    for (struct part *p = e->parts; p; p = p->next)
        if (p->page)
            e->routes[n++] =
                (struct serve_route){page_path(p->page), page_answer, p->page, "the metrics, to be scraped"};
    e->routes[n++] = (struct serve_route){"/-/healthy", exporter_healthy, e, "200 while the exporter runs"};
    e->routes[n++] =
        (struct serve_route){"/-/ready", exporter_ready, e, "200 while it follows a segment, else 503"};
    e->routes[n] = (struct serve_route){NULL, NULL, NULL, NULL};
}

/* If the address is taken, it is tried again later: an earlier exporter may still be about to end. */
void exporter_serve(struct exporter *e)
{
    const char *listen = e->config->http.listen;
    struct buf why = {0};
    if (e->serve || e->unserved || !listen || !strcmp(listen, "off")) return;
    e->serve = serve_start(listen, e->routes, &why);
    uint64_t now = clock_mono(e->clock);
    if (e->serve) {
        complain_over(&e->serve_trouble, now, "the scrape endpoint is available again", "address", listen);
        say(SAY_INFO, "serving", "address", serve_address(e->serve), NULL);
    } else {
        complain(&e->serve_trouble, now, "cannot start the scrape endpoint, will try again", "address",
                 listen, buf_text(&why));
    }
    buf_free(&why);
}

/* --- Calls from the sampler --- */

/* Under the lock: from now on the exporter's own metrics go to this segment (NULL: to none). */
static void exporter_choose_meta(struct exporter *e, const struct source *source)
{
    struct buf why = {0};
    if (!meta_attach(e->meta, source ? source->path : NULL, &why))
        say(SAY_WARN, "cannot record own metrics", "segment", source->path, "reason", buf_text(&why), NULL);
    metrics_snapshot_t *fresh = source ? fresh_get(source->fresh) : NULL;
    if (fresh) {
        meta_recall(e->meta, e->ledger, fresh);
        metrics_snapshot_release(&fresh);
    }
    e->meta_source = source;
    buf_free(&why);
}

/* A cursor ends only if a new configuration has removed its backend: other cursors without one may belong to
 * another exporter's configuration. */
static bool exporter_keeps(void *arg, const char *name)
{
    struct exporter *e = arg;
    return !names_has(&e->removed, name);
}

static void exporter_drop_removed(void *arg, struct source *source)
{
    log_drop_detached(source->log, exporter_keeps, arg, LEDGER_REMOVED);
}

void exporter_follow(void *arg, struct source *source)
{
    struct exporter *e = arg;
    for (struct part *p = e->parts; p; p = p->next)
        if (p->consumer && !consumer_follow(p->consumer, source->log, source->path))
            say(SAY_ERROR, "out of memory: a backend cannot follow the segment", "backend", part_name(p),
                "segment", source->path, NULL);
}

static void exporter_say_kept(void *arg, const char *name, uint64_t snapshots)
{
    const struct source *source = arg;
    say(SAY_INFO, "keeping what waits for a backend that is not configured", "backend", name, "segment",
        source->path, "snapshots", SAY_U64(snapshots), NULL);
}

static void exporter_began(void *arg, struct source *source)
{
    struct exporter *e = arg;
    pthread_mutex_lock(&e->lock);
    exporter_follow(e, source);
    log_each_kept(source->log, exporter_say_kept, source);
    bool orphaned = !e->meta_source || e->meta_source->replaced || e->meta_source->ended;
    if (orphaned && !source->ended) exporter_choose_meta(e, source);
    pthread_mutex_unlock(&e->lock);
}

static void exporter_ended(void *arg, struct source *source)
{
    struct exporter *e = arg;
    pthread_mutex_lock(&e->lock);
    for (struct part *p = e->parts; p; p = p->next)
        if (p->consumer) consumer_leave(p->consumer, source->log, !source->replaced);
    if (e->meta_source == source) exporter_choose_meta(e, NULL);
    pthread_mutex_unlock(&e->lock);
}

static void exporter_note_kept(void *arg, const char *name, uint64_t snapshots)
{
    meta_kept(arg, name, snapshots);
}

static void exporter_count_kept(void *arg, struct source *source)
{
    log_each_kept(source->log, exporter_note_kept, arg);
}

/* Before a snapshot, so that it contains the outcome of the
 * last one: by now, a healthy backend has no queue. */
static void exporter_sampling(void *arg)
{
    struct exporter *e = arg;
    meta_ledger(e->meta, e->ledger);
    pthread_mutex_lock(&e->lock);
    meta_kept_begin(e->meta);
    sampler_each(e->sampler, exporter_count_kept, e->meta);
    meta_kept_end(e->meta);
    for (struct part *p = e->parts; p; p = p->next)
        if (p->consumer) meta_lag(e->meta, part_name(p), consumer_lag(p->consumer));
    pthread_mutex_unlock(&e->lock);
}

static void exporter_sampled(void *arg)
{
    struct exporter *e = arg;
    wake_call(&e->wake);
}

/* While another exporter leads the segments, this one serves nothing. */
static void exporter_looked(void *arg, bool busy)
{
    struct exporter *e = arg;
    pthread_mutex_lock(&e->lock);
    exporter_tidy(e);
    if (!busy || sampler_attached(e->sampler)) exporter_serve(e);
    pthread_mutex_unlock(&e->lock);
}

void exporter_tidy(struct exporter *e)
{
    bool any = false;
    for (struct part **at = &e->leavers; *at;) {
        struct part *p = *at;
        if (!consumer_reap(&p->consumer)) {
            at = &p->next;
            continue;
        }
        *at = p->next;
        if (!part_named(e->parts, part_name(p))) meta_lag(e->meta, part_name(p), (struct log_lag){0});
        part_free(&p);
        any = true;
    }
    /* A leaver may have left its cursor to a successor that has been removed since. */
    if (any) sampler_each(e->sampler, exporter_drop_removed, e);
}

uint64_t exporter_step(struct exporter *exporter)
{
    return sampler_step(exporter->sampler);
}

static void *exporter_run(void *arg)
{
    struct exporter *e = arg;
    uint64_t seen = 0;
    for (;;) {
        pthread_mutex_lock(&e->lock);
        bool stop = e->stop;
        pthread_mutex_unlock(&e->lock);
        if (stop) return NULL;
        seen = wake_wait(&e->sampler_wake, seen, exporter_step(e));
    }
}

/* --- Start --- */

void exporter_free(struct exporter **exporter)
{
    struct exporter *e = *exporter;
    serve_stop(&e->serve);
    part_free_all(&e->parts);
    part_free_all(&e->leavers);
    if (e->sampler) sampler_free(&e->sampler);
    meta_free(&e->meta);
    ledger_free(&e->ledger);
    config_free(&e->config);
    names_free(&e->removed);
    wake_destroy(&e->wake);
    wake_destroy(&e->sampler_wake);
    pthread_mutex_destroy(&e->lock);
    free(e);
    *exporter = NULL;
}

struct part_options exporter_part_options(struct exporter *e)
{
    return (struct part_options){e->sampler, e->ledger, e->meta, &e->wake, e->clock};
}

static bool exporter_parts(struct exporter *e, struct config *config, struct buf *why)
{
    struct part_options options = exporter_part_options(e);
    for (const struct config_backend *b = config->backends; b; b = b->next) {
        struct part *p = part_new(&options, config, b, why);
        if (!p) return false;
        part_append(&e->parts, p);
    }
    exporter_route(e);
    return true;
}

bool exporter_configure(struct exporter *e)
{
    const struct config *c = e->config;
    struct source_log log = {.limits = {c->log.size, c->log.age, c->log.events_size, c->log.events_age},
                             .memory = c->log.place == 1,
                             .state_dir = c->log.state_dir};
    say_from((enum say_level)c->verbosity);
    sampler_poll_events(e->sampler, c->event_interval);
    return sampler_configure(e->sampler, &c->segments, c->interval, &log);
}

static struct sampler *exporter_sampler(struct exporter *e)
{
    struct sampler_hooks hooks = {.began = exporter_began,
                                  .ended = exporter_ended,
                                  .sampling = exporter_sampling,
                                  .sampled = exporter_sampled,
                                  .drained = exporter_sampled,
                                  .looked = exporter_looked,
                                  .arg = e};
    return sampler_new(&(struct sampler_options){e->clock, e->ledger, e->meta, hooks});
}

/* Frees all but the configuration, which is still the caller's. */
static struct exporter *exporter_fail(struct exporter *e)
{
    e->config = NULL;
    exporter_free(&e);
    return NULL;
}

struct exporter *exporter_new(struct config *config, const metrics_clock_t *clock, struct buf *why)
{
    struct exporter *e = calloc(1, sizeof *e);
    if (!e) return buf_str(why, "out of memory"), NULL;
    e->clock = clock;
    e->config = config;
    pthread_mutex_init(&e->lock, NULL);
    wake_init(&e->wake);
    wake_init(&e->sampler_wake);
    e->ledger = ledger_new();
    e->meta = meta_new();
    if (e->ledger && e->meta) e->sampler = exporter_sampler(e);
    if (!e->sampler) buf_str(why, "out of memory");
    if (e->sampler && exporter_parts(e, config, why) && exporter_configure(e)) return e;
    return exporter_fail(e);
}

struct exporter *exporter_begin(struct config *config, const metrics_clock_t *clock, struct buf *why)
{
    struct exporter *e = exporter_new(config, clock, why);
    bool good = e != NULL;
    if (!e) return NULL;
    for (struct part *p = e->parts; p && good; p = p->next)
        if (p->consumer) good = consumer_start(p->consumer);
    if (good) return e;
    buf_str(why, "cannot start a thread");
    return exporter_fail(e);
}

struct exporter *exporter_start(struct config *config, struct buf *why)
{
    struct exporter *e = exporter_begin(config, &clock_system, why);
    if (!e) return NULL;
    e->threaded = !pthread_create(&e->thread, NULL, exporter_run, e);
    if (e->threaded) return e;
    buf_str(why, "cannot start a thread");
    return exporter_fail(e);
}

/* --- Stop --- */

bool exporter_idle(const struct exporter *e)
{
    for (struct part *p = e->parts; p; p = p->next)
        if (p->consumer && !consumer_idle(p->consumer)) return false;
    return true;
}

uint64_t exporter_flush(struct exporter *e)
{
    uint64_t deadline = clock_mono(&clock_system) + e->config->flush_timeout;
    wake_call(&e->wake);
    while (!exporter_idle(e) && clock_mono(&clock_system) < deadline) usleep(2000);
    return deadline;
}

/* False if a backend does not finish its payload in time: its thread runs on until the process ends. */
static bool exporter_stop_consumers(struct part *list, uint64_t deadline)
{
    bool all = true;
    for (struct part *p = list; p; p = p->next) {
        /* A healthy thread, too, needs a moment to end; on a busy machine some of it until it runs at all. */
        if (!p->consumer || consumer_stop(p->consumer, deadline + CLOCK_SECOND)) {
            consumer_free(&p->consumer);
            continue;
        }
        say(SAY_WARN, "did not finish its payload in time", "backend", part_name(p), NULL);
        consumer_abandon(p->consumer);
        all = false;
    }
    return all;
}

static void exporter_drop_rest(void *arg, struct source *source)
{
    (void)arg;
    if (!log_is_durable(source->log)) log_drop_detached(source->log, NULL, NULL, LEDGER_SHUTDOWN);
}

static void exporter_save(void *arg, struct source *source)
{
    (void)arg;
    log_save(source->log);
}

/* The line of metrics names no signal, as before there were others. */
static void exporter_say_account(const struct ledger_page *page, int signal)
{
    const struct ledger_account *a = &page->account[signal];
    say(ledger_balanced(a) ? SAY_INFO : SAY_ERROR, "ended", "backend", page->name, "taken", SAY_U64(a->taken),
        "delivered", SAY_U64(a->delivered), "merged", SAY_U64(a->merged), "dropped",
        SAY_U64(ledger_dropped(a)), "queued", a->queued ? SAY_U64(a->queued) : NULL, "signal",
        signal == LEDGER_METRICS ? NULL : ledger_signal_name((enum ledger_signal)signal), NULL);
}

/* Writes the final ledger to the segment, for its last readers, and to stderr. */
static void exporter_farewell(struct exporter *e)
{
    struct ledger_page pages[LEDGER_BACKENDS];
    size_t n = ledger_read(e->ledger, pages);
    meta_ledger(e->meta, e->ledger);
    for (size_t i = 0; i < n; i++)
        for (int s = 0; s < LEDGER_SIGNAL_COUNT; s++)
            if (s == LEDGER_METRICS || pages[i].account[s].taken) exporter_say_account(&pages[i], s);
}

/* Threads that run until the process ends still use it. It is reachable from here, so it is not a leak. */
static struct exporter *exporter_left_behind;

void exporter_stop(struct exporter **exporter)
{
    struct exporter *e = *exporter;
    pthread_mutex_lock(&e->lock);
    e->stop = true;
    pthread_mutex_unlock(&e->lock);
    wake_call(&e->sampler_wake);
    if (e->threaded) pthread_join(e->thread, NULL);
    sampler_finish(e->sampler);
    uint64_t deadline = exporter_flush(e);
    bool all = exporter_stop_consumers(e->parts, deadline);
    all = exporter_stop_consumers(e->leavers, deadline) && all;
    serve_stop(&e->serve);
    sampler_each(e->sampler, exporter_drop_rest, NULL);
    exporter_farewell(e);
    if (all) {
        exporter_free(exporter);
    } else {
        sampler_each(e->sampler, exporter_save, NULL);
        exporter_left_behind = e;
    }
    *exporter = NULL;
}
