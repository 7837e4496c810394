/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Promises: a new configuration delays nobody, loses nothing and counts nothing twice, whichever backend is
 * stuck; a bad one changes nothing. The time is virtual; nothing here waits for it.
 */
#include "unit.h"

#include "../fixture.h"
#include "config_load.h"
#include "exporter_inside.h"
#include "say.h"

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>

/* --- A backend whose other side is in this process: a sink
 * per name, which may swallow a request in silence --- */

enum { SINKS = 5, STAMPS = 4096 };
struct sink {
    const char *name;
    bool hole;       /* requests stay inside */
    unsigned fail;   /* every so many requests are refused for now */
    unsigned inside; /* requests that are */
    unsigned opened, closed, requests;
    double jobs; /* sum of the deltas of the series jobs */
    size_t n;    /* intervals with that series */
    uint64_t stamps[STAMPS];
};
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* of the sinks and the clock */
static pthread_cond_t moved = PTHREAD_COND_INITIALIZER;
static struct sink sinks[SINKS];
static unsigned errors;

struct fake_settings {
    struct backend_common common;
    int64_t which;
};

static struct sink *sink_named(const char *name)
{
    size_t i = 0;
    while (i + 1 < SINKS && strcmp(sinks[i].name, name)) i++;
    return &sinks[i];
}

static void *fake_open(const void *settings, struct buf *why)
{
    const struct fake_settings *s = settings;
    if (s->which == 99) return buf_str(why, "99 is no good"), NULL;
    struct sink *sink = sink_named(s->common.name);
    pthread_mutex_lock(&lock);
    sink->opened++;
    pthread_mutex_unlock(&lock);
    return sink;
}

static void fake_close(void **link)
{
    struct sink *sink = *link;
    pthread_mutex_lock(&lock);
    sink->closed++;
    pthread_cond_broadcast(&moved);
    pthread_mutex_unlock(&lock);
    *link = NULL;
}

/* The body is pairs of a time and what was added to jobs. */
static void sink_take(struct sink *sink, const struct payload *payload)
{
    uint64_t stamp;
    double jobs;
    int used;
    for (const char *at = payload->body.data; sscanf(at, "%" SCNu64 " %lf\n%n", &stamp, &jobs, &used) == 2;
         at += used) {
        sink->jobs += jobs;
        if (sink->n < STAMPS) sink->stamps[sink->n] = stamp;
        sink->n++;
    }
}

static void fake_send(void *link, const struct payload *payload, struct answer *answer)
{
    struct sink *sink = link;
    pthread_mutex_lock(&lock);
    sink->requests++;
    sink->inside++;
    pthread_cond_broadcast(&moved);
    while (sink->hole) pthread_cond_wait(&moved, &lock);
    answer->outcome = sink->fail && sink->requests % sink->fail == 0 ? OUTCOME_RETRY : OUTCOME_SENT;
    if (answer->outcome == OUTCOME_SENT) sink_take(sink, payload);
    sink->inside--;
    pthread_cond_broadcast(&moved);
    pthread_mutex_unlock(&lock);
    if (answer->outcome != OUTCOME_SENT) buf_str(&answer->why, "not now");
}

static size_t fake_encode(const struct batch *batch, struct payload *payload)
{
    struct rows rows = {0};
    for (size_t i = batch->from; i < batch->to; i++) {
        const struct item *item = &batch->view->items[i];
        if (strcmp(item->name, "jobs") || !item_rows(batch->view, item, METRICS_INTERVAL, &rows)) continue;
        buf_printf(&payload->body, "%" PRIu64 " %.0f\n", batch->view->wall_ns,
                   metrics_row_number(&rows.at[0]));
    }
    if (!payload->body.len) buf_char(&payload->body, '\n');
    rows_free(&rows);
    return batch->to - batch->from;
}

static const struct transport fake_transport = {
    .name = "fake", .open = fake_open, .send = fake_send, .close = fake_close};
