/* SPDX-License-Identifier: Apache-2.0 */
#include "exporter.h"

#include "complain.h"
#include "consumer.h"
#include "page.h"
#include "sampler.h"
#include "say.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

enum { EXPORTER_PARTS = LEDGER_BACKENDS };

/* What is made anew with each configuration. */
struct parts {
    struct config *config;
    struct consumer *consumers[EXPORTER_PARTS];
    size_t consumer_count;
    struct page *pages[EXPORTER_PARTS];
    size_t page_count;
    struct serve_route routes[EXPORTER_PARTS + 4];
};

struct exporter {
    pthread_mutex_t lock; /* of `parts` and the server */
    struct parts *parts;
    struct serve *serve;
    struct complain serve_trouble;
    struct sampler *sampler;
    struct ledger *ledger;
    struct meta *meta;
    struct wake wake;         /* for the consumers: a log has something new */
    struct wake sampler_wake; /* for the sampler's thread */
    const struct source *meta_source;
    bool stop; /* under sampler_wake's own rules: set before it is called */
    bool threaded;
    pthread_t thread;
};

/* --- Health -----------------------------------------------------------------------------------------------
 */

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

/* --- Parts ------------------------------------------------------------------------------------------------
 */

static void parts_free(struct parts **parts)
{
    struct parts *p = *parts;
    if (!p) return;
    for (size_t i = 0; i < p->consumer_count; i++) consumer_free(&p->consumers[i]);
    for (size_t i = 0; i < p->page_count; i++) page_free(&p->pages[i]);
    config_free(&p->config);
    free(p);
    *parts = NULL;
}

static uint64_t exporter_seed(void)
{
    uint64_t seed = 0;
    if (getrandom(&seed, sizeof seed, 0) != sizeof seed) seed = clock_mono(&clock_system);
    return seed;
}

static bool parts_add(struct exporter *e, struct parts *p, const struct config_backend *b, struct buf *why)
{
    if (p->consumer_count + p->page_count == EXPORTER_PARTS) {
        buf_printf(why, "there are more than %d backends", EXPORTER_PARTS);
        return false;
    }
    if (backend_is_scraped(b->type)) {
        struct page_options options = {b, &p->config->tags, e->sampler, e->meta, &clock_system};
        struct page *page = page_new(&options);
        if (!page) return buf_str(why, "out of memory"), false;
        p->pages[p->page_count++] = page;
        return true;
    }
    struct consumer_options options = {b,        &p->config->tags, e->ledger,      e->meta,
                                       &e->wake, &clock_system,    exporter_seed()};
    struct consumer *consumer = consumer_new(&options, why);
    if (!consumer) return false;
    p->consumers[p->consumer_count++] = consumer;
    return true;
}

static void parts_routes(struct exporter *e, struct parts *p)
{
    size_t n = 0;
    for (size_t i = 0; i < p->page_count; i++)
        p->routes[n++] = (struct serve_route){page_path(p->pages[i]), page_answer, p->pages[i],
                                              "the metrics, to be scraped"};
    p->routes[n++] = (struct serve_route){"/-/healthy", exporter_healthy, e, "200 while the exporter runs"};
    p->routes[n++] =
        (struct serve_route){"/-/ready", exporter_ready, e, "200 while it follows a segment, else 503"};
    p->routes[n] = (struct serve_route){NULL, NULL, NULL, NULL};
}

/* Takes the configuration over only if it succeeds. */
static struct parts *parts_new(struct exporter *e, struct config *config, struct buf *why)
{
    struct parts *p = calloc(1, sizeof *p);
    if (!p) {
        buf_str(why, "out of memory");
        return NULL;
    }
    p->config = config;
    for (const struct config_backend *b = config->backends; b; b = b->next)
        if (!parts_add(e, p, b, why)) {
            p->config = NULL;
            parts_free(&p);
            return NULL;
        }
    parts_routes(e, p);
    return p;
}

static bool parts_configure(struct exporter *e, const struct config *c)
{
    struct source_log log = {{c->log.size, c->log.age}, c->log.place == 1, c->log.state_dir};
    say_from((enum say_level)c->verbosity);
    return sampler_configure(e->sampler, &c->segments, c->interval, &log);
}

/* --- The server -------------------------------------------------------------------------------------------
 */

/* Under the lock. A taken address is tried again: an earlier exporter may still be on its way out. */
static void exporter_serve(struct exporter *e)
{
    const char *listen = e->parts->config->http.listen;
    struct buf why = {0};
    if (e->serve || !listen || !strcmp(listen, "off")) return;
    e->serve = serve_start(listen, e->parts->routes, &why);
    uint64_t now = clock_mono(&clock_system);
    if (e->serve) {
        complain_over(&e->serve_trouble, now, "the server runs", listen);
        say(SAY_INFO, "serving", "address", serve_address(e->serve), NULL);
    } else {
        complain(&e->serve_trouble, now, "no scrape endpoint; will try again", listen, buf_text(&why));
    }
    buf_free(&why);
}

