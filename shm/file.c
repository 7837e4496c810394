/* SPDX-License-Identifier: Apache-2.0 */
#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "boot.h"
#include "descriptor.h"
#include "error.h"
#include "process.h"

int file_lock(int fd, int type, uint64_t byte)
{
    struct flock lock = {.l_type = (short)type, .l_whence = SEEK_SET, .l_start = (off_t)byte, .l_len = 1};
    return fcntl(fd, F_OFD_SETLK, &lock);
}

int file_locked(int fd, uint64_t byte)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = (off_t)byte, .l_len = 1};
    if (fcntl(fd, F_OFD_GETLK, &lock)) return -1;
    return lock.l_type != F_UNLCK;
}

int file_owned(int fd, uint64_t byte)
{
    struct flock lock = {.l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = (off_t)byte, .l_len = 1};
    if (fcntl(fd, F_OFD_GETLK, &lock)) return -1;
    return lock.l_type != F_UNLCK;
}

int file_reopen(const segment_t *seg, int flags)
{
    int fd = descriptor_open(seg->path, flags | O_NOFOLLOW | O_NONBLOCK, 0);
    struct stat st;
    if (fd >= 0 && fstat(fd, &st) == 0 && st.st_dev == seg->dev && st.st_ino == seg->ino) return fd;
    if (fd >= 0) close(fd);
    /* The path leads elsewhere (chroot, replaced file). Our own descriptor may still have a name in /proc. */
    int own = segment_fd(seg);
    if (own < 0) return -1;
    char proc[40];
    snprintf(proc, sizeof proc, "/proc/self/fd/%d", own);
    fd = descriptor_open(proc, flags | O_NONBLOCK, 0);
    if (fd >= 0 && fstat(fd, &st) == 0 && st.st_dev == seg->dev && st.st_ino == seg->ino) return fd;
    if (fd >= 0) close(fd);
    return -1;
}

/* --- Opening --- */

static int check_file(const struct segment_options *o, const struct stat *st, metrics_error_t *error)
{
    if (!S_ISREG(st->st_mode))
        return metrics__fail(error, METRICS_E_UNSAFE, 0,
                             "%s is not a regular file: remove it or name another segment in MTX_SEGMENT",
                             o->path);
    bool owner_ok = st->st_uid == 0 || st->st_uid == geteuid() ||
                    (o->owner_given && st->st_uid == o->owner) || (o->group_given && st->st_gid == o->group);
    if (!owner_ok)
        return metrics__fail(
            error, METRICS_E_UNSAFE, 0,
            "%s belongs to uid %u, not to root or uid %u: name its owner or group in the options", o->path,
            (unsigned)st->st_uid, (unsigned)geteuid());
    if (st->st_nlink != 1)
        return metrics__fail(error, METRICS_E_UNSAFE, 0,
                             "%s has %lu names (hard links), so it may be another user's file: remove it",
                             o->path, (unsigned long)st->st_nlink);
    if ((st->st_mode & S_IWOTH) && !o->world_writable)
        return metrics__fail(
            error, METRICS_E_UNSAFE, 0,
            "%s is writable by everybody (mode %04o): chmod o-w it, or allow it in the options", o->path,
            (unsigned)(st->st_mode & 07777));
    return 0;
}

static int check_header(const struct segment_options *o, const struct segment_header *h, uint64_t file_size,
                        metrics_error_t *error)
{
    if (memcmp(h->magic, SEGMENT_MAGIC, sizeof h->magic))
        return metrics__fail(error, METRICS_E_FORMAT, 0, "%s is not an mtx segment (wrong magic number)",
                             o->path);
    if (h->byte_order != SEGMENT_BYTE_ORDER)
        return metrics__fail(error, METRICS_E_ARCH, 0, "%s was made on a machine of another byte order",
                             o->path);
    if (h->major != SEGMENT_MAJOR)
        return metrics__fail(
            error, METRICS_E_VERSION, 0,
            "%s has format %u.%u, this library writes %u.x: use the library that made it, or "
            "give this one another segment",
            o->path, h->major, h->minor, SEGMENT_MAJOR);
    if (h->checksum != XXH3_64bits(h, offsetof(struct segment_header, checksum)))
        return metrics__fail(error, METRICS_E_DAMAGED, 0,
                             "%s is damaged: its header does not match its checksum", o->path);
    if (h->size != file_size || h->size < SEGMENT_SIZE_MIN || h->size > SEGMENT_SIZE_MAX ||
        h->size % SEGMENT_PAGE)
        return metrics__fail(error, METRICS_E_DAMAGED, 0,
                             "%s has %llu bytes, but its header says %llu: was it truncated?", o->path,
                             (unsigned long long)file_size, (unsigned long long)h->size);
    uint32_t atomics = h->lanes_atomic;
    if (h->lanes_cpu > SEGMENT_LANES_MAX || !atomics || atomics > 64 || (atomics & (atomics - 1)) ||
        !h->slots || h->slots > SEGMENT_SLOT_BLOCKS * SEGMENT_SLOT_BLOCK || h->features >> 32)
        return metrics__fail(error, METRICS_E_DAMAGED, 0, "%s has a header that this version cannot use",
                             o->path);
    return 0;
}