static const struct option fake_rows[] = {
    {.name = "name", .type = OPTION_STRING, OPTION_FIELD(struct backend_common, name), .help = ""},
    {.name = "include", .type = OPTION_GLOBS, OPTION_FIELD(struct backend_common, include), .help = ""},
    {.name = "which", .type = OPTION_INTEGER, OPTION_FIELD(struct fake_settings, which), .help = ""},
    {.name = NULL},
};
static const struct backend fake = {
    .name = "fake",
    .options = fake_rows,
    .settings_size = sizeof(struct fake_settings),
    .wants = {.totals = METRICS_INTERVAL, .sampled = METRICS_RECENT, .most_items = 3},
    .transport = &fake_transport,
    .encode = fake_encode,
};

/* --- An exporter over it --- */

struct rig {
    struct fixture f;
    metrics_clock_t clock;
    struct exporter *exporter;
    uint64_t total;
};

/* The fixture's, safe for the consumers' threads. */
static uint64_t locked_wall(void *arg)
{
    pthread_mutex_lock(&lock);
    uint64_t now = fixture_wall(arg);
    pthread_mutex_unlock(&lock);
    return now;
}
static uint64_t locked_mono(void *arg)
{
    pthread_mutex_lock(&lock);
    uint64_t now = fixture_mono(arg);
    pthread_mutex_unlock(&lock);
    return now;
}

static void listen_for_errors(const char *line, size_t n)
{
    (void)n;
    pthread_mutex_lock(&lock);
    errors += strstr(line, " error ") != NULL;
    pthread_mutex_unlock(&lock);
}

static const char *no_env(const char *name)
{
    (void)name;
    return NULL;
}

/* "fine=1 hole=1": backends, each with a setting that changes when it is reconfigured. */
static struct config *configure(const struct rig *r, const char *backends, uint64_t interval)
{
    struct buf text = {0}, mistakes = {0};
    char name[32];
    long which;
    int used;
    buf_printf(&text,
               "segment: %s\nhttp: off\nlog: memory\nflush_timeout: 20s\nbackends: [{type: file, path: "
               "/dev/null}]\n",
               r->f.path);
    struct config *c = config_parse("test", text.data, text.len, no_env, &mistakes);
    if (!c) UNIT_FAIL("%s", buf_text(&mistakes));
    REQUIRE(c);
    c->interval = interval;
    for (; sscanf(backends, " %31[a-z]=%ld%n", name, &which, &used) == 2; backends += used) {
        struct config_backend *b = config_backend_new(&fake);
        struct fake_settings *s = (struct fake_settings *)(void *)b->settings;
        s->common.name = strdup(name);
        s->common.max_lag = UINT64_MAX;
        s->common.retry_least = s->common.retry_most = 1000000;
        s->which = which;
        /* One whose filter changes: jobs pass either. */
        static const char *const filters[] = {"jobs", "*", "j*"};
        if (!strcmp(name, "filter")) option_parse(&fake_rows[1], s, filters[which % 3], &mistakes);
        config_backend_add(c, b);
    }
    buf_free(&text);
    buf_free(&mistakes);
    return c;
}

static void reload(struct rig *r, const char *backends, uint64_t interval)
{
    struct buf why = {0};
    struct config *c = configure(r, backends, interval);
    if (!exporter_reload(r->exporter, c, &why)) UNIT_FAIL("%s: %s\n", backends, buf_text(&why));
    buf_free(&why);
}

static const uint64_t ten = 10000000000;

