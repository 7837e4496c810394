/* SPDX-License-Identifier: Apache-2.0 */
#include "consumer.h"

#include "backoff.h"
#include "complain.h"
#include "meta.h"
#include "say.h"

#include <stdlib.h>
#include <string.h>

/* A log that is followed, and the cursor in it. */
struct feed {
    struct feed *next;
    struct log *log; /* a reference */
    int cursor;
    bool leaving; /* as soon as the work on it is over */
    enum ledger_reason reason;
};

/* The snapshot that is being delivered. */
struct work {
    struct feed *feed; /* NULL: none */
    struct log_next next;
    struct view view;
    size_t most;     /* items in the next payload; halved when one was too large */
    size_t from, to; /* items in the payload; from == to: none is ready */
    size_t points;
};

struct consumer {
    struct consumer_options options;
    const struct backend *backend;
    const struct backend_common *settings;
    struct selection selection;
    int account;
    void *link, *session;
    struct work work;
    struct payload payload;
    struct backoff backoff;
    uint64_t not_before;
    struct complain trouble, loss;

    pthread_mutex_t lock; /* of the feeds and of work.feed, never held while a backend is waited for; logs are
                             locked under it. The rest of `work` belongs to the consumer's thread. */
    struct feed *feeds;
    pthread_mutex_t flags; /* of the two below; a leaf */
    bool stop, reopen;
    pthread_t thread;
    bool started;
    struct wake ended; /* called once, by the thread, as its last act */
};

static bool consumer_flag(struct consumer *c, bool *flag, bool value)
{
    pthread_mutex_lock(&c->flags);
    bool was = *flag;
    *flag = value;
    pthread_mutex_unlock(&c->flags);
    return was;
}

static bool consumer_stopping(struct consumer *c)
{
    pthread_mutex_lock(&c->flags);
    bool stop = c->stop;
    pthread_mutex_unlock(&c->flags);
    return stop;
}

/* --- Making and ending -----------------------------------------------------------------------------------
 */

static bool consumer_open(struct consumer *c, struct buf *why)
{
    const struct backend_session *session = c->backend->session;
    if (c->account == LEDGER_NONE) {
        buf_printf(why, "%s: there are more than %d backends", c->settings->name, LEDGER_BACKENDS);
        return false;
    }
    if (!selection_compile(&c->selection, c->backend, c->settings, c->options.tags)) {
        buf_printf(why, "%s: out of memory", c->settings->name);
        return false;
    }
    size_t from = why->len;
    buf_printf(why, "%s: ", c->settings->name);
    c->link = c->backend->transport->open(c->settings, why);
    if (c->link && session) c->session = session->open(c->settings, why);
    if (!c->link || (session && !c->session)) return false;
    buf_cut(why, from);
    return true;
}

struct consumer *consumer_new(const struct consumer_options *options, struct buf *why)
{
    struct consumer *c = calloc(1, sizeof *c);
    if (!c) {
        buf_str(why, "out of memory");
        return NULL;
    }
    c->options = *options;
    c->backend = options->backend->type;
    c->settings = options->backend->settings;
    c->account = ledger_open(options->ledger, c->settings->name);
    c->backoff = (struct backoff){c->settings->retry_least, c->settings->retry_most, 0, options->seed | 1};
    pthread_mutex_init(&c->lock, NULL);
    pthread_mutex_init(&c->flags, NULL);
    wake_init(&c->ended);
    if (!consumer_open(c, why)) consumer_free(&c);
    return c;
}

static void consumer_let_go(struct consumer *c)
{
    if (!c->work.feed) return;
    log_undo(c->work.feed->log, c->work.feed->cursor, &c->work.next);
    view_free(&c->work.view);
    c->work = (struct work){0};
}

void consumer_free(struct consumer **consumer)
{
    struct consumer *c = *consumer;
    if (!c) return;
    consumer_stop(c, CLOCK_NEVER);
    consumer_let_go(c);
    for (struct feed *f = c->feeds, *next; f; f = next) {
        next = f->next;
        log_detach(f->log, f->cursor);
        log_release(&f->log);
        free(f);
    }
    if (c->session) c->backend->session->close(&c->session);
    if (c->link) c->backend->transport->close(&c->link);
    selection_free(&c->selection);
    buf_free(&c->payload.body);
    pthread_mutex_destroy(&c->lock);
    pthread_mutex_destroy(&c->flags);
    wake_destroy(&c->ended);
    free(c);
    *consumer = NULL;
}

static bool consumer_follows(struct consumer *c, const struct log *log)
{
    pthread_mutex_lock(&c->lock);
    const struct feed *f = c->feeds;
    while (f && f->log != log) f = f->next;
    pthread_mutex_unlock(&c->lock);
    return f != NULL;
}

