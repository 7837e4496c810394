/* SPDX-License-Identifier: Apache-2.0 */
/* log_recover.c - a log from the file that an earlier exporter left: snapshots, cursors, bases, accounts. */
#include "log_inside.h"

#include "say.h"

#include <stdlib.h>
#include <string.h>

struct loading {
    struct log *log;
    struct log_entry *bases; /* entries that are no longer queued */
    uint64_t damaged;        /* entries of the file that are left out */
    uint64_t damaged_chunks; /* the same of events */
};

static bool load_bytes(struct log_entry *e, const struct store_entry *found)
{
    metrics_snapshot_t *s = metrics_snapshot_decode(found->bytes, found->n, NULL);
    if (!s) return false;
    e->packed = malloc(found->n);
    if (e->packed) memcpy(e->packed, found->bytes, found->n);
    e->packed_n = found->n;
    metrics_snapshot_release(&s);
    return e->packed != NULL;
}

static void load_damaged(void *arg, uint64_t seq)
{
    struct loading *l = arg;
    l->log->damaged++;
    if (seq != STORE_UNKNOWN) l->damaged++;
}

static void load_entry(void *arg, const struct store_entry *found)
{
    struct loading *l = arg;
    struct log *log = l->log;
    struct log_entry *e = calloc(1, sizeof *e);
    if (!e || !load_bytes(e, found)) {
        free(e);
        load_damaged(arg, found->seq);
        return;
    }
    e->seq = found->seq;
    e->epoch = found->epoch;
    e->wall_ns = found->wall_ns;
    e->interval_ns = found->interval_ns;
    e->replaced = found->replaced;
    if (found->seq >= log->next_seq) {
        log->next_seq = found->seq + 1;
        log->epoch = found->epoch;
        log->any = true;
    }
    if (found->queued) {
        log->bytes += e->packed_n;
        log_link(log, e);
    } else {
        e->next = l->bases;
        l->bases = e;
    }
}

static metrics_snapshot_t *find_base(const struct loading *l, uint64_t seq)
{
    for (const struct log_entry *e = l->bases; e; e = e->next)
        if (e->seq == seq) return log_unpack(e);
    const struct log_entry *e = log_at(l->log, seq);
    return e && e->seq == seq ? log_unpack(e) : NULL;
}

static void load_events(struct log *log, struct log_cursor *c, const struct store_cursor *found)
{
    c->events.at = found->events_at;
    c->events.position = found->events_position;
    c->events.takes = (uint32_t)found->events_taken;
    for (int signal = LEDGER_METRICS + 1; signal < LEDGER_SIGNAL_COUNT; signal++) {
        c->events.account[signal] = found->events[signal];
        ledger_restore(log->ledger, c->account, (enum ledger_signal)signal, &found->events[signal]);
    }
    if (c->events.at > log->events.next_seq) log->events.next_seq = c->events.at;
}

static void load_cursor(void *arg, const struct store_cursor *found)
{
    struct loading *l = arg;
    struct log_cursor *c = log_cursor_named(l->log, found->name);
    if (!c) return;
    c->at = found->at;
    c->position = found->position;
    c->of = found->of;
    c->last_stamp = found->last_stamp;
    c->account_here = found->account;
    c->account = ledger_open(l->log->ledger, found->name);
    ledger_restore(l->log->ledger, c->account, LEDGER_METRICS, &found->account);
    c->base = found->base == STORE_NO_BASE ? NULL : find_base(l, found->base);
    c->base_seq = c->base ? found->base : STORE_NO_BASE;
    load_events(l->log, c, found);
    c->loaded = true;
    c->dirty = false;
    if (c->at > l->log->next_seq) l->log->next_seq = c->at;
}

static void load_fact(void *arg, const char *name, const char *text)
{
    struct loading *l = arg;
    log_owner_load(&l->log->owner, name, text);
    log_gap_load(l->log, name, text);
    log_cursor_load(l->log, name, text);
}

/* What each backend takes of it is counted when the backend attaches. */
static void load_chunk(void *arg, const struct store_entry *found)
{
    struct loading *l = arg;
    struct log *log = l->log;
    struct log_chunk *k = found->n ? log_chunk_new(found->bytes, found->n, true) : NULL;
    if (found->seq >= log->events.next_seq) log->events.next_seq = found->seq + 1;
    if (k) {
        k->seq = found->seq;
        k->wall_ns = found->wall_ns;
        k->ready = true;
        log_chunk_link(log, k);
    } else {
        log->damaged++;
        l->damaged_chunks++;
    }
}

static void load_place(void *arg, uint32_t number, uint64_t position)
{
    struct loading *l = arg;
    log_set_place(l->log, number, position);
}

enum store_opened log_open(const struct log_limits *limits, struct ledger *ledger, const char *path,
                           bool durable, struct log **out, struct buf *why)
{
    struct loading l = {.log = log_new(limits, ledger)};
    struct store_finder finder = {.entry = load_entry,
                                  .damaged = load_damaged,
                                  .cursor = load_cursor,
                                  .arg = &l,
                                  .fact = load_fact,
                                  .chunk = load_chunk,
                                  .place = load_place};
    enum store_opened opened = STORE_FAILED;
    *out = NULL;
    if (l.log) opened = store_open(path, durable, &finder, &l.log->store, why);
    if (l.damaged)
        say(SAY_WARN, "records in the log's file are damaged and left out; later ones cover their intervals",
            "file", path, "records", SAY_U64(l.damaged), NULL);
    if (l.damaged_chunks)
        say(SAY_WARN, "events in the log's file are damaged and lost", "file", path, "records",
            SAY_U64(l.damaged_chunks), NULL);
    for (struct log_entry *e = l.bases, *next; e; e = next) {
        next = e->next;
        free(e->packed);
        free(e);
    }
    if (opened == STORE_OK && l.log->last) {
        metrics_snapshot_t *s = log_unpack(l.log->last);
        if (s) l.log->incarnation = metrics_snapshot_header(s)->incarnation;
        if (s) metrics_snapshot_release(&s);
    }
    if (opened == STORE_OK)
        *out = l.log;
    else
        log_release(&l.log);
    return opened;
}
