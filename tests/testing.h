/* SPDX-License-Identifier: Apache-2.0 */
/* testing.h - a segment for one test, and a clock that only the test moves. */
#ifndef METRICS_TESTS_TESTING_H
#define METRICS_TESTS_TESTING_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <mtx/metrics.h>
#include <mtx/snapshot.h>

static char test_path[96];
static uint64_t test_ns; /* the injected monotonic clock; wall = the same + TEST_WALL */
#define TEST_WALL UINT64_C(1700000000000000000)

static inline void test_unlink(void)
{
    unlink(test_path);
}

static inline uint64_t test_wall(void *arg)
{
    (void)arg;
    return TEST_WALL + test_ns;
}
static inline uint64_t test_monotonic(void *arg)
{
    (void)arg;
    return test_ns;
}

/* Chooses the path of a segment, which does not exist yet and is removed at the end. */
static inline void test_place(void)
{
    snprintf(test_path, sizeof test_path, "/dev/shm/mtx-test-%d.seg", (int)getpid());
    unlink(test_path);
    atexit(test_unlink);
}

/* Opens a fresh segment; options may be NULL. The injected clock starts at the real one. */
static inline metrics_registry_t *test_open(const metrics_options_t *options)
{
    metrics_options_t o = {.size = sizeof o};
    metrics_error_t error;
    struct timespec ts;
    if (options) o = *options;
    test_place();
    o.path = test_path;
    metrics_registry_t *r = metrics_open(&o, &error);
    if (error.code) fprintf(stderr, "%s\n", error.text);
    clock_gettime(CLOCK_MONOTONIC, &ts);
    test_ns = (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
    return r;
}

static inline metrics_reader_options_t test_clock(void)
{
    return (metrics_reader_options_t){.size = sizeof(metrics_reader_options_t),
                                      .clock = {test_wall, test_monotonic, NULL}};
}

/* A reader of that segment, which stays open; the test ends if there is none. */
static inline metrics_reader_t *test_reader(void)
{
    metrics_error_t error = {0};
    metrics_reader_t *r = metrics_reader_open(test_path, NULL, &error);
    if (r) return r;
    fprintf(stderr, "%s\n", error.text);
    exit(1);
}

static inline metrics_snapshot_t *test_take(void)
{
    metrics_error_t error = {0};
    metrics_reader_t *reader = metrics_reader_open(test_path, NULL, &error);
    metrics_snapshot_t *s = reader ? metrics_snapshot_take(reader, &error) : NULL;
    if (!s) fprintf(stderr, "%s\n", error.text);
    metrics_reader_close(&reader);
    return s;
}

/* The reading with that name and (if tag is not NULL) first tag value. */
static inline const metrics_reading_t *test_find(const metrics_snapshot_t *s, const char *name,
                                                 const char *value)
{
    for (size_t i = 0; s && i < metrics_snapshot_count(s); i++) {
        const metrics_reading_t *r = metrics_snapshot_reading(s, i);
        size_t n;
        const metrics_tag_t *tags = metrics_reading_tags(r, &n);
        if (!strcmp(metrics_reading_name(r), name) && (!value || (n && !strcmp(tags[0].value, value))))
            return r;
    }
    return NULL;
}

/* The number of a reading's row with that suffix; NaN if there is none. */
static inline double test_number(const metrics_reading_t *r, const metrics_reading_t *base,
                                 const metrics_row_options_t *options, const char *suffix)
{
    metrics_row_t rows[1024];
    char text[32];
    size_t n = r ? metrics_reading_rows(r, base, options, rows, 1024) : 0;
    for (size_t i = 0; i < n && i < 1024; i++)
        if (!strcmp(metrics_row_suffix(&rows[i], text, sizeof text), suffix))
            return metrics_row_number(&rows[i]);
    return 0.0 / 0.0;
}

#endif
