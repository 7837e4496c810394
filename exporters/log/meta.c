/* SPDX-License-Identifier: Apache-2.0 */
#include "meta.h"

#include <mtx/metrics.h>

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct meta {
    pthread_mutex_t lock;                     /* of all below; the ledger's is taken under it */
    metrics_registry_t *registry;             /* NULL: none */
    struct ledger_page told[LEDGER_BACKENDS]; /* what the counters have been given so far */
    bool recalled;                            /* what an earlier exporter left untold has been looked for */
};

/* What is written, for the reader of a dashboard. */
static const struct meta_family {
    const char *name, *unit, *help;
} meta_families[] = {
    {"mtx.exporter.send.total", "readings", "Readings that were handed to a backend, whatever came of it."},
    {"mtx.exporter.send.successful", "readings", "Readings that a backend accepted."},
    {"mtx.exporter.send.failed", "readings", "Readings that a backend refused for good, by reason."},
    {"mtx.exporter.send.points", "points", "What went over the wire for the readings that were accepted."},
    {"mtx.exporter.send.retries", "payloads", "Payloads that had to be sent again."},
    {"mtx.exporter.send.time", "seconds", "How long a backend took for one payload."},
    {"mtx.exporter.taken", "readings", "Readings taken for a backend: delivered, merged, queued or dropped."},
    {"mtx.exporter.merged", "readings",
     "Readings whose interval was merged into a later one; their totals arrive."},
    {"mtx.exporter.dropped", "readings", "Readings that never arrive, by reason."},
    {"mtx.exporter.rebased", "readings",
     "Readings whose interval counted as zero because nobody knows what was sent."},
    {"mtx.exporter.queue", "readings", "Readings that wait for a backend."},
    {"mtx.exporter.lag", "seconds", "How far a backend is behind the newest snapshot."},
    {"mtx.exporter.snapshot.time", "seconds", "How long it takes to read the whole segment."},
    {"mtx.exporter.log.time", "seconds",
     "How long it takes to put a snapshot into the log: its file, and older intervals that are merged."},
    {"mtx.exporter.scrape.time", "seconds", "How long it takes to answer a scrape."},
    {"mtx.exporter.scrape.bytes", "bytes", "Bytes of scrape answers before compression."},
    {"mtx.exporter.log.bytes", "bytes", "Memory of the snapshots that wait in packed form."},
    {"mtx.exporter.log.snapshots", "snapshots", "Snapshots that wait for a backend."},
    {"mtx.exporter.log.failures", "transactions",
     "What the log's file could not take since this exporter began: it is in memory only."},
    {"mtx.segment.series", "series", "Series in the segment."},
    {"mtx.segment.fill", "ratio", "Part of the segment's memory that is in use, 0 to 1."},
    {"mtx.segment.resident", "bytes", "Memory that the segment's file occupies."},
    {"mtx.segment.writers", "processes", "Living processes that set gauges."},
    {"mtx.segment.refused", "updates",
     "Series and updates that the segment had to refuse since it began, by reason."},
    {"mtx.segment.damaged", "series",
     "Series left out of the last snapshot because their bytes made no sense."},
};

struct meta *meta_new(void)
{
    struct meta *meta = calloc(1, sizeof *meta);
    if (meta) pthread_mutex_init(&meta->lock, NULL);
    return meta;
}

void meta_free(struct meta **meta)
{
    if (!*meta) return;
    if ((*meta)->registry) metrics_close(&(*meta)->registry);
    pthread_mutex_destroy(&(*meta)->lock);
    free(*meta);
    *meta = NULL;
}

static void meta_describe(metrics_registry_t *registry)
{
    for (size_t i = 0; i < sizeof meta_families / sizeof *meta_families; i++) {
        const struct meta_family *f = &meta_families[i];
        metrics_describe(
            registry, f->name,
            &(metrics_family_t){.size = sizeof(metrics_family_t), .unit = f->unit, .help = f->help}, NULL);
    }
}

