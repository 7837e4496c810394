/* SPDX-License-Identifier: Apache-2.0 */
#include "storm.h"

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

enum { WORDS = 256 };

static struct {
    uint64_t *at[WORDS];
    uint64_t sound[WORDS], hostile[WORDS];
    size_t count;
    int running; /* 1 = blow, 0 = be calm */
    int blowing; /* the thread's answer */
} storm;

static void *blow(void *arg)
{
    (void)arg;
    for (uint64_t turn = 0;; turn++) {
        if (!__atomic_load_n(&storm.running, __ATOMIC_ACQUIRE)) {
            __atomic_store_n(&storm.blowing, 0, __ATOMIC_RELEASE);
            sched_yield();
            continue;
        }
        __atomic_store_n(&storm.blowing, 1, __ATOMIC_RELEASE);
        for (size_t i = 0; i < storm.count; i++)
            __atomic_store_n(storm.at[i], turn & 1 ? storm.sound[i] : storm.hostile[i], __ATOMIC_RELAXED);
    }
    return NULL;
}

static bool wanted(void)
{
    static int known = -1;
    const char *env;
    pthread_t thread;
    if (known < 0) {
        known = (env = getenv("FUZZ_STORM")) && *env == '1';
        if (known && pthread_create(&thread, NULL, blow, NULL)) abort();
    }
    return known;
}

void storm_begin(const struct program *p, struct hostile *h)
{
    if (!wanted()) return;
    storm.count = 0;
    for (size_t at = 0; at + 8 <= p->base->size && storm.count < WORDS; at += 8) {
        if (!memcmp(h->bytes + at, p->base->bytes + at, 8)) continue;
        storm.at[storm.count] = (uint64_t *)(h->bytes + at);
        memcpy(&storm.sound[storm.count], p->base->bytes + at, 8);
        memcpy(&storm.hostile[storm.count++], h->bytes + at, 8);
    }
    if (storm.count) __atomic_store_n(&storm.running, 1, __ATOMIC_RELEASE);
}

void storm_end(void)
{
    __atomic_store_n(&storm.running, 0, __ATOMIC_RELEASE);
    while (__atomic_load_n(&storm.blowing, __ATOMIC_ACQUIRE)) sched_yield();
}