/* --- What the sampler tells -------------------------------------------------------------------------------
 */

/* The exporter's own metrics go to the first segment that it follows. */
static void exporter_choose_meta(struct exporter *e, const struct source *source)
{
    struct buf why = {0};
    if (!meta_attach(e->meta, source ? source->path : NULL, &why))
        say(SAY_WARN, "no meta-metrics", "segment", source->path, "reason", buf_text(&why), NULL);
    e->meta_source = source;
    buf_free(&why);
}

static void exporter_began(void *arg, struct source *source)
{
    struct exporter *e = arg;
    pthread_mutex_lock(&e->lock);
    for (size_t i = 0; i < e->parts->consumer_count; i++)
        if (!consumer_follow(e->parts->consumers[i], source->log))
            say(SAY_ERROR, "out of memory: a backend cannot follow the segment", "backend",
                consumer_name(e->parts->consumers[i]), "segment", source->path, NULL);
    /* Cursors from the file whose backends have left the configuration. */
    log_drop_detached(source->log, LEDGER_REMOVED);
    bool orphaned = !e->meta_source || e->meta_source->replaced || e->meta_source->ended;
    if (orphaned && !source->ended) exporter_choose_meta(e, source);
    pthread_mutex_unlock(&e->lock);
}

static void exporter_ended(void *arg, struct source *source)
{
    struct exporter *e = arg;
    pthread_mutex_lock(&e->lock);
    for (size_t i = 0; i < e->parts->consumer_count; i++)
        consumer_leave(e->parts->consumers[i], source->log, LEDGER_REMOVED);
    if (e->meta_source == source) exporter_choose_meta(e, NULL);
    pthread_mutex_unlock(&e->lock);
}

/* Before the snapshot, so that it shows what became of the one before: a healthy backend has no queue by
 * then. */
static void exporter_sampling(void *arg)
{
    struct exporter *e = arg;
    meta_ledger(e->meta, e->ledger);
    pthread_mutex_lock(&e->lock);
    for (size_t i = 0; i < e->parts->consumer_count; i++)
        meta_lag(e->meta, consumer_name(e->parts->consumers[i]), consumer_lag(e->parts->consumers[i]));
    pthread_mutex_unlock(&e->lock);
}

static void exporter_sampled(void *arg)
{
    struct exporter *e = arg;
    wake_call(&e->wake);
}

/* A second exporter of the same segment stays silent until it leads. */
static void exporter_looked(void *arg, bool busy)
{
    struct exporter *e = arg;
    pthread_mutex_lock(&e->lock);
    if (!busy || sampler_attached(e->sampler)) exporter_serve(e);
    pthread_mutex_unlock(&e->lock);
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
        seen = wake_wait(&e->sampler_wake, seen, sampler_step(e->sampler));
    }
}

/* --- Start, reload, stop ----------------------------------------------------------------------------------
 */

static void exporter_free(struct exporter **exporter)
{
    struct exporter *e = *exporter;
    serve_stop(&e->serve);
    parts_free(&e->parts);
    if (e->sampler) sampler_free(&e->sampler);
    meta_free(&e->meta);
    ledger_free(&e->ledger);
    wake_destroy(&e->wake);
    wake_destroy(&e->sampler_wake);
    pthread_mutex_destroy(&e->lock);
    free(e);
    *exporter = NULL;
}

static struct exporter *exporter_new(struct config *config, struct buf *why)
{
    struct exporter *e = calloc(1, sizeof *e);
    if (!e) return buf_str(why, "out of memory"), NULL;
    pthread_mutex_init(&e->lock, NULL);
    wake_init(&e->wake);
    wake_init(&e->sampler_wake);
    e->ledger = ledger_new();
    e->meta = meta_new();
    struct sampler_hooks hooks = {exporter_began,   exporter_ended,  exporter_sampling,
                                  exporter_sampled, exporter_looked, e};
    struct sampler_options options = {&clock_system, e->ledger, e->meta, hooks};
    if (e->ledger && e->meta) e->sampler = sampler_new(&options);
    if (e->sampler)
        e->parts = parts_new(e, config, why);
    else
        buf_str(why, "out of memory");
    if (e->parts && parts_configure(e, config)) return e;
    if (e->parts) e->parts->config = NULL;
    exporter_free(&e);
    return NULL;
}

