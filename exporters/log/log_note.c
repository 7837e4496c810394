/* SPDX-License-Identifier: Apache-2.0 */
/*
 * log_note.c - what the segment remembers of its delivery. A log's file may be older than what was delivered: its
 * disk was full, or another log was used meanwhile (in memory, in another folder, by another user). The note in
 * the segment says, for each backend, which intervals it was sent.
 *
 * Intervals after `from`, through `through`, were sent, and all through `before`. `from` is not 0 after a
 * backend began without a base: what happened before that interval was not sent with it, and may wait in
 * another log. While that log's queue is delivered, `before` follows.
 */
#include "log_inside.h"

#include "say.h"

#include <stdlib.h>
#include <string.h>

struct note {
    uint64_t from, through, before;
    uint64_t partly, of, readings; /* of the interval whose number ends in these 16 bits */
};
#define NOTE_24 UINT64_C(0xffffff)

static struct note note_of(const uint64_t words[3])
{
    return (struct note){words[0] >> 32, (uint32_t)words[0],       words[1],
                         words[2] >> 48, words[2] >> 24 & NOTE_24, words[2] & NOTE_24};
}

static int note_get(const struct log *log, const struct log_cursor *c, struct note *note)
{
    uint64_t words[3] = {0};
    int got = log->memory.get ? log->memory.get(log->memory.arg, c->name, words) : 0;
    *note = note_of(words);
    return got;
}

static void note_set(const struct log *log, const struct log_cursor *c, const struct note *n)
{
    uint64_t words[3] = {n->from << 32 | n->through, n->before, 0};
    if (!log->memory.get || n->through > UINT32_MAX) return;
    if (n->readings && n->of <= NOTE_24) words[2] = n->partly << 48 | n->of << 24 | n->readings;
    log->memory.set(log->memory.arg, c->name, words);
}

static uint64_t base_epoch(const metrics_snapshot_t *base)
{
    return base ? metrics_snapshot_header(base)->epoch : 0;
}

/* --- Writing notes --- */

void log_note_partly(struct log *log, const struct log_cursor *c)
{
    struct note n;
    const struct log_entry *e = log_at(log, c->at);
    if (!log->memory.get || !c->name || !e) return;
    note_get(log, c, &n);
    n.partly = e->epoch & 0xffff;
    n.of = c->of;
    n.readings = c->position;
    note_set(log, c, &n);
}

/* A backend begins, or begins again: only what comes after this interval is sent from here on. */
static void note_begin(struct note *n, uint64_t epoch)
{
    if (n->from <= n->before && n->through > n->before) n->before = n->through;
    n->from = n->through = epoch;
}

void log_note_whole(struct log *log, const struct log_cursor *c, const metrics_snapshot_t *from)
{
    struct note n;
    if (!log->memory.get || !c->name || !c->base) return;
    const metrics_snapshot_header_t *h = metrics_snapshot_header(c->base);
    note_get(log, c, &n);
    n.readings = 0;
    if (h->epoch < n.through) {
        if (h->epoch > n.before) n.before = h->epoch;
    } else if (!from && !h->first_export) {
        note_begin(&n, h->epoch);
    } else {
        n.through = h->epoch;
        if (base_epoch(from) < n.from) n.from = base_epoch(from);
    }
    note_set(log, c, &n);
}

/* --- Believing them --- */

static bool note_has(const struct note *n, const struct log_cursor *c, const struct log_entry *e)
{
    if (e->epoch <= n->before || (e->epoch > n->from && e->epoch <= n->through)) return true;
    /* It was sent as zero. */
    bool void_base = !c->base || log_gap_between(c, c->base_seq, e->seq);
    return e->epoch == n->from && void_base;
}

