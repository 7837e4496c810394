/* SPDX-License-Identifier: Apache-2.0 */
/*
 * clock.h - the time, passed in, so that intervals, retries and complaints are tested without waiting.
 *
 * Two clocks: the wall's places a snapshot in history, the monotonic one measures lengths. Nothing outside
 * this file asks the system for the time, and nothing that takes a clock sleeps: what must wait returns the
 * moment at which it wants to be called again.
 */
#ifndef EXPORTERS_CLOCK_H
#define EXPORTERS_CLOCK_H

#include <mtx/snapshot.h>

#define CLOCK_SECOND UINT64_C(1000000000)
#define CLOCK_NEVER  UINT64_MAX

/* The system's clocks, thread-safe. */
extern const metrics_clock_t clock_system;

uint64_t clock_wall(const metrics_clock_t *clock); /* nanoseconds since 1970 */
uint64_t clock_mono(const metrics_clock_t *clock); /* nanoseconds, never going back */

/* The first multiple of `interval` on the wall clock that lies after `wall`. */
uint64_t clock_next_multiple(uint64_t wall, uint64_t interval);

#endif
