/* SPDX-License-Identifier: Apache-2.0 */
/* meta_ledger.c - the accounts of the ledger as counters of the segment. */
#include "meta_inside.h"

#include <string.h>

#define META_AT(FIELD) (offsetof(struct ledger_account, FIELD) / sizeof(uint64_t))

/* The counters that each add up one number of an account. */
static const struct {
    enum meta_family_id family;
    size_t word;
} meta_counters[] = {
    {META_SEND_SUCCESSFUL, META_AT(delivered)},
    {META_SEND_POINTS, META_AT(points)},
    {META_SEND_RETRIES, META_AT(retries)},
    {META_TAKEN, META_AT(taken)},
    {META_MERGED, META_AT(merged)},
    {META_REBASED, META_AT(rebased)},
};
enum { META_COUNTERS = sizeof meta_counters / sizeof *meta_counters };

uint64_t *meta_account_word(struct ledger_account *account, const char *name, const char *reason)
{
    for (size_t i = 0; i < META_COUNTERS; i++)
        if (!strcmp(name, meta_families[meta_counters[i].family].name))
            return ledger_word(account, meta_counters[i].word);
    if (!reason || strcmp(name, meta_families[META_DROPPED].name)) return NULL;
    for (int r = 0; r < LEDGER_REASON_COUNT; r++)
        if (!strcmp(reason, ledger_reason_name((enum ledger_reason)r))) return &account->dropped[r];
    return NULL;
}

/* Where an account's series are, and what is to be added to them. */
struct meta_report {
    metrics_registry_t *registry;
    const char *backend, *signal;
    struct ledger_account more;
};

/* The series exists from the first call on, also while it counts nothing: a missing one
 * cannot be alerted on. */
static void meta_count(const struct meta_report *to, enum meta_family_id family, uint64_t n)
{
    metrics_counter_add(metrics_counter(to->registry, meta_families[family].name, "backend", to->backend,
                                        "signal", to->signal),
                        n);
}

/* Reasons appear when they first happen, but for a refusal of the other side, which may
 * be counted as zero. */
static void meta_count_reason(const struct meta_report *to, enum meta_family_id family,
                              enum ledger_reason reason)
{
    uint64_t n = to->more.dropped[reason];
    if (n || reason == LEDGER_REFUSED)
        metrics_counter_add(metrics_counter(to->registry, meta_families[family].name, "backend", to->backend,
                                            "signal", to->signal, "reason", ledger_reason_name(reason)),
                            n);
}

static void meta_count_account(struct meta_report *to)
{
    static const enum ledger_reason failures[] = {LEDGER_REFUSED, LEDGER_TOO_LARGE, LEDGER_AMBIGUOUS,
                                                  LEDGER_ENCODE};
    uint64_t sent = to->more.delivered;
    for (size_t i = 0; i < META_COUNTERS; i++)
        meta_count(to, meta_counters[i].family, *ledger_word(&to->more, meta_counters[i].word));
    for (size_t i = 0; i < sizeof failures / sizeof *failures; i++) {
        meta_count_reason(to, META_SEND_FAILED, failures[i]);
        sent += to->more.dropped[failures[i]];
    }
    meta_count(to, META_SEND_TOTAL, sent);
    for (int r = 0; r < LEDGER_REASON_COUNT; r++) meta_count_reason(to, META_DROPPED, (enum ledger_reason)r);
}

/* All numbers but what is queued, which is a level and stays as it is in `a`. */
static struct ledger_account meta_difference(struct ledger_account a, struct ledger_account b)
{
    for (size_t w = 0; w < LEDGER_WORDS; w++)
        if (w != LEDGER_QUEUED) *ledger_word(&a, w) -= *ledger_word(&b, w);
    return a;
}

/* What this process has counted itself: the rest is in the segment's counters already. */
static struct ledger_account meta_own(const struct ledger_page *page, int signal)
{
    return meta_difference(page->account[signal], page->restored[signal]);
}

/* What an exporter that was killed had added to the segment's counters before its file had it happens
 * again, and is not added again: see meta_recall(). */
static void meta_hold_back(struct ledger_page *now, const struct ledger_page *reported, int signal)
{
    struct ledger_account own = meta_own(now, signal), before = meta_own(reported, signal);
    for (size_t w = 0; w < LEDGER_WORDS; w++) {
        uint64_t ahead = *ledger_word(&before, w) - *ledger_word(&own, w);
        if (w != LEDGER_QUEUED && (int64_t)ahead > 0) *ledger_word(&now->account[signal], w) += ahead;
    }
}

/* The series of a signal exist from its first event on; those of metrics always. */
static bool meta_has(const struct ledger_page *page, int signal)
{
    return signal == LEDGER_METRICS || page->account[signal].taken;
}

static void meta_page(struct meta *meta, struct ledger_page *now, const struct ledger_page *reported,
                      int signal)
{
    struct meta_report report = {
        meta->registry, now->name, ledger_signal_name((enum ledger_signal)signal), {0}};
    meta_hold_back(now, reported, signal);
    report.more = meta_difference(meta_own(now, signal), meta_own(reported, signal));
    meta_count_account(&report);
    metrics_gauge_set(metrics_gauge(meta->registry, meta_families[META_QUEUE].name, "backend", report.backend,
                                    "signal", report.signal),
                      (double)now->account[signal].queued);
}

void meta_ledger(struct meta *meta, struct ledger *ledger)
{
    struct ledger_page now[LEDGER_BACKENDS];
    pthread_mutex_lock(&meta->lock);
    size_t n = meta->registry ? ledger_read(ledger, now) : 0;
    for (size_t i = 0; i < n; i++)
        for (int s = 0; s < LEDGER_SIGNAL_COUNT; s++)
            if (meta_has(&now[i], s)) meta_page(meta, &now[i], &meta->reported[i], s);
    memcpy(meta->reported, now, n * sizeof *now);
    pthread_mutex_unlock(&meta->lock);
}
