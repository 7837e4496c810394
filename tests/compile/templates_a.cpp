/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Promise: a C++ program with updates in templates and inline methods links at -O0 and counts right. (A
 * restartable section that is not tied to its function's COMDAT group refers to code that the linker threw
 * away.)
 */
#include "templates.h"

#include <mtx/snapshot.h>

#include <cstdio>
#include <cstring>
#include <unistd.h>

/* The count or value of the series called name with at most one tag, or -1. */
static double number_of(const metrics_snapshot_t *snapshot, const char *name)
{
    for (size_t i = 0; i < metrics_snapshot_count(snapshot); i++) {
        const metrics_reading_t *reading = metrics_snapshot_reading(snapshot, i);
        metrics_row_t rows[METRICS_ROWS_MAX];
        if (strcmp(metrics_reading_name(reading), name) != 0) continue;
        size_t n = metrics_reading_rows(reading, nullptr, nullptr, rows, METRICS_ROWS_MAX);
        for (size_t j = 0; j < n; j++)
            if (rows[j].attribute == METRICS_COUNT || rows[j].attribute == METRICS_VALUE)
                return metrics_row_number(&rows[j]);
    }
    return -1;
}

static int expect(const metrics_snapshot_t *snapshot, const char *name, double want)
{
    double got = number_of(snapshot, name);
    if (got == want) return 0;
    fprintf(stderr, "%s: expected %g, got %g\n", name, want, got);
    return 1;
}

int main()
{
    unlink(metrics_default_path());
    metrics_registry_t *registry = metrics_default();
    metrics_counter_t *counter = metrics_counter(registry, "cxx.count");
    metrics_timer_t *timer = metrics_timer(registry, "cxx.time");
    metrics_updown_t *depth = metrics_updown(registry, "cxx.depth");
    count_template(counter, 3L);
    count_template(counter, 4);
    Stopwatch(timer).run(depth);
    other_unit(counter, timer, depth);

    metrics_error_t error;
    if (metrics_status(registry, &error) != 0) {
        fprintf(stderr, "the registry says: %s\n", error.text);
        return 1;
    }
    metrics_reader_t *reader = metrics_reader_open(nullptr, nullptr, &error);
    metrics_snapshot_t *snapshot = reader ? metrics_snapshot_take(reader, &error) : nullptr;
    if (!snapshot) {
        fprintf(stderr, "no snapshot: %s\n", error.text);
        return 1;
    }
    int failed = expect(snapshot, "cxx.count", 14) + expect(snapshot, "cxx.site", 4) +
                 expect(snapshot, "cxx.time", 2) + expect(snapshot, "cxx.depth", 0);
    metrics_snapshot_release(&snapshot);
    metrics_reader_close(&reader);
    unlink(metrics_default_path());
    return failed != 0;
}
