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
    int cursor;      /* LEDGER_NONE while a predecessor has it */
    bool leaving;    /* as soon as the work on it is over */
    enum ledger_reason reason;
};

/* The snapshot that is being delivered. */
struct work {
    struct feed *feed; /* NULL: none */
    struct log_next next;
    struct view view;
    size_t most;     /* items in the next payloads; halved when they were too large, doubled by success */
    size_t from, to; /* items in the payloads; from == to: none are ready */
    int sending;     /* which of the payloads is next */
    size_t first_to; /* items before this one need no first payload: it was accepted before a split */
    size_t points, refused;
    bool prepared, halved;
};

struct consumer {
    struct consumer_options options;
    const struct backend *backend;
    const struct backend_common *settings;
    struct selection selection, replaced; /* `replaced`: for segments that have a successor */
    int account;
    void *link, *session;
    struct work work;
    struct payload payloads[PAYLOADS];
    struct backoff backoff;
    uint64_t not_before;
    struct complain trouble, unprepared, undone, halves;

    pthread_mutex_t lock; /* of the feeds and of work.feed, never held while a backend is waited for; logs are
                             locked under it. The rest of `work` belongs to the consumer's thread. */
    struct feed *feeds;
    pthread_mutex_t flags; /* of the four below; a leaf */
    bool stop, reopen;
    struct log_lag lag; /* as it was told last */
    enum consumer_retired { CONSUMER_STAYS, CONSUMER_HANDS_OVER, CONSUMER_GOES } retired;
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

static enum consumer_retired consumer_retired(struct consumer *c)
{
    pthread_mutex_lock(&c->flags);
    enum consumer_retired retired = c->retired;
    pthread_mutex_unlock(&c->flags);
    return retired;
}

/* True if the thread is to end now. When its backend goes: as soon as it would have to wait. When it hands
 * over: at the end of an interval, too, since half of one is no good to a successor with another filter. */
static bool consumer_over(struct consumer *c, bool waits)
{
    pthread_mutex_lock(&c->flags);
    bool over = c->stop || (c->retired && waits) || (c->retired == CONSUMER_HANDS_OVER && !c->work.feed);
    pthread_mutex_unlock(&c->flags);
    return over;
}

/* --- Making and ending --- */

static bool consumer_open(struct consumer *c, struct buf *why)
{
    const struct backend_session *session = c->backend->session;
    if (c->account == LEDGER_NONE) {
        buf_printf(why,
                   "%s: there have been %d names of backends since the start, and accounts of no more are "
                   "kept: start anew",
                   c->settings->name, LEDGER_BACKENDS);
        return false;
    }
    if (!selection_compile(&c->selection, c->backend, c->settings, c->options.tags) ||
        !selection_compile_replaced(&c->replaced, c->backend, c->settings, c->options.tags)) {
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

/* Gives a log's cursor back, or ends it. Under the lock. */
static void consumer_quit(struct consumer *c, struct feed *f, bool drop)
{
    /* A predecessor may have left it behind before it could be taken over. */
    if (drop && f->cursor == LEDGER_NONE)
        f->cursor = log_attach(f->log, c->settings->name, &c->selection, true);
    if (f->cursor != LEDGER_NONE && drop)
        log_drop(f->log, f->cursor, LEDGER_REMOVED);
    else if (f->cursor != LEDGER_NONE)
        log_detach(f->log, f->cursor);
    log_release(&f->log);
    free(f);
}

/* All that a successor waits for, or that may take its time: done by the thread itself as far as it can. */
static void consumer_release(struct consumer *c)
{
    bool drop = consumer_retired(c) == CONSUMER_GOES;
    pthread_mutex_lock(&c->lock);
    consumer_let_go(c);
    for (struct feed *f = c->feeds, *next; f; f = next) {
        next = f->next;
        consumer_quit(c, f, drop);
    }
    c->feeds = NULL;
    pthread_mutex_unlock(&c->lock);
    if (c->session) c->backend->session->close(&c->session);
    if (c->link) c->backend->transport->close(&c->link);
    wake_call(c->options.wake);
}

void consumer_free(struct consumer **consumer)
{
    struct consumer *c = *consumer;
    if (!c) return;
    consumer_stop(c, CLOCK_NEVER);
    consumer_release(c);
    selection_free(&c->selection);
    selection_free(&c->replaced);
    for (int i = 0; i < PAYLOADS; i++) payload_free(&c->payloads[i]);
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
    struct feed *f = log_reserve(log, c->settings->name) ? calloc(1, sizeof *f) : NULL;
    if (!f) return false;
    f->log = log_retain(log);
    f->cursor = log_attach(log, c->settings->name, &c->selection, true);
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
    if (gone->cursor != LEDGER_NONE) log_drop(gone->log, gone->cursor, gone->reason);
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

/* --- One snapshot --- */

static size_t consumer_most(const struct consumer *c)
{
    return c->backend->wants.most_items ? c->backend->wants.most_items : SIZE_MAX;
}

/* Two intervals with one time would be one to the other side: the later wins, or both are added. It happens
 * where an exporter ends, and takes its last snapshot in the same second as the one before. */
static uint64_t consumer_stamp(const struct consumer *c, uint64_t wall_ns, uint64_t last)
{
    uint64_t resolution = c->backend->wants.resolution_ns;
    if (!resolution || wall_ns / resolution > last / resolution) return wall_ns;
    if (last > wall_ns + 60 * CLOCK_SECOND) return wall_ns; /* the clock was set back */
    return (last / resolution + 1) * resolution;
}

/* Takes the next snapshot of the first feed that has one; that feed goes to the end of the line. */
static bool consumer_take(struct consumer *c)
{
    struct work *w = &c->work;
    for (struct feed **at = &c->feeds, *f; (f = *at); at = &f->next) {
        if (f->cursor == LEDGER_NONE) f->cursor = log_attach(f->log, c->settings->name, &c->selection, false);
        if (f->cursor == LEDGER_NONE) continue;
        if (!log_next(f->log, f->cursor, &w->next)) continue;
        const metrics_snapshot_header_t *h = metrics_snapshot_header(w->next.snapshot);
        w->feed = f;
        w->most = consumer_most(c);
        w->next.stamp = consumer_stamp(c, h->wall_ns, w->next.stamp);
        view_begin(&w->view, w->next.replaced ? &c->replaced : &c->selection, w->next.stamp, h->interval_ns);
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
    if (!w->halved) c->halves = (struct complain){0};
    pthread_mutex_lock(&c->lock);
    struct feed *f = w->feed;
    *w = (struct work){0};
    if (f->leaving) consumer_unlink(c, f);
    pthread_mutex_unlock(&c->lock);
}

/* Settles the payloads' readings and makes room for the next ones. */
static void consumer_settle(struct consumer *c, bool delivered, enum ledger_reason reason)
{
    struct work *w = &c->work;
    size_t n = w->to - w->from, most = consumer_most(c);
    size_t refused = !delivered || w->refused > n ? n : w->refused;
    const struct log_outcome outcome = {n - refused, n > refused ? w->points : 0, refused, reason};
    log_settled(w->feed->log, w->feed->cursor, &w->next, &outcome);
    w->from = w->to;
    w->most = w->most < most / 2 ? w->most * 2 : most;
    backoff_reset(&c->backoff);
}

/* Turns the next stretch of items into bytes. */
static void consumer_encode(struct consumer *c)
{
    struct work *w = &c->work;
    size_t end = w->from < w->first_to ? w->first_to : w->view.n;
    size_t n = end - w->from < w->most ? end - w->from : w->most;
    struct batch batch = {
        .view = &w->view, .from = w->from, .to = w->from + n, .settings = c->settings, .session = c->session};
    for (int i = 0; i < PAYLOADS; i++) payload_reset(&c->payloads[i]);
    w->points = c->backend->encode(&batch, c->payloads);
    w->to = c->payloads[0].items ? w->from + c->payloads[0].items : batch.to;
    w->sending = w->from < w->first_to ? 1 : 0;
    w->refused = 0;
}

/* The line for a payload that did not go through whole: the same for all that can come of one. `repeated`: as
 * many like it before went without a line. */
static void consumer_tell(struct consumer *c, enum say_level level, const char *what,
                          const struct answer *answer, size_t refused, uint64_t repeated)
{
    const struct work *w = &c->work;
    size_t n = w->to - w->from;
    if (refused > n) refused = n;
    int status = answer->response.status;
    say(level, what, "backend", c->settings->name, "status", status ? SAY_U64((uint64_t)status) : NULL,
        "successful", SAY_U64(n - refused), "failed", SAY_U64(refused), "repeated",
        repeated ? SAY_U64(repeated) : NULL, "reason", buf_text(&answer->why), NULL);
}

/* The same at growing intervals, for what may go on for long and loses nothing. */
static void consumer_tell_rarely(struct consumer *c, struct complain *trouble, uint64_t now, const char *what,
                                 const struct answer *answer)
{
    uint64_t repeated;
    if (complain_due(trouble, now, &repeated)) consumer_tell(c, SAY_WARN, what, answer, SIZE_MAX, repeated);
}

/* Half of it; false if it is a single reading. */
static bool consumer_halve(struct consumer *c, uint64_t now, const struct answer *answer)
{
    struct work *w = &c->work;
    size_t n = w->to - w->from;
    if (n < 2) return false;
    w->halved = true;
    consumer_tell_rarely(c, &c->halves, now, "a payload was refused whole, it goes in halves", answer);
    if (w->sending && w->first_to < w->to) w->first_to = w->to;
    w->most = n / 2;
    w->to = w->from;
    return true;
}

static void consumer_lose(struct consumer *c, const struct answer *answer, enum ledger_reason reason)
{
    bool silence = reason == LEDGER_AMBIGUOUS;
    consumer_tell(c, SAY_WARN,
                  silence ? "readings are given up, their answer never came" : "readings were refused",
                  answer, SIZE_MAX, 0);
    consumer_settle(c, false, reason);
}

static void consumer_sent(struct consumer *c, uint64_t now, const struct answer *answer)
{
    struct work *w = &c->work;
    complain_over(&c->trouble, now, "delivers again", "backend", c->settings->name);
    if (answer->refused) consumer_tell(c, SAY_WARN, "readings were refused", answer, answer->refused, 0);
    w->refused += answer->refused;
    if (++w->sending == PAYLOADS) consumer_settle(c, true, LEDGER_REFUSED);
}

static void consumer_pause(struct consumer *c, uint64_t now, const struct answer *answer)
{
    consumer_tell_rarely(c, &c->trouble, now, "cannot deliver, will try again", answer);
    ledger_retried(c->options.ledger, c->account, LEDGER_METRICS);
    c->not_before = now + backoff_next(&c->backoff, answer->retry_after_ns);
}

/* The first time at once, for that is how a login ends; then as any other trouble. */
static void consumer_login(struct consumer *c, uint64_t now, const struct answer *answer)
{
    struct work *w = &c->work;
    w->prepared = false;
    if (c->backend->session && c->backend->session->expire) c->backend->session->expire(c->session);
    if (c->backoff.tries) {
        consumer_pause(c, now, answer);
    } else {
        c->backoff.tries = 1;
        consumer_tell(c, SAY_INFO, "logs in again", answer, SIZE_MAX, 0);
    }
    /* What is encoded holds the old login. */
    if (w->sending && w->first_to < w->to) w->first_to = w->to;
    w->to = w->from;
}

static void consumer_retry(struct consumer *c, uint64_t now, const struct answer *answer)
{
    bool unsure = answer->ambiguous && c->backend->wants.additive;
    if (unsure && c->settings->on_ambiguous == BACKEND_AMBIGUOUS_DROP)
        consumer_lose(c, answer, LEDGER_AMBIGUOUS);
    else
        consumer_pause(c, now, answer);
}

static void consumer_judged(struct consumer *c, uint64_t now, const struct answer *answer)
{
    switch (answer->outcome) {
    case OUTCOME_SENT: consumer_sent(c, now, answer); break;
    case OUTCOME_RETRY: consumer_retry(c, now, answer); break;
    case OUTCOME_LOGIN: consumer_login(c, now, answer); break;
    case OUTCOME_DROP: consumer_lose(c, answer, LEDGER_REFUSED); break;
    case OUTCOME_BAD:
        if (!consumer_halve(c, now, answer)) consumer_lose(c, answer, LEDGER_REFUSED);
        break;
    case OUTCOME_SPLIT:
        if (!consumer_halve(c, now, answer)) consumer_lose(c, answer, LEDGER_TOO_LARGE);
        break;
    }
}

static void consumer_send(struct consumer *c)
{
    const struct payload *payload = &c->payloads[c->work.sending];
    struct answer answer = {.outcome = OUTCOME_DROP};
    uint64_t start = clock_mono(c->options.clock);
    c->backend->transport->send(c->link, payload, &answer);
    if (c->backend->judge) c->backend->judge(payload, &answer);
    uint64_t now = clock_mono(c->options.clock);
    if (c->options.meta) meta_sent(c->options.meta, c->settings->name, now - start);
    consumer_judged(c, now, &answer);
    answer_free(&answer);
}

/* Before the first or after the last payload of an interval. True if the work can go on. */
static bool consumer_session(struct consumer *c, struct complain *loss,
                             void (*talk)(void *, void *, const struct view *, struct answer *))
{
    struct answer answer = {.outcome = OUTCOME_SENT};
    talk(c->session, c->link, &c->work.view, &answer);
    uint64_t now = clock_mono(c->options.clock);
    bool on = answer.outcome == OUTCOME_SENT;
    if (on) {
        complain_over(loss, now, "the backend takes again what it is told about the metrics", "backend",
                      c->settings->name);
    } else if (answer.outcome == OUTCOME_RETRY) {
        consumer_pause(c, now, &answer);
    } else if (answer.outcome == OUTCOME_LOGIN) {
        consumer_login(c, now, &answer);
    } else {
        complain(loss, now, "the backend refuses what it was told about the metrics", "backend",
                 c->settings->name, buf_text(&answer.why));
        on = true;
    }
    answer_free(&answer);
    return on;
}

static bool consumer_prepare(struct consumer *c)
{
    const struct backend_session *session = c->backend->session;
    struct work *w = &c->work;
    if (w->prepared) return true;
    w->prepared = !session || !session->prepare || consumer_session(c, &c->unprepared, session->prepare);
    return w->prepared;
}

static void consumer_end(struct consumer *c)
{
    const struct backend_session *session = c->backend->session;
    if (!session || !session->done || consumer_session(c, &c->undone, session->done)) consumer_finish(c);
}

static bool consumer_encoded(const struct consumer *c)
{
    bool good = true;
    for (int i = 0; i < PAYLOADS; i++) good = good && payload_ok(&c->payloads[i]);
    return good;
}

/* Payloads are ready or made ready, then sent one by one. */
static void consumer_work(struct consumer *c)
{
    struct work *w = &c->work;
    size_t most = c->backend->wants.most_bytes;
    if (!consumer_prepare(c)) return;
    if (w->from >= w->view.n) {
        consumer_end(c);
        return;
    }
    if (w->from == w->to) consumer_encode(c);
    if (!consumer_encoded(c)) {
        consumer_settle(c, false, LEDGER_ENCODE);
        return;
    }
    while (w->sending < PAYLOADS && !c->payloads[w->sending].body.len) w->sending++;
    if (w->sending == PAYLOADS) {
        consumer_settle(c, true, LEDGER_REFUSED); /* nothing (more) of these is to be told */
    } else if (most && c->payloads[w->sending].body.len > most) {
        struct answer answer = {.outcome = OUTCOME_SPLIT};
        buf_str(&answer.why, "longer than the backend's limit");
        consumer_judged(c, clock_mono(c->options.clock), &answer);
        answer_free(&answer);
    } else {
        consumer_send(c);
    }
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

/* --- The thread --- */

/* True if some log holds back what was just appended. It calls when it is done with that. */
static bool consumer_held_back(struct consumer *c)
{
    bool held = false;
    pthread_mutex_lock(&c->lock);
    for (struct feed *f = c->feeds; f && !held; f = f->next) held = log_is_appending(f->log);
    pthread_mutex_unlock(&c->lock);
    return held;
}

static void *consumer_run(void *arg)
{
    struct consumer *c = arg;
    uint64_t seen = wake_calls(c->options.wake);
    while (!consumer_over(c, false)) {
        bool held = consumer_held_back(c);
        uint64_t again = consumer_step(c);
        bool waits = again > clock_mono(c->options.clock);
        held = again == CLOCK_NEVER && (held || consumer_held_back(c));
        if (consumer_over(c, waits && !held)) break;
        /* A call during the step has raised the count, so the wait returns at once: nothing is missed. */
        if (waits) seen = wake_wait(c->options.wake, seen, again);
    }
    if (consumer_retired(c)) consumer_release(c);
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

void consumer_retire(struct consumer *c, bool keep)
{
    pthread_mutex_lock(&c->flags);
    c->retired = keep ? CONSUMER_HANDS_OVER : CONSUMER_GOES;
    pthread_mutex_unlock(&c->flags);
    wake_call(c->options.wake);
}

bool consumer_reap(struct consumer **consumer)
{
    struct consumer *c = *consumer;
    if (c->started && !wake_calls(&c->ended)) return false;
    consumer_free(consumer);
    return true;
}

void consumer_reopen(struct consumer *c)
{
    consumer_flag(c, &c->reopen, true);
    wake_call(c->options.wake);
}

/* Who is unpacking a snapshot just now, or counting a queue, says what he said last: the sampler does not
 * wait. */
struct log_lag consumer_lag(struct consumer *c)
{
    struct log_lag sum = {0};
    if (pthread_mutex_trylock(&c->lock)) {
        pthread_mutex_lock(&c->flags);
        sum = c->lag;
        pthread_mutex_unlock(&c->flags);
        return sum;
    }
    for (struct feed *f = c->feeds; f; f = f->next) {
        if (f->cursor == LEDGER_NONE) continue;
        struct log_lag one = log_lag(f->log, f->cursor);
        sum.snapshots += one.snapshots;
        if (one.ns > sum.ns) sum.ns = one.ns;
    }
    pthread_mutex_unlock(&c->lock);
    pthread_mutex_lock(&c->flags);
    c->lag = sum;
    pthread_mutex_unlock(&c->flags);
    return sum;
}

bool consumer_idle(struct consumer *c)
{
    bool idle = true;
    pthread_mutex_lock(&c->lock);
    for (struct feed *f = c->feeds; f && idle; f = f->next)
        idle = f->cursor != LEDGER_NONE && !log_lag(f->log, f->cursor).snapshots;
    pthread_mutex_unlock(&c->lock);
    return idle;
}
