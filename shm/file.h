/* SPDX-License-Identifier: Apache-2.0 */
/*
 * file.h - the segment's file: opened only if it is safe to trust, created complete or not at all.
 *
 * A segment is usually in a directory that everybody may write (/dev/shm), so the name may be anything: a
 * symlink, a FIFO, another user's file. What is not plainly ours is refused with a sentence.
 *
 * Functions with an error parameter return 0 or a metrics_code, fill in *error (never NULL) and are not
 * async-signal-safe. Descriptors that are returned are the caller's to close.
 */
#ifndef METRICS_SHM_FILE_H
#define METRICS_SHM_FILE_H

#include <sys/stat.h>

#include "segment.h"

/*
 * Open an existing file read-write and check it: type, owner, links, permissions, size, header.
 * METRICS_E_MISSING if there is none, METRICS_E_BUSY if it was replaced meanwhile (try again). *head is the
 * header as it was checked; the file may change. On success the new description holds the shared
 * LOCK_ATTACHED.
 */
int file_open(const struct segment_options *options, int *fd, struct stat *st, struct segment_header *head,
              metrics_error_t *error);

/*
 * Make a complete file and give it its name. METRICS_E_BUSY = another process was first: open its file. With
 * replace, the new file takes the name of an existing one in one step.
 */
int file_create(const struct segment_options *options, bool replace, metrics_error_t *error);

/* Open another description of the same file, for a lock of its own; -1 if the path leads elsewhere now. */
int file_reopen(const segment_t *seg, int flags);

/* [S] One byte-range lock on a descriptor. type F_RDLCK, F_WRLCK; 0, or -1 if another one holds it. */
int file_lock(int fd, int type, uint64_t byte);
/* [S] Would an exclusive lock on the byte be refused? 1, 0, or -1 when the kernel cannot say. */
int file_locked(int fd, uint64_t byte);
/* [S] Does another one own the byte, alone? The same. Who may only read the file never does. */
int file_owned(int fd, uint64_t byte);

#endif
