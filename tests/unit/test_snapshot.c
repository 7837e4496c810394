/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: what is recorded is what is read, for every kind, through a real segment. */
#include "unit.h"

#include "testing.h"

#define NUMBER(NAME, SUFFIX) test_number(test_find(s, NAME, NULL), NULL, NULL, SUFFIX)

/* Breaks if a total, a sum or a statistic of any kind is read wrongly. */
UNIT(snapshot, every_kind)
{
    metrics_registry_t *r = test_open(NULL);
    metrics_counter_add(metrics_counter(r, "counter"), 7);
    metrics_updown_add(metrics_updown(r, "updown"), -5);
    metrics_gauge_set(metrics_gauge(r, "gauge"), 2.5);
    metrics_meter_mark(metrics_meter(r, "meter"), 9);
    for (int i = 1; i <= 10; i++) metrics_histogram_update(metrics_histogram(r, "histogram"), i);
    metrics_timer_update(metrics_timer(r, "timer"), 250000000);
    metrics_set_add(metrics_set(r, "set"), "a", 1);
    metrics_set_add(metrics_set(r, "set"), "b", 1);
    metrics_set_add(metrics_set(r, "set"), "a", 1);
    metrics_info(r, "build", "version", "1.2");
    metrics_snapshot_t *s = test_take();
    REQUIRE(s != NULL);
    CHECK_EQ_U64(metrics_snapshot_count(s), 8);
    CHECK_NEAR(NUMBER("counter", "count"), 7, 0);
    CHECK_NEAR(NUMBER("updown", "value"), -5, 0);
    CHECK_NEAR(NUMBER("gauge", "value"), 2.5, 0);
    CHECK_NEAR(NUMBER("meter", "count"), 9, 0);
    CHECK_NEAR(NUMBER("histogram", "count"), 10, 0);
    CHECK_NEAR(NUMBER("histogram", "sum"), 55, 0);
    CHECK_NEAR(NUMBER("histogram", "sum_squares"), 385, 0);
    CHECK_NEAR(NUMBER("histogram", "min"), 1, 0);
    CHECK_NEAR(NUMBER("histogram", "max"), 10, 0);
    CHECK_NEAR(NUMBER("histogram", "mean"), 5.5, 1e-3);
    CHECK_NEAR(NUMBER("histogram", "p75"), 8.25, 0.02); /* weights differ by the time of the test's loop */
    CHECK_NEAR(NUMBER("histogram", "p95"), 10, 1e-9);
    CHECK_NEAR(NUMBER("timer", "sum"), 0.25, 1e-12); /* seconds */
    CHECK_NEAR(NUMBER("timer", "p99"), 0.25, 1e-12);
    CHECK_NEAR(NUMBER("set", "value"), 2, 0);
    CHECK_NEAR(NUMBER("build", "value"), 1, 0);
    metrics_snapshot_release(&s);
}

/* Breaks if "no samples" is ever exported as 0 or NaN, or if empty_zero does not give the zeros. */
UNIT(snapshot, empty_is_absent)
{
    metrics_registry_t *r = test_open(NULL);
    metrics_histogram(r, "histogram");
    metrics_gauge(r, "gauge");
    metrics_snapshot_t *s = test_take();
    const metrics_reading_t *h = test_find(s, "histogram", NULL);
    metrics_row_options_t zero = {.size = sizeof zero, .empty_zero = 1};
    metrics_row_t row;
    CHECK_NEAR(test_number(h, NULL, NULL, "count"), 0, 0);
    CHECK(isnan(test_number(h, NULL, NULL, "p99")));
    CHECK(isnan(test_number(h, NULL, NULL, "mean")));
    CHECK_NEAR(test_number(h, NULL, &zero, "p99"), 0, 0);
    CHECK_EQ_U64(metrics_reading_rows(test_find(s, "gauge", NULL), NULL, NULL, &row, 1), 0);
    metrics_snapshot_release(&s);
}

/* Breaks if a value that is not a number reaches a sum, or is dropped without being counted. */
UNIT(snapshot, not_a_number_is_counted)
{
    metrics_registry_t *r = test_open(NULL);
    metrics_histogram_t *h = metrics_histogram(r, "histogram");
    metrics_histogram_update(h, NAN);
    metrics_histogram_update(h, INFINITY);
    metrics_histogram_update(h, 3);
    metrics_snapshot_t *s = test_take();
    CHECK_NEAR(NUMBER("histogram", "sum"), 3, 0);
    CHECK_NEAR(NUMBER("histogram", "count"), 1, 0);
    metrics_snapshot_release(&s);
    metrics_reader_t *reader = metrics_reader_open(test_path, NULL, NULL);
    metrics_segment_info_t info;
    REQUIRE(reader && !metrics_reader_info(reader, &info, NULL));
    uint32_t bad = 0;
    for (uint32_t i = 0; i < info.loss_count; i++)
        if (!strcmp(metrics_loss_name(i), "bad_value")) bad = (uint32_t)info.losses[i];
    CHECK_EQ_U64(bad, 2);
    metrics_reader_close(&reader);
}

