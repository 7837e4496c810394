/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Promise: programs of an older and a newer minor version of the format write and read one segment at once;
 * each updates what it knows, leaves out what it does not know and harms nothing of it. The newer one, with a
 * kind and a record type more, is the program `later` (tests/later).
 */
#include "multi.h"

#include <fcntl.h>

#include "../../registry/programs/leader.h"

enum { WRITERS = 4, EACH = 20000, INTERVALS = 8 };

extern char **environ;

static pid_t later(const char *verb, const char *more, int out)
{
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        if (out >= 0) dup2(out, STDOUT_FILENO);
        execl(LATER_PATH, "later", verb, test_path, more, (char *)NULL);
        _exit(127);
    }
    return pid;
}

static int later_and_wait(const char *verb, int out)
{
    int status;
    waitpid(later(verb, NULL, out), &status, 0);
    return status;
}

static metrics_registry_t *attach(metrics_error_t *error)
{
    return metrics_open(&(metrics_options_t){.size = sizeof(metrics_options_t), .path = test_path}, error);
}

static void write_all(void *arg)
{
    char tag[16];
    metrics_registry_t *r = attach(NULL);
    (void)arg;
    for (int i = 0; i < EACH; i++) {
        snprintf(tag, sizeof tag, "%d", i % 20);
        metrics_counter_inc(metrics_counter(r, "shared", "n", tag));
        metrics_counter_inc(metrics_counter(r, "mine"));
        metrics_histogram_update(metrics_histogram(r, "sizes"), i % 100);
    }
}

static void lead(int intervals)
{
    metrics_leader_t *leader = metrics_leader_acquire(test_path, NULL, NULL);
    for (int i = 0; leader && i < intervals; i++) {
        metrics_leader_tick(leader);
        metrics_snapshot_t *s = metrics_leader_sample(leader, NULL);
        if (s) metrics_leader_logged(leader, s);
        if (s) metrics_snapshot_release(&s);
        multi_sleep_ms(10);
    }
    if (leader) metrics_leader_release(&leader);
}

/* Old and new at once, beside a leader of the old version. */
static int write_at_once(void)
{
    char each[16];
    pid_t pids[2 * WRITERS];
    int failed = 0, status;
    snprintf(each, sizeof each, "%d", EACH);
    for (int i = 0; i < WRITERS; i++) {
        pids[2 * i] = multi_fork(write_all, NULL);
        pids[2 * i + 1] = later("write", each, -1);
    }
    lead(INTERVALS);
    for (int i = 0; i < 2 * WRITERS; i++) {
        waitpid(pids[i], &status, 0);
        failed += status != 0;
    }
    return failed;
}

static double total(const metrics_snapshot_t *s, const char *name, int *series)
{
    double sum = 0;
    *series = 0;
    for (size_t i = 0; i < metrics_snapshot_count(s); i++) {
        const metrics_reading_t *r = metrics_snapshot_reading(s, i);
        if (strcmp(metrics_reading_name(r), name)) continue;
        double n = test_number(r, NULL, NULL, "count");
        ++*series;
        if (!isnan(n)) sum += n;
    }
    return sum;
}

static void some_damage(void *arg, uint64_t offset, const char *text)
{
    (void)arg;
    printf("damage at %" PRIu64 ": %s\n", offset, text);
}

static void look(int minor)
{
    int series;
    metrics_segment_info_t info;
    metrics_reader_t *reader = metrics_reader_open(test_path, NULL, NULL);
    metrics_snapshot_t *s = metrics_snapshot_take(reader, NULL);
    metrics_reader_info(reader, &info, NULL);
    EXPECT_EQ(total(s, "shared", &series), 2.0 * WRITERS * EACH, "older reader: what both count");
    EXPECT_EQ(total(s, "mine", &series), 1.0 * WRITERS * EACH, "older reader: what the older ones count");
    EXPECT_EQ(total(s, "sizes", &series), 2.0 * WRITERS * EACH, "older reader: a histogram of both");
    EXPECT_EQ(total(s, "tally", &series) + series, 0, "older reader: series of the newer kind");
    EXPECT_EQ(metrics_snapshot_header(s)->series_damaged, 0,
              "older reader: series that it takes for damaged");
    EXPECT_EQ(info.minor, minor, "older reader: minor version");
    EXPECT_EQ(metrics_segment_check(test_path, some_damage, NULL, NULL), 0, "older check: damages");
    metrics_snapshot_release(&s);
    metrics_reader_close(&reader);
}

static void newer_look(void)
{
    char got[256] = "", want[256];
    int end[2];
    if (pipe(end)) abort();
    int status = later_and_wait("read", end[1]);
    close(end[1]);
    if (read(end[0], got, sizeof got - 1) < 0) abort();
    close(end[0]);
    got[strcspn(got, "\n")] = 0;
    snprintf(want, sizeof want, "shared=%d tally=%d sizes=%d damaged=0 minor=2", 2 * WRITERS * EACH,
             WRITERS * EACH, 2 * WRITERS * EACH);
    EXPECT(status == 0 && !strcmp(got, want), "newer reader: %s", got);
}

/* A name that the newer version uses for its own kind is taken. */
static void clash(void)
{
    metrics_error_t error;
    metrics_registry_t *r = attach(NULL);
    metrics_counter_add(metrics_counter(r, "tally", "n", "mine"), 1000000);
    EXPECT(metrics_status(r, &error) > 0 && error.code == METRICS_E_KIND, "a name of the newer kind: %s",
           error.text);
    metrics_close(&r);
}

static void old_made_it(void)
{
    metrics_registry_t *r = test_open(NULL);
    metrics_close(&r);
    EXPECT_EQ(write_at_once(), 0, "writers that failed, of 4 older and 4 newer in an older segment");
    look(2);
    clash();
    newer_look();
}

static void new_made_it(void)
{
    unlink(test_path);
    EXPECT_EQ(later_and_wait("make", -1), 0, "a segment of the newer version");
    EXPECT_EQ(write_at_once(), 0, "writers that failed, of 4 older and 4 newer in a newer segment");
    look(2);
    clash();
    newer_look();
}

static void old_alone(void)
{
    metrics_error_t error;
    unlink(test_path);
    later_and_wait("make", -1);
    metrics_registry_t *r = attach(&error);
    EXPECT_EQ(error.code, 0, "an older writer alone in a newer segment");
    metrics_counter_inc(metrics_counter(r, "alone"));
    EXPECT_EQ(multi_number("alone", NULL, "count"), 1, "counts");
    metrics_close(&r);
}

int main(void)
{
    multi_begin(100);
    old_made_it();
    new_made_it();
    old_alone();
    return multi_end();
}
