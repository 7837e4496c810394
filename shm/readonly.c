/* SPDX-License-Identifier: Apache-2.0 */
#include "readonly.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "atomic.h"
#include "boot.h"
#include "descriptor.h"
#include "error.h"

/* MTX_OWNER: a name or a number. */
static bool is_named_owner(uid_t uid)
{
    const char *name = secure_getenv("MTX_OWNER");
    char buf[4096], *end;
    struct passwd p, *found;
    if (!name || !*name) return false;
    unsigned long number = strtoul(name, &end, 10);
    if (!*end) return number == uid;
    return getpwnam_r(name, &p, buf, sizeof buf, &found) == 0 && found && p.pw_uid == uid;
}

static bool is_own_group(gid_t gid)
{
    gid_t groups[256];
    int n = getgroups(sizeof groups / sizeof *groups, groups);
    bool own = gid == getegid();
    for (int i = 0; i < n && !own; i++) own = groups[i] == gid;
    return own;
}

/* What anybody could have put there is not believed: numbers would be forged. */
static bool is_trusted(const struct stat *st)
{
    return st->st_uid == 0 || st->st_uid == geteuid() ||
           ((st->st_mode & S_IRGRP) && is_own_group(st->st_gid)) || is_named_owner(st->st_uid);
}

static int check_file(const char *path, const struct stat *st, bool world_writable, metrics_error_t *error)
{
    if (!S_ISREG(st->st_mode))
        return metrics__fail(error, METRICS_E_UNSAFE, 0, "%s is not a regular file", path);
    if (!is_trusted(st))
        return metrics__fail(
            error, METRICS_E_UNSAFE, 0,
            "%s belongs to uid %u, not to root, uid %u or a group of yours: name its owner in MTX_OWNER",
            path, (unsigned)st->st_uid, (unsigned)geteuid());
    if (st->st_nlink > 1)
        return metrics__fail(error, METRICS_E_UNSAFE, 0, "%s has %lu names (hard links)", path,
                             (unsigned long)st->st_nlink);
    if ((st->st_mode & S_IWOTH) && !world_writable)
        return metrics__fail(
            error, METRICS_E_UNSAFE, 0,
            "%s is writable by everybody (mode %04o): chmod o-w it, or allow it in the options", path,
            (unsigned)(st->st_mode & 07777));
    return 0;
}

static int check_limits(const char *path, const struct segment_header *h, uint64_t size,
                        metrics_error_t *error)
{
    uint32_t a = h->lanes_atomic;
    if (h->size != size || size < SEGMENT_SIZE_MIN || size > SEGMENT_SIZE_MAX)
        return metrics__fail(error, METRICS_E_DAMAGED, 0,
                             "%s has %llu bytes, but its header says %llu: was it truncated?", path,
                             (unsigned long long)size, (unsigned long long)h->size);
    if (h->lanes_cpu > SEGMENT_LANES_MAX || !a || a > 64 || (a & (a - 1)) || !h->slots ||
        h->slots > SEGMENT_SLOT_BLOCKS * SEGMENT_SLOT_BLOCK || h->features >> 32 || !h->incarnation)
        return metrics__fail(error, METRICS_E_DAMAGED, 0, "%s has a header that this version cannot use",
                             path);
    return 0;
}

static int check_header(const char *path, const struct segment_header *h, uint64_t size,
                        metrics_error_t *error)
{
    if (memcmp(h->magic, SEGMENT_MAGIC, sizeof h->magic))
        return metrics__fail(error, METRICS_E_FORMAT, 0, "%s is not an mtx segment (wrong magic number)",
                             path);
    if (h->byte_order != SEGMENT_BYTE_ORDER)
        return metrics__fail(error, METRICS_E_ARCH, 0, "%s was made on a machine of another byte order",
                             path);
    if (h->major != SEGMENT_MAJOR)
        return metrics__fail(error, METRICS_E_VERSION, 0, "%s has format %u.%u, this program reads %u.x",
                             path, h->major, h->minor, SEGMENT_MAJOR);
    if (h->checksum != XXH3_64bits(h, offsetof(struct segment_header, checksum)))
        return metrics__fail(error, METRICS_E_DAMAGED, 0,
                             "%s is damaged: its header does not match its checksum", path);
    return check_limits(path, h, size, error);
}

