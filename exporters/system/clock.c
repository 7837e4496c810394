/* SPDX-License-Identifier: Apache-2.0 */
#include "clock.h"

#include <time.h>

static uint64_t clock_read(clockid_t id)
{
    struct timespec t;
    clock_gettime(id, &t);
    return (uint64_t)t.tv_sec * CLOCK_SECOND + (uint64_t)t.tv_nsec;
}

static uint64_t clock_system_wall(void *arg)
{
    (void)arg;
    return clock_read(CLOCK_REALTIME);
}

static uint64_t clock_system_mono(void *arg)
{
    (void)arg;
    return clock_read(CLOCK_MONOTONIC);
}

const metrics_clock_t clock_system = {clock_system_wall, clock_system_mono, NULL};

uint64_t clock_wall(const metrics_clock_t *clock)
{
    return clock->wall(clock->arg);
}

uint64_t clock_mono(const metrics_clock_t *clock)
{
    return clock->monotonic(clock->arg);
}

uint64_t clock_next_multiple(uint64_t wall, uint64_t interval)
{
    return (wall / interval + 1) * interval;
}
