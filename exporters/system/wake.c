/* SPDX-License-Identifier: Apache-2.0 */
#include "wake.h"

#include "clock.h"

#include <time.h>

void wake_init(struct wake *wake)
{
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_mutex_init(&wake->lock, NULL);
    pthread_cond_init(&wake->called, &attr);
    pthread_condattr_destroy(&attr);
    wake->calls = 0;
}

void wake_destroy(struct wake *wake)
{
    pthread_cond_destroy(&wake->called);
    pthread_mutex_destroy(&wake->lock);
}

void wake_call(struct wake *wake)
{
    pthread_mutex_lock(&wake->lock);
    wake->calls++;
    pthread_cond_broadcast(&wake->called);
    pthread_mutex_unlock(&wake->lock);
}

uint64_t wake_calls(struct wake *wake)
{
    pthread_mutex_lock(&wake->lock);
    uint64_t calls = wake->calls;
    pthread_mutex_unlock(&wake->lock);
    return calls;
}

uint64_t wake_wait(struct wake *wake, uint64_t seen, uint64_t until)
{
    struct timespec t = {(time_t)(until / CLOCK_SECOND), (long)(until % CLOCK_SECOND)};
    int late = 0;
    pthread_mutex_lock(&wake->lock);
    while (wake->calls == seen && !late)
        late = until == CLOCK_NEVER ? pthread_cond_wait(&wake->called, &wake->lock)
                                    : pthread_cond_timedwait(&wake->called, &wake->lock, &t);
    uint64_t calls = wake->calls;
    pthread_mutex_unlock(&wake->lock);
    return calls;
}
