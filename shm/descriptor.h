/* SPDX-License-Identifier: Apache-2.0 */
/*
 * descriptor.h - open files without ever keeping descriptor 0, 1 or 2.
 *
 * A host program may have closed these. Whatever is opened then gets their number, and what the host or its libraries
 * print would be written into it: into the segment, over its header. So every file that the library opens is opened
 * through here, also those that it closes at once.
 *
 * All are close-on-exec. Thread-safe.
 */
#ifndef METRICS_SHM_DESCRIPTOR_H
#define METRICS_SHM_DESCRIPTOR_H

#include <stdio.h>
#include <sys/types.h>

/* [S] open(), with a descriptor above 2, or -1 with errno. The caller closes it. */
int descriptor_open(const char *path, int flags, mode_t mode);

/* fopen() for reading, in the same way. */
FILE *descriptor_read(const char *path);

#endif
