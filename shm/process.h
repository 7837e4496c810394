/* SPDX-License-Identifier: Apache-2.0 */
/*
 * process.h - who am I: a random token per process that notices forks, and random numbers per thread.
 *
 * The token lives in a page that the kernel wipes in a forked child (MADV_WIPEONFORK; pthread_atfork as well,
 * for kernels without). So token zero means "just forked": a new token is drawn, threads reseed their
 * generators (else all workers would draw the same numbers) and gauges claim a new process slot.
 */
#ifndef METRICS_SHM_PROCESS_H
#define METRICS_SHM_PROCESS_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include "atomic.h"

/* Set up the token page and the fork handlers; idempotent, thread-safe. Always 0. */
int process_init(void);

/*
 * [S] Between the two no signal's handler runs in this thread and it is not cancelled. A handler that forks would wait
 * for ever for a lock that its own thread holds; one that leaves by siglongjmp(), or the thread's cancellation, would
 * leave the lock held for good. The signals of faults are not blocked, because a fault whose signal is blocked ends
 * the process at once. Pairs nest.
 */
struct process_undisturbed {
    sigset_t signals;
    int cancel;
};
void process_undisturbed_begin(struct process_undisturbed *before);
void process_undisturbed_end(const struct process_undisturbed *before);

/* Called at every fork, with signals blocked: prepare hooks in reverse order of registration, the others in order. At most 4. */
struct process_fork_hooks {
    void (*prepare)(void), (*parent)(void), (*child)(void);
};
void process_on_fork(const struct process_fork_hooks *hooks);

extern uint64_t *process_token_page; /* never NULL after process_init() */
uint64_t process_renew(void);        /* draw a new token if there is none; returns it */

/* [S] This process's token, never 0. */
static inline uint64_t process_token(void)
{
    uint64_t t = mem_load(process_token_page); /* ORD-17 */
    return __builtin_expect(t != 0, 1) ? t : process_renew();
}

/* Per thread; initial-exec, because the default model costs a call. */
struct process_thread {
    uint64_t seed;           /* generator state */
    uint64_t seeded;         /* complement of the token of the process for which it was seeded */
    uint32_t cpu_start, cpu; /* a struct rseq that says "no CPU", for threads without a real one */
    uint64_t rseq_cs;
    uint32_t turn;        /* of the parts of a sum: grows by 8 with each update */
    uint32_t claiming;    /* > 0: this thread is claiming a slot, or in a fork (slot.c) */
    uint64_t stale_clock; /* the leader's clock word when it was found expired; 0 at first = no word */
};
extern __thread struct process_thread process_thread __attribute__((tls_model("initial-exec")));
_Static_assert(sizeof(struct process_thread) <= 64, "TLS of a library is scarce");

void process_reseed(void);

/*
 * [S] Is this thread's generator seeded, for this process? One that never was has 0 there, a forked child's
 * page has 0: neither equals the other's complement.
 */
static inline bool process_seeded(void)
{
    return process_thread.seeded == ~mem_load(process_token_page); /* ORD-17 */
}

/* [S] 64 random bits: splitmix64 (Steele, Lea, Flood 2014), seeded per thread, from the process's token. */
static inline uint64_t process_random_seeded(void)
{
    uint64_t z = (process_thread.seed += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}
static inline uint64_t process_random(void)
{
    if (__builtin_expect(!process_seeded(), 0)) process_reseed();
    return process_random_seeded();
}

/* Offset from the thread pointer to the struct rseq to use: glibc's, or the one above that has no CPU. */
intptr_t process_rseq_offset(void);

#endif
