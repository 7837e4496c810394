/* SPDX-License-Identifier: Apache-2.0 */
/* consumer_take.c - which snapshot, or which chunk of events, of which log is next. */
#include "consumer_inside.h"

size_t consumer_most(const struct consumer *c)
{
    size_t most = c->work.of_events ? c->backend->events->most_items : c->backend->wants.most_items;
    return most ? most : SIZE_MAX;
}

enum ledger_signal consumer_signal(const struct consumer *c)
{
    const struct work *w = &c->work;
    bool any = w->of_events && w->from < w->n;
    return any ? (enum ledger_signal)event_view_type(&w->events, w->from) : LEDGER_METRICS;
}

static uint64_t consumer_rounded(uint64_t wall_ns, uint64_t resolution)
{
    uint64_t whole = wall_ns / resolution, rest = wall_ns % resolution, half = resolution / 2;
    return (whole + (rest > half || (rest == half && whole % 2))) * resolution;
}

/* Two intervals with the same time would be one to the service: the later one wins, or both are added. It
 * happens when an exporter ends and takes its last snapshot in the same second as the one before. */
static uint64_t consumer_stamp(const struct consumer *c, uint64_t wall_ns, uint64_t last)
{
    uint64_t resolution = c->backend->wants.resolution_ns;
    if (resolution && c->backend->wants.rounded) wall_ns = consumer_rounded(wall_ns, resolution);
    if (!resolution || wall_ns / resolution > last / resolution) return wall_ns;
    if (last > wall_ns + 60 * CLOCK_SECOND) return wall_ns; /* the clock was set back */
    return (last / resolution + 1) * resolution;
}

static bool consumer_take_snapshot(struct consumer *c, struct feed *f)
{
    struct work *w = &c->work;
    if (!log_next(f->log, f->cursor, &w->next)) return false;
    const metrics_snapshot_header_t *h = metrics_snapshot_header(w->next.snapshot);
    w->feed = f;
    w->next.stamp = consumer_stamp(c, h->wall_ns, w->next.last_stamp);
    view_begin(&w->view, w->next.replaced ? &c->replaced : &c->selection, w->next.stamp, h->interval_ns);
    log_begun(f->log, f->cursor, &w->next);
    if (!view_segment(&w->view, f->segment) || !view_add(&w->view, w->next.snapshot, w->next.base)) {
        consumer_let_go(c);
        return false;
    }
    if (!w->next.position) ledger_rebased(c->options.ledger, c->account, LEDGER_METRICS, w->view.rebased);
    w->n = w->view.n;
    w->from = w->to = w->next.position;
    return true;
}

static bool consumer_take_events(struct consumer *c, struct feed *f)
{
    struct work *w = &c->work;
    if (!c->selection.events || !log_next_events(f->log, f->cursor, &w->next_events)) return false;
    w->feed = f;
    w->of_events = true;
    view_begin(&w->view, &c->selection, clock_wall(c->options.clock), 0);
    if (!event_view_open(&w->events, &c->selection, w->next_events.chunk, w->next_events.position)) {
        consumer_let_go(c);
        return false;
    }
    w->n = w->events.n;
    return true;
}

/* Neither has to wait for a long queue of the other. */
static bool consumer_take_from(struct consumer *c, struct feed *f)
{
    bool events = c->events_first;
    bool taken = events ? consumer_take_events(c, f) : consumer_take_snapshot(c, f);
    if (!taken) taken = events ? consumer_take_snapshot(c, f) : consumer_take_events(c, f);
    if (taken) c->events_first = !c->work.of_events;
    if (taken) c->work.most = consumer_most(c);
    return taken;
}

bool consumer_take(struct consumer *c)
{
    for (struct feed **at = &c->feeds, *f; (f = *at); at = &f->next) {
        if (f->cursor == LEDGER_NONE) f->cursor = log_attach(f->log, c->settings->name, &c->selection, false);
        if (f->cursor == LEDGER_NONE || !consumer_take_from(c, f)) continue;
        *at = f->next;
        f->next = NULL;
        for (at = &c->feeds; *at; at = &(*at)->next) {
        }
        *at = f;
        return true;
    }
    return false;
}
