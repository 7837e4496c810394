/* SPDX-License-Identifier: Apache-2.0 */
#include "log_inside.h"

#include <stdlib.h>
#include <string.h>

/* The newest snapshots stay as they are, for the backends that are up to date; the others are packed. */
#define LOG_UNPACKED 2
/* How long sampler and consumers wait for what they did to be in the file. A slower file is caught up with
 * later, and who is killed meanwhile is not followed exactly. */
#define LOG_PATIENCE (5 * CLOCK_SECOND)

static void log_wait(struct log *log, uint64_t ticket, uint64_t patience)
{
    if (ticket) store_wait(log->store, ticket, patience);
}

/* --- Appending --- */

struct log *log_new(const struct log_limits *limits, struct ledger *ledger)
{
    struct log *log = calloc(1, sizeof *log);
    if (!log) return NULL;
    pthread_mutex_init(&log->lock, NULL);
    log->references = 1;
    log->limits = *limits;
    log->ledger = ledger;
    for (int i = 0; i < LOG_CURSORS; i++) log->cursors[i].base_seq = STORE_NO_BASE;
    return log;
}

struct log *log_retain(struct log *log)
{
    pthread_mutex_lock(&log->lock);
    log->references++;
    pthread_mutex_unlock(&log->lock);
    return log;
}

void log_release(struct log **log)
{
    struct log *l = *log;
    if (!l) return;
    *log = NULL;
    pthread_mutex_lock(&l->lock);
    bool last = !--l->references;
    pthread_mutex_unlock(&l->lock);
    if (!last) return;
    for (struct log_cursor *c = l->cursors; c < l->cursors + LOG_CURSORS; c++) {
        if (c->base) metrics_snapshot_release(&c->base);
        if (c->sum) metrics_snapshot_release(&c->sum);
        free(c->name);
        free(c->filter);
    }
    store_close(&l->store, l->spent);
    while (l->first) log_entry_free(l, l->first);
    pthread_mutex_destroy(&l->lock);
    free(l);
}

void log_set_limits(struct log *log, const struct log_limits *limits)
{
    pthread_mutex_lock(&log->lock);
    log->limits = *limits;
    pthread_mutex_unlock(&log->lock);
}

void log_set_replaced(struct log *log)
{
    pthread_mutex_lock(&log->lock);
    log->replaced = true;
    pthread_mutex_unlock(&log->lock);
}

/* Counts the entry for a cursor under its selection; the difference to the earlier count is taken or
 * dropped. */
static void log_count(struct log *log, struct log_cursor *c, struct log_entry *e,
                      const metrics_snapshot_t *snapshot)
{
    struct selection_count *had = &e->counts[c - log->cursors];
    struct selection_count has = c->sel && snapshot ? selection_count(c->sel, snapshot) : *had;
    if (has.readings > had->readings)
        log_take(log, c, has.readings - had->readings);
    else if (has.readings < had->readings)
        log_lose(log, c, LEDGER_REMOVED, had->readings - has.readings);
    *had = has;
}

static void log_add(struct log *log, struct log_entry *e, metrics_snapshot_t *snapshot)
{
    const metrics_snapshot_header_t *h = metrics_snapshot_header(snapshot);
    e->snapshot = metrics_snapshot_retain(snapshot);
    e->seq = log->next_seq++;
    e->epoch = log->epoch = h->epoch;
    e->wall_ns = h->wall_ns;
    e->interval_ns = h->interval_ns;
    e->replaced = log->replaced;
    log->incarnation = h->incarnation;
    log->any = true;
    log_link(log, e);
    if ((log->store || log_is_bounded(log)) && log_encode(log, e)) log_mirror_put(log, e);
    for (struct log_cursor *c = log->cursors; c < log->cursors + LOG_CURSORS; c++)
        if (c->name) log_count(log, c, e, snapshot);
    log_trim(log);
    struct log_entry *old = log->last;
    for (int i = 0; old && i < LOG_UNPACKED; i++) old = old->prev;
    if (old) log_pack(log, old);
    log_thin(log);
}

