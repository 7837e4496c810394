/* SPDX-License-Identifier: Apache-2.0 */
#include "boot.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "descriptor.h"
#include "error.h"

uint64_t boot_time_offset(void)
{
    FILE *f = descriptor_read("/proc/self/timens_offsets");
    if (!f) return 0;
    char line[96];
    long long seconds = 0, nanoseconds = 0;
    while (fgets(line, sizeof line, f))
        if (sscanf(line, "monotonic %lld %lld", &seconds, &nanoseconds) == 2) break;
    fclose(f);
    return (uint64_t)(seconds * 1000000000LL + nanoseconds);
}

static uint64_t clock_ns(clockid_t clock)
{
    struct timespec ts;
    clock_gettime(clock, &ts);
    return (uint64_t)ts.tv_sec * UINT64_C(1000000000) + (uint64_t)ts.tv_nsec;
}

uint64_t boot_time(void)
{
    return clock_ns(CLOCK_MONOTONIC) - boot_time_offset();
}

void boot_id(uint8_t out[16])
{
    char text[40] = "";
    FILE *f = descriptor_read("/proc/sys/kernel/random/boot_id");
    memset(out, 0, 16);
    if (!f) return;
    if (fgets(text, sizeof text, f)) {
        int n = 0;
        for (char *p = text; *p && n < 32; p++) {
            char digit[2] = {*p, 0};
            if (*p == '-') continue;
            out[n / 2] = (uint8_t)(out[n / 2] << 4 | strtoul(digit, NULL, 16));
            n++;
        }
    }
    fclose(f);
}

/* --- A segment of an earlier boot --- */

/* True also if one of the two ids is unknown. */
static bool is_of_this_boot(const struct segment_header *h)
{
    static const uint8_t unknown[16];
    uint8_t now[16];
    boot_id(now);
    return !memcmp(now, unknown, 16) || !memcmp(h->boot_id, unknown, 16) || !memcmp(now, h->boot_id, 16);
}

static bool is_in_memory(int fd)
{
    struct statfs fs;
    return fstatfs(fd, &fs) == 0 && (fs.f_type == TMPFS_MAGIC || fs.f_type == RAMFS_MAGIC);
}

static int attached_lock(int fd, short type, int command, struct flock *lock)
{
    *lock = (struct flock){.l_type = type, .l_whence = SEEK_SET, .l_start = (off_t)LOCK_ATTACHED, .l_len = 1};
    return fcntl(fd, command, lock);
}

/* The segment time that has certainly passed, whatever the wall clock says. */
static uint64_t time_seen(const struct segment_header *h)
{
    const uint64_t times[] = {(h->clock >> 32) * 125000000, h->fold_time[0], h->fold_time[1], h->closed_time,
                              h->pending_from};
    uint64_t latest = 0;
    for (size_t i = 0; i < sizeof times / sizeof *times; i++)
        if (times[i] > latest && times[i] <= INT64_MAX / 4) latest = times[i];
    return latest;
}

/* Clear the dead leader's clock and the slots' owners. What they recorded stays. */
static int clear_processes(int fd, const struct segment_header *h)
{
    static const char zeros[SEGMENT_SLOT_BLOCK * sizeof(struct segment_slot)];
    off_t clock = offsetof(struct segment_header, clock);
    if (pwrite(fd, zeros, sizeof h->clock, clock) != sizeof h->clock) return -1;
    for (unsigned i = 0; i < SEGMENT_SLOT_BLOCKS; i++) {
        uint64_t at = h->slot_block[i];
        if (at < SEGMENT_ARENA || at > h->size - sizeof zeros) continue;
        if (pwrite(fd, zeros, sizeof zeros, (off_t)at) != sizeof zeros) return -1;
    }
    return 0;
}

/* A crash of the machine may have cost the file some of its pages (ORD-4). Why the raw call: see arena.c. */
static int restore_memory(int fd, const struct segment_header *h)
{
    uint64_t end = h->populated <= h->size ? h->populated : h->size;
    return syscall(SYS_fallocate, fd, 0, (off_t)0, (off_t)end) && errno != EOPNOTSUPP ? -1 : 0;
}

/* The constants change last, in one system call, which a kill does not cut: before it nothing was adopted. */
static int begin_again(int fd, const char *path, struct segment_header *h, metrics_error_t *error)
{
    if (restore_memory(fd, h))
        return metrics__fail(error, METRICS_E_FULL, errno,
                             "no room for the data that %s had before the last boot", path);
    uint64_t wall = clock_ns(CLOCK_REALTIME), seen = time_seen(h);
    uint64_t elapsed = wall > h->created_wall ? wall - h->created_wall : 0;
    h->created_monotonic = boot_time() - (elapsed > seen ? elapsed : seen);
    boot_id(h->boot_id);
    h->checksum = XXH3_64bits(h, offsetof(struct segment_header, checksum));
    ssize_t n = offsetof(struct segment_header, pad0);
    if (clear_processes(fd, h) || pwrite(fd, h, (size_t)n, 0) != n)
        return metrics__fail(error, METRICS_E_SYSTEM, errno, "cannot continue %s after a boot", path);
    return 0;
}

/* Read it again. Of the constants, which were checked, only those that are changed below may differ. */
static int read_head(int fd, const char *path, struct segment_header *h, metrics_error_t *error)
{
    struct segment_header now, same;
    bool whole = pread(fd, &now, sizeof now, 0) == sizeof now;
    if (whole) {
        same = now;
        same.created_monotonic = h->created_monotonic;
        same.checksum = h->checksum;
        memcpy(same.boot_id, h->boot_id, sizeof same.boot_id);
        whole = !memcmp(&same, h, offsetof(struct segment_header, pad0)) &&
                now.checksum == XXH3_64bits(&now, offsetof(struct segment_header, checksum));
    }
    if (!whole)
        return metrics__fail(error, METRICS_E_BUSY, 0, "%s is being changed by another process", path);
    *h = now;
    return 0;
}

/*
 * We do not have the lock. A process of this kernel that shares it has adopted the segment before; so ask
 * for the lock first, and then look.
 */
static int refuse(int fd, const char *path, struct segment_header *h, metrics_error_t *error)
{
    struct flock lock;
    bool attached = attached_lock(fd, F_WRLCK, F_OFD_GETLK, &lock) == 0 && lock.l_type == F_RDLCK;
    int rc = read_head(fd, path, h, error);
    if (rc || is_of_this_boot(h)) return rc;
    if (!attached)
        return metrics__fail(error, METRICS_E_BUSY, 0, "%s is being changed by another process", path);
    return metrics__fail(error, METRICS_E_UNSAFE, 0,
                         "%s is in use by another kernel: segments cannot be shared between machines", path);
}

int boot_adopt(int fd, const char *path, struct segment_header *h, metrics_error_t *error)
{
    struct flock lock;
    if (is_of_this_boot(h) || is_in_memory(fd)) return 0;
    if (attached_lock(fd, F_WRLCK, F_OFD_SETLK, &lock)) return refuse(fd, path, h, error);
    int rc = read_head(fd, path, h, error);
    if (!rc && !is_of_this_boot(h)) rc = begin_again(fd, path, h, error);
    attached_lock(fd, F_UNLCK, F_OFD_SETLK, &lock);
    return rc;
}
