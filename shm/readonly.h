/* SPDX-License-Identifier: Apache-2.0 */
/*
 * readonly.h - a segment as a reader has it: a read-only descriptor, never a mapping.
 *
 * Readers copy with pread() and look at their private copy. So a truncated file is a short read and not
 * SIGBUS, nothing changes between a check and its use, and reading a hole of the sparse file allocates
 * nothing (a read-only mapping would, and fail on a full tmpfs).
 *
 * The leader alone also maps the file for writing, see view_map(). A view belongs to one thread at a time.
 */
#ifndef METRICS_SHM_READONLY_H
#define METRICS_SHM_READONLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <mtx/error.h>

#include "layout.h"

typedef struct view {
    int fd;
    char *path; /* as given */
    dev_t dev;
    ino_t ino;
    uint64_t size;
    struct segment_header head; /* its constants are checked; the rest is as old as view_open() */
    unsigned char *map;         /* writable, for the leader; else NULL */
} view_t;

/*
 * Open and check: a plain file of root, of our own uid, readable by a group of ours, or of the user that MTX_OWNER
 * names (a name or a uid), with one name and a valid header. 0 or a metrics_code with *error. write = also allow view_map() and locks. The caller owns the view
 * and ends it with view_close(), which releases its locks.
 */
int view_open(view_t *v, const char *path, bool world_writable, bool write, metrics_error_t *error);
void view_close(view_t *v);

/* Copy n bytes at offset. 0, or -1 if the file does not have them (truncated, beyond the end). */
int view_read(const view_t *v, uint64_t offset, void *buf, size_t n);

/* A fresh copy of the header. 0 or -1. */
int view_head(const view_t *v, struct segment_header *out);

/*
 * May the arena end there: inside the file, and not far beyond the memory that the file occupies? Arenas are
 * not sparse (ORD-4), but copies of them may be: up to 16 MiB, or 16 times what is occupied, is believed.
 * Without this a few bytes in a header would make a reader allocate up to a TiB.
 */
bool view_believes(const view_t *v, uint64_t arena_end);

/*
 * Does another description hold the byte's lock, shared or not? Does one own it, alone? 1, 0, -1 if the kernel cannot
 * say. Who may only read the file can share locks, but not own them.
 */
int view_locked(const view_t *v, uint64_t byte);
int view_owned(const view_t *v, uint64_t byte);

/* Does somebody share a lock that only its owner should have? Then *byte is the first one. */
bool view_obstructed(const view_t *v, uint64_t *byte);

/* Set alive[s] for each slot that lives, slot 0 included; n slots. Returns how many besides slot 0. */
uint32_t view_alive(const view_t *v, uint8_t *alive, uint32_t n);

/* Does the path lead to another file now, or to none? */
bool view_replaced(const view_t *v);

/* Memory that the file occupies, in bytes. */
uint64_t view_resident(const view_t *v);

/* Segment time of a CLOCK_MONOTONIC reading of this process's time namespace: subtract this. */
uint64_t view_time_offset(const view_t *v);

/*
 * Take the byte's lock alone (view opened to write). 0, or -1 if it is taken. Until view_unlock(),
 * view_close().
 */
int view_lock(view_t *v, uint64_t byte);
/* Share n bytes' locks with other holders. 0 or -1. */
int view_share(view_t *v, uint64_t byte, uint64_t n);
void view_unlock(view_t *v, uint64_t byte, uint64_t n);

/* The hash that is part of the format (layout.h, INDEX). */
uint64_t view_hash(const void *key, size_t n);

/* Take the leader's lock (view opened to write). 0, or -1 if it is taken. */
int view_lead(view_t *v);
/* Map the file for writing. 0 or -1. */
int view_map(view_t *v);
/* The mapped bytes [offset, offset + n); NULL if without memory, outside the file or not aligned to 8. */
void *view_at(const view_t *v, uint64_t offset, uint64_t n);

#endif
