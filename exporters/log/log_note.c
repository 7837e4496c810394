/* SPDX-License-Identifier: Apache-2.0 */
/*
 * log_note.c - what the segment remembers of its delivery. A log's file may be older than what was delivered: its
 * disk was full, or another log was used meanwhile (in memory, in another folder, by another user). The note in
 * the segment says, for each backend, which intervals it was sent.
 *
 * Intervals after `from`, through `through`, were sent, and all through `before`. `from` is not 0 after a
 * backend began without a base: what happened before that interval was not sent with it, and may wait in
 * another log. While that log's queue is delivered, `before` follows. If it happens again before that, other
 * intervals between `before` and `from` were sent, at most through `some`: a log whose base is older than that
 * does not know them.
 *
 * `stamp` is the time, in seconds, under which the last interval was sent, or is being sent (then that is `partly`):
 * a log that does not know it would use it again.
 */
#include "log_inside.h"

#include "say.h"

#include <stdlib.h>
#include <string.h>

struct note {
    uint64_t from, through, before, some, stamp;
    uint64_t partly, of, readings; /* of the interval whose number ends in these 16 bits; of is 0: of none */
};
#define NOTE_24 UINT64_C(0xffffff)

static struct note note_of(const uint64_t words[LOG_NOTE_WORDS])
{
    return (struct note){.from = words[0] >> 32,
                         .through = (uint32_t)words[0],
                         .before = words[1],
                         .some = words[3] >> 32,
                         .stamp = (uint32_t)words[3],
                         .partly = words[2] >> 48,
                         .of = words[2] >> 24 & NOTE_24,
                         .readings = words[2] & NOTE_24};
}

static int note_get(const struct log *log, const char *name, struct note *note)
{
    uint64_t words[LOG_NOTE_WORDS] = {0};
    int got = log->memory.get ? log->memory.get(log->memory.arg, name, words) : 0;
    *note = note_of(words);
    return got;
}

static void note_set(const struct log *log, const struct log_cursor *c, const struct note *n)
{
    uint64_t words[LOG_NOTE_WORDS] = {n->from << 32 | n->through, n->before, 0, n->some << 32};
    if (!log->memory.get || n->through > UINT32_MAX) return;
    if (n->stamp <= UINT32_MAX) words[3] |= n->stamp;
    if (n->of && n->of <= NOTE_24) words[2] = n->partly << 48 | n->of << 24 | n->readings;
    log->memory.set(log->memory.arg, c->name, words);
}

static uint64_t base_epoch(const metrics_snapshot_t *base)
{
    return base ? metrics_snapshot_header(base)->epoch : 0;
}

/* --- Writing notes --- */

static void note_stamp(struct note *n, uint64_t stamp)
{
    if (stamp / CLOCK_SECOND > n->stamp) n->stamp = stamp / CLOCK_SECOND;
}

void log_note_begun(struct log *log, const struct log_cursor *c, const struct log_next *next)
{
    struct note n;
    const struct log_entry *e = log_at(log, next->through);
    if (!log->memory.get || !c->name || !e) return;
    note_get(log, c->name, &n);
    if (e->epoch <= n.through) return;
    note_stamp(&n, next->stamp);
    uint64_t partly = e->epoch & 0xffff;
    if (n.partly != partly) n.readings = 0;
    n.partly = partly;
    if (!n.readings) n.of = 1;
    note_set(log, c, &n);
}

void log_note_partly(struct log *log, const struct log_cursor *c, uint64_t stamp)
{
    struct note n;
    const struct log_entry *e = log_at(log, c->at);
    if (!log->memory.get || !c->name || !e) return;
    note_get(log, c->name, &n);
    note_stamp(&n, stamp);
    n.partly = e->epoch & 0xffff;
    n.of = c->of;
    n.readings = c->position;
    note_set(log, c, &n);
}