static int open_checked(view_t *v, bool world_writable, bool write, metrics_error_t *error)
{
    struct stat st;
    v->fd = descriptor_open(v->path, (write ? O_RDWR : O_RDONLY) | O_NOFOLLOW | O_NONBLOCK, 0);
    if (v->fd < 0 && errno == ENOENT)
        return metrics__fail(error, METRICS_E_MISSING, ENOENT, "there is no segment at %s", v->path);
    if (v->fd < 0 && errno == ELOOP)
        return metrics__fail(error, METRICS_E_UNSAFE, ELOOP, "%s is a symbolic link: name the file itself",
                             v->path);
    if (v->fd < 0 || fstat(v->fd, &st))
        return metrics__fail(error, METRICS_E_SYSTEM, errno, "cannot open %s", v->path);
    v->dev = st.st_dev;
    v->ino = st.st_ino;
    v->size = (uint64_t)st.st_size;
    int rc = check_file(v->path, &st, world_writable, error);
    if (rc) return rc;
    ssize_t n = pread(v->fd, &v->head, sizeof v->head, 0);
    if (n != sizeof v->head)
        return n < 0 ? metrics__fail(error, METRICS_E_SYSTEM, errno, "cannot read %s", v->path)
                     : metrics__fail(error, METRICS_E_FORMAT, 0, "%s is not an mtx segment (only %zd bytes)",
                                     v->path, n);
    rc = check_header(v->path, &v->head, v->size, error);
    return rc || !write ? rc : boot_adopt(v->fd, v->path, &v->head, error);
}

int view_open(view_t *v, const char *path, bool world_writable, bool write, metrics_error_t *error)
{
    memset(v, 0, sizeof *v);
    v->fd = -1;
    v->path = strdup(path);
    int rc = v->path ? open_checked(v, world_writable, write, error)
                     : metrics__fail(error, METRICS_E_MEMORY, ENOMEM, "no memory to open %s", path);
    if (rc) view_close(v);
    return rc;
}

void view_close(view_t *v)
{
    if (v->map) munmap(v->map, v->size);
    if (v->fd >= 0) close(v->fd);
    free(v->path);
    v->map = NULL;
    v->path = NULL;
    v->fd = -1;
}

int view_read(const view_t *v, uint64_t offset, void *buf, size_t n)
{
    if (offset > v->size || n > v->size - offset) return -1;
    for (size_t done = 0; done < n;) {
        ssize_t got = pread(v->fd, (char *)buf + done, n - done, (off_t)(offset + done));
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) return -1;
        done += (size_t)got;
    }
    mem_fence_acquire(); /* ORD-14 */
    return 0;
}

int view_head(const view_t *v, struct segment_header *out)
{
    if (view_read(v, 0, out, sizeof *out)) return -1;
    /* The constants were checked when we opened; take no others. */
    memcpy(out, &v->head, offsetof(struct segment_header, arena_next));
    return 0;
}

bool view_believes(const view_t *v, uint64_t arena_end)
{
    enum { ANYHOW = 16 << 20, SPARSE = 16 };
    if (arena_end < SEGMENT_ARENA || arena_end > v->size) return false;
    return arena_end <= ANYHOW || arena_end / SPARSE <= view_resident(v);
}

/*
 * The first lock in [byte, byte + n) that is in the way of one of `type`: 1 and *found, 0 = none, -1 = unknown. Only
 * exclusive locks, which nobody gets who may not write the file, are in the way of F_RDLCK.
 */
static int first_lock(const view_t *v, short type, uint64_t byte, uint64_t n, struct flock *found)
{
    *found = (struct flock){.l_type = type, .l_whence = SEEK_SET, .l_start = (off_t)byte, .l_len = (off_t)n};
    if (fcntl(v->fd, F_OFD_GETLK, found)) return -1;
    return found->l_type != F_UNLCK;
}

int view_locked(const view_t *v, uint64_t byte)
{
    struct flock found;
    return first_lock(v, F_WRLCK, byte, 1, &found);
}

int view_owned(const view_t *v, uint64_t byte)
{
    struct flock found;
    return first_lock(v, F_RDLCK, byte, 1, &found);
}

/* Called for a lock on base + slot; true ends the walk. */
typedef bool lock_fn(void *arg, uint32_t slot, const struct flock *found);

/*
 * The locks in [base + 1, base + n) that are in the way of one of `type`. The kernel names one lock of the range, not
 * always the lowest: ask again on both sides of it, on the shorter one first. That is at most half of what was split,
 * so no more than 32 ever wait.
 */
