/* SPDX-License-Identifier: Apache-2.0 */
/*
 * halt.h - SIGINT and SIGTERM as a request to end in order: what is queued is sent first. They stay pending
 * while work is done and are taken only in halt_wait(), so none is lost between a check and a wait.
 *
 * State of the whole process; for the one thread that waits.
 */
#ifndef TOOLS_HALT_H
#define TOOLS_HALT_H

#include <stdint.h>

/* Starts this, and ignores SIGPIPE. Call it once, before there are threads, and after starting the children
 * that are to receive these signals as usual. */
void halt_begin(void);

/* How many came, at most 2. The first asks us to end, the second to end at once. */
unsigned halt_count(void);

/* Waits until `fd` can be read (-1: no file), until the monotonic time `until` in nanoseconds (CLOCK_NEVER:
 * no limit), or until a signal comes. */
void halt_wait(int fd, uint64_t until);

#endif