bool meta_attach(struct meta *meta, const char *path, struct buf *why)
{
    metrics_error_t error = {0};
    metrics_registry_t *registry = NULL;
    if (path) {
        registry = metrics_open(
            &(metrics_options_t){.size = sizeof(metrics_options_t), .path = path, .attach = METRICS_EXISTING},
            &error);
        if (metrics_status(registry, NULL) < 0) {
            buf_str(why, error.text);
            metrics_close(&registry);
            return false;
        }
        meta_describe(registry);
    }
    pthread_mutex_lock(&meta->lock);
    metrics_registry_t *old = meta->registry;
    meta->registry = registry;
    pthread_mutex_unlock(&meta->lock);
    if (old) metrics_close(&old);
    return true;
}

void meta_sent(struct meta *meta, const char *backend, uint64_t ns)
{
    pthread_mutex_lock(&meta->lock);
    if (meta->registry)
        metrics_timer_update(metrics_timer(meta->registry, "mtx.exporter.send.time", "backend", backend), ns);
    pthread_mutex_unlock(&meta->lock);
}

void meta_sampled(struct meta *meta, uint64_t read_ns, uint64_t log_ns)
{
    pthread_mutex_lock(&meta->lock);
    if (meta->registry) {
        metrics_timer_update(metrics_timer(meta->registry, "mtx.exporter.snapshot.time"), read_ns);
        metrics_timer_update(metrics_timer(meta->registry, "mtx.exporter.log.time"), log_ns);
    }
    pthread_mutex_unlock(&meta->lock);
}

void meta_scraped(struct meta *meta, const char *backend, uint64_t ns, uint64_t bytes)
{
    pthread_mutex_lock(&meta->lock);
    if (meta->registry) {
        metrics_timer_update(metrics_timer(meta->registry, "mtx.exporter.scrape.time", "backend", backend),
                             ns);
        metrics_counter_add(metrics_counter(meta->registry, "mtx.exporter.scrape.bytes", "backend", backend),
                            bytes);
    }
    pthread_mutex_unlock(&meta->lock);
}

/* The series exists from the first call on, also while it counts nothing: a missing one cannot be alerted
 * on. */
static void meta_count(metrics_registry_t *r, const char *name, const char *backend, const char *signal,
                       uint64_t now, uint64_t told)
{
    metrics_counter_add(metrics_counter(r, name, "backend", backend, "signal", signal), now - told);
}

/* Reasons appear when they first happen, but for a refusal of the other side, which may be counted as
 * zero. */
static void meta_count_reason(metrics_registry_t *r, const char *name, const char *backend,
                              const char *signal, enum ledger_reason reason, uint64_t n)
{
    if (n || reason == LEDGER_REFUSED)
        metrics_counter_add(metrics_counter(r, name, "backend", backend, "signal", signal, "reason",
                                            ledger_reason_name(reason)),
                            n);
}

static void meta_account(metrics_registry_t *r, const char *backend, const char *signal,
                         const struct ledger_account *now, const struct ledger_account *told)
{
    static const enum ledger_reason failures[] = {LEDGER_REFUSED, LEDGER_TOO_LARGE, LEDGER_AMBIGUOUS,
                                                  LEDGER_ENCODE};
    uint64_t sent = now->delivered, sent_before = told->delivered;
    meta_count(r, "mtx.exporter.send.successful", backend, signal, sent, sent_before);
    for (size_t i = 0; i < sizeof failures / sizeof *failures; i++) {
        uint64_t n = now->dropped[failures[i]], before = told->dropped[failures[i]];
        meta_count_reason(r, "mtx.exporter.send.failed", backend, signal, failures[i], n - before);
        sent += n;
        sent_before += before;
    }
    meta_count(r, "mtx.exporter.send.total", backend, signal, sent, sent_before);
    meta_count(r, "mtx.exporter.send.points", backend, signal, now->points, told->points);
    meta_count(r, "mtx.exporter.send.retries", backend, signal, now->retries, told->retries);
    meta_count(r, "mtx.exporter.taken", backend, signal, now->taken, told->taken);
    meta_count(r, "mtx.exporter.merged", backend, signal, now->merged, told->merged);
    meta_count(r, "mtx.exporter.rebased", backend, signal, now->rebased, told->rebased);
    for (int i = 0; i < LEDGER_REASON_COUNT; i++)
        meta_count_reason(r, "mtx.exporter.dropped", backend, signal, (enum ledger_reason)i,
                          now->dropped[i] - told->dropped[i]);
    metrics_gauge_set(metrics_gauge(r, "mtx.exporter.queue", "backend", backend, "signal", signal),
                      (double)now->queued);
}

