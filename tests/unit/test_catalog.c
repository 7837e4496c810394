/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: what a reader knows about a segment grows with
 * it; snapshots that it has returned do not change. */
#include "unit.h"

#include <malloc.h>
#include <pthread.h>

#include "taking.h"
#include "testing.h"

static void check_sorted(const metrics_snapshot_t *s)
{
    for (size_t i = 1; i < s->count; i++)
        if (metrics__series_compare(s->readings[i - 1].series, s->readings[i].series) >= 0)
            UNIT_FAIL("%s:%d: %zu readings, number %zu is not after the one before\n", UNIT_AT, s->count, i);
}

/* Breaks if series that come between two snapshots are lost, shown twice, or not sorted in. */
UNIT(catalog, new_ones_are_sorted_in)
{
    metrics_registry_t *r = test_open(NULL);
    metrics_reader_t *reader = test_reader();
    uint64_t seed = 11, made = 0;
    char name[32];
    for (int take = 0; take < 60; take++) {
        for (int i = 0; i < take * take % 41; i++) {
            seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407u;
            snprintf(name, sizeof name, "n%05u", (unsigned)(seed >> 44) % 5000);
            metrics_counter_t *c = i % 2 ? metrics_counter(r, name) : metrics_counter(r, "t", "n", name);
            metrics_counter_inc(c);
        }
        metrics_snapshot_t *s = metrics_snapshot_take(reader, NULL), *afresh = test_take();
        REQUIRE(s != NULL && afresh != NULL);
        check_sorted(s);
        CHECK_EQ_U64(s->count, afresh->count);
        for (size_t i = 0; i < s->count && i < afresh->count; i++) {
            const metrics_reading_t *one = metrics_snapshot_find(s, &afresh->readings[i]);
            if (one != &s->readings[i] || one->count != afresh->readings[i].count)
                UNIT_FAIL("%s:%d: take %d, reading %zu\n", UNIT_AT, take, i);
        }
        made = s->count;
        metrics_snapshot_release(&s);
        metrics_snapshot_release(&afresh);
    }
    CHECK(made > 500);
    metrics_reader_close(&reader);
    metrics_close(&r);
}

/* Breaks if a unit or help text that comes after the first
 * snapshot is never shown, or changes that snapshot. */
UNIT(catalog, late_text)
{
    metrics_registry_t *r = test_open(NULL);
    metrics_reader_t *reader = test_reader();
    metrics_counter_add(metrics_counter(r, "bytes"), 3);
    metrics_snapshot_t *before = metrics_snapshot_take(reader, NULL);
    metrics_describe(
        r, "bytes",
        &(metrics_family_t){.size = sizeof(metrics_family_t), .unit = "bytes", .help = "How many."}, NULL);
    metrics_snapshot_t *after = metrics_snapshot_take(reader, NULL);
    REQUIRE(before && after && before->count == 1 && after->count == 1);
    CHECK_STR(metrics_reading_unit(&before->readings[0]), "");
    CHECK_STR(metrics_reading_unit(&after->readings[0]), "bytes");
    CHECK_STR(metrics_reading_help(&after->readings[0]), "How many.");
    CHECK(metrics_snapshot_find(before, &after->readings[0]) == &before->readings[0]);
    CHECK_EQ_U64(after->readings[0].count, 3);
    metrics_snapshot_release(&before);
    metrics_snapshot_release(&after);
    metrics_reader_close(&reader);
    metrics_close(&r);
}

/* Breaks if a snapshot changes when later ones reuse memory, or series come that move every place. */
UNIT(catalog, older_snapshots_stay)
{
    metrics_registry_t *r = test_open(NULL);
    metrics_reader_t *reader = test_reader();
    char name[16];
    for (int i = 0; i < 50; i++) {
        snprintf(name, sizeof name, "m%02d", i);
        metrics_meter_mark(metrics_meter(r, name), (uint64_t)i);
        snprintf(name, sizeof name, "t%02d", i);
        metrics_timer_update(metrics_timer(r, name), UINT64_C(1000000000) * (uint64_t)i);
    }
    metrics_snapshot_t *kept = metrics_snapshot_take(reader, NULL);
    for (int take = 0; take < 20; take++) {
        metrics_snapshot_t *s = metrics_snapshot_take(reader, NULL);
        snprintf(name, sizeof name, "a%02d", take);
        metrics_meter_mark(metrics_meter(r, name), 1000);
        for (size_t i = 0; i < kept->count; i++) {
            const metrics_reading_t *now = metrics_snapshot_find(s, &kept->readings[i]);
            REQUIRE(now != NULL);
            CHECK(!metrics__series_compare(now->series, kept->readings[i].series));
        }
        if (take % 3) metrics_snapshot_release(&s);
        metrics_snapshot_release(&s);
    }
    REQUIRE(kept->count == 100);
    for (int i = 0; i < 50; i++) {
        CHECK_EQ_U64(kept->readings[i].count, (uint64_t)i);
        CHECK_NEAR(test_number(&kept->readings[50 + i], NULL, NULL, "sum"), i, 1e-9);
        CHECK_NEAR(test_number(&kept->readings[50 + i], NULL, NULL, "p50"), i, 1e-9);
    }
    metrics_reader_close(&reader);
    metrics_snapshot_release(&kept); /* after its reader */
    metrics_close(&r);
}