/* Breaks if bucket counts, their sum or the derived count disagree, or an interval is not the difference. */
UNIT(snapshot, buckets_and_intervals)
{
    static const double bounds[] = {1, 10, 100};
    metrics_registry_t *r = test_open(NULL);
    metrics_family_t f = {.size = sizeof f, .reservoir = METRICS_BUCKETS, .bounds = bounds, .bound_count = 3};
    CHECK_EQ_I64(metrics_describe(r, "b", &f, NULL), 0);
    metrics_histogram_t *h = metrics_histogram(r, "b");
    const double values[] = {0.5, 1, 5, 50, 500};
    for (int i = 0; i < 5; i++) metrics_histogram_update(h, values[i]);
    metrics_snapshot_t *base = test_take();
    metrics_histogram_update(h, 7);
    metrics_snapshot_t *s = test_take();
    metrics_row_options_t o = {.size = sizeof o,
                               .attributes = METRICS_ATTR(METRICS_BUCKETS_LE) | METRICS_ATTR(METRICS_COUNT)};
    metrics_row_t rows[8];
    const metrics_reading_t *now = test_find(s, "b", NULL), *before = metrics_snapshot_find(base, now);
    REQUIRE(before != NULL);
    CHECK_EQ_U64(metrics_reading_rows(now, NULL, &o, rows, 8), 5);
    const uint64_t want[] = {6, 2, 4, 5, 6};
    for (int i = 0; i < 5; i++) CHECK_EQ_U64(rows[i].value.u, want[i]);
    CHECK_NEAR(rows[1].parameter, 1, 0);
    CHECK(isinf(rows[4].parameter));
    o.totals = METRICS_INTERVAL;
    CHECK_EQ_U64(metrics_reading_rows(now, before, &o, rows, 8), 5);
    const uint64_t interval[] = {1, 0, 1, 1, 1};
    for (int i = 0; i < 5; i++) CHECK_EQ_U64(rows[i].value.u, interval[i]);
    metrics_bucket_t room[4];
    metrics_distribution_t d;
    CHECK_EQ_I64(metrics_reading_distribution(now, before, room, 4, &d), 0);
    CHECK_EQ_U64(d.count, 1);
    CHECK_NEAR(d.sum, 7, 1e-9);
    CHECK_EQ_U64(room[1].count, 1);
    CHECK_EQ_I64(metrics_reading_distribution(now, before, room, 3, &d), -1);
    metrics_snapshot_release(&s);
    metrics_snapshot_release(&base);
}

static double row_of(const metrics_reading_t *reading, enum metrics_attribute attribute, double parameter)
{
    metrics_row_t rows[16];
    metrics_row_options_t o = {.size = sizeof o, .attributes = METRICS_ATTR(attribute)};
    size_t n = metrics_reading_rows(reading, NULL, &o, rows, 16);
    for (size_t i = 0; i < n; i++)
        if (isnan(parameter) || rows[i].parameter == parameter) return metrics_row_number(&rows[i]);
    return NAN;
}

/* Breaks if a quantile or the mean lies outside of minimum and maximum where a bucket has no edge. */
UNIT(snapshot, buckets_without_an_edge)
{
    static const double bounds[] = {1, 10};
    static const struct {
        const char *name;
        double value, min, max;
    } all[] = {{"first", 0.25, 0, 1}, {"below", -7, -7, 1}, {"last", 40, 10, 40}};
    metrics_registry_t *r = test_open(NULL);
    metrics_family_t f = {.size = sizeof f, .reservoir = METRICS_BUCKETS, .bounds = bounds, .bound_count = 2};
    for (size_t i = 0; i < 3; i++) {
        metrics_describe(r, all[i].name, &f, NULL);
        metrics_histogram_update(metrics_histogram(r, all[i].name), all[i].value);
    }
    metrics_snapshot_t *s = test_take();
    for (size_t i = 0; i < 3; i++) {
        const metrics_reading_t *now = test_find(s, all[i].name, NULL);
        double middle = row_of(now, METRICS_PERCENTILE, 0.5);
        CHECK_NEAR(row_of(now, METRICS_MIN, NAN), all[i].min, 0);
        CHECK_NEAR(row_of(now, METRICS_MAX, NAN), all[i].max, 0);
        CHECK_NEAR(row_of(now, METRICS_MEAN, NAN), all[i].value, 0);
        CHECK(middle >= all[i].min && middle <= all[i].max);
    }
    metrics_snapshot_release(&s);
}

