/* SPDX-License-Identifier: Apache-2.0 */
/*
 * delivery.c - turns points into requests and handles each answer. The rules are those of the exporter,
 * limited by --timeout and --retries; what only a person can fix is not tried again.
 */
#include "sending.h"

#include "clock.h"
#include "halt.h"
#include "printable.h"
#include "transport_http.h"

#include <stdlib.h>
#include <string.h>

/* The attempts at one request. */
struct delivery {
    uint64_t deadline;
    int64_t tries;
    bool login; /* a new login has been tried */
};

static struct delivery delivery_begin(struct sending *s)
{
    s->backoff.least = s->settings->retry_least;
    s->backoff.most = s->settings->retry_most;
    if (!s->backoff.random) s->backoff.random = clock_wall(&clock_system) | 1;
    backoff_reset(&s->backoff);
    return (struct delivery){.deadline = clock_mono(&clock_system) + sending_options.timeout};
}

/* Nothing more can be sent; keeps the first reason. */
static void delivery_fail(struct sending *s, int state, const char *why)
{
    if (s->state != SENDING_WELL) return;
    s->state = state;
    buf_str(&s->reason, *why ? why : "no reason was given");
    cli_fail(s->cli, CLI_FAILED, "%s: %s", s->settings->name, buf_text(&s->reason));
}

/* Answers after which the exporter waits until its configuration is fixed. */
static bool delivery_denied(const struct sending *s, const struct answer *answer)
{
    static const int mend[] = {401, 403, 404, 405, 407, 410};
    const struct points_by_hand *hand = s->points->hand;
    int status = answer->response.status;
    bool denied = status >= 300 && status < 400;
    for (size_t i = 0; i < sizeof mend / sizeof *mend; i++) denied = denied || status == mend[i];
    if (hand && hand->denies && hand->denies(answer)) return true;
    return denied && !(hand && hand->passes && hand->passes(answer));
}

/* Waits as the exporter does. False if no time or attempt is left, or if we are asked to end at once. */
static bool delivery_pause(struct sending *s, struct delivery *d, const struct answer *answer)
{
    uint64_t due = clock_mono(&clock_system) + backoff_next(&s->backoff, answer->retry_after_ns);
    if (d->tries < sending_options.retries && due <= d->deadline && halt_count() < 2) {
        if (!d->tries++)
            cli_fail(s->cli, CLI_OK, "%s: %s; trying again", s->settings->name, buf_text(&answer->why));
        s->retried++;
        while (clock_mono(&clock_system) < due && halt_count() < 2) halt_wait(-1, due);
        if (halt_count() < 2) return true;
    }
    struct buf why = {0};
    buf_printf(&why, "%s", answer->why.len ? buf_text(&answer->why) : "no answer");
    if (d->tries) buf_printf(&why, " (tried %lld times)", (long long)d->tries + 1);
    delivery_fail(s, SENDING_UNREACHED, buf_text(&why));
    buf_free(&why);
    return false;
}

/* --- What the backend needs first --- */

static bool delivery_expire(struct sending *s, struct delivery *d, const struct answer *answer)
{
    const struct backend_session *session = s->backend->session;
    if (d->login) {
        delivery_fail(s, SENDING_DENIED, buf_text(&answer->why));
        return false;
    }
    d->login = true;
    if (session && session->expire) session->expire(s->session);
    return true;
}

/* A login or a schema that is refused can only be fixed by a person, whatever the status. */
static bool delivery_final(const struct answer *answer)
{
    int status = answer->response.status;
    return status >= 300 && status < 500 && status != 408 && status != 425 && status != 429;
}

/* Handles the answer to a login or a schema. True if the request is to be tried again. */
static bool delivery_told(struct sending *s, struct delivery *d, const struct answer *answer)
{
    if (answer->outcome == OUTCOME_LOGIN) return delivery_expire(s, d, answer);
    if (answer->outcome == OUTCOME_RETRY && !delivery_final(answer)) return delivery_pause(s, d, answer);
    delivery_fail(s, SENDING_DENIED, buf_text(&answer->why));
    return false;
}

static bool delivery_prepare(struct sending *s, const struct point *at, size_t n)
{
    const struct points_by_hand *hand = s->points->hand;
    struct delivery d = delivery_begin(s);
    bool good = !hand || !hand->prepare;
    for (bool again = !good; again;) {
        struct answer answer = {.outcome = OUTCOME_SENT};
        hand->prepare(s->session, s->settings, s->link, at, n, &answer);
        printable_buf(&answer.why);
        good = answer.outcome == OUTCOME_SENT;
        again = !good && delivery_told(s, &d, &answer);
        answer_free(&answer);
    }
    return good;
}

/* --- One request --- */

static void deliver(struct sending *s, const struct point *at, size_t n);