static void rig_open(struct rig *r, const char *backends, uint64_t interval)
{
    static const char *const names[SINKS] = {"fine", "hole", "late", "other", "filter"};
    struct buf why = {0};
    say_to(listen_for_errors);
    errors = 0;
    for (int i = 0; i < SINKS; i++) sinks[i] = (struct sink){.name = names[i]};
    memset(r, 0, sizeof *r);
    fixture_create(&r->f);
    r->clock = (metrics_clock_t){locked_wall, locked_mono, &r->f};
    struct config *c = configure(r, backends, interval);
    r->exporter = interval == ten ? exporter_begin(c, &r->clock, &why) : exporter_start(c, &why);
    REQUIRE(r->exporter);
    buf_free(&why);
    if (interval == ten) exporter_step(r->exporter); /* it finds the segment */
}

/* The balances are checked by exporter_stop() itself, which calls a wrong one an error. */
static void rig_close(struct rig *r)
{
    exporter_stop(&r->exporter);
    CHECK(r->exporter == NULL);
    CHECK_EQ_U64(errors, 0);
    fixture_close(&r->f);
    say_to(NULL);
}

/* Waits until the expression holds, under the lock: for ever would be a failure by the test's time limit. */
#define AWAIT(COND)                                       \
    do {                                                  \
        pthread_mutex_lock(&lock);                        \
        while (!(COND)) pthread_cond_wait(&moved, &lock); \
        pthread_mutex_unlock(&lock);                      \
    } while (0)

static size_t intervals(int i)
{
    pthread_mutex_lock(&lock);
    size_t n = sinks[i].n;
    pthread_mutex_unlock(&lock);
    return n;
}

/* Requests stay inside, or come out again; from now on every so many are refused. */
static void tell_sink(int i, bool hole, unsigned fail)
{
    pthread_mutex_lock(&lock);
    sinks[i].hole = hole;
    sinks[i].fail = fail;
    pthread_cond_broadcast(&moved);
    pthread_mutex_unlock(&lock);
}

/* One interval passes, in which r->total grows by one. */
static void pass(struct rig *r)
{
    metrics_counter_add(metrics_counter(r->f.registry, "jobs"), 1);
    r->total++;
    pthread_mutex_lock(&lock);
    r->f.ahead += clock_next_multiple(fixture_wall(&r->f), ten) - fixture_wall(&r->f);
    pthread_mutex_unlock(&lock);
    exporter_step(r->exporter);
}

static void pass_and_await(struct rig *r, int times)
{
    for (int i = 0; i < times; i++) {
        pass(r);
        AWAIT(sinks[0].n >= r->total);
    }
}

static struct ledger_account account(struct rig *r, const char *name)
{
    struct ledger_page pages[LEDGER_BACKENDS];
    ledger_read(r->exporter->ledger, pages);
    struct ledger_account a = pages[ledger_open(r->exporter->ledger, name)].account[LEDGER_METRICS];
    if (!ledger_balanced(&a)) UNIT_FAIL("the ledger of %s is not balanced\n", name);
    return a;
}

/* Every interval once, in order, none left out. */
static void check_complete(const struct sink *sink, uint64_t n)
{
    CHECK_EQ_U64(sink->n, n);
    CHECK_NEAR(sink->jobs, (double)n, 0);
    for (size_t i = 1; i < sink->n; i++) CHECK_EQ_U64(sink->stamps[i] / ten, sink->stamps[i - 1] / ten + 1);
}

/* What the sampler's thread does once a second, until all removed backends are gone. */
static void await_reaped(struct rig *r)
{
    while (r->exporter->leavers) {
        pthread_mutex_lock(&r->exporter->lock);
        exporter_tidy(r->exporter);
        pthread_mutex_unlock(&r->exporter->lock);
        sched_yield();
    }
}

/* A backend is stuck in a request for the whole time: others are added and taken away, it is taken away
 * itself, and neither a snapshot nor a delivery of the one that nobody touches is missing, late or twice.
 * Nothing in the test lets the request end before, so anything that waited for it would wait for ever. */
