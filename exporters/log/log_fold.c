/* SPDX-License-Identifier: Apache-2.0 */
/* log_fold.c - intervals become one for one cursor alone, when it reads what is older than its max_lag or more
 * than its queue_bytes: another cursor still needs them one by one. */
#include "log_inside.h"

#include <stdlib.h>
#include <string.h>

/* What is needed to unpack an entry that may be gone by then. */
struct parcel {
    metrics_snapshot_t *snapshot;
    void *bytes;
    size_t n;
};

static struct parcel log_parcel(const struct log_entry *e)
{
    struct parcel p = {.n = e->packed_n};
    if (e->snapshot)
        p.snapshot = metrics_snapshot_retain(e->snapshot);
    else if ((p.bytes = malloc(p.n)))
        memcpy(p.bytes, e->packed, p.n);
    return p;
}

static metrics_snapshot_t *log_unwrap(struct parcel *p)
{
    metrics_snapshot_t *s = p->snapshot ? p->snapshot
                            : p->bytes  ? metrics_snapshot_decode(p->bytes, p->n, NULL)
                                        : NULL;
    free(p->bytes);
    return s;
}

/* The entry that is to be merged into what the cursor is coming to, or NULL. */
static struct log_entry *log_folds(const struct log *log, const struct log_cursor *c)
{
    struct log_entry *last = log_at(log, c->busy_through);
    if (!last || !last->next || c->position || log->appending) return NULL;
    if (log_gap_between(c, last->seq, last->next->seq)) return NULL;
    bool old = c->max_lag && log_age(log, last) > c->max_lag;
    bool much = !old && c->queue_bytes && log_bytes_from(log, last->next) > c->queue_bytes;
    return old || much ? last->next : NULL;
}

static void log_folded(struct log *log, struct log_cursor *c, uint64_t seq)
{
    struct log_entry *e = log_at(log, seq);
    if (!e) return;
    log_account_merge(log, c, e);
    e->counts[c - log->cursors] = (struct selection_count){0};
}

/* Unlocks while it unpacks and merges, which may take long after an outage and must not keep the sampler
 * waiting. What the cursor reads, up to busy_through, is neither trimmed nor merged meanwhile. */
static metrics_snapshot_t *log_open_parcel(struct log *log, struct parcel *parcel,
                                           const metrics_snapshot_t *older)
{
    pthread_mutex_unlock(&log->lock);
    metrics_snapshot_t *s = log_unwrap(parcel);
    metrics_snapshot_t *both = s && older ? metrics_snapshot_merge(older, s, NULL) : NULL;
    if (older && s) metrics_snapshot_release(&s);
    pthread_mutex_lock(&log->lock);
    return older ? both : s;
}

metrics_snapshot_t *log_look(struct log *log, const struct log_entry *e)
{
    struct parcel parcel = log_parcel(e);
    return log_open_parcel(log, &parcel, NULL);
}

metrics_snapshot_t *log_read(struct log *log, const struct log_cursor *c, const struct log_entry *e)
{
    return c->sum ? metrics_snapshot_retain(c->sum) : log_look(log, e);
}

void log_fold(struct log *log, struct log_cursor *c, const struct log_entry *e)
{
    c->busy_through = e->seq;
    if (!log_folds(log, c)) return;
    c->sum = log_look(log, e);
    while (c->sum && (e = log_folds(log, c))) {
        uint64_t was = c->busy_through;
        c->busy_through = e->seq;
        struct parcel parcel = log_parcel(e);
        metrics_snapshot_t *both = log_open_parcel(log, &parcel, c->sum);
        if (!both) {
            c->busy_through = was;
            break;
        }
        metrics_snapshot_release(&c->sum);
        c->sum = both;
        log_folded(log, c, was);
    }
    c->at = c->busy_through;
}