static struct refusal delivery_of(const struct point *at, size_t n)
{
    return (struct refusal){.first = at->line, .last = at[n - 1].line, .points = n, .service = true};
}

static void delivery_refused(struct sending *s, const struct point *at, size_t n, const struct answer *answer,
                             const char *why)
{
    struct refusal refusal = delivery_of(at, n);
    refusal.status = answer->response.status;
    refusal.why = (char *)(uintptr_t)(why ? why : buf_text(&answer->why));
    s->refused += n;
    sending_refuse(s, &refusal);
}

/* The points that an answer refuses by name. */
struct blaming {
    struct sending *s;
    const struct point *at;
    size_t n, blamed;
    const struct answer *answer;
};

static void delivery_blamed(void *arg, size_t at, const char *why)
{
    struct blaming *b = arg;
    if (at == POINTS_WHOLE) {
        struct refusal whole = delivery_of(b->at, b->n);
        whole.points = 0;
        whole.status = b->answer->response.status;
        whole.why = (char *)(uintptr_t)why;
        sending_refuse(b->s, &whole);
        return;
    }
    if (at >= b->n || b->blamed >= b->answer->refused) return;
    b->blamed++;
    delivery_refused(b->s, &b->at[at], 1, b->answer, why);
}

static void delivery_accepted(struct sending *s, const struct point *at, size_t n,
                              const struct answer *answer)
{
    const struct points_by_hand *hand = s->points->hand;
    size_t refused = answer->refused < n ? answer->refused : n;
    struct blaming blaming = {s, at, n, 0, answer};
    s->accepted += n - refused;
    if (refused && hand && hand->blame) hand->blame(answer, delivery_blamed, &blaming);
    if (refused == blaming.blamed) return;
    struct refusal rest = delivery_of(at, n);
    rest.points = refused - blaming.blamed;
    rest.status = answer->response.status;
    rest.why = (char *)(uintptr_t)buf_text(&answer->why);
    s->refused += rest.points;
    sending_refuse(s, &rest);
}

/* Halves what is too large, and halves on until the bad point is found. */
static void delivery_halve(struct sending *s, const struct point *at, size_t n, const struct answer *answer)
{
    if (n < 2) {
        delivery_refused(s, at, n, answer, NULL);
        return;
    }
    deliver(s, at, n / 2);
    deliver(s, at + n / 2, n - n / 2);
}

/* The encoded payload contains the old login, so the points are encoded again. */
static void delivery_login(struct sending *s, struct delivery *d, const struct point *at, size_t n,
                           const struct answer *answer)
{
    d->login = s->login;
    if (!delivery_expire(s, d, answer) || !delivery_prepare(s, at, n)) {
        s->unsent += n;
        return;
    }
    s->login = true;
    deliver(s, at, n);
}

static bool delivery_again(struct sending *s, struct delivery *d, const struct point *at, size_t n,
                           const struct answer *answer)
{
    bool unsure = answer->ambiguous && s->backend->wants.additive;
    if (unsure && s->settings->on_ambiguous == BACKEND_AMBIGUOUS_DROP) {
        delivery_refused(s, at, n, answer, "no answer came, and it may have been accepted: not sent again");
        return false;
    }
    if (delivery_denied(s, answer))
        delivery_fail(s, SENDING_DENIED, buf_text(&answer->why));
    else if (delivery_pause(s, d, answer))
        return true;
    s->unsent += n;
    return false;
}

/* Handles the answer to points. True if the same bytes are to be sent again. */
static bool delivery_settled(struct sending *s, struct delivery *d, const struct point *at, size_t n,
                             const struct answer *answer)
{
    switch (answer->outcome) {
    case OUTCOME_SENT:
        s->login = false;
        delivery_accepted(s, at, n, answer);
        return false;
    case OUTCOME_DROP: delivery_refused(s, at, n, answer, NULL); return false;
    case OUTCOME_BAD:
    case OUTCOME_SPLIT: delivery_halve(s, at, n, answer); return false;
    case OUTCOME_LOGIN: delivery_login(s, d, at, n, answer); return false;
    case OUTCOME_RETRY: return delivery_again(s, d, at, n, answer);
    }
    return false;
}

static void delivery_send(struct sending *s, const struct payload *payload, const struct point *at, size_t n)
{
    struct delivery d = delivery_begin(s);
    s->requests++;
    if (settings_options.dry) {
        request_print(&s->shown, payload);
        s->accepted += n;
        return;
    }
    for (bool again = true; again;) {
        struct answer answer = {.outcome = OUTCOME_DROP};
        s->backend->transport->send(s->link, payload, &answer);
        if (s->backend->judge) s->backend->judge(payload, &answer);
        printable_buf(&answer.why); /* a terminal shows it */
        again = delivery_settled(s, &d, at, n, &answer);
        answer_free(&answer);
        s->requests += again;
    }
}

