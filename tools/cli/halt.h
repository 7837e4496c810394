/* SPDX-License-Identifier: Apache-2.0 */
/*
 * halt.h - SIGINT and SIGTERM as a wish to end well: what is queued goes out first. They wait while something
 * is under way, and are noticed in halt_wait() alone, so none is lost between a look and a sleep.
 */
#ifndef TOOLS_HALT_H
#define TOOLS_HALT_H

#include <stdint.h>

/* From now on, and SIGPIPE is ignored. Once, before threads, and after children that are to have it. */
void halt_begin(void);

/* How many came. The first asks for an end, the second for one at once. */
unsigned halt_count(void);

/* Waits until `fd` can be read (-1: for no file), until the monotonic time `until` (CLOCK_NEVER: for ever) or
 * until a signal comes. */
void halt_wait(int fd, uint64_t until);

#endif