int log_append(struct log *log, metrics_snapshot_t *snapshot)
{
    const metrics_snapshot_header_t *h = metrics_snapshot_header(snapshot);
    pthread_mutex_lock(&log->lock);
    bool again = h->epoch && log->any && h->epoch == log->epoch && h->incarnation == log->incarnation;
    struct log_entry *e = again ? NULL : calloc(1, sizeof *e);
    if (e) log_add(log, e, snapshot);
    uint64_t ticket = log_mirror_commit(log);
    log->appending = true;
    pthread_mutex_unlock(&log->lock);
    log_wait(log, ticket, LOG_PATIENCE);
    pthread_mutex_lock(&log->lock);
    log->appending = false;
    pthread_mutex_unlock(&log->lock);
    return again ? 0 : e ? 1 : -1;
}

/* --- Cursors --- */

struct log_cursor *log_cursor_named(struct log *log, const char *name)
{
    struct log_cursor *empty = NULL;
    for (struct log_cursor *c = log->cursors; c < log->cursors + LOG_CURSORS; c++) {
        if (c->name && !strcmp(c->name, name)) return c;
        if (!c->name && !empty) empty = c;
    }
    if (!empty) return NULL;
    *empty = (struct log_cursor){
        .name = strdup(name), .at = log->next_seq, .base_seq = STORE_NO_BASE, .dirty = true};
    return empty->name ? empty : NULL;
}

static struct log_entry *log_at(struct log *log, uint64_t seq)
{
    struct log_entry *e = log->first;
    while (e && e->seq < seq) e = e->next;
    return e;
}

/* The cursor moves behind an entry, whose snapshot becomes the base; takes over the reference. */
static void log_pass(struct log *log, struct log_cursor *c, uint64_t through, metrics_snapshot_t *snapshot)
{
    uint64_t old_base = c->base_seq;
    if (c->base) metrics_snapshot_release(&c->base);
    if (c->sum) metrics_snapshot_release(&c->sum);
    c->base = snapshot;
    c->base_seq = through;
    c->at = c->gap_to > through ? c->gap_to : through + 1;
    struct log_entry *e = log_at(log, c->at);
    if (e) c->at = e->seq; /* not that of one that was merged into it */
    c->gap_from = c->gap_to = 0;
    c->position = 0;
    c->dirty = true;
    log_mirror_rebase(log, old_base);
}

/* A snapshot that was accepted in part under another selection, or, if it comes from the file, under one that
 * took another number of its readings: where to go on is unknown, so the rest of it is given up. It becomes
 * the base: from the one before, the next deltas would tell again what was accepted. */
static void log_resume(struct log *log, struct log_cursor *c)
{
    struct log_entry *e = c->position ? log_at(log, c->at) : NULL;
    metrics_snapshot_t *snapshot = e ? log_unpack(e) : NULL;
    if (!snapshot) return;
    if (!c->loaded || selection_count(c->sel, snapshot).readings != c->of) {
        log_lose(log, c, LEDGER_REMOVED, c->of - c->position);
        log_pass(log, c, e->seq, snapshot);
        return;
    }
    metrics_snapshot_release(&snapshot);
}

/* Counts what is queued under the cursor's selection, from an entry on. Unlocks while it unpacks: what is
 * appended meanwhile is counted then, what is merged into the next one meanwhile needs no count any more. */
static void log_recount(struct log *log, struct log_cursor *c, uint64_t from)
{
    const uint64_t end = log->next_seq;
    for (struct log_entry *e; (e = log_at(log, from)) && e->seq < end;) {
        uint64_t seq = e->seq;
        from = seq + 1;
        if (seq < c->at || (seq == c->at && c->position)) continue;
        metrics_snapshot_t *snapshot = log_look(log, e);
        e = log_at(log, seq);
        if (e && e->seq == seq) log_count(log, c, e, snapshot);
        if (snapshot) metrics_snapshot_release(&snapshot);
    }
}

/* A cursor from the file knows how much was queued, but not of which entry: the difference to what is there
 * now has gone with damaged records, or with names that the filter no longer lets pass. */