/* --- Many points --- */

static void delivery_left_out(void *arg, const struct point *point, const char *why)
{
    struct sending *s = arg;
    struct refusal refusal = {.first = point->line, .last = point->line, .points = 1};
    refusal.why = (char *)(uintptr_t)why;
    s->refused++;
    sending_refuse(s, &refusal);
}

/* Sends payload number `which`; its points are those among at[0] to at[n - 1] whose where[] is `which`. */
static void delivery_hand_over(struct sending *s, const struct payload *payload, int which,
                               const struct point *at, size_t n, const signed char *where)
{
    size_t m = 0;
    for (size_t i = 0; i < n; i++) m += where[i] == which;
    struct point *mine = m && s->state == SENDING_WELL ? malloc(m * sizeof *mine) : NULL;
    if (m && s->state == SENDING_WELL && (!mine || !payload_ok(payload)))
        delivery_fail(s, SENDING_FAILED, "out of memory");
    if (s->state == SENDING_WELL && m) {
        for (size_t i = 0, k = 0; i < n; i++)
            if (where[i] == which) mine[k++] = at[i];
        delivery_send(s, payload, mine, m);
    } else {
        s->unsent += m;
    }
    free(mine);
}

static void deliver(struct sending *s, const struct point *at, size_t n)
{
    struct payload payloads[PAYLOADS] = {{.points = 0}};
    signed char *where = malloc(n + 1);
    if (!where) delivery_fail(s, SENDING_FAILED, "out of memory");
    for (size_t taken; n && s->state == SENDING_WELL; at += taken, n -= taken) {
        for (int i = 0; i < PAYLOADS; i++) payload_reset(&payloads[i]);
        taken =
            points_write(s->points, at, n, s->settings, s->session, payloads, where, delivery_left_out, s);
        for (size_t i = 0; i < taken; i++) s->nothing += where[i] == POINTS_NOTHING;
        for (int i = 0; i < PAYLOADS; i++) delivery_hand_over(s, &payloads[i], i, at, taken, where);
    }
    s->unsent += n;
    for (int i = 0; i < PAYLOADS; i++) payload_free(&payloads[i]);
    free(where);
}

/* By time; points of the same time stay in the order of their lines. */
static int delivery_order(const void *a, const void *b)
{
    const struct point *p = a, *q = b;
    int order = (p->time_ns > q->time_ns) - (p->time_ns < q->time_ns);
    return order ? order : (p->item > q->item) - (p->item < q->item);
}

void sending_points(struct sending *s, const struct point *at, size_t n)
{
    const struct points_by_hand *hand = s->points->hand;
    struct point *sorted = NULL;
    if (!n) return;
    if (s->state != SENDING_WELL || !delivery_prepare(s, at, n)) {
        s->unsent += n;
        return;
    }
    if (hand && hand->ascending && (sorted = malloc(n * sizeof *sorted))) {
        memcpy(sorted, at, n * sizeof *sorted);
        qsort(sorted, n, sizeof *sorted, delivery_order);
        at = sorted;
    }
    deliver(s, at, n);
    free(sorted);
}

size_t sending_try(struct sending *s, const struct point *at, size_t n)
{
    const struct backend_session *session = s->backend->session;
    struct payload payloads[PAYLOADS] = {{.points = 0}};
    struct buf why = {0};
    size_t before = s->refused;
    void *real = s->session, *link = s->link;
    signed char *where = malloc(n + 1);
    request_begin(&s->shown);
    s->shown.silent = true;
    s->link = NULL;
    s->session = session ? session->open(s->settings, &why) : NULL;
    bool good = where && (!session || s->session) && delivery_prepare(s, at, n);
    for (size_t taken; n && good; at += taken, n -= taken) {
        for (int i = 0; i < PAYLOADS; i++) payload_reset(&payloads[i]);
        taken =
            points_write(s->points, at, n, s->settings, s->session, payloads, where, delivery_left_out, s);
    }
    for (int i = 0; i < PAYLOADS; i++) payload_free(&payloads[i]);
    if (s->session) session->close(&s->session);
    s->session = real;
    s->link = link;
    s->shown.silent = false;
    if (settings_options.dry)
        request_begin(&s->shown);
    else
        http_send_to(NULL);
    free(where);
    buf_free(&why);
    return s->refused - before;
}

void sending_done(struct sending *s)
{
    const struct points_by_hand *hand = s->points->hand;
    struct delivery d = delivery_begin(s);
    for (bool again = hand && hand->done && s->state == SENDING_WELL; again;) {
        struct answer answer = {.outcome = OUTCOME_SENT};
        hand->done(s->session, s->settings, s->link, &answer);
        again = answer.outcome != OUTCOME_SENT && delivery_told(s, &d, &answer);
        answer_free(&answer);
    }
}
