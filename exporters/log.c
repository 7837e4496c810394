/* SPDX-License-Identifier: Apache-2.0 */
#include "log.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* The newest snapshots stay as they are, for the backends that are up to date; the others are packed. */
#define LOG_UNPACKED 2

struct log_entry {
    struct log_entry *next, *prev;
    uint64_t seq;
    uint64_t wall_ns, interval_ns;
    metrics_snapshot_t *snapshot; /* NULL if packed */
    void *packed;
    size_t packed_n;
    struct selection_count counts[LOG_CURSORS]; /* what each cursor takes of it */
};

struct log_cursor {
    char *name; /* NULL: free */
    int account;
    const struct selection *sel; /* NULL: nobody is attached */
    uint64_t at;                 /* the first entry that is not settled */
    size_t position;             /* readings settled of it */
    bool busy;                   /* between log_next() and its end */
    uint64_t busy_through;
    metrics_snapshot_t *base;
};

struct log {
    pthread_mutex_t lock; /* of everything; the ledger's lock may be taken under it */
    size_t references;
    struct log_limits limits;
    struct ledger *ledger;
    struct log_entry *first, *last;
    uint64_t next_seq, bytes, snapshots;
    uint64_t incarnation, epoch; /* of the last one appended */
    struct log_cursor cursors[LOG_CURSORS];
};

/* --- Entries ---------------------------------------------------------------------------------------------
 */

static void log_entry_free(struct log *log, struct log_entry *e)
{
    *(e->prev ? &e->prev->next : &log->first) = e->next;
    *(e->next ? &e->next->prev : &log->last) = e->prev;
    log->bytes -= e->packed_n;
    log->snapshots--;
    metrics_snapshot_release(&e->snapshot);
    free(e->packed);
    free(e);
}

/* Entries that every cursor has passed are no longer needed (the bases have references of their own). */
static void log_trim(struct log *log)
{
    uint64_t needed = log->next_seq;
    for (int i = 0; i < LOG_CURSORS; i++)
        if (log->cursors[i].name && log->cursors[i].at < needed) needed = log->cursors[i].at;
    while (log->first && log->first->seq < needed) log_entry_free(log, log->first);
}

/* Swaps the snapshot for its bytes. Without memory it stays as it is. */
static void log_pack(struct log *log, struct log_entry *e)
{
    void *bytes;
    size_t n;
    if (!e->snapshot || metrics_snapshot_encode(e->snapshot, &bytes, &n, NULL)) return;
    metrics_snapshot_release(&e->snapshot);
    e->packed = bytes;
    e->packed_n = n;
    log->bytes += n;
}

/* A reference to an entry's snapshot; NULL without memory. */
static metrics_snapshot_t *log_unpack(const struct log_entry *e)
{
    return e->snapshot ? metrics_snapshot_retain(e->snapshot)
                       : metrics_snapshot_decode(e->packed, e->packed_n, NULL);
}

/* Puts another snapshot in an entry's place; takes over the reference. */
static void log_replace(struct log *log, struct log_entry *e, metrics_snapshot_t *snapshot)
{
    bool packed = e->packed != NULL;
    metrics_snapshot_release(&e->snapshot);
    log->bytes -= e->packed_n;
    free(e->packed);
    e->packed = NULL;
    e->packed_n = 0;
    e->snapshot = snapshot;
    e->interval_ns = metrics_snapshot_header(snapshot)->interval_ns;
    if (packed) log_pack(log, e);
}

/* An entry is merged away before this cursor saw it: levels are lost, all else lives on in the next one. */
static void log_account_merge(struct log *log, const struct log_cursor *c, const struct log_entry *e)
{
    const struct selection_count *count = &e->counts[c - log->cursors];
    ledger_drop(log->ledger, c->account, LEDGER_METRICS, LEDGER_THINNED, count->levels);
    ledger_merge(log->ledger, c->account, LEDGER_METRICS, count->readings - count->levels);
}

