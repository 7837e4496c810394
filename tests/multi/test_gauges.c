/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Promise: a gauge shows the values of living processes only. SIGKILL, exit and exec are deaths; SIGSTOP,
 * closefrom() and a child that lives on are not. All processes agree on which live, also across pid
 * namespaces.
 */
#include "worker.h"

#include <math.h>
#include <sched.h>
#include <sys/prctl.h>

static metrics_registry_t *registry;

enum order { SET_AND_WAIT, CLOSE_ALL, FORK_AND_WAIT, EXEC, EXIT, ADD };

struct job {
    const char *name;
    double value;
    enum order order;
};

static pid_t *child_left; /* the child of a worker that forked */

static void work(void *arg)
{
    struct job *j = arg;
    if (j->order == ADD)
        metrics_gauge_add(metrics_gauge(registry, j->name), j->value);
    else
        metrics_gauge_set(metrics_gauge(registry, j->name), j->value);
    if (j->order == CLOSE_ALL) closefrom(3);
    if (j->order == FORK_AND_WAIT && fork() == 0) {
        multi_limit(120);
        *child_left = getpid();
        worker_ready();
        worker_stay();
    }
    worker_ready();
    if (j->order == EXEC) execl("/bin/sleep", "sleep", "100", (char *)NULL);
    if (j->order == EXIT) _exit(0);
    worker_stay();
}

/* A worker that has done its job's first part. */
static pid_t start(const char *name, double value, enum order order)
{
    static struct job job;
    job = (struct job){name, value, order};
    return worker_start(work, &job, order == FORK_AND_WAIT ? 2 : 1);
}

#define VALUE(NAME) multi_number(NAME, NULL, "value")

/* What nobody reports to us: exec in a child, the death of a grandchild. */
static void await_absence(void)
{
    for (int i = 0; i < PATIENCE_MS / 5 && !isnan(VALUE("in_flight")); i++) multi_sleep_ms(5);
}

static void describe(const char *name, enum metrics_merge merge, int persistent)
{
    metrics_family_t f = {.size = sizeof f, .merge = merge, .persistent = persistent};
    if (metrics_describe(registry, name, &f, NULL)) EXPECT(false, "describe %s", name);
}

static void merges(void)
{
    static const char *const names[] = {"last", "sum", "min", "max", "avg"};
    for (int i = 0; i < 5; i++) {
        describe(names[i], (enum metrics_merge)i, 0);
        pid_t a = start(names[i], 4, SET_AND_WAIT), b = start(names[i], 10, SET_AND_WAIT);
        pid_t c = start(names[i], 1, SET_AND_WAIT);
        const double want[] = {1, 15, 1, 10, 5};
        EXPECT_EQ(VALUE(names[i]), want[i], names[i]);
        worker_end(c);
        const double after[] = {10, 14, 4, 10, 7};
        EXPECT_EQ(VALUE(names[i]), after[i], "after the last one's death");
        worker_end(a);
        worker_end(b);
        EXPECT(isnan(VALUE(names[i])), "%s: absent when nobody lives", names[i]);
    }
}

/* Sets the gauge to each byte that comes in, and answers. */
static void follow(void *arg)
{
    const int *fds = arg;
    metrics_gauge_t *g = metrics_gauge(registry, "turns");
    for (char c; read(fds[0], &c, 1) == 1;) {
        metrics_gauge_set(g, c);
        if (write(fds[3], &c, 1) != 1) return;
    }
}

/* Promise: the last set wins, whichever process set before
 * and however often (the last one keeps its ticket). */
static void turns(void)
{
    static const char script[] = "ppcpccppcc"; /* parent, child */
    int fds[4], wrong = 0;
    describe("turns", METRICS_MERGE_LAST, 0);
    metrics_gauge_t *g = metrics_gauge(registry, "turns");
    if (pipe(fds) || pipe(fds + 2)) exit(1);
    pid_t child = multi_fork(follow, fds);
    for (char i = 0; script[(int)i]; i++) {
        char answer;
        if (script[(int)i] == 'p')
            metrics_gauge_set(g, i);
        else if (write(fds[1], &i, 1) != 1 || read(fds[2], &answer, 1) != 1)
            exit(1);
        wrong += VALUE("turns") != i;
    }
    EXPECT_EQ(wrong, 0, "taking turns: sets that did not show");
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    EXPECT_EQ(VALUE("turns"), 7, "taking turns: the survivor's last value");
    for (int i = 0; i < 4; i++) close(fds[i]);
}

static void all_mode(void)
{
    describe("all", METRICS_MERGE_ALL, 0);
    pid_t a = start("all", 4, SET_AND_WAIT), b = start("all", 10, SET_AND_WAIT);
    metrics_snapshot_t *s = test_take();
    metrics_row_t rows[8];
    size_t n = metrics_reading_rows(test_find(s, "all", NULL), NULL, NULL, rows, 8);
    EXPECT_EQ(n, 2, "all: a row per worker");
    EXPECT(n == 2 && rows[0].worker != rows[1].worker && rows[0].worker > 0,
           "all: workers have their own index");
    metrics_snapshot_release(&s);
    worker_end(a);
    worker_end(b);
}