static bool each_lock(const view_t *v, short type, uint64_t base, uint32_t n, lock_fn *fn, void *arg)
{
    struct range {
        uint32_t from, to;
    } stack[34] = {{1, n}};
    for (int depth = n > 1; depth > 0;) {
        uint32_t from = stack[--depth].from, to = stack[depth].to;
        struct flock found;
        if (first_lock(v, type, base + from, to - from, &found) != 1) continue;
        uint64_t at = (uint64_t)found.l_start;
        uint32_t s = at < base + from ? from : (uint32_t)(at - base);
        if (s >= to) continue;
        if (fn(arg, s, &found)) return true;
        struct range left = {from, s}, right = {s + 1, to};
        bool left_shorter = s - from < to - s - 1;
        struct range longer = left_shorter ? right : left, shorter = left_shorter ? left : right;
        if (longer.from < longer.to) stack[depth++] = longer;
        if (shorter.from < shorter.to) stack[depth++] = shorter;
    }
    return false;
}

static bool is_shared(void *slot, uint32_t s, const struct flock *found)
{
    *(uint64_t *)slot = s;
    return found->l_type == F_RDLCK;
}

bool view_obstructed(const view_t *v, uint64_t *byte)
{
    struct flock found;
    uint64_t slot = 0, base = LOCK_LEADER;
    bool bad = first_lock(v, F_WRLCK, LOCK_LEADER, 1, &found) == 1 && found.l_type == F_RDLCK;
    if (!bad) bad = each_lock(v, F_WRLCK, base = LOCK_CLAIM, v->head.slots, is_shared, &slot);
    if (!bad) bad = each_lock(v, F_WRLCK, base = LOCK_ALIVE, v->head.slots, is_shared, &slot);
    *byte = base + slot;
    return bad;
}

struct living {
    uint8_t *alive;
    uint32_t count;
};

static bool is_alive(void *arg, uint32_t slot, const struct flock *found)
{
    struct living *living = arg;
    (void)found;
    living->alive[slot] = 1;
    living->count++;
    return false;
}

uint32_t view_alive(const view_t *v, uint8_t *alive, uint32_t n)
{
    struct living living = {alive, 0};
    memset(alive, 0, n);
    if (n) alive[0] = 1;
    each_lock(v, F_RDLCK, LOCK_ALIVE, n, is_alive, &living);
    return living.count;
}

bool view_replaced(const view_t *v)
{
    struct stat st;
    return lstat(v->path, &st) || st.st_dev != v->dev || st.st_ino != v->ino;
}

uint64_t view_resident(const view_t *v)
{
    struct stat st;
    return fstat(v->fd, &st) ? 0 : (uint64_t)st.st_blocks * 512;
}

uint64_t view_time_offset(const view_t *v)
{
    return v->head.created_monotonic + boot_time_offset();
}

static int set_lock(view_t *v, short type, uint64_t byte, uint64_t n)
{
    struct flock lock = {.l_type = type, .l_whence = SEEK_SET, .l_start = (off_t)byte, .l_len = (off_t)n};
    return fcntl(v->fd, F_OFD_SETLK, &lock);
}

int view_lock(view_t *v, uint64_t byte)
{
    return set_lock(v, F_WRLCK, byte, 1);
}

int view_share(view_t *v, uint64_t byte, uint64_t n)
{
    return set_lock(v, F_RDLCK, byte, n);
}

void view_unlock(view_t *v, uint64_t byte, uint64_t n)
{
    set_lock(v, F_UNLCK, byte, n);
}

int view_lead(view_t *v)
{
    return view_lock(v, LOCK_LEADER);
}

int view_map(view_t *v)
{
    void *map = mmap(NULL, v->size, PROT_READ | PROT_WRITE, MAP_SHARED, v->fd, 0);
    if (map == MAP_FAILED) return -1;
    v->map = map;
    madvise(map, v->size, MADV_DONTDUMP);
    return 0;
}

void *view_at(const view_t *v, uint64_t offset, uint64_t n)
{
    if (!v->map || offset % 8 || offset > v->size || n > v->size - offset) return NULL;
    /* ORD-4: below `populated` a touch cannot fault for lack of memory. */
    const struct segment_header *h = (const struct segment_header *)v->map;
    return offset + n <= mem_load_acquire(&h->populated) ? v->map + offset : NULL;
}

uint64_t view_hash(const void *key, size_t n)
{
    return XXH3_64bits(key, n);
}
