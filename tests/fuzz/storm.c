/* SPDX-License-Identifier: Apache-2.0 */
#include "storm.h"

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

enum { WORDS = 256 };

/*
 * Nobody waits for the thread: while one storm's words are replaced by the next one's it may write a value of
 * the one at a place of the other, which is as good a storm. All places are in the file, which is mapped and,
 * since all bases have one size, never cut.
 */
static struct {
    uint64_t *at[WORDS];
    uint64_t sound[WORDS], hostile[WORDS];
    uint64_t count;
} storm;

static void set(uint64_t *where, uint64_t v)
{
    __atomic_store_n(where, v, __ATOMIC_RELAXED);
}
static uint64_t get(const uint64_t *where)
{
    return __atomic_load_n(where, __ATOMIC_RELAXED);
}

static void *blow(void *arg)
{
    (void)arg;
    for (uint64_t turn = 0;; turn++) {
        uint64_t n = __atomic_load_n(&storm.count, __ATOMIC_ACQUIRE);
        for (uint64_t i = 0; i < n; i++)
            set(__atomic_load_n(&storm.at[i], __ATOMIC_RELAXED),
                get(turn & 1 ? &storm.sound[i] : &storm.hostile[i]));
        if (!n) sched_yield();
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
    uint64_t n = 0;
    if (!wanted()) return;
    for (size_t at = 0; at + 8 <= p->base->size && n < WORDS; at += 8) {
        uint64_t sound, hostile;
        memcpy(&sound, p->base->bytes + at, 8);
        memcpy(&hostile, h->bytes + at, 8);
        if (sound == hostile) continue;
        set(&storm.sound[n], sound);
        set(&storm.hostile[n], hostile);
        __atomic_store_n(&storm.at[n++], (uint64_t *)(h->bytes + at), __ATOMIC_RELAXED);
    }
    __atomic_store_n(&storm.count, n, __ATOMIC_RELEASE);
}

void storm_end(void)
{
    __atomic_store_n(&storm.count, 0, __ATOMIC_RELEASE);
}