static void deaths(void)
{
    describe("in_flight", METRICS_MERGE_SUM, 0);
    pid_t dead = start("in_flight", 7, ADD);
    EXPECT_EQ(VALUE("in_flight"), 7, "a worker with 7 in flight");
    worker_end(dead);
    EXPECT(isnan(VALUE("in_flight")), "killed: contributes nothing in the next snapshot");

    pid_t stopped = start("in_flight", 3, SET_AND_WAIT);
    kill(stopped, SIGSTOP);
    multi_sleep_ms(20);
    EXPECT_EQ(VALUE("in_flight"), 3, "SIGSTOP is not a death");
    worker_end(stopped);

    pid_t closer = start("in_flight", 5, CLOSE_ALL);
    EXPECT_EQ(VALUE("in_flight"), 5, "closefrom() is not a death");
    worker_end(closer);

    pid_t parent = start("in_flight", 6, FORK_AND_WAIT);
    EXPECT_EQ(VALUE("in_flight"), 6, "a child does not count its parent's gauge again");
    worker_end(parent);
    EXPECT(isnan(VALUE("in_flight")), "a living child does not keep its dead parent alive");
    EXPECT(kill(*child_left, 0) == 0, "and that child does live");
    kill(*child_left, SIGKILL);

    pid_t execed = start("in_flight", 8, EXEC);
    await_absence();
    EXPECT(isnan(VALUE("in_flight")) && kill(execed, 0) == 0, "exec is a death, though the process lives on");
    worker_end(execed);

    pid_t gone = start("in_flight", 9, EXIT);
    waitpid(gone, NULL, 0);
    EXPECT(isnan(VALUE("in_flight")), "exit is a death");
}

static void reuse(void)
{
    describe("reuse", METRICS_MERGE_SUM, 0);
    pid_t a = start("reuse", 100, SET_AND_WAIT);
    worker_end(a);
    /* The next process takes the same, lowest slot but sets
     * another gauge: the old value must not come alive. */
    pid_t b = start("in_flight", 1, SET_AND_WAIT);
    EXPECT(isnan(VALUE("reuse")), "a slot's next owner does not revive its values");
    worker_end(b);
}

static void persistent(void)
{
    describe("kept", METRICS_MERGE_LAST, 1);
    pid_t a = start("kept", 42, EXIT);
    waitpid(a, NULL, 0);
    EXPECT_EQ(VALUE("kept"), 42, "a persistent gauge outlives its process");
}

static double callback(void *arg)
{
    return *(double *)arg;
}

static double read_late(uint64_t late_ns)
{
    metrics_reader_options_t o = test_clock();
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    test_ns = (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec + late_ns;
    metrics_reader_t *r = metrics_reader_open(test_path, &o, NULL);
    metrics_snapshot_t *s = metrics_snapshot_take(r, NULL);
    double v = test_number(test_find(s, "callback", NULL), NULL, NULL, "value");
    metrics_snapshot_release(&s);
    metrics_reader_close(&r);
    return v;
}

static void callbacks(void)
{
    double value = 3;
    metrics_gauge_t *g = metrics_gauge(registry, "callback");
    metrics_gauge_callback(g, callback, &value);
    EXPECT(isnan(VALUE("callback")), "a callback that nobody polled is absent");
    metrics_poll(registry);
    EXPECT_EQ(VALUE("callback"), 3, "polled");
    EXPECT_EQ(read_late(UINT64_C(29000000000)), 3, "29 s later");
    EXPECT(isnan(read_late(UINT64_C(31000000000))), "31 s later it is stale and absent");
    value = NAN;
    metrics_poll(registry);
    EXPECT(isnan(VALUE("callback")), "NaN is absent");
    metrics_gauge_callback(g, NULL, NULL);
}

static void namespaces(void)
{
    int want = *worker_readies + 1;
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        if (unshare(CLONE_NEWPID)) _exit(77);
        pid_t inner = fork();
        if (inner == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            metrics_gauge_set(metrics_gauge(registry, "in_flight"), 11);
            worker_ready();
            worker_stay();
        }
        waitpid(inner, NULL, 0);
        _exit(0);
    }
    int status = 0;
    if (!worker_await(pid, want, &status) && WIFEXITED(status) && WEXITSTATUS(status) == 77) {
        printf("left out: pid namespaces need a privilege that is missing here\n");
        return;
    }
    EXPECT_EQ(VALUE("in_flight"), 11, "a worker in another pid namespace lives");
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    await_absence(); /* its parent's death, then its own */
    EXPECT(isnan(VALUE("in_flight")), "and its death is seen");
}

static void no_slot_left(void)
{
    registry = test_open(&(metrics_options_t){.size = sizeof(metrics_options_t), .slots = 2});
    describe("in_flight", METRICS_MERGE_SUM, 0);
    pid_t pids[4];
    for (int i = 0; i < 4; i++) pids[i] = start("in_flight", 1, SET_AND_WAIT);
    EXPECT_EQ(VALUE("in_flight"), 2, "four processes, two slots");
    metrics_reader_t *r = metrics_reader_open(test_path, NULL, NULL);
    metrics_segment_info_t info;
    metrics_reader_info(r, &info, NULL);
    uint64_t lost = 0;
    for (uint32_t i = 0; i < info.loss_count; i++)
        if (!strcmp(metrics_loss_name(i), "no_slot")) lost = info.losses[i];
    EXPECT_EQ(lost, 2, "updates that found no slot");
    metrics_reader_close(&r);
    for (int i = 0; i < 4; i++) worker_end(pids[i]);
}

int main(void)
{
    multi_begin(120);
    worker_begin();
    child_left = multi_shared(sizeof *child_left);
    registry = test_open(NULL);
    deaths();
    merges();
    turns();
    all_mode();
    reuse();
    persistent();
    callbacks();
    namespaces();
    no_slot_left();
    return multi_end();
}
