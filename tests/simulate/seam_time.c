/* SPDX-License-Identifier: Apache-2.0 */
/*
 * seam_time.c - the C library's clocks and randomness, for everything in the program and in the libraries that it loads:
 * they are the world's. What waits in an exporter is in seam_threads.c.
 */
#include "dice.h"
#include "shared.h"

#include <dlfcn.h>
#include <sys/random.h>
#include <sys/time.h>
#include <time.h>

enum { SECOND = 1000000000 };

int clock_gettime(clockid_t id, struct timespec *t)
{
    static int (*real)(clockid_t, struct timespec *);
    if (!shared) {
        if (!real) real = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
        return real(id, t);
    }
    uint64_t now = id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE ? shared->wall : shared->mono;
    *t = (struct timespec){(time_t)(now / SECOND), (long)(now % SECOND)};
    return 0;
}

int gettimeofday(struct timeval *restrict t, void *restrict zone)
{
    struct timespec now;
    (void)zone;
    clock_gettime(CLOCK_REALTIME, &now);
    *t = (struct timeval){now.tv_sec, now.tv_nsec / 1000};
    return 0;
}

time_t time(time_t *t)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (t) *t = now.tv_sec;
    return now.tv_sec;
}

ssize_t getrandom(void *bytes, size_t n, unsigned flags)
{
    static ssize_t (*real)(void *, size_t, unsigned);
    if (!shared) {
        if (!real) real = (ssize_t(*)(void *, size_t, unsigned))dlsym(RTLD_NEXT, "getrandom");
        return real(bytes, n, flags);
    }
    struct dice dice = {shared->random};
    for (size_t i = 0; i < n; i++) ((unsigned char *)bytes)[i] = (unsigned char)(dice_next(&dice) >> 32);
    shared->random = dice.state;
    return (ssize_t)n;
}
