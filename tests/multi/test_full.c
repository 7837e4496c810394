/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Promise: a full segment, a full file system and a family at its limit hurt nobody: existing series stay
 * exact, new ones are counted in the overflow series or are counted no-ops, there is no SIGBUS, and all of
 * this is reported.
 */
#include "multi.h"

#include <sys/mount.h>
#include <sys/stat.h>

static uint64_t loss(const char *name)
{
    metrics_segment_info_t info = {0};
    metrics_reader_t *r = metrics_reader_open(test_path, NULL, NULL);
    if (r) metrics_reader_info(r, &info, NULL);
    metrics_reader_close(&r);
    for (uint32_t i = 0; i < info.loss_count; i++)
        if (!strcmp(metrics_loss_name(i), name)) return info.losses[i];
    return 0;
}

static double fill_ratio(void)
{
    metrics_segment_info_t info = {0};
    metrics_reader_t *r = metrics_reader_open(test_path, NULL, NULL);
    if (r) metrics_reader_info(r, &info, NULL);
    metrics_reader_close(&r);
    return (double)info.bytes_used / (double)info.bytes_limit;
}

/* The sum of a counter family over all its series. */
static double family_total(const char *name)
{
    double sum = 0;
    metrics_snapshot_t *s = test_take();
    for (size_t i = 0; s && i < metrics_snapshot_count(s); i++) {
        const metrics_reading_t *r = metrics_snapshot_reading(s, i);
        if (!strcmp(metrics_reading_name(r), name)) sum += test_number(r, NULL, NULL, "count");
    }
    if (s) metrics_snapshot_release(&s);
    return sum;
}

enum { NEW = 5000, EACH = 3 };

/* What a program does that registers without end. Runs in a child: a SIGBUS must not take the test along. */
static void flood(void *arg)
{
    metrics_registry_t *r = arg;
    metrics_counter_t *old = metrics_counter(r, "old");
    metrics_histogram_t *h = metrics_histogram(r, "old.histogram");
    char text[32];
    for (int i = 0; i < NEW; i++) {
        snprintf(text, sizeof text, "%d", i);
        metrics_counter_t *c = metrics_counter(r, "family", "id", text);
        for (int k = 0; k < EACH; k++) metrics_counter_inc(c);
        if (i % 10 == 0) {
            metrics_timer_update(metrics_timer(r, "timers", "id", text), 1000);
            metrics_gauge_set(metrics_gauge(r, "gauges", "id", text), i);
            metrics_set_add(metrics_set(r, "sets", "id", text), &i, sizeof i);
        }
        metrics_counter_inc(old);
        metrics_histogram_update(h, 1);
    }
}

static void check_flood(const char *where, metrics_registry_t *r)
{
    int status;
    metrics_counter(r, "old");
    metrics_histogram(r, "old.histogram");
    waitpid(multi_fork(flood, r), &status, 0);
    printf("     %s\n", where);
    EXPECT(status == 0, "the process lives (wait status %d)", status);
    EXPECT_EQ(multi_number("old", NULL, "count"), NEW, "an existing counter");
    EXPECT_EQ(multi_number("old.histogram", NULL, "sum"), NEW, "an existing histogram");
    EXPECT_EQ(family_total("family"), NEW * EACH, "the family's total, overflow included");
    EXPECT(loss("segment_full") > 0, "refusals counted: %" PRIu64, loss("segment_full"));
    EXPECT_EQ(loss("damaged"), 0, "nothing is damaged");
    metrics_error_t error;
    EXPECT_EQ(metrics_segment_check(test_path, NULL, NULL, &error), 0, "damages found by the check");
}

static void tiny_segment(void)
{
    metrics_registry_t *r =
        test_open(&(metrics_options_t){.size = sizeof(metrics_options_t), .segment_bytes = 192 << 10});
    check_flood("a segment of 192 KiB", r);
    EXPECT(fill_ratio() > 0.7, "fill ratio %.2f", fill_ratio());
    metrics_error_t error;
    char name[16];
    for (int i = 0; i < 3000; i++) {
        snprintf(name, sizeof name, "late.%d", i);
        metrics_counter_inc(metrics_counter(r, name));
    }
    EXPECT(metrics_status(r, &error) > 0 && strstr(error.text, "full"), "status says: %s", error.text);
}

/* A file system smaller than the segment may grow: memory runs out before addresses do. */
static void tiny_filesystem(void)
{
    char dir[64], path[96];
    snprintf(dir, sizeof dir, "/dev/shm/mtx-test-fs-%d", (int)getpid());
    if (mkdir(dir, 0700) || mount("tmpfs", dir, "tmpfs", 0, "size=4m")) {
        printf("left out: mounting a tmpfs needs a privilege that is missing here\n");
        rmdir(dir);
        return;
    }
    snprintf(path, sizeof path, "%s/segment", dir);
    metrics_error_t error;
    metrics_options_t o = {.size = sizeof o, .path = path};
    metrics_registry_t *r = metrics_open(&o, &error);
    EXPECT(error.code == 0, "a segment of 32 MiB on a tmpfs of 4 MiB opens %s", error.text);
    char before[sizeof test_path];
    memcpy(before, test_path, sizeof before);
    memcpy(test_path, path, sizeof path);
    check_flood("a tmpfs of 4 MiB", r);
    memcpy(test_path, before, sizeof before);
    metrics_close(&r);
    unlink(path);
    o.path = path;
    o.preallocate = 1;
    r = metrics_open(&o, &error);
    EXPECT(error.code == METRICS_E_FULL && strstr(error.text, path), "preallocation says: %s", error.text);
    umount2(dir, MNT_DETACH);
    rmdir(dir);
}

static void family_limit(void)
{
    metrics_registry_t *r =
        test_open(&(metrics_options_t){.size = sizeof(metrics_options_t), .family_series = 100});
    char text[16];
    for (int i = 0; i < 1000; i++) {
        snprintf(text, sizeof text, "%d", i);
        metrics_counter_inc(metrics_counter(r, "family", "id", text));
        metrics_timer_update(metrics_timer(r, "timer", "id", i < 100 ? text : "late"), 1000);
    }
    printf("     a limit of 100 series for each family\n");
    EXPECT_EQ(family_total("family"), 1000, "the family's total");
    EXPECT_EQ(multi_number("family", "_overflow", "count"), 900, "in the overflow series");
    EXPECT_EQ(family_total("timer"), 1000, "a family of timers");
    EXPECT_EQ(loss("cardinality"), 900 + 900, "refusals counted");
    metrics_error_t error;
    EXPECT(metrics_status(r, &error) == 1800 && error.code == METRICS_E_CARDINALITY, "status says: %s",
           error.text);
}

int main(void)
{
    multi_begin(120);
    tiny_segment();
    tiny_filesystem();
    family_limit();
    return multi_end();
}
