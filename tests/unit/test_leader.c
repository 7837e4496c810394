/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: intervals survive the death of a leader; rates do not depend on chance. */
#include "unit.h"

#include <pthread.h>

#include "atomic.h"
#include "distribution.h"
#include "handle.h"
#include "leader.h"
#include "rate.h"
#include "rseq_ops.h"
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

/* Breaks if an interval is lost, closed twice, or has the
 * wrong length when a leader dies before logging it. */
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

/* Breaks if rates are folded wrongly, twice, or only while
 * somebody looks: 10/s for 10 minutes, then an hour's gap. */
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

/* What an update of h stores, by a writer that has read that epoch: its maximum, its minimum. */
static void raise_late(metrics_histogram_t *h, uint64_t epoch, int cell, double x)
{
    const struct metrics__distribution *d = (const struct metrics__distribution *)h;
    lane_raise(&d->h.cells, (uint64_t)cell * 8, &epoch, metrics__order_encode(cell == DIST_MAX ? x : -x));
}

static metrics_snapshot_t *next_interval(metrics_leader_t *l)
{
    test_ns += 10 * SECOND;
    metrics_snapshot_t *s = metrics_leader_sample(l, NULL);
    metrics_leader_logged(l, s);
    return s;
}

static double interval(const metrics_snapshot_t *s, const char *what)
{
    metrics_row_options_t o = {.size = sizeof o, .sampled = METRICS_INTERVAL};
    return test_number(test_find(s, "h", NULL), NULL, &o, what);
}

/* Breaks if the extreme of an update that was under way while its interval
 * was closed is in no interval: the first of its series in that interval;
 * or its maximum on one side of the end and its minimum on the other. */
UNIT(leader, an_extreme_across_the_end_of_an_interval)
{
    metrics_registry_t *r = test_open(NULL);
    metrics_histogram_t *h = metrics_histogram(r, "h");
    metrics_histogram_update(h, 5);
    metrics_leader_t *l = lead();
    metrics_snapshot_t *s = next_interval(l);
    metrics_snapshot_release(&s);
    s = next_interval(l); /* epoch 2: quiet */
    metrics_snapshot_release(&s);
    raise_late(h, 2, DIST_MAX, 900);
    raise_late(h, 2, DIST_MIN, 900);
    metrics_histogram_update(h, 6);
    s = next_interval(l);
    CHECK_NEAR(interval(s, "max"), 900, 1e-6);
    CHECK_NEAR(interval(s, "min"), 6, 1e-6);
    metrics_snapshot_release(&s);
    raise_late(h, 4, DIST_MAX, 700);
    s = next_interval(l);
    metrics_snapshot_release(&s);
    raise_late(h, 5, DIST_MIN, 700);
    metrics_histogram_update(h, 800);
    s = next_interval(l);
    CHECK_NEAR(interval(s, "max"), 800, 1e-6);
    CHECK_NEAR(interval(s, "min"), 700, 1e-6);
    metrics_snapshot_release(&s);
    raise_late(h, 6, DIST_MAX, 70);
    s = next_interval(l);
    metrics_snapshot_release(&s);
    raise_late(h, 7, DIST_MIN, 70);
    s = next_interval(l);
    CHECK_NEAR(interval(s, "max"), 70, 1e-6);
    CHECK_NEAR(interval(s, "min"), 70, 1e-6);
    metrics_snapshot_release(&s);
    metrics_leader_release(&l);
}

/* A leader that folds every 300 us, three equal rates at a time, and takes its time between them. */
struct folding {
    uint64_t *fold;
    metrics__rate_block_t *block;
    bool end;
};

static void spin(uint64_t ns)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    uint64_t end = (uint64_t)t.tv_sec * SECOND + (uint64_t)t.tv_nsec + ns;
    do clock_gettime(CLOCK_MONOTONIC, &t);
    while ((uint64_t)t.tv_sec * SECOND + (uint64_t)t.tv_nsec < end);
}

static void *fold_on(void *arg)
{
    struct folding *f = arg;
    for (uint64_t n = 0; !__atomic_load_n(&f->end, __ATOMIC_RELAXED); n++) {
        metrics__rate_bank_t *bank = &f->block->side[(n + 1) & 1].bank;
        mem_store(&bank->time, UINT64_MAX); /* not before now: the reader takes the rates as they are */
        for (int i = 0; i < METRICS__RATES; i++) {
            mem_store((uint64_t *)&bank->rate[i], mem_f64_to_bits((double)n));
            spin(100000);
        }
        mem_publish(f->fold, n + 1);
    }
    return NULL;
}

static metrics__rate_block_t *only_rate_block(segment_t *seg)
{
    const uint64_t *index = (const uint64_t *)(seg->base + SEGMENT_INDEX0);
    for (int i = 0; i < SEGMENT_INDEX0_ENTRIES; i++) {
        struct segment_record *r = index[i] ? record_at(seg, index[i] & UINT64_C(0xffffffffffff)) : NULL;
        if (r && r->storage[1]) return segment_at(seg, r->storage[1], sizeof(metrics__rate_block_t));
    }
    return NULL;
}

/* Breaks if a reader that is overtaken by a fold shows rates of two folds. */
UNIT(leader, rates_are_of_one_fold)
{
    metrics_registry_t *r = test_open(NULL);
    metrics_meter_mark(metrics_meter(r, "m"), 1);
    struct folding f = {.fold = &r->seg->head->fold, .block = only_rate_block(r->seg)};
    REQUIRE(f.block != NULL);
    int mixed = 0, shown = 0;
    pthread_t leader;
    pthread_create(&leader, NULL, fold_on, &f);
    for (int i = 0; i < 20000; i++) {
        metrics_snapshot_t *s = test_take();
        const metrics_reading_t *m = test_find(s, "m", NULL);
        double rate[3];
        const char *names[] = {"m1_rate", "m5_rate", "m15_rate"};
        for (int k = 0; k < 3; k++) rate[k] = test_number(m, NULL, NULL, names[k]);
        shown += rate[0] >= 0;
        mixed += rate[0] >= 0 && (rate[0] != rate[1] || rate[1] != rate[2]);
        metrics_snapshot_release(&s);
    }
    __atomic_store_n(&f.end, true, __ATOMIC_RELAXED);
    pthread_join(leader, NULL);
    CHECK_EQ_I64(mixed, 0);
    CHECK(shown > 100);
}