/* What this process has counted itself: the rest is in the segment's counters already. */
static struct ledger_account meta_own(const struct ledger_page *page, int signal)
{
    struct ledger_account own = page->account[signal], was = page->restored[signal];
    for (size_t w = 0; w < LEDGER_WORDS; w++)
        if (w != LEDGER_QUEUED) *ledger_word(&own, w) -= *ledger_word(&was, w);
    return own;
}

/* What the segment has been told already, by an exporter that was killed before its file had it, is not told
 * again when it happens again: see meta_recall(). */
static void meta_hold_back(struct ledger_page *now, const struct ledger_page *told, int signal)
{
    struct ledger_account own = meta_own(now, signal), before = meta_own(told, signal);
    for (size_t w = 0; w < LEDGER_WORDS; w++) {
        uint64_t ahead = *ledger_word(&before, w) - *ledger_word(&own, w);
        if (w != LEDGER_QUEUED && (int64_t)ahead > 0) *ledger_word(&now->account[signal], w) += ahead;
    }
}

void meta_ledger(struct meta *meta, struct ledger *ledger)
{
    struct ledger_page now[LEDGER_BACKENDS];
    pthread_mutex_lock(&meta->lock);
    size_t n = meta->registry ? ledger_read(ledger, now) : 0;
    for (size_t i = 0; i < n; i++)
        for (int s = 0; s < LEDGER_SIGNAL_COUNT; s++) {
            meta_hold_back(&now[i], &meta->told[i], s);
            struct ledger_account own = meta_own(&now[i], s), told = meta_own(&meta->told[i], s);
            meta_account(meta->registry, now[i].name, ledger_signal_name((enum ledger_signal)s), &own, &told);
        }
    memcpy(meta->told, now, n * sizeof *now);
    pthread_mutex_unlock(&meta->lock);
}

/* --- After an earlier exporter --- */

/* The counters that an account is told by; those that are sums of others go with them. */
static uint64_t *meta_field(struct ledger_account *a, const char *name, const char *reason)
{
    static const struct {
        const char *name;
        size_t at;
    } fields[] = {{"mtx.exporter.send.successful", offsetof(struct ledger_account, delivered)},
                  {"mtx.exporter.send.points", offsetof(struct ledger_account, points)},
                  {"mtx.exporter.send.retries", offsetof(struct ledger_account, retries)},
                  {"mtx.exporter.taken", offsetof(struct ledger_account, taken)},
                  {"mtx.exporter.merged", offsetof(struct ledger_account, merged)},
                  {"mtx.exporter.rebased", offsetof(struct ledger_account, rebased)}};
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        if (!strcmp(name, fields[i].name)) return (uint64_t *)(void *)((char *)a + fields[i].at);
    for (int r = 0; reason && !strcmp(name, "mtx.exporter.dropped") && r < LEDGER_REASON_COUNT; r++)
        if (!strcmp(reason, ledger_reason_name((enum ledger_reason)r))) return &a->dropped[r];
    return NULL;
}

static const char *meta_tag(const metrics_reading_t *reading, const char *key)
{
    size_t n;
    const metrics_tag_t *tags = metrics_reading_tags(reading, &n);
    for (size_t i = 0; i < n; i++)
        if (!strcmp(tags[i].key, key)) return tags[i].value;
    return NULL;
}

