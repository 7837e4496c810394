/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Promise: after metrics_prepare() no update makes a system call: of no kind, in no thread, whether the thread has
 * updated before or not. A seccomp filter ends the process at the first one.
 */
#include "multi.h"

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

enum { GAUGES = 200 };

struct kinds {
    metrics_registry_t *r;
    metrics_counter_t *counter;
    metrics_updown_t *updown;
    metrics_meter_t *meter;
    metrics_histogram_t *histogram, *buckets;
    metrics_timer_t *timer;
    metrics_set_t *set;
    metrics_gauge_t *gauge[GAUGES], *persistent;
};

static struct kinds k;
static volatile int go, done;
static int *refused; /* shared: the system call that was made, + 1 */

static void on_call(int signal, siginfo_t *info, void *context)
{
    (void)signal, (void)context;
    *refused = info->si_syscall + 1;
    syscall(SYS_exit_group, 9);
}

static void update_all(void)
{
    metrics_counter_inc(k.counter);
    metrics_updown_dec(k.updown);
    metrics_meter_mark(k.meter, 1);
    for (int i = 0; i < 3000; i++) {
        metrics_histogram_update(k.histogram, i);
        metrics_histogram_update(k.buckets, i);
        metrics_timer_update(k.timer, (uint64_t)i);
        metrics_set_add(k.set, &i, sizeof i);
    }
    for (int i = 0; i < GAUGES; i++) metrics_gauge_set(k.gauge[i], i), metrics_gauge_add(k.gauge[i], 1);
    metrics_gauge_set(k.persistent, 1);
}

/* Waits without a system call. */
static void *in_thread(void *arg)
{
    if (arg) update_all();
    __atomic_add_fetch(&done, 1, __ATOMIC_SEQ_CST);
    while (!go) continue;
    update_all();
    __atomic_add_fetch(&done, 1, __ATOMIC_SEQ_CST);
    for (;;) continue;
    return NULL;
}

static void make_all(void)
{
    const metrics_family_t explicit_buckets = {
        .size = sizeof explicit_buckets, .reservoir = METRICS_BUCKETS_EXPONENTIAL, .scale = 3};
    const metrics_family_t persistent = {.size = sizeof persistent, .persistent = 1};
    char number[16];
    k.r = test_open(NULL);
    metrics_describe(k.r, "buckets", &explicit_buckets, NULL);
    metrics_describe(k.r, "persistent", &persistent, NULL);
    k.counter = metrics_counter(k.r, "counter");
    k.updown = metrics_updown(k.r, "updown");
    k.meter = metrics_meter(k.r, "meter");
    k.histogram = metrics_histogram(k.r, "histogram");
    k.buckets = metrics_histogram(k.r, "buckets");
    k.timer = metrics_timer(k.r, "timer");
    k.set = metrics_set(k.r, "set");
    k.persistent = metrics_gauge(k.r, "persistent");
    for (int i = 0; i < GAUGES; i++) {
        snprintf(number, sizeof number, "%d", i);
        k.gauge[i] = metrics_gauge(k.r, "gauge", "n", number);
    }
}

static void close_the_door(void)
{
    struct sigaction action = {.sa_sigaction = on_call, .sa_flags = SA_SIGINFO};
    sigaction(SIGSYS, &action, NULL);
#define ALLOW(N) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, N, 0, 1), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)
    struct sock_filter filter[] = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
                                   ALLOW(SYS_exit_group), ALLOW(SYS_rt_sigreturn),
                                   BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP)};
    struct sock_fprog program = {sizeof filter / sizeof *filter, filter};
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &program)) exit(77);
}

/* which: 0 = the main thread, 1 = a thread that never updated before, 2 = one that did before the preparation */
static void program(void *arg)
{
    int which = *(int *)arg;
    pthread_t thread;
    make_all();
    if (which) pthread_create(&thread, NULL, in_thread, which == 2 ? arg : NULL);
    while (which && !done) sched_yield();
    metrics_prepare(k.r);
    close_the_door();
    if (!which) update_all();
    go = 1;
    while (which && done < 2) continue;
    syscall(SYS_exit_group, 0);
}

int main(void)
{
    static const char *const what[] = {"main thread", "a thread's first update",
                                       "a thread that has updated before"};
    multi_begin(60);
    refused = multi_shared(sizeof *refused);
    for (int which = 0; which < 3; which++) {
        int status;
        *refused = 0;
        waitpid(multi_fork(program, &which), &status, 0);
        if (WIFEXITED(status) && WEXITSTATUS(status) == 77) return puts("there is no seccomp here"), 77;
        EXPECT(status == 0, "%s: status %x, system call %d", what[which], (unsigned)status, *refused - 1);
    }
    return multi_end();
}
