/* SPDX-License-Identifier: Apache-2.0 */
/* The leader: intervals that survive its death, rates that do not need luck. */
#include "unit.h"

#include "leader.h"
#include "testing.h"

static metrics_leader_t *lead(void)
{
    metrics_reader_options_t o = test_clock();
    metrics_error_t error;
    metrics_leader_t *l = metrics_leader_acquire(test_path, &o, &error);
    if (!l) fprintf(stderr, "%s\n", error.text);
    return l;
}

#define SECOND UINT64_C(1000000000)

/* Breaks if two may lead at once, or nobody after a release. */
UNIT(leader, only_one)
{
    metrics_error_t error;
    test_open(NULL);
    metrics_leader_t *l = lead();
    REQUIRE(l != NULL);
    CHECK(metrics_leader_acquire(test_path, NULL, &error) == NULL);
    CHECK_EQ_I64(error.code, METRICS_E_BUSY);
    metrics_leader_release(&l);
    l = lead();
    CHECK(l != NULL);
    metrics_leader_release(&l);
}

/* Breaks if an interval is lost, closed twice, or has the wrong length when a leader dies before logging it.
 */
UNIT(leader, an_unlogged_interval_is_read_again)
{
    metrics_registry_t *r = test_open(NULL);
    metrics_histogram_t *h = metrics_histogram(r, "h");
    metrics_histogram_update(h, 5);
    metrics_leader_t *l = lead();
    test_ns += 10 * SECOND;
    metrics_snapshot_t *s = metrics_leader_sample(l, NULL);
    REQUIRE(s != NULL);
    CHECK_EQ_U64(metrics_snapshot_header(s)->epoch, 1);
    CHECK_EQ_I64(metrics_snapshot_header(s)->first_export, 1);
    metrics_snapshot_release(&s);
    metrics_leader_release(&l); /* died before it was logged */

    metrics_histogram_update(h, 500); /* belongs to interval 2 */
    l = lead();
    test_ns += SECOND;
    s = metrics_leader_sample(l, NULL);
    CHECK_EQ_U64(metrics_snapshot_header(s)->epoch, 1);
    metrics_row_options_t o = {.size = sizeof o, .sampled = METRICS_INTERVAL};
    CHECK_NEAR(test_number(test_find(s, "h", NULL), NULL, &o, "max"), 5, 1e-9);
    metrics_leader_logged(l, s);
    metrics_snapshot_release(&s);
    test_ns += 9 * SECOND;
    s = metrics_leader_sample(l, NULL);
    CHECK_EQ_U64(metrics_snapshot_header(s)->epoch, 2);
    CHECK_EQ_I64(metrics_snapshot_header(s)->first_export, 0);
    CHECK_NEAR((double)metrics_snapshot_header(s)->interval_ns, 1e10, 1e8);
    CHECK_NEAR(test_number(test_find(s, "h", NULL), NULL, &o, "max"), 500, 1e-9);
    CHECK_NEAR(test_number(test_find(s, "h", NULL), NULL, &o, "min"), 500, 1e-9);
    metrics_snapshot_release(&s);
    metrics_leader_release(&l);
}

/* Breaks if an interval without an update shows the extremes of an earlier one. */
UNIT(leader, a_quiet_interval_has_no_extremes)
{
    metrics_registry_t *r = test_open(NULL);
    metrics_histogram_update(metrics_histogram(r, "h"), 5);
    metrics_leader_t *l = lead();
    metrics_row_options_t o = {.size = sizeof o, .sampled = METRICS_INTERVAL};
    for (int i = 0; i < 4; i++) {
        test_ns += 10 * SECOND;
        metrics_snapshot_t *s = metrics_leader_sample(l, NULL);
        double max = test_number(test_find(s, "h", NULL), NULL, &o, "max");
        if (i == 0) CHECK_NEAR(max, 5, 1e-9);
        if (i > 0) CHECK(isnan(max));
        metrics_leader_logged(l, s);
        metrics_snapshot_release(&s);
    }
    metrics_leader_release(&l);
}

/* Breaks if rates are folded wrongly, twice, or only while somebody looks: 10/s for 10 minutes, then an
 * hour's gap. */
UNIT(leader, rates_through_the_segment)
{
    metrics_registry_t *r = test_open(NULL);
    metrics_meter_t *m = metrics_meter(r, "m");
    metrics_leader_t *l = lead();
    for (int i = 0; i < 120; i++) {
        metrics_meter_mark(m, 50);
        test_ns += 5 * SECOND;
        metrics_leader_tick(l);
    }
    metrics_snapshot_t *s = metrics_snapshot_take(metrics_leader_reader(l), NULL);
    CHECK_NEAR(test_number(test_find(s, "m", NULL), NULL, NULL, "m1_rate"), 10, 1e-2);
    CHECK_NEAR(test_number(test_find(s, "m", NULL), NULL, NULL, "m15_rate"), 10, 1e-2);
    metrics_snapshot_release(&s);
    metrics_meter_mark(m, 36000); /* a steady 10/s, unseen for an hour */
    test_ns += 3600 * SECOND;
    metrics_leader_tick(l);
    s = metrics_snapshot_take(metrics_leader_reader(l), NULL);
    CHECK_NEAR(test_number(test_find(s, "m", NULL), NULL, NULL, "m1_rate"), 10, 1e-2);
    CHECK_NEAR(test_number(test_find(s, "m", NULL), NULL, NULL, "mean_rate"), 10, 1e-2);
    metrics_snapshot_release(&s);
    metrics_leader_release(&l);
}

/* Breaks if a set mixes intervals. */
UNIT(leader, sets_are_per_interval)
{
    metrics_registry_t *r = test_open(NULL);
    metrics_set_t *set = metrics_set(r, "s");
    metrics_leader_t *l = lead();
    for (int i = 1; i <= 3; i++) {
        for (int k = 0; k < i * 10; k++) metrics_set_add(set, &k, sizeof k);
        test_ns += SECOND;
        metrics_snapshot_t *s = metrics_leader_sample(l, NULL);
        CHECK_NEAR(test_number(test_find(s, "s", NULL), NULL, NULL, "value"), i * 10, 0);
        size_t n;
        metrics_reading_elements(test_find(s, "s", NULL), &n);
        CHECK_EQ_U64(n, (uint64_t)i * 10);
        metrics_leader_logged(l, s);
        metrics_snapshot_release(&s);
    }
    metrics_leader_release(&l);
}