/* Adds up what the segment's counters say of one account. */
static void meta_read_told(const metrics_snapshot_t *snapshot, const char *backend, const char *signal,
                           struct ledger_account *told)
{
    metrics_row_options_t options = {.size = sizeof options, .attributes = METRICS_ATTR(METRICS_COUNT)};
    metrics_row_t row;
    for (size_t i = 0, n = metrics_snapshot_count(snapshot); i < n; i++) {
        const metrics_reading_t *reading = metrics_snapshot_reading(snapshot, i);
        if (strncmp(metrics_reading_name(reading), "mtx.exporter.", 13)) continue;
        const char *b = meta_tag(reading, "backend"), *s = meta_tag(reading, "signal");
        if (!b || !s || strcmp(b, backend) || strcmp(s, signal)) continue;
        uint64_t *field = meta_field(told, metrics_reading_name(reading), meta_tag(reading, "reason"));
        if (field && metrics_reading_rows(reading, NULL, &options, &row, 1) == 1 && row.type == METRICS_U64)
            *field += row.value.u;
    }
}

/* What one account owes the segment. More was told than the file has where a kill came in between, and will
 * be counted again; but if even more was taken, the segment was told of other segments' logs, too. */
static void meta_owe(const struct ledger_account *restored, const struct ledger_account *in_segment,
                     struct ledger_account *told)
{
    struct ledger_account was = *restored, had = *in_segment;
    bool alone = was.taken && had.taken <= was.taken;
    had.retries = had.rebased = 0; /* these are not in the file */
    for (size_t w = 0; w < LEDGER_WORDS; w++) {
        uint64_t counted = *ledger_word(&was, w), said = *ledger_word(&had, w);
        if (w != LEDGER_QUEUED && (alone || counted > said)) *ledger_word(told, w) -= counted - said;
    }
}

void meta_recall(struct meta *meta, struct ledger *ledger, const metrics_snapshot_t *snapshot)
{
    struct ledger_page now[LEDGER_BACKENDS];
    pthread_mutex_lock(&meta->lock);
    size_t n = meta->recalled ? 0 : ledger_read(ledger, now);
    meta->recalled = true;
    for (size_t i = 0; i < n; i++)
        for (int s = 0; s < LEDGER_SIGNAL_COUNT; s++) {
            struct ledger_account in_segment = {0};
            meta_read_told(snapshot, now[i].name, ledger_signal_name((enum ledger_signal)s), &in_segment);
            meta_owe(&now[i].restored[s], &in_segment, &meta->told[i].account[s]);
        }
    pthread_mutex_unlock(&meta->lock);
}

void meta_lag(struct meta *meta, const char *backend, struct log_lag lag)
{
    pthread_mutex_lock(&meta->lock);
    if (meta->registry)
        metrics_gauge_set(metrics_gauge(meta->registry, "mtx.exporter.lag", "backend", backend),
                          (double)lag.ns / 1e9);
    pthread_mutex_unlock(&meta->lock);
}

static void meta_level(metrics_registry_t *r, const char *name, double value)
{
    metrics_gauge_set(metrics_gauge(r, name), value);
}

void meta_segment(struct meta *meta, const metrics_segment_info_t *info,
                  const metrics_snapshot_header_t *header, struct log_size log)
{
    pthread_mutex_lock(&meta->lock);
    metrics_registry_t *r = meta->registry;
    if (r) {
        meta_level(r, "mtx.segment.series", (double)info->series);
        meta_level(r, "mtx.segment.fill",
                   info->bytes_limit ? (double)info->bytes_used / (double)info->bytes_limit : 0);
        meta_level(r, "mtx.segment.resident", (double)info->bytes_resident);
        meta_level(r, "mtx.segment.writers", info->writers);
        meta_level(r, "mtx.segment.damaged", (double)header->series_damaged);
        meta_level(r, "mtx.exporter.log.bytes", (double)log.bytes);
        meta_level(r, "mtx.exporter.log.snapshots", (double)log.snapshots);
        meta_level(r, "mtx.exporter.log.failures", (double)log.failures);
        for (uint32_t i = 0; i < info->loss_count && i < 32; i++) {
            const char *reason = metrics_loss_name(i);
            if (reason)
                metrics_gauge_set(metrics_gauge(r, "mtx.segment.refused", "reason", reason),
                                  (double)info->losses[i]);
        }
    }
    pthread_mutex_unlock(&meta->lock);
}