/* How much older than the newest one; 0 if the wall clock was set back in between. */
static uint64_t log_age(const struct log *log, const struct log_entry *e)
{
    return log->last->wall_ns > e->wall_ns ? log->last->wall_ns - e->wall_ns : 0;
}

/* --- Thinning --------------------------------------------------------------------------------------------
 */

/* True if the entry may be merged into its successor: no cursor stands between the two, or is reading either.
 */
static bool log_mergeable(const struct log *log, const struct log_entry *e)
{
    if (!e->next) return false;
    for (const struct log_cursor *c = log->cursors; c < log->cursors + LOG_CURSORS; c++) {
        if (!c->name || c->at > e->next->seq) continue;
        if (c->at == e->next->seq || (c->at > e->seq && c->at < e->next->seq)) return false;
        if (c->at == e->seq && (c->busy || c->position)) return false;
        if (c->busy && c->busy_through >= e->seq) return false;
    }
    return true;
}

/* Merges an entry into the next one. False without memory: the log is as it was. */
static bool log_merge(struct log *log, struct log_entry *e)
{
    metrics_snapshot_t *older = log_unpack(e), *newer = log_unpack(e->next);
    metrics_snapshot_t *both = older && newer ? metrics_snapshot_merge(older, newer, NULL) : NULL;
    if (older) metrics_snapshot_release(&older);
    if (newer) metrics_snapshot_release(&newer);
    if (!both) return false;
    log_replace(log, e->next, both);
    for (const struct log_cursor *c = log->cursors; c < log->cursors + LOG_CURSORS; c++)
        if (c->name && c->at <= e->seq) log_account_merge(log, c, e);
    log_entry_free(log, e);
    return true;
}

/* The pair that makes the shortest interval when merged: so resolution fades evenly. */
static struct log_entry *log_shortest_pair(const struct log *log)
{
    struct log_entry *best = NULL;
    uint64_t least = UINT64_MAX;
    for (struct log_entry *e = log->first; e && e->next; e = e->next) {
        uint64_t sum = e->interval_ns + e->next->interval_ns;
        if (sum >= least || !log_mergeable(log, e)) continue;
        least = sum;
        best = e;
    }
    return best;
}

static void log_thin(struct log *log)
{
    struct log_entry *e = log->first;
    while (e && e->next && log_age(log, e) > log->limits.age_ns) {
        struct log_entry *next = e->next;
        if (log_mergeable(log, e) && !log_merge(log, e)) return;
        e = next;
    }
    while (log->bytes > log->limits.size && (e = log_shortest_pair(log)))
        if (!log_merge(log, e)) return;
}

/* --- Appending -------------------------------------------------------------------------------------------
 */

struct log *log_new(const struct log_limits *limits, struct ledger *ledger)
{
    struct log *log = calloc(1, sizeof *log);
    if (!log) return NULL;
    pthread_mutex_init(&log->lock, NULL);
    log->references = 1;
    log->limits = *limits;
    log->ledger = ledger;
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
        free(c->name);
    }
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

/* Counts the entry for a cursor under its selection; the difference to the earlier count is taken or dropped.
 */
static void log_count(struct log *log, struct log_cursor *c, struct log_entry *e,
                      const metrics_snapshot_t *snapshot)
{
    struct selection_count *had = &e->counts[c - log->cursors];
    struct selection_count has = c->sel && snapshot ? selection_count(c->sel, snapshot) : *had;
    if (has.readings > had->readings)
        ledger_take(log->ledger, c->account, LEDGER_METRICS, has.readings - had->readings);
    else
        ledger_drop(log->ledger, c->account, LEDGER_METRICS, LEDGER_REMOVED, had->readings - has.readings);
    *had = has;
}

static void log_link(struct log *log, struct log_entry *e)
{
    e->seq = log->next_seq++;
    e->prev = log->last;
    *(log->last ? &log->last->next : &log->first) = e;
    log->last = e;
    log->snapshots++;
}