struct exporter *exporter_start(struct config *config, struct buf *why)
{
    struct exporter *e = exporter_new(config, why);
    if (!e) return NULL;
    bool good = true;
    for (size_t i = 0; i < e->parts->consumer_count; i++)
        good = consumer_start(e->parts->consumers[i]) && good;
    e->threaded = good && !pthread_create(&e->thread, NULL, exporter_run, e);
    if (e->threaded) return e;
    buf_str(why, "cannot start a thread");
    e->parts->config = NULL;
    exporter_free(&e);
    return NULL;
}

static void exporter_follow_all(void *arg, struct source *source)
{
    struct parts *p = arg;
    for (size_t i = 0; i < p->consumer_count; i++) consumer_follow(p->consumers[i], source->log);
    log_drop_detached(source->log, LEDGER_REMOVED);
}

bool exporter_reload(struct exporter *e, struct config *config, struct buf *why)
{
    struct parts *p = parts_new(e, config, why);
    if (!p) return false;
    pthread_mutex_lock(&e->lock);
    struct parts *old = e->parts;
    /* The server's threads use the old pages, and the old consumers the old cursors: they end first. */
    serve_stop(&e->serve);
    e->parts = p;
    parts_free(&old);
    parts_configure(e, config);
    sampler_each(e->sampler, exporter_follow_all, p);
    for (size_t i = 0; i < p->consumer_count; i++)
        if (!consumer_start(p->consumers[i]))
            say(SAY_ERROR, "cannot start a thread", "backend", consumer_name(p->consumers[i]), NULL);
    if (sampler_attached(e->sampler)) exporter_serve(e);
    pthread_mutex_unlock(&e->lock);
    wake_call(&e->sampler_wake);
    return true;
}

static bool exporter_idle(const struct parts *p)
{
    for (size_t i = 0; i < p->consumer_count; i++)
        if (!consumer_idle(p->consumers[i])) return false;
    return true;
}

/* Waits for the backends, at most as long as the configuration allows; returns that moment. */
static uint64_t exporter_flush(struct exporter *e)
{
    uint64_t deadline = clock_mono(&clock_system) + e->parts->config->flush_timeout;
    wake_call(&e->wake);
    while (!exporter_idle(e->parts) && clock_mono(&clock_system) < deadline) usleep(2000);
    return deadline;
}

/* False if a backend does not come back from a payload: its thread can only be left to the end of the
 * process. */
static bool exporter_stop_consumers(struct exporter *e, uint64_t deadline)
{
    bool all = true;
    for (size_t i = 0; i < e->parts->consumer_count; i++) {
        struct consumer *c = e->parts->consumers[i];
        /* A little grace: a healthy thread needs a moment to end, too. */
        if (consumer_stop(c, deadline + CLOCK_SECOND / 10)) {
            consumer_free(&e->parts->consumers[i]);
            continue;
        }
        say(SAY_WARN, "left behind in the middle of a payload", "backend", consumer_name(c), NULL);
        all = false;
    }
    return all;
}

static void exporter_drop_rest(void *arg, struct source *source)
{
    (void)arg;
    if (!log_is_durable(source->log)) log_drop_detached(source->log, LEDGER_SHUTDOWN);
}

/* What was queued and what became of it, in the segment for whoever reads it last, and in the log. */
static void exporter_farewell(struct exporter *e)
{
    struct ledger_page pages[LEDGER_BACKENDS];
    size_t n = ledger_read(e->ledger, pages);
    meta_ledger(e->meta, e->ledger);
    for (size_t i = 0; i < n; i++) {
        const struct ledger_account *a = &pages[i].account[LEDGER_METRICS];
        say(ledger_balanced(a) ? SAY_INFO : SAY_ERROR, "ended", "backend", pages[i].name, "taken",
            SAY_U64(a->taken), "delivered", SAY_U64(a->delivered), "merged", SAY_U64(a->merged), "dropped",
            SAY_U64(ledger_dropped(a)), "queued", a->queued ? SAY_U64(a->queued) : NULL, NULL);
    }
}

/* Whoever is left behind at the end of the process still uses it: no leak. */
static struct exporter *exporter_left_behind;

void exporter_stop(struct exporter **exporter)
{
    struct exporter *e = *exporter;
    pthread_mutex_lock(&e->lock);
    e->stop = true;
    pthread_mutex_unlock(&e->lock);
    wake_call(&e->sampler_wake);
    pthread_join(e->thread, NULL);
    sampler_finish(e->sampler);
    bool all = exporter_stop_consumers(e, exporter_flush(e));
    serve_stop(&e->serve);
    sampler_each(e->sampler, exporter_drop_rest, NULL);
    exporter_farewell(e);
    if (all)
        exporter_free(exporter);
    else
        exporter_left_behind = e;
    *exporter = NULL;
}

