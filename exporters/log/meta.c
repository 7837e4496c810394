/* SPDX-License-Identifier: Apache-2.0 */
/* meta.c - the segment that meta-metrics are written to, and those that are one series each. */
#include "meta_inside.h"

#include <math.h>
#include <stdlib.h>

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
    meta_kept_free(*meta);
    pthread_mutex_destroy(&(*meta)->lock);
    free(*meta);
    *meta = NULL;
}

static void meta_describe(metrics_registry_t *registry)
{
    for (size_t i = 0; i < META_FAMILY_COUNT; i++) {
        const struct meta_family *f = &meta_families[i];
        if (i == META_ATTACHED) continue; /* never in a segment */
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

/* --- Series --- */

/* The duration of something that a backend does, or (NULL) that no backend has to do with. */
static void meta_time(metrics_registry_t *r, enum meta_family_id family, const char *backend, uint64_t ns)
{
    const char *name = meta_families[family].name;
    metrics_timer_update(backend ? metrics_timer(r, name, "backend", backend) : metrics_timer(r, name), ns);
}

static void meta_level(metrics_registry_t *r, enum meta_family_id family, double value)
{
    metrics_gauge_set(metrics_gauge(r, meta_families[family].name), value);
}

void meta_sent(struct meta *meta, const char *backend, uint64_t ns)
{
    pthread_mutex_lock(&meta->lock);
    if (meta->registry) meta_time(meta->registry, META_SEND_TIME, backend, ns);
    pthread_mutex_unlock(&meta->lock);
}

void meta_sampled(struct meta *meta, uint64_t read_ns, uint64_t log_ns)
{
    pthread_mutex_lock(&meta->lock);
    if (meta->registry) {
        meta_time(meta->registry, META_SNAPSHOT_TIME, NULL, read_ns);
        meta_time(meta->registry, META_LOG_TIME, NULL, log_ns);
    }
    pthread_mutex_unlock(&meta->lock);
}

void meta_scraped(struct meta *meta, const char *backend, uint64_t ns, uint64_t bytes)
{
    pthread_mutex_lock(&meta->lock);
    if (meta->registry) {
        meta_time(meta->registry, META_SCRAPE_TIME, backend, ns);
        metrics_counter_add(
            metrics_counter(meta->registry, meta_families[META_SCRAPE_BYTES].name, "backend", backend),
            bytes);
    }
    pthread_mutex_unlock(&meta->lock);
}

void meta_lag(struct meta *meta, const char *backend, struct log_lag lag)
{
    pthread_mutex_lock(&meta->lock);
    if (meta->registry)
        metrics_gauge_set(metrics_gauge(meta->registry, meta_families[META_LAG].name, "backend", backend),
                          (double)lag.ns / 1e9);
    pthread_mutex_unlock(&meta->lock);
}

static void meta_losses(metrics_registry_t *r, const metrics_segment_info_t *info)
{
    for (uint32_t i = 0; i < info->loss_count && i < 32; i++) {
        const char *reason = metrics_loss_name(i);
        if (reason)
            metrics_gauge_set(metrics_gauge(r, meta_families[META_REFUSED].name, "reason", reason),
                              (double)info->losses[i]);
    }
}

static metrics_gauge_t *meta_lanes_gauge(metrics_registry_t *r, uint32_t lanes)
{
    return metrics_gauge(r, meta_families[META_LANES].name, "kind",
                         metrics_lanes_restartable(lanes) ? "cpu" : "atomic", "why",
                         metrics_lanes_why(lanes));
}

/* One series at a time: that of what is used now. */
static void meta_lanes(struct meta *meta, const metrics_segment_info_t *info)
{
    uint32_t now = info->lanes;
    if (meta->lanes && meta->lanes != now + 1)
        metrics_gauge_set(meta_lanes_gauge(meta->registry, meta->lanes - 1), NAN);
    meta->lanes = now + 1;
    metrics_gauge_set(meta_lanes_gauge(meta->registry, now),
                      metrics_lanes_restartable(now) ? info->cpu_lanes : info->atomic_lanes);
}

static void meta_lost(metrics_registry_t *r, int type, const char *reason, uint64_t n)
{
    const char *name = meta_families[META_EVENTS_LOST].name;
    if (n && type)
        metrics_gauge_set(
            metrics_gauge(r, name, "signal", ledger_signal_name((enum ledger_signal)type), "reason", reason),
            (double)n);
    else if (n)
        metrics_gauge_set(metrics_gauge(r, name, "reason", reason), (double)n);
}

void meta_events(struct meta *meta, const metrics_events_stats_t *stats)
{
    pthread_mutex_lock(&meta->lock);
    for (int type = 1; meta->registry && type < METRICS_EVENT_TYPES; type++) {
        meta_lost(meta->registry, type, "full", stats->dropped[type]);
        meta_lost(meta->registry, type, "refused", stats->refused[type]);
    }
    if (meta->registry) {
        meta_lost(meta->registry, 0, "damaged", stats->damaged);
        meta_lost(meta->registry, 0, "killed", stats->killed);
    }
    pthread_mutex_unlock(&meta->lock);
}

void meta_segment(struct meta *meta, const metrics_segment_info_t *info,
                  const metrics_snapshot_header_t *header, struct log_size log)
{
    pthread_mutex_lock(&meta->lock);
    metrics_registry_t *r = meta->registry;
    if (r) {
        meta_level(r, META_SERIES, (double)info->series);
        meta_level(r, META_FILL,
                   info->bytes_limit ? (double)info->bytes_used / (double)info->bytes_limit : 0);
        meta_level(r, META_RESIDENT, (double)info->bytes_resident);
        meta_level(r, META_WRITERS, info->writers);
        meta_level(r, META_DAMAGED, (double)header->series_damaged);
        meta_level(r, META_SATURATED, (double)header->sums_saturated);
        meta_level(r, META_LOG_BYTES, (double)log.bytes);
        meta_level(r, META_LOG_SNAPSHOTS, (double)log.snapshots);
        meta_level(r, META_LOG_FAILURES, (double)log.failures);
        meta_lanes(meta, info);
        meta_losses(r, info);
    }
    pthread_mutex_unlock(&meta->lock);
}
