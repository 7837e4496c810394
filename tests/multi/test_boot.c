/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Promise: a segment outside tmpfs that an earlier boot left is continued: its totals are kept, time goes on,
 * its processes are gone. A segment that another kernel has open is refused. On tmpfs the boot id is ignored.
 */
#include "worker.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "../../registry/programs/leader.h"
#include "layout.h"

enum { OPENERS = 30, ROUNDS = 20, DAYS = 30 };

static struct segment_header head(void)
{
    struct segment_header h = {0};
    int fd = open(test_path, O_RDONLY);
    if (pread(fd, &h, sizeof h, 0) != sizeof h) abort();
    close(fd);
    return h;
}

/* As if the machine had been up for a month and had then been booted, `off` seconds ago by the wall clock. */
static void reboot(double off)
{
    struct segment_header h = head();
    int fd = open(test_path, O_WRONLY);
    memset(h.boot_id, 0x5a, sizeof h.boot_id);
    h.created_monotonic += DAYS * UINT64_C(86400000000000);
    h.created_wall -= (uint64_t)(int64_t)(off * 1e9);
    h.checksum = XXH3_64bits(&h, offsetof(struct segment_header, checksum));
    if (pwrite(fd, &h, offsetof(struct segment_header, pad0), 0) < 0) abort();
    close(fd);
}

static metrics_registry_t *reopen(metrics_error_t *error)
{
    return metrics_open(&(metrics_options_t){.size = sizeof(metrics_options_t), .path = test_path}, error);
}

static void some_damage(void *arg, uint64_t offset, const char *text)
{
    (void)arg;
    printf("damage at %" PRIu64 ": %s\n", offset, text);
}

static void set_and_stay(void *arg)
{
    metrics_registry_t *r = reopen(NULL);
    metrics_gauge_set(metrics_gauge(r, "gauge"), 3);
    (void)arg;
    worker_ready();
    worker_stay();
}

/* A segment with some of everything, a dead process's gauge and an exporter's traces; nobody is attached. */
static void a_life(void)
{
    metrics_registry_t *r = reopen(NULL);
    metrics_family_t kept = {.size = sizeof kept, .persistent = 1};
    metrics_describe(r, "kept", &kept, NULL);
    metrics_gauge_set(metrics_gauge(r, "kept"), 11);
    metrics_counter_add(metrics_counter(r, "counter"), 7);
    metrics_meter_mark(metrics_meter(r, "meter"), 70);
    for (int i = 1; i <= 100; i++) metrics_histogram_update(metrics_histogram(r, "histogram"), i);
    worker_end(worker_start(set_and_stay, NULL, 1));
    metrics_leader_t *leader = metrics_leader_acquire(test_path, NULL, NULL);
    metrics_leader_tick(leader);
    metrics_snapshot_t *s = metrics_leader_sample(leader, NULL);
    metrics_leader_logged(leader, s);
    metrics_snapshot_release(&s);
    metrics_leader_release(&leader);
    metrics_close(&r);
}

static void count_process(void *arg, const metrics_process_t *p)
{
    (void)p;
    ++*(unsigned *)arg;
}

static void look(double age)
{
    unsigned processes = 0;
    metrics_segment_info_t info;
    metrics_reader_t *r = metrics_reader_open(test_path, NULL, NULL);
    metrics_reader_info(r, &info, NULL);
    metrics_reader_processes(r, count_process, &processes);
    metrics_reader_close(&r);
    EXPECT(fabs((double)info.age_ns / 1e9 - age) < 30, "it is %g s old, by the wall clock %g s",
           (double)info.age_ns / 1e9, age);
    EXPECT_EQ(processes, 0, "process slots with an owner of before");
    EXPECT_EQ(multi_number("counter", NULL, "count"), 7, "the counter is kept");
    EXPECT_EQ(multi_number("histogram", NULL, "count"), 100, "the histogram is kept");
    EXPECT_EQ(multi_number("histogram", NULL, "max"), 100, "and its sample");
    EXPECT_EQ(multi_number("kept", NULL, "value"), 11, "the persistent gauge is kept");
    EXPECT(isnan(multi_number("gauge", NULL, "value")), "the dead process's gauge does not");
    EXPECT_EQ(metrics_segment_check(test_path, some_damage, NULL, NULL), 0, "damages");
}

static bool is_ours(void)
{
    static const uint8_t other[16] = {0x5a, 0x5a};
    struct segment_header h = head();
    return memcmp(h.boot_id, other, 2) != 0;
}

static void continued(void)
{
    metrics_error_t error;
    double off = 1000;
    a_life();
    uint64_t incarnation = head().incarnation;
    reboot(off);
    metrics_registry_t *r = reopen(&error);
    EXPECT(error.code == 0 && is_ours(), "a segment of the last boot is opened and made this one's%s%s",
           error.code ? ": " : "", error.text);
    EXPECT(head().incarnation == incarnation, "it is the same one");
    look(off);
    metrics_counter_inc(metrics_counter(r, "counter"));
    metrics_gauge_set(metrics_gauge(r, "gauge"), 4);
    metrics_histogram_update(metrics_histogram(r, "histogram"), 1000);
    EXPECT_EQ(multi_number("counter", NULL, "count"), 8, "it goes on");
    EXPECT_EQ(multi_number("histogram", NULL, "max"), 1000, "with new samples");
    EXPECT_EQ(multi_number("gauge", NULL, "value"), 4, "and gauges");
    metrics_close(&r);
}

