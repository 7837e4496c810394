/* SPDX-License-Identifier: Apache-2.0 */
/*
 * worker.h - processes that do something, report that they did, and stay until they are ended: for tests
 * about which processes live.
 */
#ifndef METRICS_TESTS_MULTI_WORKER_H
#define METRICS_TESTS_MULTI_WORKER_H

#include "multi.h"

/* How often worker_ready() was called, by all; shared with every worker. Set by worker_begin(). */
static int *worker_readies;

static inline void worker_begin(void)
{
    worker_readies = multi_shared(sizeof *worker_readies);
}

static inline void worker_ready(void)
{
    __atomic_fetch_add(worker_readies, 1, __ATOMIC_RELEASE);
}

static inline void worker_stay(void)
{
    for (;;) pause();
}

/* Until worker_ready() was called so many times in all, or the worker has ended (then *status says how). */
static inline bool worker_await(pid_t pid, int readies, int *status)
{
    while (__atomic_load_n(worker_readies, __ATOMIC_ACQUIRE) < readies) {
        if (waitpid(pid, status, WNOHANG) == pid) return false;
        multi_sleep_ms(1);
    }
    return true;
}

static int worker_status; /* how the last worker that worker_start() did not see ready has ended */

/* A worker in fn(arg) that has called worker_ready() `times`; 0 if it has ended instead. */
static inline pid_t worker_start(void (*fn)(void *), void *arg, int times)
{
    int want = __atomic_load_n(worker_readies, __ATOMIC_ACQUIRE) + times;
    pid_t pid = multi_fork(fn, arg);
    return worker_await(pid, want, &worker_status) ? pid : 0;
}

static inline void worker_end(pid_t pid)
{
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

#endif
