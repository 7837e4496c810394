/* SPDX-License-Identifier: Apache-2.0 */
#include "seam_threads.h"

#include "dice.h"
#include "shared.h"

#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { TASKS = 64, SECOND = 1000000000, STEPS_MOST = 20000000 };

enum task_state { TASK_FREE, TASK_READY, TASK_WAITS, TASK_SETTLES, TASK_DONE };

struct task {
    enum task_state state;
    uint32_t go; /* futex: 1 = this thread runs */
    pthread_t thread;
    uint64_t until;     /* TASK_WAITS: goes on then, on the monotonic clock */
    const void *on;     /* TASK_WAITS: a condition, another task, or NULL */
    bool called;        /* it was, before the time was over */
    struct pollfd *fds; /* TASK_WAITS: or when these are ready */
    nfds_t n;
    void *(*fn)(void *);
    void *arg;
};

static struct task tasks[TASKS];
static struct task *running; /* NULL: the seam is not in force */
static struct dice turns;
static pthread_key_t leaving; /* calls task_leave() in each thread that ends */

/* --- The real ones --- */

static struct {
    int (*lock)(pthread_mutex_t *);
    int (*trylock)(pthread_mutex_t *);
    int (*unlock)(pthread_mutex_t *);
    int (*create)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
    int (*join)(pthread_t, void **);
    int (*poll)(struct pollfd *, nfds_t, int);
    int (*nanosleep)(const struct timespec *, struct timespec *);
} real;

#define REAL(MEMBER, NAME) (*(void **)(void *)&real.MEMBER = dlsym(RTLD_NEXT, NAME))

static void real_find(void)
{
    REAL(lock, "pthread_mutex_lock");
    REAL(trylock, "pthread_mutex_trylock");
    REAL(unlock, "pthread_mutex_unlock");
    REAL(create, "pthread_create");
    REAL(join, "pthread_join");
    REAL(poll, "poll");
    REAL(nanosleep, "nanosleep");
}

/* Before any library begins: their beginnings lock already. */
__attribute__((section(".preinit_array"), used)) static void (*const real_find_first)(void) = real_find;

/* --- Taking turns --- */

static void task_await_turn(struct task *t)
{
    while (!__atomic_load_n(&t->go, __ATOMIC_ACQUIRE))
        syscall(SYS_futex, &t->go, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0);
    __atomic_store_n(&t->go, 0, __ATOMIC_RELEASE);
}

