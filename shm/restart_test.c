/* SPDX-License-Identifier: Apache-2.0 */
/*
 * restart_test.c - does the kernel restart a sequence when another thread of the same CPU runs?
 *
 * Two threads share one CPU. One sleeps, wakes, counts, and sleeps again. The other stays inside a section and
 * watches that count. It can change only while the watcher does not run, so the kernel must restart the section,
 * which begins with another look. A watcher that sees the count change inside one section was not restarted.
 */
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <time.h>

#include <mtx/rseq.h>

#include "atomic.h"
#include "restart.h"

enum {
    ENOUGH = 3,         /* restarts, or missed ones, before there is a verdict */
    ROUNDS = 20000,     /* looks in one section: tens of microseconds */
    MOST_NS = 80000000, /* for the whole test */
    SLEEP_NS = 200000,  /* between two counts */
    STACK_BYTES = 256 << 10,
};

enum stay { STAY_QUIET, STAY_RESTARTED, STAY_MISSED };

#if defined(__x86_64__)
#define STAY_RSEQ(OFFSET) (OFFSET)
#define STAY_SECTION                \
    "1: movq (%[count]), %%rax\n\t" \
    "movq %[rounds], %%rcx\n\t"     \
    "3: cmpq (%[count]), %%rax\n\t" \
    "jne %l[missed]\n\t"            \
    "subq $1, %%rcx\n\t"            \
    "jnz 3b\n\t"
#define STAY_CLOBBERS "memory", "cc", "rax", "rcx"
#else
#define STAY_RSEQ(OFFSET) metrics__rseq_self(OFFSET)
#define STAY_SECTION             \
    "1: ldr x16, [%[count]]\n\t" \
    "mov x15, %[rounds]\n\t"     \
    "3: ldr x17, [%[count]]\n\t" \
    "cmp x17, x16\n\t"           \
    "b.ne %l[missed]\n\t"        \
    "subs x15, x15, #1\n\t"      \
    "b.ne 3b\n\t"
#define STAY_CLOBBERS "memory", "cc", "x15", "x16", "x17"
#endif

/* Stay in a section for that many looks at *count. It stores nothing (ORD-16). */
static enum stay stay(intptr_t rseq, const uint64_t *count, uint64_t rounds)
{
    __asm__ goto(METRICS__RSEQ_CS STAY_SECTION METRICS__RSEQ_END
                 :
                 : [rs] "r"(STAY_RSEQ(rseq)), [count] "r"(count), [rounds] "r"(rounds)
                 : STAY_CLOBBERS
                 : missed, aborted);
    return STAY_QUIET;
aborted:
    return STAY_RESTARTED;
missed:
    metrics__rseq_clear(rseq);
    return STAY_MISSED;
}

struct test {
    intptr_t rseq;
    int cpu;
    uint64_t count;             /* how often the counting thread ran on that CPU */
    uint32_t over;              /* 1 = the test has ended */
    uint64_t restarted, missed; /* the watcher's own */
};

static uint64_t now_ns(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * UINT64_C(1000000000) + (uint64_t)ts.tv_nsec;
}

static void *count(void *arg)
{
    struct test *t = arg;
    while (!mem_load32(&t->over)) {          /* ORD-16 */
        if (sched_getcpu() != t->cpu) break; /* somebody has moved the two apart: nothing can be said */
        mem_add(&t->count, 1);               /* ORD-16 */
        nanosleep(&(struct timespec){.tv_nsec = SLEEP_NS}, NULL);
    }
    return NULL;
}

static void *watch(void *arg)
{
    struct test *t = arg;
    uint64_t end = now_ns() + MOST_NS;
    while (t->restarted < ENOUGH && t->missed < ENOUGH && now_ns() < end) {
        if (sched_getcpu() != t->cpu) break;
        enum stay was = stay(t->rseq, &t->count, ROUNDS);
        if (sched_getcpu() != t->cpu) break;
        t->restarted += was == STAY_RESTARTED;
        t->missed += was == STAY_MISSED;
    }
    mem_store32(&t->over, 1); /* ORD-16 */
    return NULL;
}

/* Both threads on one CPU, without the host's signals. */
static bool run_both(struct test *t)
{
    pthread_attr_t attributes;
    pthread_t counter, watcher;
    cpu_set_t cpu;
    t->cpu = sched_getcpu();
    if (t->cpu < 0 || t->cpu >= CPU_SETSIZE || pthread_attr_init(&attributes)) return false;
    CPU_ZERO(&cpu);
    CPU_SET(t->cpu, &cpu);
    bool good = !pthread_attr_setaffinity_np(&attributes, sizeof cpu, &cpu) &&
                !pthread_attr_setstacksize(&attributes, STACK_BYTES) &&
                !pthread_create(&counter, &attributes, count, t);
    bool both = good && !pthread_create(&watcher, &attributes, watch, t);
    if (both) pthread_join(watcher, NULL);
    mem_store32(&t->over, 1); /* ORD-16 */
    if (good) pthread_join(counter, NULL);
    pthread_attr_destroy(&attributes);
    return both;
}

enum restart_verdict restart_test_at(intptr_t rseq)
{
    struct test t = {.rseq = rseq};
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    bool ran = run_both(&t);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (!ran) return RESTART_UNTESTED;
    if (t.missed) return t.missed >= ENOUGH ? RESTART_BROKEN : RESTART_UNTESTED;
    return t.restarted >= ENOUGH ? RESTART_WORKS : RESTART_UNTESTED;
}

/* glibc 2.35 and later register every thread; elsewhere the symbols are missing. */
extern const ptrdiff_t __rseq_offset __attribute__((weak));
extern const unsigned int __rseq_size __attribute__((weak));

enum restart_verdict restart_test(void)
{
    if (!&__rseq_offset || !&__rseq_size || __rseq_size == 0) return RESTART_UNTESTED;
    return restart_test_at(__rseq_offset);
}
