/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Promise: processes that start, count and are killed leave nothing behind: 1,000 of them (100,000 with
 * MTX_CAMPAIGN=long) are all counted, and the segment's bytes, series and slots are then what they were after
 * the first 100.
 */
#include "multi.h"

enum { SHORT = 1000, LONG = 100000, FIRST = 100, AT_ONCE = 4 };

static void life(void *arg)
{
    (void)arg;
    metrics_error_t error;
    metrics_options_t o = {.size = sizeof o, .path = test_path};
    metrics_registry_t *r = metrics_open(&o, &error);
    metrics_counter_inc(metrics_counter(r, "lives", "kind", "short"));
    metrics_gauge_set(metrics_gauge(r, "gauge"), 1);
    metrics_timer_update(metrics_timer(r, "timer"), 1000);
    raise(SIGKILL);
}

static metrics_segment_info_t info(void)
{
    metrics_segment_info_t i = {0};
    metrics_reader_t *r = metrics_reader_open(test_path, NULL, NULL);
    if (r) metrics_reader_info(r, &i, NULL);
    metrics_reader_close(&r);
    return i;
}

static void count_slot(void *arg, const metrics_process_t *p)
{
    (void)p;
    ++*(int *)arg;
}

static int slots(void)
{
    int n = 0;
    metrics_reader_t *r = metrics_reader_open(test_path, NULL, NULL);
    if (r) metrics_reader_processes(r, count_slot, &n);
    metrics_reader_close(&r);
    return n;
}

static void live(int n)
{
    for (int i = 0; i < n; i += AT_ONCE) {
        pid_t pids[AT_ONCE];
        for (int k = 0; k < AT_ONCE; k++) pids[k] = multi_fork(life, NULL);
        for (int k = 0; k < AT_ONCE; k++) waitpid(pids[k], NULL, 0);
    }
}

int main(void)
{
    int all = multi_campaign("long") ? LONG : SHORT;
    multi_begin(170);
    metrics_registry_t *r = test_open(NULL);
    metrics_close(&r); /* the lives attach by themselves, like processes that have nothing in common */
    live(FIRST);
    metrics_segment_info_t before = info();
    int slots_before = slots();
    live(all - FIRST);
    metrics_segment_info_t after = info();
    EXPECT_EQ(multi_number("lives", NULL, "count"), all, "lives counted");
    EXPECT_EQ(multi_number("timer", NULL, "count"), all, "timers counted");
    EXPECT_EQ(after.bytes_used, before.bytes_used, "bytes of the segment");
    EXPECT_EQ(after.series, before.series, "series");
    int used = slots();
    EXPECT(used <= AT_ONCE,
           "process slots ever used: %d after the first 100, %d after all, at most %d at once", slots_before,
           used, AT_ONCE);
    EXPECT_EQ(after.writers, 0, "slots alive");
    EXPECT(isnan(multi_number("gauge", NULL, "value")), "the gauge of dead processes is absent");
    return multi_end();
}