int log_append(struct log *log, metrics_snapshot_t *snapshot)
{
    const metrics_snapshot_header_t *h = metrics_snapshot_header(snapshot);
    pthread_mutex_lock(&log->lock);
    bool again = h->epoch && log->next_seq && h->epoch == log->epoch && h->incarnation == log->incarnation;
    struct log_entry *e = again ? NULL : calloc(1, sizeof *e);
    if (e) {
        e->snapshot = metrics_snapshot_retain(snapshot);
        e->wall_ns = h->wall_ns;
        e->interval_ns = h->interval_ns;
        log->incarnation = h->incarnation;
        log->epoch = h->epoch;
        log_link(log, e);
        for (struct log_cursor *c = log->cursors; c < log->cursors + LOG_CURSORS; c++)
            if (c->name) log_count(log, c, e, snapshot);
        log_trim(log);
        struct log_entry *old = log->last;
        for (int i = 0; old && i < LOG_UNPACKED; i++) old = old->prev;
        if (old) log_pack(log, old);
        log_thin(log);
    }
    pthread_mutex_unlock(&log->lock);
    return again ? 0 : e ? 1 : -1;
}

/* --- Cursors ---------------------------------------------------------------------------------------------
 */

static struct log_cursor *log_cursor_named(struct log *log, const char *name)
{
    struct log_cursor *empty = NULL;
    for (struct log_cursor *c = log->cursors; c < log->cursors + LOG_CURSORS; c++) {
        if (c->name && !strcmp(c->name, name)) return c;
        if (!c->name && !empty) empty = c;
    }
    if (!empty) return NULL;
    *empty = (struct log_cursor){.name = strdup(name), .at = log->next_seq};
    return empty->name ? empty : NULL;
}

static struct log_entry *log_at(struct log *log, uint64_t seq)
{
    struct log_entry *e = log->first;
    while (e && e->seq < seq) e = e->next;
    return e;
}

/* A snapshot that was accepted in part, under a selection that now takes another number of its readings:
 * where to go on is unknown, so the rest of it is given up. Totals catch up, since the base stays where it
 * was. */
static void log_resume(struct log *log, struct log_cursor *c)
{
    struct log_entry *e = c->position ? log_at(log, c->at) : NULL;
    metrics_snapshot_t *snapshot = e ? log_unpack(e) : NULL;
    if (!snapshot) return;
    uint64_t had = e->counts[c - log->cursors].readings;
    if (selection_count(c->sel, snapshot).readings != had) {
        ledger_drop(log->ledger, c->account, LEDGER_METRICS, LEDGER_REMOVED, had - c->position);
        c->at++;
        c->position = 0;
    }
    metrics_snapshot_release(&snapshot);
}

int log_attach(struct log *log, const char *name, const struct selection *sel)
{
    pthread_mutex_lock(&log->lock);
    struct log_cursor *c = log_cursor_named(log, name);
    if (c) {
        c->account = ledger_open(log->ledger, name);
        c->sel = sel;
        log_resume(log, c);
        for (struct log_entry *e = log->first; e; e = e->next) {
            if (e->seq < c->at || (e->seq == c->at && c->position)) continue;
            metrics_snapshot_t *snapshot = log_unpack(e);
            log_count(log, c, e, snapshot);
            if (snapshot) metrics_snapshot_release(&snapshot);
        }
    }
    pthread_mutex_unlock(&log->lock);
    return c ? (int)(c - log->cursors) : LEDGER_NONE;
}

void log_detach(struct log *log, int cursor)
{
    pthread_mutex_lock(&log->lock);
    log->cursors[cursor].sel = NULL;
    pthread_mutex_unlock(&log->lock);
}

static void log_cursor_drop(struct log *log, struct log_cursor *c, enum ledger_reason reason)
{
    for (struct log_entry *e = log->first; e; e = e->next) {
        struct selection_count *count = &e->counts[c - log->cursors];
        uint64_t settled = e->seq == c->at ? c->position : 0;
        if (e->seq >= c->at && count->readings > settled)
            ledger_drop(log->ledger, c->account, LEDGER_METRICS, reason, count->readings - settled);
        *count = (struct selection_count){0};
    }
    if (c->base) metrics_snapshot_release(&c->base);
    free(c->name);
    *c = (struct log_cursor){0};
}

