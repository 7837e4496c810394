/* SPDX-License-Identifier: Apache-2.0 */
/*
 * consumer_work.c - the delivery of one snapshot or chunk of events after the other: encode a stretch of it, send,
 * judge the answer, settle.
 */
#include "consumer_inside.h"

#include "meta.h"
#include "say.h"

#include <string.h>

static void consumer_finish(struct consumer *c)
{
    struct work *w = &c->work;
    if (w->of_events)
        log_done_events(w->feed->log, w->feed->cursor, &w->next_events);
    else
        log_done(w->feed->log, w->feed->cursor, &w->next);
    event_view_free(&w->events);
    view_free(&w->view);
    if (!w->halved) c->halves = (struct complain){0};
    pthread_mutex_lock(&c->lock);
    struct feed *f = w->feed;
    *w = (struct work){0};
    if (f->leaving) consumer_unlink(c, f);
    pthread_mutex_unlock(&c->lock);
}

static void consumer_settle_events(struct consumer *c, const struct log_outcome *outcome)
{
    struct work *w = &c->work;
    struct log_outcome_events of = {event_view_type(&w->events, w->from), *outcome, w->next_events.chunk->n};
    if (w->to < w->n) of.position = w->events.numbers[w->to];
    log_settled_events(w->feed->log, w->feed->cursor, &w->next_events, &of);
}

/* Settles the payloads' items and makes room for the next ones. */
static void consumer_settle(struct consumer *c, bool delivered, enum ledger_reason reason)
{
    struct work *w = &c->work;
    size_t all = w->to - w->from, most = consumer_most(c), n = all - w->left_out;
    size_t refused = !delivered || w->refused > n ? n : w->refused;
    const struct log_outcome outcome = {n - refused, n > refused ? w->points : 0, refused, reason,
                                        w->left_out};
    if (w->of_events)
        consumer_settle_events(c, &outcome);
    else
        log_settled(w->feed->log, w->feed->cursor, &w->next, &outcome);
    w->from = w->to;
    w->most = w->most < most / 2 ? w->most * 2 : most;
    backoff_reset(&c->backoff);
}

/* A line, at growing intervals, about readings that have no form that the backend accepts. */
static void consumer_tell_left_out(struct consumer *c, size_t n, const struct buf *notes)
{
    uint64_t repeated;
    const char *text = buf_text(notes);
    struct buf first = {0};
    if (!n || !complain_due(&c->left_out, clock_mono(c->options.clock), &repeated)) return;
    buf_mem(&first, text, strcspn(text, "\n"));
    say(SAY_WARN, c->work.of_events ? "events are left out" : "readings are left out; --check lists them",
        "backend", c->settings->name, "count", SAY_U64(n), "repeated", repeated ? SAY_U64(repeated) : NULL,
        "first", buf_text(&first), NULL);
    buf_free(&first);
}

static size_t consumer_encode_readings(struct consumer *c, size_t n, struct buf *notes)
{
    const struct work *w = &c->work;
    struct batch batch = {.view = &w->view,
                          .from = w->from,
                          .to = w->from + n,
                          .settings = c->settings,
                          .session = c->session,
                          .notes = notes};
    return c->backend->encode(&batch, c->payloads);
}

static size_t consumer_encode_events(struct consumer *c, size_t n, struct buf *notes)
{
    struct work *w = &c->work;
    struct event_batch batch = {.view = &w->events,
                                .from = w->from,
                                .to = w->from + n,
                                .type = (enum metrics_event_type)event_view_type(&w->events, w->from),
                                .settings = c->settings,
                                .session = c->session,
                                .notes = notes};
    return c->backend->events->encode(&batch, c->payloads);
}

/* Where the items that may be in one payload end. */
static size_t consumer_stretch(const struct consumer *c)
{
    const struct work *w = &c->work;
    if (w->from < w->first_to) return w->first_to;
    return w->of_events ? event_view_same(&w->events, w->from) : w->n;
}

/* Turns the next stretch of items into bytes. */
static void consumer_encode(struct consumer *c)
{
    struct work *w = &c->work;
    size_t end = consumer_stretch(c), n = end - w->from < w->most ? end - w->from : w->most;
    struct buf notes = {0};
    for (int i = 0; i < PAYLOADS; i++) payload_reset(&c->payloads[i]);
    w->points = w->of_events ? consumer_encode_events(c, n, &notes) : consumer_encode_readings(c, n, &notes);
    w->to = w->from + (c->payloads[0].items ? c->payloads[0].items : n);
    w->sending = w->from < w->first_to ? 1 : 0;
    w->refused = 0;
    w->left_out = c->payloads[0].left_out;
    consumer_tell_left_out(c, w->left_out, &notes);
    buf_free(&notes);
}