bool consumer_follow(struct consumer *c, struct log *log)
{
    if (consumer_follows(c, log)) return true;
    struct feed *f = calloc(1, sizeof *f);
    if (!f) return false;
    f->log = log_retain(log);
    f->cursor = log_attach(log, c->settings->name, &c->selection);
    if (f->cursor == LEDGER_NONE) {
        log_release(&f->log);
        free(f);
        return false;
    }
    pthread_mutex_lock(&c->lock);
    struct feed **end = &c->feeds;
    while (*end) end = &(*end)->next;
    *end = f;
    pthread_mutex_unlock(&c->lock);
    wake_call(c->options.wake);
    return true;
}

/* Under the lock, and nobody works on it. */
static void consumer_unlink(struct consumer *c, struct feed *gone)
{
    struct feed **f = &c->feeds;
    while (*f != gone) f = &(*f)->next;
    *f = gone->next;
    log_drop(gone->log, gone->cursor, gone->reason);
    log_release(&gone->log);
    free(gone);
}

void consumer_leave(struct consumer *c, struct log *log, enum ledger_reason reason)
{
    pthread_mutex_lock(&c->lock);
    struct feed *f = c->feeds;
    while (f && f->log != log) f = f->next;
    if (f) {
        f->leaving = true;
        f->reason = reason;
        if (c->work.feed != f) consumer_unlink(c, f);
    }
    pthread_mutex_unlock(&c->lock);
    wake_call(c->options.wake);
}

/* --- One snapshot ----------------------------------------------------------------------------------------
 */

/* Takes the next snapshot of the first feed that has one; that feed goes to the end of the line. */
static bool consumer_take(struct consumer *c)
{
    struct work *w = &c->work;
    for (struct feed **at = &c->feeds, *f; (f = *at); at = &f->next) {
        if (!log_next(f->log, f->cursor, c->settings->max_lag, &w->next)) continue;
        const metrics_snapshot_header_t *h = metrics_snapshot_header(w->next.snapshot);
        w->feed = f;
        w->most = c->backend->wants.most_items ? c->backend->wants.most_items : SIZE_MAX;
        view_begin(&w->view, &c->selection, h->wall_ns, h->interval_ns);
        if (!view_add(&w->view, w->next.snapshot, w->next.base)) {
            consumer_let_go(c);
            return false;
        }
        if (!w->next.position) ledger_rebased(c->options.ledger, c->account, LEDGER_METRICS, w->view.rebased);
        w->from = w->to = w->next.position;
        *at = f->next;
        f->next = NULL;
        for (at = &c->feeds; *at; at = &(*at)->next) {
        }
        *at = f;
        return true;
    }
    return false;
}

static void consumer_finish(struct consumer *c)
{
    struct work *w = &c->work;
    log_done(w->feed->log, w->feed->cursor, &w->next);
    view_free(&w->view);
    pthread_mutex_lock(&c->lock);
    struct feed *f = w->feed;
    *w = (struct work){0};
    if (f->leaving) consumer_unlink(c, f);
    pthread_mutex_unlock(&c->lock);
}

/* Settles the payload's readings and makes room for the next one. */
static void consumer_settle(struct consumer *c, bool delivered, size_t refused, enum ledger_reason reason)
{
    struct work *w = &c->work;
    size_t n = w->to - w->from;
    if (refused > n) refused = n;
    if (!delivered) refused = n;
    if (n > refused) log_delivered(w->feed->log, w->feed->cursor, &w->next, n - refused, w->points);
    if (refused) log_dropped(w->feed->log, w->feed->cursor, &w->next, refused, reason);
    w->from = w->to;
    backoff_reset(&c->backoff);
}

/* Turns the next stretch of items into bytes. */
static void consumer_encode(struct consumer *c)
{
    struct work *w = &c->work;
    size_t left = w->view.n - w->from;
    size_t n = left < w->most ? left : w->most;
    struct batch batch = {
        .view = &w->view, .from = w->from, .to = w->from + n, .settings = c->settings, .session = c->session};
    w->to = batch.to;
    buf_reset(&c->payload.body);
    w->points = c->backend->encode(&batch, &c->payload);
}

/* Too large for the other side, or for the backend's own limit: half of it, or, of a single reading, never.
 */
static void consumer_split(struct consumer *c, const char *why)
{
    struct work *w = &c->work;
    size_t n = w->to - w->from;
    if (n > 1) {
        w->most = n / 2;
        w->to = w->from;
        return;
    }
    complain(&c->loss, clock_mono(c->options.clock), "a reading is too large for the backend and is dropped",
             c->settings->name, why);
    consumer_settle(c, false, 0, LEDGER_TOO_LARGE);
}