static int read_header(const struct segment_options *o, int fd, uint64_t file_size,
                       struct segment_header *head, metrics_error_t *error)
{
    union {
        struct segment_header h;
        char page[SEGMENT_HEADER];
    } u;
    ssize_t n = pread(fd, &u, sizeof u, 0);
    if (n < 0) return metrics__fail(error, METRICS_E_SYSTEM, errno, "cannot read %s", o->path);
    if (n != sizeof u)
        return metrics__fail(error, METRICS_E_FORMAT, 0, "%s is not an mtx segment (only %zd bytes)", o->path,
                             n);
    *head = u.h;
    int rc = check_header(o, head, file_size, error);
    return rc ? rc : boot_adopt(fd, o->path, head, error);
}

/* Does the path still lead to the file that we opened and locked? */
static bool same_file(const char *path, const struct stat *st)
{
    struct stat now;
    return lstat(path, &now) == 0 && now.st_dev == st->st_dev && now.st_ino == st->st_ino;
}

int file_open(const struct segment_options *o, int *out, struct stat *st, struct segment_header *head,
              metrics_error_t *error)
{
    int fd = descriptor_open(o->path, O_RDWR | O_NOFOLLOW | O_NONBLOCK, 0);
    if (fd < 0) {
        if (errno == ENOENT)
            return metrics__fail(error, METRICS_E_MISSING, ENOENT, "there is no segment at %s", o->path);
        if (errno == ELOOP)
            return metrics__fail(error, METRICS_E_UNSAFE, ELOOP,
                                 "%s is a symbolic link: name the file itself", o->path);
        return metrics__fail(error, METRICS_E_SYSTEM, errno, "cannot open %s for writing", o->path);
    }
    int rc = METRICS_E_SYSTEM;
    if (fstat(fd, st))
        metrics__fail(error, rc, errno, "cannot stat %s", o->path);
    else if (!(rc = check_file(o, st, error)) &&
             !(rc = read_header(o, fd, (uint64_t)st->st_size, head, error))) {
        /* A reset holds this lock exclusively while it swaps the name: then there is a newer file to open. */
        if (file_lock(fd, F_RDLCK, LOCK_ATTACHED) || !same_file(o->path, st))
            rc = metrics__fail(error, METRICS_E_BUSY, 0, "%s is being replaced by another process", o->path);
    }
    if (rc)
        close(fd);
    else
        *out = fd;
    return rc;
}

/* --- Creating --- */

static uint32_t online_lanes(void)
{
    char text[256] = "";
    FILE *f = descriptor_read("/sys/devices/system/cpu/online");
    long highest = -1;
    if (f) {
        /* "0-3,8-11": the last number is the highest. */
        if (fgets(text, sizeof text, f))
            for (char *p = text; *p;) {
                char *end;
                long n = strtol(p, &end, 10);
                if (end == p) break;
                if (n > highest) highest = n;
                p = *end ? end + 1 : end;
            }
        fclose(f);
    }
    if (highest < 0) highest = sysconf(_SC_NPROCESSORS_CONF) - 1;
    if (highest < 0) highest = 0;
    return (uint32_t)highest + 1 > SEGMENT_LANES_MAX ? SEGMENT_LANES_MAX : (uint32_t)highest + 1;
}

static uint64_t wall_ns(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_REALTIME, &ts);
    return (uint64_t)ts.tv_sec * UINT64_C(1000000000) + (uint64_t)ts.tv_nsec;
}

static void fill_header(struct segment_header *h, const struct segment_options *o, uint64_t populated)
{
    memcpy(h->magic, SEGMENT_MAGIC, sizeof h->magic);
    h->major = SEGMENT_MAJOR;
    h->minor = SEGMENT_MINOR;
    h->byte_order = SEGMENT_BYTE_ORDER;
    h->header_size = SEGMENT_HEADER;
    h->page_size = SEGMENT_PAGE;
    h->size = o->size;
    h->incarnation = process_random() | 1;
    h->created_wall = wall_ns();
    h->created_monotonic = boot_time();
    boot_id(h->boot_id);
    h->lanes_cpu = o->lanes ? o->lanes : online_lanes();
    h->lanes_atomic = 4;
    h->slots = o->slots;
    h->family_series = o->family_series;
    h->checksum = XXH3_64bits(h, offsetof(struct segment_header, checksum));
    h->arena_next = SEGMENT_ARENA;
    h->populated = populated;
    h->level[0] = SEGMENT_INDEX0;
    h->epoch = 1;
}

