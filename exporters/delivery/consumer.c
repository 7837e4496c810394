/* SPDX-License-Identifier: Apache-2.0 */
/* consumer.c - the life of a consumer and its thread. */
#include "consumer_inside.h"

#include <stdlib.h>

static enum consumer_retired consumer_retired(struct consumer *c)
{
    pthread_mutex_lock(&c->flags);
    enum consumer_retired retired = c->retired;
    pthread_mutex_unlock(&c->flags);
    return retired;
}

static bool consumer_abandoned(struct consumer *c)
{
    pthread_mutex_lock(&c->flags);
    bool abandoned = c->abandoned;
    pthread_mutex_unlock(&c->flags);
    return abandoned;
}

/* True if the thread is to end now. When its backend goes: as soon as it would have to wait. When it
 * hands over: at the end of an interval, too, since a successor with another filter cannot go on in
 * the middle of one. */
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
        buf_printf(why, "%s: the exporter keeps accounts of at most %d names of backends: start it again",
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

/* What a successor waits for, or what may take long: done by the thread itself if it can. */
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

/* --- The thread --- */

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
    if (consumer_retired(c) && !consumer_abandoned(c)) consumer_release(c);
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
