/* SPDX-License-Identifier: Apache-2.0 */
/*
 * seam_threads.h - the threads of an exporter, one at a time: a thread runs until it waits, for a call, a moment, another
 * thread or a socket; then another one that can go on is chosen by the seed. So a run is repeatable, and time passes
 * only when all wait.
 */
#ifndef SIMULATE_SEAM_THREADS_H
#define SIMULATE_SEAM_THREADS_H

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>

#define THREADS_NEVER UINT64_MAX

/* From here on, in this process, of which the caller is the only thread. */
void threads_begin(uint64_t seed);

/* The main thread, and it alone, waits until all others wait for longer than shared->until. Returns the moment at which the first of them wants to
 * go on, or THREADS_NEVER. */
uint64_t threads_settle(void);

/* Waits for the sockets, others go on meanwhile. What poll() returns; 0 after `timeout` ms of the world's time. */
int threads_poll(struct pollfd *fds, nfds_t n, int timeout);

#endif