/* What was sent and waits here is passed over. Returns the number of snapshots. */
static uint64_t log_pass_sent(struct log *log, struct log_cursor *c, const struct note *n)
{
    uint64_t passed = 0;
    for (struct log_entry *e; (e = log_at(log, c->at)) && note_has(n, c, e); passed++) {
        metrics_snapshot_t *snapshot = log_unpack(e);
        if (!snapshot) break;
        log_pass(log, c, e->seq, snapshot);
        c->sent = true;
    }
    return passed;
}

/* Part of the snapshot at which the cursor is was sent. False if that one is not here. */
static bool log_take_part(struct log *log, struct log_cursor *c, const struct note *n)
{
    const struct log_entry *e = log_at(log, c->at);
    uint64_t ahead = (n->partly - base_epoch(c->base)) & 0xffff;
    if (!n->readings || !ahead || ahead > 0x7fff) return true;
    if (!e || (e->epoch & 0xffff) != n->partly) return false;
    if (n->readings <= c->position) return true;
    log_settle(log, c, n->readings - c->position, 0);
    c->position = n->readings;
    c->of = n->of;
    return true;
}

static void log_say_gap(const struct log *log, const struct log_cursor *c, const struct note *n)
{
    say(SAY_WARN,
        "what the backend was sent last is not in this log; its next interval counts as zero, so that nothing "
        "is sent twice",
        "backend", c->name, "last_sent", SAY_U64(n->through), "last_taken", SAY_U64(log->memory.last), NULL);
}

/* The first entry behind what was sent begins anew. */
static void log_begin_anew(struct log *log, struct log_cursor *c, const struct note *n)
{
    struct log_entry *e = log_at(log, c->at);
    while (e && e->epoch <= n->through) e = e->next;
    log_gap_add(log, c, e ? e->seq : log->next_seq);
    log_say_gap(log, c, n);
}

static void log_believe(struct log *log, struct log_cursor *c)
{
    struct note n;
    int got = note_get(log, c, &n);
    if (got < 0 && log->owner.number != log->memory.log) log_begin_anew(log, c, &n);
    /* A note of the future is not true: the segment was damaged. */
    if (got <= 0 || n.through > log->memory.last + 1 || n.before > log->memory.last + 1) return;
    uint64_t passed = log_pass_sent(log, c, &n);
    if (passed)
        say(SAY_INFO, "what waits in the log's file was sent already, says the segment", "backend", c->name,
            "snapshots", SAY_U64(passed), NULL);
    bool part = log_take_part(log, c, &n);
    uint64_t base = base_epoch(c->base);
    if (!part || (n.through > base && n.through > n.from)) log_begin_anew(log, c, &n);
}

/* --- Joining --- */

static void log_say_join(const struct log *log, bool said)
{
    const struct log_memory *m = &log->memory;
    bool any = log->any || log->cursors[0].name;
    if (!m->last) return;
    if (!any)
        say(said ? SAY_INFO : SAY_WARN,
            "the segment was exported before, from a log that is not here: the first interval counts as zero",
            "intervals", SAY_U64(m->last), NULL);
    else if (m->log && m->log != log->owner.number)
        say(SAY_WARN, "the segment was exported from another log since this one was used", "last_here",
            SAY_U64(log->epoch), "last_taken", SAY_U64(m->last), NULL);
    else if (log->any && log->epoch < m->last)
        say(SAY_WARN, "the log's file lacks the last intervals", "last_here", SAY_U64(log->epoch),
            "last_taken", SAY_U64(m->last), NULL);
}

void log_join(struct log *log, const struct log_memory *memory, bool said)
{
    pthread_mutex_lock(&log->lock);
    log->memory = *memory;
    log_say_join(log, said);
    for (struct log_cursor *c = log->cursors; c < log->cursors + LOG_CURSORS; c++)
        if (c->name && c->loaded) log_believe(log, c);
    log_trim(log);
    log_mirror_commit(log);
    pthread_mutex_unlock(&log->lock);
}

void log_part(struct log *log)
{
    pthread_mutex_lock(&log->lock);
    log->memory = (struct log_memory){0};
    pthread_mutex_unlock(&log->lock);
}