/* The log line for a payload that was not accepted whole: the same for every outcome. `repeated`: as many
 * like it before went without a line. */
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

/* The same at growing intervals, for trouble that may last and loses nothing. */
static void consumer_tell_rarely(struct consumer *c, struct complain *trouble, uint64_t now, const char *what,
                                 const struct answer *answer)
{
    uint64_t repeated;
    if (complain_due(trouble, now, &repeated)) consumer_tell(c, SAY_WARN, what, answer, SIZE_MAX, repeated);
}

/* The same for what no success ends: readings that are lost, logins. */
static void consumer_tell_each(struct consumer *c, struct complain *each, uint64_t now, const char *what,
                               const struct answer *answer, size_t refused)
{
    uint64_t repeated;
    complain_rest(each, now);
    if (complain_due(each, now, &repeated))
        consumer_tell(c, each == &c->logins ? SAY_INFO : SAY_WARN, what, answer, refused, repeated);
}

/* Prepares half of the payload; false if it is a single reading. */
static bool consumer_halve(struct consumer *c, uint64_t now, const struct answer *answer)
{
    struct work *w = &c->work;
    size_t n = w->to - w->from;
    if (n < 2) return false;
    w->halved = true;
    consumer_tell_rarely(c, &c->halves, now, "a payload was refused whole; it is sent in halves", answer);
    if (w->sending && w->first_to < w->to) w->first_to = w->to;
    w->most = n / 2;
    w->to = w->from;
    return true;
}

static const char *consumer_loss(const struct consumer *c, bool silence)
{
    if (c->work.of_events)
        return silence ? "events are given up because no answer came" : "events were refused";
    return silence ? "readings are given up because no answer came" : "readings were refused";
}

static void consumer_lose(struct consumer *c, uint64_t now, const struct answer *answer,
                          enum ledger_reason reason)
{
    bool silence = reason == LEDGER_AMBIGUOUS;
    consumer_tell_each(c, silence ? &c->given_up : &c->refused, now, consumer_loss(c, silence), answer,
                       SIZE_MAX);
    consumer_settle(c, false, reason);
}

static void consumer_sent(struct consumer *c, uint64_t now, const struct answer *answer)
{
    struct work *w = &c->work;
    complain_over(&c->trouble, now, "delivers again", "backend", c->settings->name);
    if (answer->refused)
        consumer_tell_each(c, &c->refused, now, consumer_loss(c, false), answer, answer->refused);
    w->refused += answer->refused;
    if (++w->sending == PAYLOADS) consumer_settle(c, true, LEDGER_REFUSED);
}

static void consumer_pause(struct consumer *c, uint64_t now, const struct answer *answer)
{
    consumer_tell_rarely(c, &c->trouble, now, "cannot deliver, will try again", answer);
    ledger_retried(c->options.ledger, c->account, consumer_signal(c));
    c->not_before = now + backoff_next(&c->backoff, answer->retry_after_ns);
}

/* Without a pause the first time, since logins end; after that like any other trouble. */
static void consumer_login(struct consumer *c, uint64_t now, const struct answer *answer)
{
    struct work *w = &c->work;
    w->prepared = false;
    if (c->backend->session && c->backend->session->expire) c->backend->session->expire(c->session);
    if (c->backoff.tries) {
        consumer_pause(c, now, answer);
    } else {
        c->backoff.tries = 1;
        consumer_tell_each(c, &c->logins, now, "logs in again", answer, SIZE_MAX);
    }
    /* The encoded payloads hold the old login. */
    if (w->sending && w->first_to < w->to) w->first_to = w->to;
    w->to = w->from;
}

/* True if what is sent twice counts twice. */
static bool consumer_adds(const struct consumer *c)
{
    const struct work *w = &c->work;
    if (!w->of_events) return c->backend->wants.additive;
    return w->from < w->n && c->backend->events->additive & EVENT_BIT(event_view_type(&w->events, w->from));
}