/* --- Once, check -------------------------------------------------------------------------------------------
 */

/* Standard output gets the page of each scraped backend, in its first form. */
static bool exporter_print_pages(struct exporter *e)
{
    struct buf out = {0};
    bool good = true;
    for (size_t i = 0; i < e->parts->page_count && good; i++)
        good = page_print(e->parts->pages[i], 0, &out, NULL);
    if (good && out.len) good = fwrite(out.data, 1, out.len, stdout) == out.len && !fflush(stdout);
    buf_free(&out);
    return good;
}

/* Beside a running exporter there is nothing to lead: a private snapshot does, which closes no interval. */
static bool exporter_once_beside(struct exporter *e, struct log **log)
{
    const struct config *c = e->parts->config;
    struct log_limits limits = {c->log.size, c->log.age};
    metrics_error_t error = {0};
    const char *path = c->segments.n ? c->segments.items[0] : NULL;
    metrics_reader_t *reader = metrics_reader_open(path, NULL, &error);
    metrics_snapshot_t *snapshot = reader ? metrics_snapshot_take(reader, &error) : NULL;
    *log = snapshot ? log_new(&limits, e->ledger) : NULL;
    if (*log) {
        for (size_t i = 0; i < e->parts->consumer_count; i++) consumer_follow(e->parts->consumers[i], *log);
        log_append(*log, snapshot);
    } else {
        say(SAY_ERROR, "cannot read the segment", "reason", error.text, NULL);
    }
    if (snapshot) metrics_snapshot_release(&snapshot);
    if (reader) metrics_reader_close(&reader);
    return *log != NULL;
}

static void exporter_once_config(struct config *config)
{
    free(config->http.listen);
    config->http.listen = strdup("off");
}

int exporter_once(struct config *config)
{
    struct buf why = {0};
    struct log *log = NULL;
    exporter_once_config(config);
    struct exporter *e = exporter_new(config, &why);
    if (!e) {
        say(SAY_ERROR, "cannot start", "reason", buf_text(&why), NULL);
        config_free(&config);
    }
    buf_free(&why);
    if (!e) return 1;
    sampler_step(e->sampler); /* finds and leads the segments */
    bool good = true;
    if (sampler_attached(e->sampler))
        sampler_finish(e->sampler);
    else
        good = exporter_once_beside(e, &log);
    for (size_t i = 0; good && i < e->parts->consumer_count; i++)
        good = consumer_start(e->parts->consumers[i]);
    if (good) {
        exporter_flush(e);
        good = exporter_idle(e->parts) && (log || exporter_print_pages(e));
        if (!exporter_idle(e->parts)) say(SAY_ERROR, "not everything was delivered in time", NULL);
    }
    exporter_free(&e);
    log_release(&log);
    return good ? 0 : 1;
}

static void exporter_check_backend(const struct config *config, const struct config_backend *b,
                                   metrics_snapshot_t *snapshot, struct buf *out)
{
    struct selection sel;
    struct view view;
    struct buf notes = {0};
    struct payload payload = {.points = 0};
    if (!selection_compile(&sel, b->type, b->settings, &config->tags)) return;
    view_begin(&view, &sel, metrics_snapshot_header(snapshot)->wall_ns, 0);
    view_add(&view, snapshot, NULL);
    buf_printf(out, "# %s: %zu of %zu series\n", b->settings->name, view.n, metrics_snapshot_count(snapshot));
    if (backend_is_scraped(b->type)) {
        struct batch batch = {.view = &view, .to = view.n, .settings = b->settings, .notes = &notes};
        b->type->encode(&batch, &payload);
    }
    char *rest = notes.data, *line;
    while (rest && (line = strsep(&rest, "\n")))
        if (*line) buf_printf(out, "#   %s\n", line);
    buf_free(&notes);
    payload_free(&payload);
    view_free(&view);
    selection_free(&sel);
}

void exporter_check(const struct config *config, struct buf *out)
{
    metrics_error_t error = {0};
    const char *path = config->segments.n ? config->segments.items[0] : NULL;
    metrics_reader_t *reader = metrics_reader_open(path, NULL, &error);
    metrics_snapshot_t *snapshot = reader ? metrics_snapshot_take(reader, &error) : NULL;
    if (snapshot) {
        buf_printf(out, "# segment %s:\n", metrics_reader_path(reader));
        for (const struct config_backend *b = config->backends; b; b = b->next)
            exporter_check_backend(config, b, snapshot, out);
        metrics_snapshot_release(&snapshot);
    } else {
        buf_printf(out, "# no segment to look at: %s\n", error.text);
    }
    if (reader) metrics_reader_close(&reader);
}
