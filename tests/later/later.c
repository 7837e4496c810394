/* SPDX-License-Identifier: Apache-2.0 */
/*
 * later.c - a program built with a later minor version of the format, which has one more kind and one more
 * record type.
 *
 *     later make PATH        makes a segment of its version
 *     later write PATH N     N updates of everything: what both versions know, and what only this one knows
 *     later read PATH        prints "shared=N tally=N sizes=N damaged=N minor=N"
 */
#include <errno.h>

#include "../testing.h"

#include "handle.h"

enum { RECORD_LATER = 200, LATER_RECORDS = 50 };

static metrics_registry_t *attach(const char *path)
{
    metrics_error_t error;
    metrics_registry_t *r =
        metrics_open(&(metrics_options_t){.size = sizeof(metrics_options_t), .path = path}, &error);
    if (metrics_status(r, NULL) < 0) fprintf(stderr, "later: %s\n", error.text);
    return r;
}

/* Records of a type that nobody else knows, found through the index like any other. */
static void publish(metrics_registry_t *r)
{
    char key[32];
    for (int i = 0; i < LATER_RECORDS; i++) {
        int n = snprintf(key, sizeof key, "Z%d.%d", (int)getpid(), i);
        uint64_t offset = record_new(r->seg, RECORD_LATER, 0, key, (size_t)n, 24 + (size_t)i * 8);
        if (offset) index_insert(r->seg, offset);
    }
}

static void write_all(const char *path, long n)
{
    char tag[16];
    metrics_registry_t *r = attach(path);
    publish(r);
    for (long i = 0; i < n; i++) {
        snprintf(tag, sizeof tag, "%ld", i % 20);
        const char *const tally[] = {"tally", "n", tag};
        metrics_counter_inc(metrics_counter(r, "shared", "n", tag));
        metrics_counter_inc(metrics__find(r, &metrics__kind_tally, tally, 3));
        metrics_histogram_update(metrics_histogram(r, "sizes"), (double)(i % 100));
    }
    metrics_close(&r);
}

static double total(const metrics_snapshot_t *s, const char *name)
{
    double sum = 0;
    for (size_t i = 0; i < metrics_snapshot_count(s); i++) {
        const metrics_reading_t *r = metrics_snapshot_reading(s, i);
        double n = test_number(r, NULL, NULL, "count");
        if (!strcmp(metrics_reading_name(r), name) && n == n) sum += n;
    }
    return sum;
}

static int read_all(const char *path)
{
    metrics_segment_info_t info;
    metrics_reader_t *reader = metrics_reader_open(path, NULL, NULL);
    metrics_snapshot_t *s = reader ? metrics_snapshot_take(reader, NULL) : NULL;
    if (!s || metrics_reader_info(reader, &info, NULL)) return 1;
    printf("shared=%.0f tally=%.0f sizes=%.0f damaged=%llu minor=%u\n", total(s, "shared"), total(s, "tally"),
           total(s, "sizes"), (unsigned long long)metrics_snapshot_header(s)->series_damaged, info.minor);
    metrics_snapshot_release(&s);
    metrics_reader_close(&reader);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc < 3) return 2;
    metrics_registry_t *r = NULL;
    if (!strcmp(argv[1], "make")) r = attach(argv[2]);
    if (r) metrics_close(&r);
    if (!strcmp(argv[1], "write")) write_all(argv[2], argc > 3 ? atol(argv[3]) : 0);
    return strcmp(argv[1], "read") ? 0 : read_all(argv[2]);
}
