/* SPDX-License-Identifier: Apache-2.0 */
#include "clock.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <mtx/metrics.h>

#include "atomic.h"
#include "descriptor.h"
#include "process.h"

#define SECOND UINT64_C(1000000000)
#define MINUTE (60 * SECOND)

/*
 * ns = (ticks * mult) >> 32. Each of these is valid by itself while other threads refine: mult is always a
 * valid rate, and the anchor is replaced whole. So there is no lock that a thread could hold when a fork, a
 * kill or a handler's siglongjmp() ends it.
 */
static struct {
    bool counter;                   /* false: metrics_now() is CLOCK_MONOTONIC in ns */
    uint64_t mult;                  /* ns per tick, 32.32 */
    uint64_t next;                  /* counter value at which to refine */
    _Alignas(16) mem_pair_t anchor; /* {ticks, ns}: simultaneous readings */
} clk = {.mult = UINT64_C(1) << 32, .next = UINT64_MAX};

static uint64_t monotonic_ns(clockid_t id)
{
    struct timespec ts;
    clock_gettime(id, &ts);
    return (uint64_t)ts.tv_sec * SECOND + (uint64_t)ts.tv_nsec;
}

static inline uint64_t counter(void)
{
#if defined(__x86_64__)
    return __builtin_ia32_rdtsc();
#else
    uint64_t t;
    __asm__ volatile("mrs %0, cntvct_el0" : "=r"(t));
    return t;
#endif
}

/* Both clocks at one moment: of a few tries the one with the shortest bracket. */
static void read_both(uint64_t *ticks, uint64_t *ns)
{
    uint64_t shortest = 0;
    for (int i = 0; i < 5; i++) {
        uint64_t before = counter(), now = monotonic_ns(CLOCK_MONOTONIC), after = counter();
        if (i == 0 || after - before < shortest) {
            shortest = after - before;
            *ticks = before + (after - before) / 2;
            *ns = now;
        }
    }
}

static bool counter_trusted(void)
{
#if defined(__aarch64__)
    return true;
#else
    char source[32] = "";
    FILE *f = descriptor_read("/sys/devices/system/clocksource/clocksource0/current_clocksource");
    if (!f) return false;
    bool tsc = fgets(source, sizeof source, f) && !strcmp(source, "tsc\n");
    fclose(f);
    return tsc;
#endif
}

/* Set the rate from the anchor to now; the next look is when the base has doubled. */
static void refine(mem_pair_t anchor, uint64_t ticks, uint64_t ns)
{
    uint64_t base_ticks = ticks - anchor.lo, base_ns = ns - anchor.hi;
    if ((int64_t)base_ticks <= 0 || (int64_t)base_ns <= 0) return;
    mem_store(&clk.mult, (uint64_t)(((unsigned __int128)base_ns << 32) / base_ticks)); /* ORD-16 */
    mem_store(&clk.next,
              ticks + (base_ns < MINUTE ? base_ticks : base_ticks * MINUTE / base_ns)); /* ORD-16 */
    if (base_ns >= MINUTE) mem_pair_cas(&clk.anchor, anchor, (mem_pair_t){ticks, ns});  /* ORD-15 */
}

/* Called when a timer is stopped after `next`. */
static void __attribute__((noinline)) refine_now(void)
{
    mem_pair_t anchor;
    uint64_t ticks, ns;
    if (!mem_pair_load(&clk.anchor, &anchor)) return; /* ORD-15; somebody has just refined */
    read_both(&ticks, &ns);
    refine(anchor, ticks, ns);
}

static void init_once(void)
{
    if (!counter_trusted()) return;
    uint64_t ticks, ns;
    read_both(&clk.anchor.lo, &clk.anchor.hi);
    do {
        read_both(&ticks, &ns);
    } while (ns - clk.anchor.hi < 250000);
    refine(clk.anchor, ticks, ns);
    mem_store(&clk.next, ticks + (ticks - clk.anchor.lo) * 20); /* ORD-16 */
    mem_publish_flag(&clk.counter, true);                       /* ORD-15 */
}

void metrics__clock_init(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, init_once);
}

uint64_t metrics_now(void)
{
    return mem_load_flag(&clk.counter) ? counter() : monotonic_ns(CLOCK_MONOTONIC); /* ORD-15 */
}

uint64_t metrics_elapsed_ns(uint64_t start)
{
    uint64_t now = metrics_now();
    if ((int64_t)(now - start) <= 0) return 0; /* counters of two sockets may differ by a little */
    if (__builtin_expect(now >= mem_load(&clk.next), 0)) refine_now();                 /* ORD-16 */
    return (uint64_t)(((unsigned __int128)(now - start) * mem_load(&clk.mult)) >> 32); /* ORD-16 */
}

uint64_t metrics__clock_monotonic(uint64_t ticks)
{
    mem_pair_t anchor;
    if (!mem_load_flag(&clk.counter)) return ticks;                                          /* ORD-15 */
    if (__builtin_expect(ticks >= mem_load(&clk.next), 0)) refine_now();                     /* ORD-16 */
    if (!mem_pair_load(&clk.anchor, &anchor)) return monotonic_ns(CLOCK_MONOTONIC);          /* ORD-15 */
    __int128 passed = (__int128)(int64_t)(ticks - anchor.lo) * (int64_t)mem_load(&clk.mult); /* ORD-16 */
    return anchor.hi + (uint64_t)(int64_t)(passed >> 32);
}

uint32_t metrics__tick_exact(const segment_t *seg)
{
    int64_t age = (int64_t)(monotonic_ns(CLOCK_MONOTONIC_COARSE) - seg->time_offset);
    return (uint32_t)((uint64_t)(age > 0 ? age : 0) / (SECOND / 8)) + 1;
}

uint32_t metrics__tick(const segment_t *seg)
{
    struct process_thread *t = &process_thread;
    uint64_t word = mem_load(&seg->head->clock); /* ORD-12 */
    uint32_t now = metrics__tick_exact(seg);
    if (now <= (uint32_t)word) return (uint32_t)(word >> 32);
    t->stale_clock = word; /* until it moves again */
    return now;
}
