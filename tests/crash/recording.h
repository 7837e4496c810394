/* SPDX-License-Identifier: Apache-2.0 */
/* recording.h - one round of everything that a writer does: the victim's work, and the survivor's. */
#ifndef METRICS_TESTS_CRASH_RECORDING_H
#define METRICS_TESTS_CRASH_RECORDING_H

#include <stddef.h>

#include <mtx/events.h>
#include <mtx/metrics.h>

#include "crash.h"

static inline void describe(metrics_registry_t *r, const char *name, metrics_family_t f)
{
    f.size = sizeof f;
    metrics_describe(r, name, &f, NULL);
}

/* Settings of the families; samples are few, so that reservoirs fill and replace within a round. */
static inline void describe_all(metrics_registry_t *r)
{
    static const double bounds[] = {1, 2, 4};
    describe(r, "buckets",
             (metrics_family_t){.reservoir = METRICS_BUCKETS_EXPONENTIAL, .scale = 1, .low = 1, .high = 64});
    describe(r, "bounds",
             (metrics_family_t){.reservoir = METRICS_BUCKETS, .bounds = bounds, .bound_count = 3});
    describe(r, "decaying",
             (metrics_family_t){.reservoir = METRICS_RESERVOIR_DECAYING, .samples = CRASH_SLOTS});
    describe(r, "uniform",
             (metrics_family_t){.reservoir = METRICS_RESERVOIR_UNIFORM, .samples = CRASH_SLOTS});
    describe(r, "sliding",
             (metrics_family_t){.reservoir = METRICS_RESERVOIR_SLIDING, .samples = CRASH_SLOTS});
    describe(r, "recent",
             (metrics_family_t){
                 .reservoir = METRICS_RESERVOIR_SLIDING_TIME, .samples = CRASH_SLOTS, .window_s = 60});
    describe(r, "busy", (metrics_family_t){.merge = METRICS_MERGE_SUM});
}

#define RECORD(NAME, FIND, UPDATE)                                             \
    for (int i = 0; i < updates; i++) {                                        \
        metrics_##NAME##_type *h = FIND(r, #NAME, "who", tag);                 \
        __atomic_fetch_add(&ledger->begun[CRASH_##NAME], 1, __ATOMIC_SEQ_CST); \
        UPDATE;                                                                \
        __atomic_fetch_add(&ledger->done[CRASH_##NAME], 1, __ATOMIC_SEQ_CST);  \
    }
typedef metrics_counter_t metrics_counter_type;
typedef metrics_updown_t metrics_updown_type;
typedef metrics_meter_t metrics_meter_type;
typedef metrics_histogram_t metrics_buckets_type, metrics_bounds_type, metrics_decaying_type,
    metrics_uniform_type, metrics_sliding_type, metrics_recent_type;
typedef metrics_timer_t metrics_timer_type;

static inline void record_lines(metrics_registry_t *r, const char *tag, struct crash_ledger *ledger,
                                int lines)
{
    static char text[CRASH_LINE];
    metrics_logger_t *log = metrics_logger(r, "lines", "who", tag);
    for (int i = 0; i < CRASH_LINE; i++) text[i] = (char)('a' + i % 26);
    for (int i = 0; i < lines; i++) {
        __atomic_fetch_add(&ledger->lines_begun, 1, __ATOMIC_SEQ_CST);
        metrics_log(log, METRICS_LOG_INFO, "%d %.*s", i, crash_line_length(i), text);
        __atomic_fetch_add(&ledger->lines_done, 1, __ATOMIC_SEQ_CST);
    }
}

/* Finds or creates every series, and updates it. `tag`
 * distinguishes the series of one caller from those of another. */
static inline void record_all(metrics_registry_t *r, const char *tag, struct crash_ledger *ledger,
                              int updates)
{
    CRASH_KINDS(RECORD)
    metrics_gauge_set(metrics_gauge(r, "busy", "who", tag), 1);
    metrics_gauge_add(metrics_gauge(r, "busy", "who", tag), 1);
    metrics_set_t *set = metrics_set(r, "users", "who", tag);
    for (int i = 0; i < 5; i++) metrics_set_add(set, &i, sizeof i);
    metrics_info(r, "build", "who", tag);
    record_lines(r, tag, ledger, updates);
}

/* More of those that keep samples, and more distinct things than a set keeps exactly. */
static inline void record_samples(metrics_registry_t *r, const char *tag, struct crash_ledger *ledger,
                                  int updates)
{
    RECORD(decaying, metrics_histogram, metrics_histogram_update(h, 3))
    RECORD(uniform, metrics_histogram, metrics_histogram_update(h, 3))
    RECORD(sliding, metrics_histogram, metrics_histogram_update(h, 3))
    RECORD(recent, metrics_histogram, metrics_histogram_update(h, 3))
    metrics_set_t *set = metrics_set(r, "users", "who", tag);
    for (int i = 0; i < 300; i++) metrics_set_add(set, &i, sizeof i);
}
#undef RECORD

#endif