/* Breaks if readings are not sorted, or a retired series is still shown, or a re-created one is not. */
UNIT(snapshot, order_and_retirement)
{
    metrics_registry_t *r = test_open(NULL);
    const char *second[] = {"a", "k", "2"};
    metrics_counter_inc(metrics_counter(r, "b"));
    metrics_counter_inc(metrics_counter(r, "a", "k", "2"));
    metrics_counter_inc(metrics_counter(r, "a", "k", "1"));
    metrics_snapshot_t *s = test_take();
    REQUIRE(metrics_snapshot_count(s) == 3);
    CHECK_STR(metrics_reading_name(metrics_snapshot_reading(s, 0)), "a");
    CHECK(test_find(s, "a", "1") == metrics_snapshot_reading(s, 0));
    CHECK_STR(metrics_reading_name(metrics_snapshot_reading(s, 2)), "b");
    metrics_snapshot_release(&s);
    metrics_retire(r, second, 3);
    s = test_take();
    CHECK(test_find(s, "a", "2") == NULL);
    CHECK_EQ_U64(metrics_snapshot_count(s), 2);
    metrics_snapshot_release(&s);
    metrics_counter_inc(metrics_counter(r, "a", "k", "2"));
    s = test_take();
    CHECK_NEAR(test_number(test_find(s, "a", "2"), NULL, NULL, "count"), 2, 0);
    CHECK(metrics_counter(r, "a", "k", "2") == metrics_counter(r, "a", "k", "2")); /* one handle again */
    metrics_snapshot_release(&s);
}

/* Breaks if the short way to a count says anything else than the row. */
UNIT(snapshot, counts_without_rows)
{
    metrics_registry_t *r = test_open(NULL);
    const char *const names[] = {"counter", "meter", "histogram", "buckets", "timer"};
    metrics_describe(r, "buckets",
                     &(metrics_family_t){.size = sizeof(metrics_family_t),
                                         .reservoir = METRICS_BUCKETS_EXPONENTIAL,
                                         .scale = 2,
                                         .low = 1,
                                         .high = 100},
                     NULL);
    metrics_counter_add(metrics_counter(r, "counter"), 7);
    metrics_meter_mark(metrics_meter(r, "meter"), 9);
    for (int i = 1; i <= 10; i++) metrics_histogram_update(metrics_histogram(r, "histogram"), i);
    for (int i = 1; i <= 11; i++) metrics_histogram_update(metrics_histogram(r, "buckets"), i);
    metrics_timer_update(metrics_timer(r, "timer"), 250000000);
    metrics_snapshot_t *s = test_take();
    REQUIRE(s != NULL);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        CHECK_NEAR((double)metrics_reading_count(test_find(s, names[i], NULL)), NUMBER(names[i], "count"), 0);
    metrics_snapshot_release(&s);
}

/* Breaks if two snapshots are called alike though a series came, went, was made anew or got its help text
 * between them, or not although none did. */
UNIT(snapshot, alike)
{
    metrics_registry_t *r = test_open(NULL);
    const char *name[] = {"b"};
    metrics_family_t helped = {.size = sizeof helped, .help = "What it counts."};
    metrics_error_t error = {0};
    metrics_counter_inc(metrics_counter(r, "a"));
    metrics_counter_inc(metrics_counter(r, "b"));
    metrics_reader_t *reader = metrics_reader_open(test_path, NULL, &error);
    REQUIRE(reader != NULL);
    metrics_snapshot_t *last = metrics_snapshot_take(reader, &error), *other = test_take();
    REQUIRE(last != NULL && other != NULL);
    CHECK(metrics_snapshot_alike(last, last));
    CHECK(!metrics_snapshot_alike(last, other));
    for (int step = 0; step < 8; step++) {
        bool change = step % 2;
        if (step == 1) metrics_counter_inc(metrics_counter(r, "c"));
        if (step == 3) metrics_retire(r, name, 1);
        if (step == 5) metrics_counter_inc(metrics_counter(r, "b"));
        if (step == 7) metrics_describe(r, "a", &helped, NULL);
        metrics_counter_inc(metrics_counter(r, "a"));
        metrics_snapshot_t *s = metrics_snapshot_take(reader, &error);
        REQUIRE(s != NULL);
        if (!metrics_snapshot_alike(s, last) != change)
            UNIT_FAIL("step %d: alike %d\n", step, metrics_snapshot_alike(s, last));
        metrics_snapshot_release(&last);
        last = s;
    }
    metrics_snapshot_release(&last);
    metrics_snapshot_release(&other);
    metrics_reader_close(&reader);
}