void log_drop(struct log *log, int cursor, enum ledger_reason reason)
{
    pthread_mutex_lock(&log->lock);
    log_cursor_drop(log, &log->cursors[cursor], reason);
    log_trim(log);
    pthread_mutex_unlock(&log->lock);
}

void log_drop_detached(struct log *log, enum ledger_reason reason)
{
    pthread_mutex_lock(&log->lock);
    for (struct log_cursor *c = log->cursors; c < log->cursors + LOG_CURSORS; c++)
        if (c->name && !c->sel) log_cursor_drop(log, c, reason);
    log_trim(log);
    pthread_mutex_unlock(&log->lock);
}

/* Folds the entries from `e` on that are older than max_lag into one snapshot for this cursor alone; *e
 * becomes the last one folded. Other cursors still see them one by one. */
static metrics_snapshot_t *log_fold(struct log *log, struct log_cursor *c, struct log_entry **e,
                                    uint64_t max_lag_ns)
{
    metrics_snapshot_t *sum = log_unpack(*e);
    while (sum && !c->position && (*e)->next && log_age(log, *e) > max_lag_ns) {
        metrics_snapshot_t *newer = log_unpack((*e)->next);
        metrics_snapshot_t *both = newer ? metrics_snapshot_merge(sum, newer, NULL) : NULL;
        if (newer) metrics_snapshot_release(&newer);
        if (!both) break;
        metrics_snapshot_release(&sum);
        sum = both;
        log_account_merge(log, c, *e);
        (*e)->counts[c - log->cursors] = (struct selection_count){0};
        *e = (*e)->next;
    }
    return sum;
}

bool log_next(struct log *log, int cursor, uint64_t max_lag_ns, struct log_next *next)
{
    struct log_cursor *c = &log->cursors[cursor];
    pthread_mutex_lock(&log->lock);
    struct log_entry *e = log_at(log, c->at);
    *next = (struct log_next){0};
    if (e && c->name && !c->busy) next->snapshot = log_fold(log, c, &e, max_lag_ns);
    if (next->snapshot) {
        next->base = c->base ? metrics_snapshot_retain(c->base) : NULL;
        next->position = c->position;
        next->through = c->busy_through = e->seq;
        c->at = e->seq;
        c->busy = true;
    }
    pthread_mutex_unlock(&log->lock);
    return next->snapshot != NULL;
}

void log_delivered(struct log *log, int cursor, struct log_next *next, size_t n, size_t points)
{
    pthread_mutex_lock(&log->lock);
    log->cursors[cursor].position = next->position += n;
    ledger_deliver(log->ledger, log->cursors[cursor].account, LEDGER_METRICS, n, points);
    pthread_mutex_unlock(&log->lock);
}

void log_dropped(struct log *log, int cursor, struct log_next *next, size_t n, enum ledger_reason reason)
{
    pthread_mutex_lock(&log->lock);
    log->cursors[cursor].position = next->position += n;
    ledger_drop(log->ledger, log->cursors[cursor].account, LEDGER_METRICS, reason, n);
    pthread_mutex_unlock(&log->lock);
}

void log_done(struct log *log, int cursor, struct log_next *next)
{
    struct log_cursor *c = &log->cursors[cursor];
    pthread_mutex_lock(&log->lock);
    if (c->base) metrics_snapshot_release(&c->base);
    c->base = next->snapshot;
    next->snapshot = NULL;
    c->at = next->through + 1;
    c->position = 0;
    c->busy = false;
    log_trim(log);
    pthread_mutex_unlock(&log->lock);
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
    struct log_size size = {log->bytes, log->snapshots};
    pthread_mutex_unlock(&log->lock);
    return size;
}
