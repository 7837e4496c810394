/* SPDX-License-Identifier: Apache-2.0 */
/* Snapshots as bytes: nothing is lost on the way, and nothing but such bytes is believed. */
#include "unit.h"

#include "leader.h"
#include "segment.h"

static metrics_snapshot_t *sample(void)
{
    static const double bounds[] = {1, 10};
    metrics_registry_t *r = test_open(NULL);
    metrics_family_t f = {.size = sizeof f, .unit = "bytes", .help = "what it is"};
    metrics_describe(r, "h", &f, NULL);
    f = (metrics_family_t){.size = sizeof f, .reservoir = METRICS_BUCKETS, .bounds = bounds, .bound_count = 2};
    metrics_describe(r, "b", &f, NULL);
    f = (metrics_family_t){.size = sizeof f, .merge = METRICS_MERGE_ALL};
    metrics_describe(r, "all", &f, NULL);
    for (int i = 0; i < 5000; i++) metrics_histogram_update(metrics_histogram(r, "h", "k", "v\n\"x"), i * 0.37);
    for (int i = 0; i < 20; i++) metrics_histogram_update(metrics_histogram(r, "b"), i);
    metrics_timer_update(metrics_timer(r, "t"), 12345);
    metrics_gauge_set(metrics_gauge(r, "all"), -1.25);
    metrics_set_add(metrics_set(r, "s"), "x", 1);
    metrics_updown_dec(metrics_updown(r, "u"));
    metrics_counter_add(metrics_counter(r, "c"), UINT64_MAX);
    metrics_meter_mark(metrics_meter(r, "m"), 3);
    metrics_info(r, "i", "a", "b");
    metrics_reader_options_t o = test_clock();
    metrics_leader_t *l = metrics_leader_acquire(test_path, &o, NULL);
    test_ns += UINT64_C(7000000000);
    metrics_leader_tick(l);
    metrics_snapshot_t *s = metrics_leader_sample(l, NULL);
    metrics_leader_release(&l);
    return s;
}

static size_t rows_of(const metrics_reading_t *r, metrics_row_t *rows)
{
    metrics_row_options_t o = {.size = sizeof o, .attributes = UINT32_MAX, .sampled = METRICS_INTERVAL};
    return metrics_reading_rows(r, NULL, &o, rows, 256);
}

static void check_same(const metrics_snapshot_t *a, const metrics_snapshot_t *b)
{
    CHECK(!memcmp(metrics_snapshot_header(a), metrics_snapshot_header(b), sizeof(metrics_snapshot_header_t)));
    REQUIRE(metrics_snapshot_count(a) == metrics_snapshot_count(b));
    for (size_t i = 0; i < metrics_snapshot_count(a); i++) {
        const metrics_reading_t *x = metrics_snapshot_reading(a, i), *y = metrics_snapshot_reading(b, i);
        metrics_row_t p[256], q[256];
        size_t n = rows_of(x, p);
        CHECK_STR(metrics_reading_name(y), metrics_reading_name(x));
        CHECK_STR(metrics_reading_unit(y), metrics_reading_unit(x));
        CHECK_STR(metrics_reading_help(y), metrics_reading_help(x));
        CHECK_EQ_U64(metrics_reading_start(y), metrics_reading_start(x));
        CHECK(metrics_snapshot_find(b, x) == y);
        REQUIRE(rows_of(y, q) == n);
        for (size_t k = 0; k < n; k++) {
            CHECK_EQ_U64(q[k].value.u, p[k].value.u); /* bit for bit */
            CHECK(q[k].attribute == p[k].attribute && q[k].nature == p[k].nature && q[k].worker == p[k].worker);
            CHECK(q[k].parameter == p[k].parameter);
        }
    }
}

/* Breaks if any value, text or distribution is changed by the way through bytes, or encoding is not repeatable. */
UNIT(pack, round_trip)
{
    metrics_snapshot_t *s = sample();
    void *bytes = NULL, *again = NULL;
    size_t n = 0, m = 0;
    REQUIRE(s && !metrics_snapshot_encode(s, &bytes, &n, NULL));
    metrics_snapshot_t *back = metrics_snapshot_decode(bytes, n, NULL);
    REQUIRE(back != NULL);
    check_same(s, back);
    REQUIRE(!metrics_snapshot_encode(back, &again, &m, NULL));
    CHECK(n == m && !memcmp(bytes, again, n));
    free(bytes);
    free(again);
    metrics_snapshot_release(&back);
    metrics_snapshot_release(&s);
}

/* Breaks if damaged bytes crash the decoder, hang it, or make it allocate what they claim. */
UNIT(pack, damaged_bytes)
{
    metrics_snapshot_t *s = sample();
    void *bytes = NULL;
    size_t n = 0;
    metrics_error_t error;
    REQUIRE(s && !metrics_snapshot_encode(s, &bytes, &n, NULL));
    for (size_t i = 0; i < n; i += i < 64 ? 1 : 7) {
        unsigned char *copy = malloc(n);
        memcpy(copy, bytes, n);
        copy[i] ^= 0xff;
        metrics_snapshot_t *back = metrics_snapshot_decode(copy, n, &error);
        CHECK(back == NULL); /* zlib's checksum sees every change behind the prefix */
        if (!back) CHECK(error.text[0] != 0);
        if (back) metrics_snapshot_release(&back);
        back = metrics_snapshot_decode(bytes, i, &error);
        CHECK(back == NULL);
        free(copy);
    }
    free(bytes);
    metrics_snapshot_release(&s);
}

/* Breaks if merging two intervals loses an extreme, a sample or a count of the older one. */
UNIT(pack, merge)
{
    metrics_registry_t *r = test_open(NULL);
    metrics_histogram_t *h = metrics_histogram(r, "h");
    metrics_set_t *set = metrics_set(r, "s");
    metrics_reader_options_t clock = test_clock();
    metrics_leader_t *l = metrics_leader_acquire(test_path, &clock, NULL);
    metrics_snapshot_t *s[2];
    for (int i = 0; i < 2; i++) {
        metrics_histogram_update(h, i ? 10 : 1000);
        metrics_histogram_update(h, i ? 20 : 2000);
        metrics_set_add(set, "both", 4);
        metrics_set_add(set, i ? "b" : "a", 1);
        test_ns += UINT64_C(10000000000);
        s[i] = metrics_leader_sample(l, NULL);
        metrics_leader_logged(l, s[i]);
    }
    metrics_snapshot_t *both = metrics_snapshot_merge(s[0], s[1], NULL);
    metrics_row_options_t o = {.size = sizeof o, .sampled = METRICS_INTERVAL};
    REQUIRE(both != NULL);
    const metrics_reading_t *m = test_find(both, "h", NULL);
    CHECK_NEAR(test_number(m, NULL, &o, "count"), 4, 0);
    CHECK_NEAR(test_number(m, NULL, &o, "min"), 10, 1e-6);
    CHECK_NEAR(test_number(m, NULL, &o, "max"), 2000, 1e-6);
    CHECK_NEAR(test_number(test_find(both, "s", NULL), NULL, &o, "value"), 3, 0);
    CHECK_NEAR((double)metrics_snapshot_header(both)->interval_ns, 2e10, 1e9);
    metrics_snapshot_release(&both);
    metrics_snapshot_release(&s[0]);
    metrics_snapshot_release(&s[1]);
    metrics_leader_release(&l);
}
