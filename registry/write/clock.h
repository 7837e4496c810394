/* SPDX-License-Identifier: Apache-2.0 */
/*
 * clock.h - the clock behind timers, and the coarse time behind reservoirs.
 *
 * Durations come from the CPU's counter where the kernel trusts it too (clock source tsc; aarch64's generic
 * timer always), else from CLOCK_MONOTONIC. Counter ticks never enter the segment. The counter's rate is
 * measured against CLOCK_MONOTONIC: a first, short measurement when the library is first used, refined at 5
 * ms, 10 ms, 20 ms ... one minute, and from then on over the last minute.
 */
#ifndef METRICS_REGISTRY_CLOCK_H
#define METRICS_REGISTRY_CLOCK_H

#include <stdint.h>

#include "atomic.h"
#include "process.h"
#include "segment.h"

/* Choose and measure the clock; idempotent, thread-safe; takes about a quarter of a millisecond once. */
void metrics__clock_init(void);

/*
 * [S] A reading of metrics_now() as CLOCK_MONOTONIC of this process's time namespace, in ns: within microseconds of it,
 * and what the kernel has changed in that clock's speed within the last minute.
 */
uint64_t metrics__clock_monotonic(uint64_t ticks);

/*
 * [S] Segment time in 1/8 s, from 1, for the reservoirs: the leader's clock word where it moves, else
 * CLOCK_MONOTONIC_COARSE.
 */
uint32_t metrics__tick(const segment_t *seg);

/*
 * [S] The tick that the leader's clock word says, or 0: call metrics__tick(). A thread notices after 64
 * calls, on average, that the word no longer moves: `random` decides at which call the clock is read.
 */
static inline uint32_t metrics__tick_of_leader(const struct segment_header *head, uint64_t random)
{
    uint64_t word = mem_load(&head->clock); /* ORD-12 */
    bool known = word != process_thread.stale_clock && random % 64;
    return __builtin_expect(known, 1) ? (uint32_t)(word >> 32) : 0;
}

/* [S] The same, from the kernel's clock: for the rare updates that are kept. */
uint32_t metrics__tick_exact(const segment_t *seg);

#endif