/* The clock of a machine without one may begin in 1970: segment time must not fall. */
static void wrong_clock(void)
{
    metrics_registry_t *r = reopen(NULL);
    metrics_leader_t *leader = metrics_leader_acquire(test_path, NULL, NULL);
    metrics_leader_tick(leader);
    metrics_snapshot_t *s = metrics_leader_sample(leader, NULL);
    metrics_snapshot_release(&s);
    metrics_leader_release(&leader);
    metrics_close(&r);
    uint64_t closed = head().closed_time;
    reboot(-1e9);
    r = reopen(NULL);
    metrics_reader_t *reader = metrics_reader_open(test_path, NULL, NULL);
    metrics_segment_info_t info;
    metrics_reader_info(reader, &info, NULL);
    EXPECT(closed > 0 && info.age_ns >= closed, "segment time goes on at %g s after %g s",
           (double)info.age_ns / 1e9, (double)closed / 1e9);
    metrics_reader_close(&reader);
    metrics_close(&r);
}

static void exporter_first(void)
{
    metrics_error_t error;
    reboot(0);
    metrics_leader_t *leader = metrics_leader_acquire(test_path, NULL, &error);
    EXPECT(leader && is_ours(), "an exporter may be the first to come%s%s", error.code ? ": " : "",
           error.text);
    metrics_leader_release(&leader);
}

static void another_kernel(void)
{
    metrics_error_t error;
    pid_t pid = worker_start(set_and_stay, NULL, 1);
    reboot(0);
    metrics_registry_t *r = reopen(&error);
    EXPECT(error.code == METRICS_E_UNSAFE && strstr(error.text, test_path) &&
               strstr(error.text, "another kernel"),
           "while somebody is attached: %s", error.text);
    metrics_counter_inc(metrics_counter(r, "counter"));
    metrics_close(&r);
    metrics_leader_t *leader = metrics_leader_acquire(test_path, NULL, &error);
    EXPECT(!leader && error.code == METRICS_E_UNSAFE, "so is an exporter: %s", error.text);
    EXPECT(!is_ours(), "and nothing was changed");
    worker_end(pid);
}

static void opener(void *arg)
{
    multi_gate_wait();
    metrics_registry_t *r = reopen(NULL);
    (void)arg;
    metrics_counter_inc(metrics_counter(r, "openers"));
    multi_sleep_ms(5);
}

static int open_at_once(void)
{
    pid_t pids[OPENERS];
    int failed = 0, status;
    multi_gate_make();
    reboot(0);
    for (int i = 0; i < OPENERS; i++) pids[i] = multi_fork(opener, NULL);
    multi_gate_open();
    for (int i = 0; i < OPENERS; i++) {
        waitpid(pids[i], &status, 0);
        failed += status != 0;
    }
    return failed;
}

/* Some look before the first one has adopted it, and lock after. */
static void many_openers(void)
{
    int failed = 0;
    for (int i = 0; i < ROUNDS; i++) failed += open_at_once();
    EXPECT_EQ(failed, 0, "openers at once after a boot that failed");
    EXPECT_EQ(multi_number("openers", NULL, "count"), ROUNDS * OPENERS, "and all are counted");
}

static bool on_disk(void)
{
    static const char *const places[] = {"/var/tmp", "/tmp", "."};
    struct statfs fs;
    for (int i = 0; i < 3; i++) {
        snprintf(test_path, sizeof test_path, "%s/mtx-boot-%d.seg", places[i], (int)getpid());
        unlink(test_path);
        if (!access(places[i], W_OK) && !statfs(places[i], &fs) && fs.f_type != TMPFS_MAGIC &&
            fs.f_type != RAMFS_MAGIC)
            return true;
    }
    return false;
}

static void on_tmpfs(void)
{
    metrics_error_t error;
    metrics_registry_t *first = test_open(NULL);
    metrics_counter_inc(metrics_counter(first, "counter"));
    reboot(0);
    metrics_registry_t *r = reopen(&error);
    metrics_counter_inc(metrics_counter(r, "counter"));
    EXPECT(error.code == 0 && !is_ours(), "on tmpfs the boot id does not matter");
    EXPECT_EQ(multi_number("counter", NULL, "count"), 2, "nor to what is recorded");
    metrics_close(&r);
    metrics_close(&first);
}

int main(void)
{
    multi_begin(60);
    worker_begin();
    on_tmpfs();
    if (!on_disk()) {
        printf("left out: every place to write here is a tmpfs\n");
        return multi_end();
    }
    continued();
    wrong_clock();
    exporter_first();
    another_kernel();
    many_openers();
    unlink(test_path);
    return multi_end();
}