UNIT(exporter, black_hole_delays_nobody)
{
    struct rig r;
    rig_open(&r, "fine=1 hole=1", ten);
    tell_sink(1, true, 0);
    pass_and_await(&r, 5);
    AWAIT(sinks[1].inside == 1);
    reload(&r, "fine=1 hole=1 late=1", ten);
    pass_and_await(&r, 5);
    AWAIT(sinks[2].n == 5);
    reload(&r, "fine=1 late=1", ten); /* the stuck one leaves */
    CHECK(r.exporter->leavers != NULL);
    pass_and_await(&r, 5);
    AWAIT(sinks[2].n == 10);
    CHECK_EQ_U64(sinks[0].opened, 1);
    CHECK_EQ_U64(sinks[1].opened, 1);
    CHECK_EQ_U64(sinks[1].requests, 1);
    CHECK_EQ_U64(sinks[1].closed, 0);
    check_complete(&sinks[0], 15);
    tell_sink(1, false, 2); /* the second request */
    await_reaped(&r);
    CHECK_EQ_U64(sinks[1].closed, 1);
    struct ledger_account hole = account(&r, "hole");
    CHECK_EQ_U64(hole.queued, 0);
    CHECK(hole.delivered > 0 && hole.dropped[LEDGER_REMOVED] > 0);
    CHECK_EQ_U64(hole.delivered + hole.dropped[LEDGER_REMOVED], hole.taken);
    rig_close(&r);
    CHECK_NEAR(sinks[2].jobs, 10 - 1, 0); /* the first interval of a backend that is new is its base */
}

/* A backend is configured differently while it is stuck,
 * twice: the last one continues where the first stopped. */
UNIT(exporter, changed_keeps_its_cursor)
{
    struct rig r;
    rig_open(&r, "fine=1 hole=1", ten);
    tell_sink(1, true, 0);
    pass_and_await(&r, 3);
    AWAIT(sinks[1].inside == 1);
    reload(&r, "fine=1 hole=2", ten);
    pass_and_await(&r, 3);
    reload(&r, "fine=1 hole=3", ten);
    pass_and_await(&r, 3);
    CHECK_EQ_U64(sinks[1].n, 0);
    CHECK_EQ_U64(sinks[1].requests, 1);
    tell_sink(1, false, 0);
    AWAIT(sinks[1].n == 9);
    pass_and_await(&r, 1);
    AWAIT(sinks[1].n == 10);
    await_reaped(&r);
    CHECK_EQ_U64(sinks[1].opened, 3);
    CHECK_EQ_U64(sinks[1].closed, 2);
    check_complete(&sinks[0], 10);
    check_complete(&sinks[1], 10);
    struct ledger_account a = account(&r, "hole");
    CHECK_EQ_U64(ledger_dropped(&a), 0);
    rig_close(&r);
}

/* A backend is changed and then removed while its first version is stuck:
 * no cursor is left that would keep the log for ever. */
UNIT(exporter, nothing_is_left_of_the_removed)
{
    struct rig r;
    rig_open(&r, "fine=1 hole=1", ten);
    tell_sink(1, true, 0);
    pass_and_await(&r, 2);
    AWAIT(sinks[1].inside == 1);
    reload(&r, "fine=1 hole=2", ten);
    pass_and_await(&r, 2);
    reload(&r, "fine=1", ten);
    tell_sink(1, false, 1);
    await_reaped(&r);
    pass_and_await(&r, 1);
    struct ledger_account a = account(&r, "hole");
    CHECK_EQ_U64(a.queued, 0);
    CHECK_EQ_U64(a.dropped[LEDGER_REMOVED], a.taken);
    reload(&r, "fine=1 hole=3", ten); /* as if it were new */
    tell_sink(1, false, 0);
    pass_and_await(&r, 2);
    AWAIT(sinks[1].n == 2);
    CHECK_NEAR(sinks[1].jobs, 1, 0);
    check_complete(&sinks[0], r.total);
    rig_close(&r);
}