static void log_recount_loaded(struct log *log, struct log_cursor *c)
{
    uint64_t had = c->account_here.queued, has = 0;
    for (struct log_entry *e = log->first; e; e = e->next) {
        metrics_snapshot_t *snapshot = e->seq >= c->at ? log_unpack(e) : NULL;
        if (!snapshot) continue;
        struct selection_count *count = &e->counts[c - log->cursors];
        *count = selection_count(c->sel, snapshot);
        has += count->readings - (e->seq == c->at ? c->position : 0);
        metrics_snapshot_release(&snapshot);
    }
    if (has > had) log_take(log, c, has - had);
    if (has < had) log_lose(log, c, log->damaged ? LEDGER_DAMAGED : LEDGER_REMOVED, had - has);
    c->loaded = false;
}

/* Unlocks and locks again. */
static void log_count_queue(struct log *log, struct log_cursor *c, bool same)
{
    if (!same) log_resume(log, c);
    if (c->loaded)
        log_recount_loaded(log, c);
    else
        log_recount(log, c, same ? c->counted : 0);
}

bool log_reserve(struct log *log, const char *name)
{
    pthread_mutex_lock(&log->lock);
    struct log_cursor *c = log_cursor_named(log, name);
    log_mirror_commit(log);
    pthread_mutex_unlock(&log->lock);
    return c != NULL;
}

/* A backend that comes back with the filter that it had has only to count what was appended since. */
static bool log_attach_to(struct log *log, struct log_cursor *c, const struct selection *sel, bool at_once)
{
    struct buf filter = {0};
    selection_filter(sel, &filter);
    bool same = c->filter && !strcmp(c->filter, buf_text(&filter));
    bool takes_long = c->filter && !same && log_at(log, c->at);
    char *copy = takes_long && at_once ? NULL : strdup(buf_text(&filter));
    buf_free(&filter);
    if (!copy) return false;
    free(c->filter);
    c->filter = copy;
    c->account = ledger_open(log->ledger, c->name);
    c->sel = sel;
    c->max_lag = sel->settings->max_lag;
    c->queue_bytes = sel->settings->queue_bytes;
    log_count_queue(log, c, same);
    return true;
}

int log_attach(struct log *log, const char *name, const struct selection *sel, bool at_once)
{
    pthread_mutex_lock(&log->lock);
    struct log_cursor *c = log_cursor_named(log, name);
    if (c && (c->sel || !log_attach_to(log, c, sel, at_once))) c = NULL;
    log_mirror_commit(log);
    pthread_mutex_unlock(&log->lock);
    return c ? (int)(c - log->cursors) : LEDGER_NONE;
}

void log_detach(struct log *log, int cursor)
{
    pthread_mutex_lock(&log->lock);
    log->cursors[cursor].sel = NULL;
    log->cursors[cursor].counted = log->next_seq;
    pthread_mutex_unlock(&log->lock);
}

static void log_cursor_drop(struct log *log, struct log_cursor *c, enum ledger_reason reason)
{
    for (struct log_entry *e = log->first; e; e = e->next) {
        struct selection_count *count = &e->counts[c - log->cursors];
        uint64_t settled = e->seq == c->at ? c->position : 0;
        if (e->seq >= c->at && count->readings > settled) log_lose(log, c, reason, count->readings - settled);
        *count = (struct selection_count){0};
    }
    /* One that was loaded and never attached has not counted its entries. */
    if (c->loaded && c->account_here.queued) log_lose(log, c, reason, c->account_here.queued);
    if (c->base) metrics_snapshot_release(&c->base);
    if (c->sum) metrics_snapshot_release(&c->sum);
    uint64_t base = c->base_seq;
    log_mirror_drop(log, c->name);
    free(c->name);
    free(c->filter);
    *c = (struct log_cursor){.base_seq = STORE_NO_BASE};
    log_mirror_rebase(log, base);
}

void log_drop(struct log *log, int cursor, enum ledger_reason reason)
{
    pthread_mutex_lock(&log->lock);
    log_cursor_drop(log, &log->cursors[cursor], reason);
    log_trim(log);
    log_mirror_commit(log);
    pthread_mutex_unlock(&log->lock);
}

void log_drop_detached(struct log *log, bool (*keep)(void *arg, const char *name), void *arg,
                       enum ledger_reason reason)
{
    pthread_mutex_lock(&log->lock);
    for (struct log_cursor *c = log->cursors; c < log->cursors + LOG_CURSORS; c++)
        if (c->name && !c->sel && !(keep && keep(arg, c->name))) log_cursor_drop(log, c, reason);
    log_trim(log);
    log_mirror_commit(log);
    pthread_mutex_unlock(&log->lock);
}

