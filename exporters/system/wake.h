/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wake.h - lets a thread wait for a moment or for a call, whichever comes first. Any number of threads may
 * wait and call. A call is never lost: it counts, and a waiter says which count it has seen.
 */
#ifndef EXPORTERS_WAKE_H
#define EXPORTERS_WAKE_H

#include <pthread.h>
#include <stdint.h>

struct wake {
    pthread_mutex_t lock; /* of `calls`; nothing is called under it */
    pthread_cond_t called;
    uint64_t calls;
};

void wake_init(struct wake *wake);
void wake_destroy(struct wake *wake);

/* Wakes all that wait. */
void wake_call(struct wake *wake);

/* How often it was called so far. */
uint64_t wake_calls(struct wake *wake);

/* Waits until it was called more often than `seen`, or until `until` on the system's monotonic clock
 * (nanoseconds; CLOCK_NEVER: no end). Returns the number of calls. */
uint64_t wake_wait(struct wake *wake, uint64_t seen, uint64_t until);

#endif
