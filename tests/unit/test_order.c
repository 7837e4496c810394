/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: values are read in the order of the file and
 * returned in the order of names, each with its name. */
#include "unit.h"

#include <fcntl.h>

#include "taking.h"
#include "testing.h"

enum { SERIES = 300 };

/* Names that sort in another order than they are registered in. */
static const char *name_of(int i, char name[16])
{
    snprintf(name, 16, "s%03d", i * 7919 % 1000);
    return name;
}

static double count_of(const metrics_snapshot_t *s, const char *name)
{
    return test_number(test_find(s, name, NULL), NULL, NULL, "count");
}

/* Breaks if a count goes to another name: with gaps where a
 * series was retired, and other kinds in between. */
UNIT(order, counts_find_their_names)
{
    metrics_registry_t *r = test_open(NULL);
    char name[16];
    for (int i = 0; i < SERIES; i++) {
        if (i % 5 == 0) metrics_histogram_update(metrics_histogram(r, "h", "n", name_of(i, name)), i);
        if (i % 7 == 0) metrics_meter_mark(metrics_meter(r, "m", "n", name_of(i, name)), (uint64_t)i);
        if (i % 11 == 0) metrics_set_add(metrics_set(r, "s", "n", name_of(i, name)), "x", 1);
        metrics_counter_add(metrics_counter(r, name_of(i, name)), 1000 + (uint64_t)i);
    }
    for (int i = 0; i < SERIES; i += 3) metrics_retire(r, (const char *[]){name_of(i, name)}, 1);
    metrics_reader_t *reader = test_reader();
    for (int take = 0; take < 3; take++) {
        metrics_snapshot_t *s = metrics_snapshot_take(reader, NULL);
        REQUIRE(s != NULL);
        for (int i = 0; i < SERIES; i++) {
            double want = i % 3 ? 1000 + i + take : (double)NAN, got = count_of(s, name_of(i, name));
            if (isnan(want) ? !isnan(got) : got != want)
                UNIT_FAIL("%s:%d: %s is %g, not %g\n", UNIT_AT, name, got, want);
            if (i % 7 == 0) CHECK_NEAR(test_number(test_find(s, "m", name), NULL, NULL, "count"), i, 0);
            if (i % 5 == 0) CHECK_NEAR(test_number(test_find(s, "h", name), NULL, NULL, "sum"), i, 0);
            if (i % 3) metrics_counter_inc(metrics_counter(r, name));
        }
        CHECK_EQ_U64(metrics_snapshot_header(s)->series_damaged, 0);
        metrics_snapshot_release(&s);
    }
    metrics_reader_close(&reader);
    metrics_close(&r);
}

/* Breaks if a lane is left out, counted twice or taken for
 * another series'. Every cell gets a number of its own. */
UNIT(order, every_lane_counts_once)
{
    static const uint32_t lanes[] = {1, 3, 64, 1000};
    for (size_t k = 0; k < sizeof lanes / sizeof *lanes; k++) {
        metrics_registry_t *r =
            test_open(&(metrics_options_t){.size = sizeof(metrics_options_t), .lanes = lanes[k]});
        char name[16];
        uint64_t want[SERIES] = {0}, seed = 5;
        for (int i = 0; i < SERIES; i++) metrics_counter(r, name_of(i, name));
        metrics_reader_t *reader = test_reader();
        metrics_snapshot_t *s = metrics_snapshot_take(reader, NULL);
        int fd = open(test_path, O_RDWR | O_CLOEXEC);
        REQUIRE(s != NULL && fd >= 0);
        for (int i = 0; i < SERIES; i++) {
            const metrics_reading_t *reading = test_find(s, name_of(i, name), NULL);
            REQUIRE(reading != NULL);
            for (uint64_t lane = 0; lane < reader->head.lanes_cpu + reader->head.lanes_atomic; lane++) {
                seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407u;
                uint64_t v = seed >> 20;
                want[i] += v;
                off_t at = (off_t)(reading->series->storage[0] + lane * 128);
                REQUIRE(pwrite(fd, &v, sizeof v, at) == sizeof v);
            }
        }
        metrics_snapshot_release(&s);
        s = metrics_snapshot_take(reader, NULL);
        REQUIRE(s != NULL);
        for (int i = 0; i < SERIES; i++) CHECK_NEAR(count_of(s, name_of(i, name)), (double)want[i], 0);
        metrics_snapshot_release(&s);
        close(fd);
        metrics_reader_close(&reader);
        metrics_close(&r);
    }
}

/* Breaks if what was counted in an overflow series is missing from the first snapshot that could have it. */
UNIT(order, overflow_is_shown_at_once)
{
    metrics_registry_t *r =
        test_open(&(metrics_options_t){.size = sizeof(metrics_options_t), .family_series = 2});
    metrics_reader_t *reader = test_reader();
    char n[16];
    for (int i = 0; i < 4; i++) {
        snprintf(n, sizeof n, "%d", i);
        metrics_counter_inc(metrics_counter(r, "c", "n", n));
        metrics_timer_update(metrics_timer(r, "t", "n", n), 1);
        metrics_updown_add(metrics_updown(r, "u", "n", n), i == 3 ? -1 : 1);
        metrics_snapshot_t *s = metrics_snapshot_take(reader, NULL);
        REQUIRE(s != NULL);
        for (int k = 0; k < 2; k++) {
            double got = test_number(test_find(s, k ? "t" : "c", "_overflow"), NULL, NULL, "count");
            if (i < 2)
                CHECK(isnan(got));
            else
                CHECK_NEAR(got, i - 1, 0);
        }
        /* An updown that is back at 0 is as empty as one that was never used. */
        CHECK((test_find(s, "u", "_overflow") != NULL) == (i == 2));
        metrics_snapshot_release(&s);
    }
    metrics_reader_close(&reader);
    metrics_close(&r);
}

/* Breaks if a series whose storage came after its record stays unseen, or one without storage is shown. */
UNIT(order, storage_that_comes_late)
{
    metrics_registry_t *r = test_open(NULL);
    metrics_counter_add(metrics_counter(r, "early"), 1);
    metrics_counter_add(metrics_counter(r, "late"), 2);
    metrics_reader_t *reader = test_reader();
    metrics_snapshot_t *s = metrics_snapshot_take(reader, NULL);
    const metrics_reading_t *late = test_find(s, "late", NULL);
    REQUIRE(late != NULL);
    off_t at = (off_t)(late->series->offset + offsetof(struct segment_record, storage));
    uint64_t storage[2] = {late->series->storage[0], 0}, none[2] = {0};
    metrics_snapshot_release(&s);
    metrics_reader_close(&reader);
    int fd = open(test_path, O_RDWR | O_CLOEXEC);
    REQUIRE(fd >= 0 && pwrite(fd, none, sizeof none, at) == sizeof none);
    reader = test_reader();
    for (int there = 0; there < 2; there++) {
        if (there) REQUIRE(pwrite(fd, storage, sizeof storage, at) == sizeof storage);
        s = metrics_snapshot_take(reader, NULL);
        CHECK_EQ_U64(metrics_snapshot_count(s), 1 + (uint64_t)there);
        CHECK_NEAR(count_of(s, "early"), 1, 0);
        if (there) CHECK_NEAR(count_of(s, "late"), 2, 0);
        CHECK_EQ_U64(metrics_snapshot_header(s)->series_damaged, 0);
        metrics_snapshot_release(&s);
    }
    close(fd);
    metrics_reader_close(&reader);
    metrics_close(&r);
}