static void consumer_sent(struct consumer *c, uint64_t now, const struct answer *answer)
{
    complain_over(&c->trouble, now, "delivers again", c->settings->name);
    if (answer->refused)
        complain(&c->loss, now, "the backend refused some readings", c->settings->name,
                 buf_text(&answer->why));
    consumer_settle(c, true, answer->refused, LEDGER_REFUSED);
}

static void consumer_send(struct consumer *c)
{
    struct answer answer = {.outcome = OUTCOME_DROP};
    uint64_t start = clock_mono(c->options.clock);
    c->backend->transport->send(c->link, &c->payload, &answer);
    uint64_t now = clock_mono(c->options.clock);
    if (c->options.meta) meta_sent(c->options.meta, c->settings->name, now - start);
    switch (answer.outcome) {
    case OUTCOME_SENT: consumer_sent(c, now, &answer); break;
    case OUTCOME_RETRY:
        complain(&c->trouble, now, "cannot deliver, will try again", c->settings->name,
                 buf_text(&answer.why));
        ledger_retried(c->options.ledger, c->account, LEDGER_METRICS);
        c->not_before = now + backoff_next(&c->backoff, answer.retry_after_ns);
        break;
    case OUTCOME_SPLIT: consumer_split(c, buf_text(&answer.why)); break;
    case OUTCOME_DROP:
        complain(&c->loss, now, "the backend refuses for good; readings are dropped", c->settings->name,
                 buf_text(&answer.why));
        consumer_settle(c, false, 0, LEDGER_REFUSED);
        break;
    }
    buf_free(&answer.why);
}

/* A payload is ready or made ready, then sent. */
static void consumer_work(struct consumer *c)
{
    struct work *w = &c->work;
    size_t most = c->backend->wants.most_bytes;
    if (w->from >= w->view.n) {
        consumer_finish(c);
        return;
    }
    if (w->from == w->to) consumer_encode(c);
    if (!buf_ok(&c->payload.body))
        consumer_settle(c, false, 0, LEDGER_ENCODE);
    else if (most && c->payload.body.len > most)
        consumer_split(c, "longer than its limit");
    else if (!c->payload.body.len)
        consumer_settle(c, true, 0, LEDGER_REFUSED); /* nothing of these is to be told */
    else
        consumer_send(c);
}

/* Begins the next snapshot; gives up the one under way if its log is being left. */
static bool consumer_begin(struct consumer *c)
{
    pthread_mutex_lock(&c->lock);
    struct feed *f = c->work.feed;
    if (f && f->leaving) {
        consumer_let_go(c);
        consumer_unlink(c, f);
    }
    bool begun = c->work.feed || consumer_take(c);
    pthread_mutex_unlock(&c->lock);
    return begun;
}

uint64_t consumer_step(struct consumer *c)
{
    uint64_t now = clock_mono(c->options.clock);
    if (consumer_flag(c, &c->reopen, false) && c->backend->transport->reopen)
        c->backend->transport->reopen(c->link);
    if (now < c->not_before) return c->not_before;
    if (!consumer_begin(c)) return CLOCK_NEVER;
    consumer_work(c);
    return c->not_before > now ? c->not_before : now;
}

/* --- The thread ------------------------------------------------------------------------------------------
 */

static void *consumer_run(void *arg)
{
    struct consumer *c = arg;
    uint64_t seen = wake_calls(c->options.wake);
    while (!consumer_stopping(c)) {
        uint64_t again = consumer_step(c);
        /* A call during the step has raised the count, so the wait returns at once: nothing is missed. */
        if (again > clock_mono(c->options.clock)) seen = wake_wait(c->options.wake, seen, again);
    }
    wake_call(&c->ended);
    return NULL;
}

bool consumer_start(struct consumer *c)
{
    c->started = !pthread_create(&c->thread, NULL, consumer_run, c);
    return c->started;
}

bool consumer_stop(struct consumer *c, uint64_t deadline)
{
    consumer_flag(c, &c->stop, true);
    wake_call(c->options.wake);
    if (c->started && wake_wait(&c->ended, 0, deadline)) {
        pthread_join(c->thread, NULL);
        c->started = false;
    }
    return !c->started;
}

void consumer_reopen(struct consumer *c)
{
    consumer_flag(c, &c->reopen, true);
    wake_call(c->options.wake);
}

struct log_lag consumer_lag(struct consumer *c)
{
    struct log_lag sum = {0};
    pthread_mutex_lock(&c->lock);
    for (struct feed *f = c->feeds; f; f = f->next) {
        struct log_lag one = log_lag(f->log, f->cursor);
        sum.snapshots += one.snapshots;
        if (one.ns > sum.ns) sum.ns = one.ns;
    }
    pthread_mutex_unlock(&c->lock);
    return sum;
}

bool consumer_idle(struct consumer *c)
{
    return !consumer_lag(c).snapshots;
}

const char *consumer_name(const struct consumer *c)
{
    return c->settings->name;
}
