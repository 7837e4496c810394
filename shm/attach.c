/* SPDX-License-Identifier: Apache-2.0 */
/* attach.c - open and close a segment: the file, its mapping and, at the end, the process's slot. */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#include "atomic.h"
#include "boot.h"
#include "error.h"
#include "file.h"
#include "process.h"
#include "segment.h"

/* How often we start over because other processes created or replaced the file meanwhile. */
enum { OPEN_TRIES = 100 };

/* Another inode may take the name while we look: then start over, but not for ever. */
static int open_or_create(const struct segment_options *o, int *fd, struct stat *st,
                          struct segment_header *head, metrics_error_t *error)
{
    int rc = 0;
    bool reset = o->reset;
    for (int i = 0; i < OPEN_TRIES; i++) {
        rc = file_open(o, fd, st, head, error);
        if (rc == METRICS_E_MISSING && !o->existing) {
            rc = file_create(o, false, error);
            reset = false;
            if (rc && rc != METRICS_E_BUSY) return rc;
        } else if (rc == 0 && reset && file_lock(*fd, F_WRLCK, LOCK_ATTACHED) == 0) {
            /* Nobody else is attached, and whoever opens it now finds the lock and tries again. */
            rc = file_create(o, true, error);
            close(*fd);
            reset = false;
            if (rc) return rc;
        } else if (rc != METRICS_E_BUSY) {
            return rc;
        } else {
            nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
        }
    }
    return rc ? rc
              : metrics__fail(error, METRICS_E_BUSY, 0, "other processes replace %s again and again",
                              o->path);
}

static void note_filesystem(segment_t *seg)
{
    struct statfs fs;
    if (fstatfs(seg->fd, &fs) == 0 && fs.f_type != TMPFS_MAGIC && fs.f_type != RAMFS_MAGIC)
        snprintf(
            seg->warning, sizeof seg->warning,
            "the segment is not on tmpfs, so the kernel writes it to disk from time to time: use /dev/shm");
}

/* Readers of an earlier version then know that what they do not know is not damage. */
static void note_version(struct segment_header *h, uint64_t minor)
{
    uint64_t newest = mem_load(&h->newest); /* ORD-2 */
    while (minor > newest && minor > h->minor && !mem_cas(&h->newest, &newest, minor)) {
    }
}

static int map_file(segment_t *seg, const struct segment_options *o, metrics_error_t *error)
{
    seg->base = mmap(NULL, seg->size, PROT_READ | PROT_WRITE, MAP_SHARED, seg->fd, 0);
    if (seg->base == MAP_FAILED)
        return metrics__fail(error, METRICS_E_MEMORY, errno, "cannot map %llu bytes of %s",
                             (unsigned long long)seg->size, o->path);
    seg->head = (struct segment_header *)seg->base;
    madvise(seg->base, seg->size, MADV_DONTDUMP);
    note_version(seg->head, SEGMENT_MINOR);
    return 0;
}

/* From the checked header: never again from the file. */
static void take_constants(segment_t *seg, const struct segment_header *head)
{
    seg->lanes_cpu = head->lanes_cpu;
    seg->lanes_atomic = head->lanes_atomic;
    seg->slots = head->slots;
    seg->family_series = head->family_series;
    seg->time_offset = boot_time_offset() + head->created_monotonic;
    restart_look(&seg->here);
}

static void note_kept(segment_t *seg, const struct segment_options *o, uint64_t age)
{
    if (o->reset && age > 1000000000u)
        snprintf(seg->warning, sizeof seg->warning,
                 "the segment was not reset: other processes are attached to it");
}

int segment_open(segment_t **out, const struct segment_options *o, metrics_error_t *error)
{
    *out = NULL;
    process_init();
    segment_t *seg = calloc(1, sizeof *seg);
    if (!seg) return metrics__fail(error, METRICS_E_MEMORY, ENOMEM, "no memory to open %s", o->path);
    struct stat st;
    struct segment_header head;
    seg->fd = -1;
    int rc = open_or_create(o, &seg->fd, &st, &head, error);
    if (!rc) {
        take_constants(seg, &head);
        seg->size = (uint64_t)st.st_size;
        seg->dev = st.st_dev;
        seg->ino = st.st_ino;
        seg->path = realpath(o->path, NULL);
        rc = seg->path ? map_file(seg, o, error)
                       : metrics__fail(error, METRICS_E_SYSTEM, errno, "cannot resolve %s", o->path);
    }
    if (rc) {
        if (seg->fd >= 0) close(seg->fd);
        free(seg->path);
        free(seg);
        return rc;
    }
    memset(error, 0, sizeof *error); /* earlier errors, such as "missing", were only steps */
    note_filesystem(seg);
    note_kept(seg, o, segment_now(seg));
    *out = seg;
    return 0;
}

void segment_close(segment_t *seg)
{
    if (segment_closed(seg)) return;
    mem_publish32(&seg->closed, 1); /* ORD-15 */
    slot_release(seg);
    /*
     * Other threads, signal handlers and forgotten handles may still write here. Over the same addresses goes
     * memory of our own; the file's mapping, and with it every lock that it pinned, is gone in the same step.
     * By the bare system call, because the thread sanitizer takes libc's for a write to all of it. On failure
     * the old mapping stays, which is as safe.
     */
    syscall(SYS_mmap, seg->base, seg->size, PROT_READ | PROT_WRITE,
            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
    int fd = segment_fd(seg);
    seg->fd = -1;
    if (fd >= 0) close(fd);
}
