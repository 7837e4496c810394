/* SPDX-License-Identifier: Apache-2.0 */
/* log_entry.c - the entries of a log's list, packed or not, and the account that each cursor keeps of them. */
#include "log_inside.h"

#include <stdlib.h>

void log_take(struct log *log, struct log_cursor *c, uint64_t n)
{
    ledger_take(log->ledger, c->account, LEDGER_METRICS, n);
    c->account_here.taken += n;
    c->account_here.queued += n;
    c->dirty = true;
}

void log_lose(struct log *log, struct log_cursor *c, enum ledger_reason reason, uint64_t n)
{
    ledger_drop(log->ledger, c->account, LEDGER_METRICS, reason, n);
    c->account_here.dropped[reason] += n;
    c->account_here.queued -= n;
    c->dirty = true;
}

void log_settle(struct log *log, struct log_cursor *c, uint64_t n, uint64_t points)
{
    ledger_deliver(log->ledger, c->account, LEDGER_METRICS, n, points);
    c->account_here.delivered += n;
    c->account_here.points += points;
    c->account_here.queued -= n;
    c->dirty = true;
}

void log_account_merge(struct log *log, struct log_cursor *c, const struct log_entry *e)
{
    const struct selection_count *count = &e->counts[c - log->cursors];
    uint64_t merged = count->readings - count->levels;
    log_lose(log, c, LEDGER_THINNED, count->levels);
    ledger_merge(log->ledger, c->account, LEDGER_METRICS, merged);
    c->account_here.merged += merged;
    c->account_here.queued -= merged;
}

void log_entry_free(struct log *log, struct log_entry *e)
{
    log_mirror_gone(log, e);
    *(e->prev ? &e->prev->next : &log->first) = e->next;
    *(e->next ? &e->next->prev : &log->last) = e->prev;
    log->bytes -= e->packed_n;
    log->snapshots--;
    metrics_snapshot_release(&e->snapshot);
    free(e->packed);
    free(e);
}

bool log_encode(struct log *log, struct log_entry *e)
{
    void *bytes;
    size_t n;
    if (e->packed) return true;
    if (metrics_snapshot_encode(e->snapshot, &bytes, &n, NULL)) return false;
    e->packed = bytes;
    e->packed_n = n;
    log->bytes += n;
    return true;
}

void log_pack(struct log *log, struct log_entry *e)
{
    if (e->snapshot && log_encode(log, e)) metrics_snapshot_release(&e->snapshot);
}

metrics_snapshot_t *log_unpack(const struct log_entry *e)
{
    return e->snapshot ? metrics_snapshot_retain(e->snapshot)
                       : metrics_snapshot_decode(e->packed, e->packed_n, NULL);
}

void log_link(struct log *log, struct log_entry *e)
{
    e->prev = log->last;
    *(log->last ? &log->last->next : &log->first) = e;
    log->last = e;
    log->snapshots++;
}

uint64_t log_age(const struct log *log, const struct log_entry *e)
{
    return log->last->wall_ns > e->wall_ns ? log->last->wall_ns - e->wall_ns : 0;
}

uint64_t log_bytes_from(const struct log *log, const struct log_entry *e)
{
    uint64_t bytes = 0;
    for (; e && e != log->last; e = e->next) bytes += e->packed_n;
    return bytes;
}
