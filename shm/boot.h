/* SPDX-License-Identifier: Apache-2.0 */
/*
 * boot.h - the running kernel, as far as segments depend on it: its clock, and whether a segment outside
 * tmpfs was left by an earlier boot.
 *
 * On tmpfs a segment ends with its kernel, and the boot id in its header says nothing. On a disk it stays:
 * then the locks of its processes are gone and CLOCK_MONOTONIC has begun anew. Totals are kept; segment time
 * goes on by the wall clock. If a process is attached although the boot id differs, another kernel has the
 * file (a shared file system). Locks and restartable updates do not work between kernels, so the segment is
 * refused.
 */
#ifndef METRICS_SHM_BOOT_H
#define METRICS_SHM_BOOT_H

#include <stdint.h>

#include <mtx/error.h>

#include "layout.h"

/* How far this time namespace's CLOCK_MONOTONIC is ahead of the initial one's, in ns (may be negative). */
uint64_t boot_time_offset(void);

/* CLOCK_MONOTONIC of the initial time namespace, in ns. */
uint64_t boot_time(void);

/* The kernel's boot id; zeros if it cannot be read. */
void boot_id(uint8_t out[16]);

/*
 * Before the file of that writable descriptor is used: if an earlier boot left it, make it this one's, in the
 * file and in *head (its checked constants). 0; METRICS_E_UNSAFE if another kernel uses it, METRICS_E_BUSY if
 * another process is doing the same (try again), METRICS_E_FULL, METRICS_E_SYSTEM. A process killed in here
 * leaves a segment that the next one adopts. Holds LOCK_ATTACHED meanwhile. Not async-signal-safe.
 */
int boot_adopt(int fd, const char *path, struct segment_header *head, metrics_error_t *error);

#endif