/* A backend begins, or begins again: only what comes after this interval is sent from here on. */
static void note_begin(struct note *n, uint64_t epoch)
{
    bool contiguous = n->from <= n->before;
    if (contiguous && n->through > n->before) n->before = n->through;
    if (!contiguous && n->through > n->from) n->some = n->through;
    n->from = n->through = epoch;
}

void log_note_whole(struct log *log, const struct log_cursor *c, const metrics_snapshot_t *from)
{
    struct note n;
    if (!log->memory.get || !c->name || !c->base) return;
    const metrics_snapshot_header_t *h = metrics_snapshot_header(c->base);
    note_get(log, c->name, &n);
    note_stamp(&n, c->last_stamp);
    n.readings = n.of = 0;
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

/* Deltas of the first entry behind this interval do not count from one before it. */
static void log_begin_anew(struct log *log, struct log_cursor *c, uint64_t epoch)
{
    struct log_entry *e = log_at(log, c->at);
    while (e && e->epoch <= epoch) e = e->next;
    log_gap_add(log, c, e ? e->seq : log->next_seq);
}

/* The interval up to this one was sent with another log. True if deltas count from something older here. */
static bool log_lacks(const struct log *log, const struct log_cursor *c, uint64_t epoch)
{
    uint64_t last = base_epoch(c->base);
    for (const struct log_entry *e = log_at(log, c->at); e && e->epoch <= epoch; e = e->next) last = e->epoch;
    return last < epoch;
}

static void log_learn(struct log *log, struct log_cursor *c, const struct note *n)
{
    const uint64_t sent[] = {n->before, n->some, n->through > n->from ? n->through : 0};
    bool lacks = false;
    for (size_t i = 0; i < sizeof sent / sizeof *sent; i++) {
        if (!log_lacks(log, c, sent[i])) continue;
        log_begin_anew(log, c, sent[i]);
        lacks = true;
    }
    if (!log_take_part(log, c, n)) {
        log_begin_anew(log, c, n->through);
        lacks = true;
    }
    if (lacks) log_say_gap(log, c, n);
}

static void log_believe(struct log *log, struct log_cursor *c)
{
    struct note n;
    int got = note_get(log, c->name, &n);
    if (got < 0 && log->owner.number != log->memory.log) {
        log_begin_anew(log, c, n.through);
        log_say_gap(log, c, &n);
    }
    /* A note of the future is not true: the segment was damaged. */
    if (got <= 0 || n.through > log->memory.last + 1 || n.before > log->memory.last + 1) return;
    uint64_t passed = log_pass_sent(log, c, &n);
    if (passed)
        say(SAY_INFO, "what waits in the log's file was sent already, says the segment", "backend", c->name,
            "snapshots", SAY_U64(passed), NULL);
    log_learn(log, c, &n);
}

/* What still waits in the log that was used last goes out under its own time, which is not later than when this one
 * took its place: rounded up, as a service may do. */
static uint64_t foreign_stamp(const struct log *log, const struct log_entry *e)
{
    const struct log_memory *m = &log->memory;
    bool first = m->last && m->log != log->owner.number && e->epoch > m->last;
    return first ? (m->wall + CLOCK_SECOND - 1) / CLOCK_SECOND * CLOCK_SECOND : 0;
}

/* What waits from before, and what goes on after it was sent in part, keep their own times. */
uint64_t log_last_stamp(const struct log *log, const struct log_cursor *c, const struct log_entry *e)
{
    struct note n;
    uint64_t stamp = c->last_stamp, foreign = foreign_stamp(log, e);
    if (foreign > stamp) stamp = foreign;
    if (note_get(log, c->name, &n) <= 0 || e->epoch <= n.through) return stamp;
    bool goes_on = n.of && (e->epoch & 0xffff) == n.partly;
    return goes_on || n.stamp * CLOCK_SECOND < stamp ? stamp : n.stamp * CLOCK_SECOND;
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
