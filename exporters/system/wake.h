/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wake.h - lets threads wait until a time or until a call, whichever comes first. No call is lost: calls are
 * counted, and a waiting thread says which count it has seen.
 *
 * Thread-safe, except wake_init() and wake_destroy(): any number of threads may wait and call.
 */
#ifndef EXPORTERS_WAKE_H
#define EXPORTERS_WAKE_H

#include <pthread.h>
#include <stdint.h>

struct wake {
    pthread_mutex_t lock; /* protects `calls`; a leaf: no other lock is taken under it */
    pthread_cond_t called;
    uint64_t calls;
};

/* The owner initialises it, and destroys it when no thread uses it any more. */
void wake_init(struct wake *wake);
void wake_destroy(struct wake *wake);

/* Wakes all threads that wait. */
void wake_call(struct wake *wake);

/* The number of calls so far. */
uint64_t wake_calls(struct wake *wake);

/* Waits until there were more than `seen` calls, or until `until` on the system's monotonic clock
 * (nanoseconds; CLOCK_NEVER: no limit). Returns the number of calls. */
uint64_t wake_wait(struct wake *wake, uint64_t seen, uint64_t until);

#endif