static void consumer_retry(struct consumer *c, uint64_t now, const struct answer *answer)
{
    bool unsure = answer->ambiguous && consumer_adds(c);
    if (unsure && c->settings->on_ambiguous == BACKEND_AMBIGUOUS_DROP)
        consumer_lose(c, now, answer, LEDGER_AMBIGUOUS);
    else
        consumer_pause(c, now, answer);
}

static void consumer_judged(struct consumer *c, uint64_t now, const struct answer *answer)
{
    switch (answer->outcome) {
    case OUTCOME_SENT: consumer_sent(c, now, answer); break;
    case OUTCOME_RETRY: consumer_retry(c, now, answer); break;
    case OUTCOME_LOGIN: consumer_login(c, now, answer); break;
    case OUTCOME_DROP: consumer_lose(c, now, answer, LEDGER_REFUSED); break;
    case OUTCOME_BAD:
        if (!consumer_halve(c, now, answer)) consumer_lose(c, now, answer, LEDGER_REFUSED);
        break;
    case OUTCOME_SPLIT:
        if (!consumer_halve(c, now, answer)) consumer_lose(c, now, answer, LEDGER_TOO_LARGE);
        break;
    }
}

/* False if the owner has settled what is under way, or is about to. */
static bool consumer_sending(struct consumer *c, bool sending)
{
    pthread_mutex_lock(&c->flags);
    bool goes_on = !c->abandoned;
    c->sending = sending && goes_on;
    pthread_mutex_unlock(&c->flags);
    return goes_on;
}

void consumer_abandon(struct consumer *c)
{
    struct answer answer = {.outcome = OUTCOME_RETRY, .ambiguous = true};
    pthread_mutex_lock(&c->flags);
    bool unanswered = c->sending && !c->abandoned;
    c->abandoned = true;
    pthread_mutex_unlock(&c->flags);
    buf_str(&answer.why, "the exporter ends, and there is no response yet");
    if (unanswered) consumer_retry(c, clock_mono(c->options.clock), &answer);
    answer_free(&answer);
}

static void consumer_send(struct consumer *c)
{
    const struct payload *payload = &c->payloads[c->work.sending];
    struct answer answer = {.outcome = OUTCOME_DROP};
    uint64_t start = clock_mono(c->options.clock);
    if (!consumer_sending(c, true)) return;
    c->backend->transport->send(c->link, payload, &answer);
    if (!consumer_sending(c, false)) {
        answer_free(&answer);
        return;
    }
    if (c->backend->judge) c->backend->judge(payload, &answer);
    uint64_t now = clock_mono(c->options.clock);
    if (c->options.meta) meta_sent(c->options.meta, c->settings->name, now - start);
    consumer_judged(c, now, &answer);
    answer_free(&answer);
}

/* Before the first or after the last payload of an interval. True if the work can go on. */
static bool consumer_session(struct consumer *c, struct complain *loss, backend_talk_fn *talk)
{
    struct answer answer = {.outcome = OUTCOME_SENT};
    if (c->work.of_events && c->backend->events->prepare)
        c->backend->events->prepare(c->session, c->settings, c->link, &c->work.events, &answer);
    else
        talk(c->session, c->settings, c->link, &c->work.view, &answer);
    uint64_t now = clock_mono(c->options.clock);
    bool on = answer.outcome == OUTCOME_SENT;
    if (on) {
        complain_over(loss, now, "the backend accepts metadata again", "backend", c->settings->name);
    } else if (answer.outcome == OUTCOME_RETRY) {
        consumer_pause(c, now, &answer);
    } else if (answer.outcome == OUTCOME_LOGIN) {
        consumer_login(c, now, &answer);
    } else {
        complain(loss, now, "the backend refuses metadata", "backend", c->settings->name,
                 buf_text(&answer.why));
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
    bool over = !session || !session->done || c->work.of_events;
    if (over || consumer_session(c, &c->undone, session->done)) consumer_finish(c);
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
    size_t most = w->of_events ? c->backend->events->most_bytes : c->backend->wants.most_bytes;
    if (!consumer_prepare(c)) return;
    if (w->from >= w->n) {
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
        consumer_settle(c, true, LEDGER_REFUSED); /* nothing (more) of these has to be sent */
    } else if (most && c->payloads[w->sending].body.len > most) {
        struct answer answer = {.outcome = OUTCOME_SPLIT};
        buf_str(&answer.why, "longer than the backend accepts");
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