static metrics_snapshot_t *handed; /* from the reader's thread to the other */
static int stop;

static void *look(void *arg)
{
    metrics_snapshot_t *last = NULL, *s;
    uint64_t *seen = arg;
    while (!__atomic_load_n(&stop, __ATOMIC_ACQUIRE)) {
        if (!(s = __atomic_exchange_n(&handed, NULL, __ATOMIC_ACQ_REL))) continue;
        for (size_t i = 0; last && i < metrics_snapshot_count(last); i++) {
            metrics_row_t rows[METRICS_ROWS_MAX];
            const metrics_reading_t *before = metrics_snapshot_reading(last, i),
                                    *now = metrics_snapshot_find(s, before);
            if (!now || strcmp(metrics_reading_name(now), metrics_reading_name(before)) ||
                now->count < before->count)
                UNIT_FAIL("%s:%d: reading %zu\n", UNIT_AT, i);
            *seen += metrics_reading_rows(before, NULL, NULL, rows, METRICS_ROWS_MAX) +
                     strlen(metrics_reading_unit(before)) + strlen(metrics_reading_help(before));
        }
        if (last) metrics_snapshot_release(&last);
        last = s;
    }
    if (last) metrics_snapshot_release(&last);
    return NULL;
}

/* Breaks (under the thread sanitizer, or by a wrong number) if the reader writes to
 * what a snapshot shows while another thread looks at it and gives its memory back. */
UNIT(catalog, another_thread_looks)
{
    metrics_registry_t *r = test_open(NULL);
    metrics_reader_t *reader = test_reader();
    pthread_t thread;
    uint64_t seen = 0;
    char name[16];
    REQUIRE(!pthread_create(&thread, NULL, look, &seen));
    for (int take = 0; take < 400; take++) {
        snprintf(name, sizeof name, "n%02d", take * 31 % 100);
        metrics_meter_mark(metrics_meter(r, name), 1);
        metrics_timer_update(metrics_timer(r, "t", "n", name), 1);
        if (take % 4 == 3)
            metrics_describe(r, name, &(metrics_family_t){.size = sizeof(metrics_family_t), .unit = "things"},
                             NULL);
        metrics_snapshot_t *s = metrics_snapshot_take(reader, NULL);
        REQUIRE(s != NULL);
        s = __atomic_exchange_n(&handed, s, __ATOMIC_ACQ_REL);
        if (s) metrics_snapshot_release(&s);
    }
    __atomic_store_n(&stop, 1, __ATOMIC_RELEASE);
    pthread_join(thread, NULL);
    metrics_snapshot_t *s = __atomic_exchange_n(&handed, NULL, __ATOMIC_ACQ_REL);
    if (s) metrics_snapshot_release(&s);
    CHECK(seen > 0);
    metrics_reader_close(&reader);
    metrics_close(&r);
}

/* Breaks if a reader takes more per series than docs/performance.md says: names of 30 bytes, two tags. */
UNIT(catalog, bytes_per_series)
{
    enum { SERIES = 20000 };
    metrics_registry_t *r =
        test_open(&(metrics_options_t){.size = sizeof(metrics_options_t), .family_series = SERIES + 1});
    char number[16];
    for (int i = 0; i < SERIES; i++) {
        snprintf(number, sizeof number, "%06d", i);
        metrics_counter_inc(
            metrics_counter(r, "a.name.of.thirty.bytes.or.such", "client", number, "zone", "eu-1"));
    }
    size_t before = mallinfo2().uordblks;
    metrics_reader_t *reader = test_reader();
    metrics_snapshot_t *s = metrics_snapshot_take(reader, NULL);
    size_t after = mallinfo2().uordblks;
    REQUIRE(s && s->count == SERIES);
    /* 64, 2 x 16 and 7 of a text that no other series has; tables; 24 of a reading */
    if (after - before > SERIES * 190) UNIT_FAIL("%s:%d: %zu bytes\n", UNIT_AT, (after - before) / SERIES);
    CHECK_EQ_U64(sizeof(struct metrics_reading), 24);
    metrics_snapshot_release(&s);
    metrics_reader_close(&reader);
    metrics_close(&r);
}