/* A backend refuses its settings: nothing changes, not even for the backends before it. */
UNIT(exporter, bad_configuration_changes_nothing)
{
    struct rig r;
    struct buf why = {0};
    rig_open(&r, "fine=1 hole=1", ten);
    pass_and_await(&r, 2);
    struct config *bad = configure(&r, "fine=2 other=1 hole=99", ten / 2);
    CHECK(!exporter_reload(r.exporter, bad, &why));
    CHECK_STR(buf_text(&why), "hole: 99 is no good");
    config_free(&bad);
    buf_free(&why);
    pass_and_await(&r, 2);
    AWAIT(sinks[1].n == 4);
    CHECK_EQ_U64(sinks[1].opened - sinks[1].closed, 1);
    CHECK_EQ_U64(sinks[3].opened - sinks[3].closed, 0);
    CHECK_EQ_U64(sinks[0].opened - sinks[0].closed, 1);
    check_complete(&sinks[0], 4);
    check_complete(&sinks[1], 4);
    rig_close(&r);
}

/* --- Under load --- */

struct writer {
    pthread_t thread;
    metrics_registry_t *registry;
    bool *stop;
    uint64_t wrote;
};

static void *writer_run(void *arg)
{
    struct writer *w = arg;
    metrics_counter_t *jobs = metrics_counter(w->registry, "jobs");
    for (bool stop = false; !stop;) {
        for (int i = 0; i < 1000; i++) metrics_counter_add(jobs, 1);
        w->wrote += 1000;
        usleep(100);
        pthread_mutex_lock(&lock);
        stop = *w->stop;
        pthread_mutex_unlock(&lock);
    }
    return NULL;
}

/* A hundred changes of the configuration while snapshots are taken and delivered: the backend that stays, the
 * one that changes each time, the one whose requests often fail and the one whose filter changes have the
 * exact total in the end. The one that comes and goes has no more than that, and all ledgers balance. */
UNIT(exporter, hundred_reloads_under_load)
{
    struct rig r;
    struct writer writers[2];
    bool stop = false;
    const uint64_t interval = 5000000;
    char backends[64];
    rig_open(&r, "fine=1 hole=1 late=1 filter=1", interval);
    tell_sink(1, false, 3);
    tell_sink(2, false, 7);
    for (int i = 0; i < 2; i++) {
        writers[i] = (struct writer){.registry = r.f.registry, .stop = &stop};
        REQUIRE(!pthread_create(&writers[i].thread, NULL, writer_run, &writers[i]));
    }
    AWAIT(sinks[0].n > 0);
    for (int i = 0; i < 100; i++) {
        size_t n = intervals(0);
        snprintf(backends, sizeof backends, "fine=1 %s hole=%d late=%d filter=%d", i & 1 ? "other=1" : "",
                 100 + i, 100 + i / 10, 100 + i / 3);
        reload(&r, backends, i & 2 ? interval : 2 * interval);
        if (i % 5 == 0) AWAIT(sinks[0].n > n);
    }
    pthread_mutex_lock(&lock);
    stop = true;
    pthread_mutex_unlock(&lock);
    for (int i = 0; i < 2; i++) pthread_join(writers[i].thread, NULL);
    rig_close(&r);
    double total = (double)(writers[0].wrote + writers[1].wrote);
    for (int i = 0; i < SINKS; i++) {
        if (i == 3) continue;
        CHECK_NEAR(sinks[i].jobs, total, 0);
        for (size_t k = 1; k < sinks[i].n; k++) CHECK(sinks[i].stamps[k] > sinks[i].stamps[k - 1]);
    }
    CHECK(sinks[3].jobs <= total);
    CHECK_EQ_U64(sinks[0].opened, 1);
    CHECK_EQ_U64(sinks[1].opened, 1 + 100);
    printf("%.0f jobs in %zu intervals, requests %u, %u, %u, %u\n", total, sinks[0].n, sinks[0].requests,
           sinks[1].requests, sinks[2].requests, sinks[3].requests);
}
