/* SPDX-License-Identifier: Apache-2.0 */
/*
 * clock.h - the time, as a parameter, so that intervals, retries and complaints are tested without waiting.
 *
 * There are two clocks: the wall clock says when a snapshot was taken, the monotonic clock measures
 * durations. Both count nanoseconds. No other file asks the system for the time. Functions that take a clock
 * do not sleep: if they must wait, they return the time at which they want to be called again.
 *
 * Thread-safe.
 */
#ifndef EXPORTERS_CLOCK_H
#define EXPORTERS_CLOCK_H

#include <mtx/snapshot.h>

#define CLOCK_SECOND UINT64_C(1000000000)
#define CLOCK_NEVER  UINT64_MAX

/* The system's clocks. */
extern const metrics_clock_t clock_system;

uint64_t clock_wall(const metrics_clock_t *clock); /* nanoseconds since 1970 */
uint64_t clock_mono(const metrics_clock_t *clock); /* nanoseconds; never goes back */

/* The first multiple of `interval` that is greater than `wall`. Pure. */
uint64_t clock_next_multiple(uint64_t wall, uint64_t interval);

#endif