/* Size, permissions and first pages; all before the file has a name. */
static int fill_file(const struct segment_options *o, int fd, metrics_error_t *error)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur < o->size) /* beyond it: SIGXFSZ */
        return metrics__fail(
            error, METRICS_E_LIMIT, EFBIG,
            "%s would have %llu bytes but RLIMIT_FSIZE is %llu: raise it (ulimit -f) or make "
            "the segment smaller",
            o->path, (unsigned long long)o->size, (unsigned long long)limit.rlim_cur);
    if (o->group_given && fchown(fd, (uid_t)-1, o->group))
        return metrics__fail(error, METRICS_E_SYSTEM, errno, "cannot give %s to gid %u", o->path,
                             (unsigned)o->group);
    if (fchmod(fd, o->mode))
        return metrics__fail(error, METRICS_E_SYSTEM, errno, "cannot set mode %04o of %s", o->mode, o->path);
    if (ftruncate(fd, (off_t)o->size))
        return metrics__fail(error, METRICS_E_SYSTEM, errno, "cannot give %s its size", o->path);
    unsigned char *base = mmap(NULL, o->size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (base == MAP_FAILED)
        return metrics__fail(error, METRICS_E_MEMORY, errno, "cannot map %llu bytes of %s",
                             (unsigned long long)o->size, o->path);
    segment_t half = {.base = base, .head = (struct segment_header *)base, .size = o->size, .fd = fd};
    struct stat st;
    int rc = fstat(fd, &st);
    half.dev = st.st_dev;
    half.ino = st.st_ino;
    uint64_t populated = o->preallocate ? o->size : SEGMENT_ARENA;
    if (rc || arena_populate(&half, populated))
        rc = metrics__fail(
            error, METRICS_E_FULL, ENOSPC,
            "no room for %llu bytes of %s on its file system: enlarge it (containers: the size of "
            "/dev/shm) or remove old segments",
            (unsigned long long)populated, o->path);
    else
        fill_header(half.head, o, populated);
    munmap(base, o->size);
    return rc;
}

/* A file without a name if the file system can, else one with a name nobody guesses. */
static int open_unnamed(const char *path, char *temporary, size_t n)
{
    char dir[PATH_MAX];
    const char *slash = strrchr(path, '/');
    snprintf(dir, sizeof dir, "%.*s", slash ? (int)(slash - path) : 1, slash ? path : ".");
    temporary[0] = 0;
    int fd = descriptor_open(dir[0] ? dir : "/", O_TMPFILE | O_RDWR, 0600);
    if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL)) return fd;
    snprintf(temporary, n, "%s.%016llx", path, (unsigned long long)process_random());
    return descriptor_open(temporary, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);
}

/* Give the complete file a name that must not exist (ORD-1). */
static int link_file(int fd, const char *temporary, const char *name)
{
    if (temporary[0]) return link(temporary, name);
    if (linkat(fd, "", AT_FDCWD, name, AT_EMPTY_PATH) == 0 || errno == EEXIST)
        return errno == EEXIST ? -1 : 0;
    char proc[40];
    snprintf(proc, sizeof proc, "/proc/self/fd/%d", fd);
    return linkat(AT_FDCWD, proc, AT_FDCWD, name, AT_SYMLINK_FOLLOW);
}

static int name_file(const struct segment_options *o, int fd, const char *temporary, bool replace,
                     metrics_error_t *error)
{
    char staged[PATH_MAX];
    errno = 0;
    if (!replace) {
        if (link_file(fd, temporary, o->path) == 0) return 0;
        if (errno == EEXIST)
            return metrics__fail(error, METRICS_E_BUSY, EEXIST, "%s exists already", o->path);
    } else {
        snprintf(staged, sizeof staged, "%s.%016llx", o->path, (unsigned long long)process_random());
        if (link_file(fd, temporary, staged) == 0) {
            if (rename(staged, o->path) == 0) return 0;
            int saved = errno;
            unlink(staged);
            errno = saved;
        }
    }
    return metrics__fail(error, METRICS_E_SYSTEM, errno, "cannot give the new segment its name %s", o->path);
}

int file_create(const struct segment_options *o, bool replace, metrics_error_t *error)
{
    char temporary[PATH_MAX + 20];
    int fd = open_unnamed(o->path, temporary, sizeof temporary);
    if (fd < 0)
        return metrics__fail(error, METRICS_E_SYSTEM, errno, "cannot create a file in the directory of %s",
                             o->path);
    int rc = fill_file(o, fd, error);
    if (!rc) rc = name_file(o, fd, temporary, replace, error);
    if (temporary[0]) unlink(temporary);
    close(fd);
    return rc;
}