static void task_let_run(struct task *t)
{
    running = t;
    __atomic_store_n(&t->go, 1, __ATOMIC_RELEASE);
    syscall(SYS_futex, &t->go, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

static bool task_can_go_on(struct task *t)
{
    if (t->state == TASK_READY) return true;
    if (t->state != TASK_WAITS) return false;
    return t->until <= shared->mono || (t->fds && real.poll(t->fds, t->n, 0) > 0);
}

static struct task *task_choose(void)
{
    struct task *can[TASKS];
    size_t n = 0;
    for (struct task *t = tasks; t < tasks + TASKS; t++)
        if (t->state != TASK_FREE && task_can_go_on(t)) can[n++] = t;
    return n ? can[n == 1 ? 0 : dice_below(&turns, n)] : NULL;
}

static uint64_t tasks_first(void)
{
    uint64_t first = THREADS_NEVER;
    for (struct task *t = tasks; t < tasks + TASKS; t++)
        if (t->state == TASK_WAITS && t->until < first) first = t->until;
    return first;
}

/* All wait. Time passes, unless the main thread waits for just that. */
static struct task *task_after_a_while(void)
{
    uint64_t first = tasks_first();
    if (tasks[0].state == TASK_SETTLES && first > shared->until) return &tasks[0];
    if (first == THREADS_NEVER) {
        fputs("simulate: all threads of the exporter wait for each other\n", stderr);
        abort();
    }
    if (first > shared->mono) shared_pass(first - shared->mono);
    return task_choose();
}

/* The caller's state is set: whoever is next goes on, perhaps the caller itself. */
static void task_yield(struct task *self)
{
    static uint64_t steps;
    if (++steps > STEPS_MOST) abort();
    struct task *next = task_choose();
    if (!next) next = task_after_a_while();
    if (next == self) return;
    task_let_run(next);
    if (self->state != TASK_DONE) task_await_turn(self);
}

static void task_wait(const void *on, uint64_t until)
{
    struct task *self = running;
    shared_step();
    self->state = TASK_WAITS;
    self->on = on;
    self->until = until;
    self->called = false;
    task_yield(self);
    self->state = TASK_READY;
    self->on = NULL;
}

static void tasks_call(const void *on, size_t most)
{
    for (struct task *t = tasks; t < tasks + TASKS && most; t++) {
        if (t->state != TASK_WAITS || t->on != on) continue;
        t->state = TASK_READY;
        t->called = true;
        most--;
    }
}

static void task_leave(void *arg);

void threads_begin(uint64_t seed)
{
    turns = (struct dice){seed};
    if (pthread_key_create(&leaving, task_leave)) abort();
    tasks[0] = (struct task){.state = TASK_READY, .thread = pthread_self()};
    running = &tasks[0];
}

uint64_t threads_settle(void)
{
    struct task *self = running;
    self->state = TASK_SETTLES;
    task_yield(self);
    self->state = TASK_READY;
    return tasks_first();
}

int threads_poll(struct pollfd *fds, nfds_t n, int timeout)
{
    struct task *self = running;
    self->fds = fds;
    self->n = n;
    task_wait(NULL, timeout < 0 ? THREADS_NEVER : shared->mono + (uint64_t)timeout * 1000000);
    self->fds = NULL;
    return real.poll(fds, n, 0);
}

/* --- What the C library has --- */

int pthread_mutex_lock(pthread_mutex_t *m)
{
    struct task *self = running;
    if (!self) return real.lock(m);
    shared_step();
    if (shared_mine->shuffle && dice_once_in(&turns, 4)) task_yield(self);
    for (;;) {
        int code = real.trylock(m);
        if (code != EBUSY) return code;
        task_yield(self); /* whoever has it goes on some time */
    }
}

static int cond_wait(pthread_cond_t *c, pthread_mutex_t *m, uint64_t until)
{
    struct task *self = running;
    if (!self) abort();
    real.unlock(m);
    task_wait(c, until);
    bool called = self->called;
    pthread_mutex_lock(m);
    return called ? 0 : ETIMEDOUT;
}

int pthread_cond_wait(pthread_cond_t *restrict c, pthread_mutex_t *restrict m)
{
    return cond_wait(c, m, THREADS_NEVER);
}

int pthread_cond_timedwait(pthread_cond_t *restrict c, pthread_mutex_t *restrict m,
                           const struct timespec *restrict t)
{
    return cond_wait(c, m, (uint64_t)t->tv_sec * SECOND + (uint64_t)t->tv_nsec);
}

int pthread_cond_signal(pthread_cond_t *c)
{
    tasks_call(c, 1);
    return 0;
}

int pthread_cond_broadcast(pthread_cond_t *c)
{
    tasks_call(c, TASKS);
    return 0;
}

/* Libraries clean up after a thread, with locks. It gives away its turn in the last round of that. */
static void task_leave(void *arg)
{
    static _Thread_local int rounds;
    struct task *self = arg;
    if (++rounds < PTHREAD_DESTRUCTOR_ITERATIONS) {
        pthread_setspecific(leaving, self);
        return;
    }
    self->state = TASK_DONE;
    tasks_call(self, TASKS);
    task_yield(self);
}

static void *task_run(void *arg)
{
    struct task *self = arg;
    task_await_turn(self);
    pthread_setspecific(leaving, self);
    return self->fn(self->arg);
}

int pthread_create(pthread_t *restrict thread, const pthread_attr_t *restrict attr, void *(*fn)(void *),
                   void *restrict arg)
{
    if (!running) return real.create(thread, attr, fn, arg);
    struct task *t = tasks;
    while (t < tasks + TASKS && t->state != TASK_FREE) t++;
    if (t == tasks + TASKS) return EAGAIN;
    *t = (struct task){.state = TASK_READY, .fn = fn, .arg = arg};
    int code = real.create(thread, attr, task_run, t);
    t->thread = *thread;
    if (code) t->state = TASK_FREE;
    return code;
}

int pthread_join(pthread_t thread, void **result)
{
    struct task *t = tasks;
    if (!running) return real.join(thread, result);
    while (t < tasks + TASKS && (t->state == TASK_FREE || !pthread_equal(t->thread, thread))) t++;
    if (t == tasks + TASKS) return ESRCH;
    if (t->state != TASK_DONE) task_wait(t, THREADS_NEVER);
    int code = real.join(thread, result);
    t->state = TASK_FREE;
    return code;
}

int nanosleep(const struct timespec *t, struct timespec *left)
{
    uint64_t ns = (uint64_t)t->tv_sec * SECOND + (uint64_t)t->tv_nsec;
    if (!shared) return real.nanosleep(t, left);
    if (running)
        task_wait(NULL, shared->mono + ns);
    else
        shared_pass(ns);
    return 0;
}

int usleep(useconds_t us)
{
    return nanosleep(&(struct timespec){us / 1000000, us % 1000000 * 1000}, NULL);
}