bool log_next(struct log *log, int cursor, struct log_next *next)
{
    struct log_cursor *c = &log->cursors[cursor];
    *next = (struct log_next){0};
    pthread_mutex_lock(&log->lock);
    struct log_entry *e = c->name && !c->busy && !log->appending ? log_at(log, c->at) : NULL;
    if (e) {
        c->at = c->busy_through = e->seq;
        c->busy = true;
        next->snapshot = log_read(log, c, e);
        c->busy = next->snapshot != NULL;
    }
    if (next->snapshot) {
        next->base = c->base ? metrics_snapshot_retain(c->base) : NULL;
        next->position = c->position;
        next->through = c->busy_through;
        next->replaced = log_at(log, c->busy_through)->replaced;
        next->last_stamp = c->last_stamp;
    }
    pthread_mutex_unlock(&log->lock);
    return next->snapshot != NULL;
}

/* The position moves on, beside the account that moved already. */
static void log_advance(struct log *log, struct log_cursor *c, struct log_next *next, size_t n)
{
    struct log_entry *e = log_at(log, c->at);
    c->position = next->position += n;
    c->of = e ? e->counts[c - log->cursors].readings : 0;
    c->dirty = true;
}

void log_settled(struct log *log, int cursor, struct log_next *next, const struct log_outcome *outcome)
{
    struct log_cursor *c = &log->cursors[cursor];
    pthread_mutex_lock(&log->lock);
    log_settle(log, c, outcome->delivered, outcome->points);
    log_lose(log, c, outcome->reason, outcome->dropped);
    log_advance(log, c, next, outcome->delivered + outcome->dropped);
    uint64_t ticket = log_mirror_commit(log);
    pthread_mutex_unlock(&log->lock);
    log_wait(log, ticket, LOG_PATIENCE);
}

void log_done(struct log *log, int cursor, struct log_next *next)
{
    struct log_cursor *c = &log->cursors[cursor];
    pthread_mutex_lock(&log->lock);
    log_pass(log, c, next->through, next->snapshot);
    next->snapshot = NULL;
    c->last_stamp = next->stamp;
    /* In the transaction in which it moves on: what it gives out next does not depend on when. */
    struct log_entry *e = log_at(log, c->at);
    if (e) log_fold(log, c, e);
    c->busy = false;
    log_trim(log);
    uint64_t ticket = log_mirror_commit(log);
    pthread_mutex_unlock(&log->lock);
    log_wait(log, ticket, LOG_PATIENCE);
    if (next->base) metrics_snapshot_release(&next->base);
}

void log_undo(struct log *log, int cursor, struct log_next *next)
{
    pthread_mutex_lock(&log->lock);
    log->cursors[cursor].busy = false;
    pthread_mutex_unlock(&log->lock);
    if (next->snapshot) metrics_snapshot_release(&next->snapshot);
    if (next->base) metrics_snapshot_release(&next->base);
}

bool log_is_appending(struct log *log)
{
    pthread_mutex_lock(&log->lock);
    bool appending = log->appending;
    pthread_mutex_unlock(&log->lock);
    return appending;
}

struct log_lag log_lag(struct log *log, int cursor)
{
    struct log_lag lag = {0};
    pthread_mutex_lock(&log->lock);
    struct log_entry *e = log_at(log, log->cursors[cursor].at);
    if (e) lag.ns = log_age(log, e) + e->interval_ns;
    for (; e; e = e->next) lag.snapshots++;
    pthread_mutex_unlock(&log->lock);
    return lag;
}

struct log_size log_size(struct log *log)
{
    pthread_mutex_lock(&log->lock);
    struct log_size size = {log->bytes, log->snapshots, 0};
    pthread_mutex_unlock(&log->lock);
    size.failures = log_failures(log);
    return size;
}

void log_spent(struct log *log)
{
    pthread_mutex_lock(&log->lock);
    log->spent = true;
    pthread_mutex_unlock(&log->lock);
}

bool log_is_durable(struct log *log)
{
    return log->store != NULL;
}

uint64_t log_failures(struct log *log)
{
    return log->store ? store_failures(log->store) : 0;
}
