/* SPDX-License-Identifier: Apache-2.0 */
#include "shim.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/vfs.h>
#include <unistd.h>

/* glibc's own names for what the functions below replace. */
void *__libc_malloc(size_t n);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t n);
void *__libc_memalign(size_t align, size_t n);
void __libc_free(void *p);

#define EXPORT __attribute__((visibility("default")))

static struct {
    struct shim_plan plan;
    bool armed, accounting;
    long calls;
    const char *failed;
} shim;

/* --- Which call fails, and how --- */

enum { ERRNOS = 3 };
static const struct call {
    const char *name;
    int errnos[ERRNOS];
} calls[] = {
    {"malloc", {ENOMEM, ENOMEM, ENOMEM}},  {"open", {EMFILE, EACCES, ENOENT}},
    {"fopen", {EMFILE, EACCES, ENOENT}},   {"mmap", {ENOMEM, EAGAIN, EPERM}},
    {"madvise", {ENOMEM, EINVAL, EFAULT}}, {"ftruncate", {ENOSPC, EFBIG, EIO}},
    {"linkat", {EPERM, EXDEV, ENOSPC}},    {"rename", {EACCES, ENOSPC, EIO}},
    {"fcntl", {ENOLCK, EAGAIN, EINVAL}},   {"fstat", {EIO, EOVERFLOW, ENOMEM}},
    {"fstatfs", {EIO, ENOSYS, ENOMEM}},    {"lstat", {EACCES, EIO, ENOENT}},
    {"fchmod", {EPERM, EROFS, EIO}},       {"fchown", {EPERM, EROFS, EIO}},
    {"pread", {EIO, EINTR, ESPIPE}},       {"pwrite", {EIO, ENOSPC, EFBIG}},
    {"syscall", {ENOSYS, ENOSPC, EPERM}},  {"getrandom", {EAGAIN, ENOSYS, EINTR}},
    {"realpath", {EACCES, ELOOP, ENOENT}}, {"getrlimit", {EPERM, EINVAL, EFAULT}},
    {"prctl", {EINVAL, EPERM, EFAULT}},    {"munmap", {ENOMEM, ENOMEM, ENOMEM}},
};

static bool due(void)
{
    if (!__atomic_load_n(&shim.armed, __ATOMIC_RELAXED)) return false;
    long n = __atomic_add_fetch(&shim.calls, 1, __ATOMIC_RELAXED);
    return shim.plan.at && (n == shim.plan.at || (shim.plan.from && n > shim.plan.at));
}

/* Must this call fail? Then errno is set. */
static bool fails(const char *name)
{
    if (!due()) return false;
    size_t i = 0;
    while (i < sizeof calls / sizeof *calls && strcmp(calls[i].name, name)) i++;
    if (i == sizeof calls / sizeof *calls) abort();
    if (!shim.failed) shim.failed = name;
    errno = calls[i].errnos[shim.plan.pick % ERRNOS];
    if (errno == EINTR && shim.plan.from) errno = EIO; /* nobody is interrupted for ever */
    return true;
}

/* --- What is left over --- */

enum { KEPT = 1 << 16 };
static void *kept[KEPT], *mapped[KEPT];
static char lock;

/* Replace the first `was` in an account by `now`. Open addressing would be faster; tests are short. */
static void swap(void **list, void *was, void *now)
{
    static size_t end[2];
    size_t *n = &end[list == mapped], i = 0;
    while (__atomic_test_and_set(&lock, __ATOMIC_ACQUIRE)) {
    }
    while (i < *n && list[i] != was) i++;
    if (i < *n)
        list[i] = now;
    else if (!was && i < KEPT)
        list[(*n)++] = now;
    __atomic_clear(&lock, __ATOMIC_RELEASE);
}

static void account(void **list, void *now)
{
    if (now && __atomic_load_n(&shim.accounting, __ATOMIC_RELAXED)) swap(list, NULL, now);
}
static void settle(void **list, void *was)
{
    if (was && __atomic_load_n(&shim.accounting, __ATOMIC_RELAXED)) swap(list, was, NULL);
}

static long count(void *const *list)
{
    long n = 0;
    for (size_t i = 0; i < KEPT; i++) n += list[i] != NULL;
    return n;
}

/* --- Control --- */

EXPORT void shim_arm(const struct shim_plan *plan)
{
    memset(kept, 0, sizeof kept);
    memset(mapped, 0, sizeof mapped);
    shim.plan = *plan;
    shim.calls = 0;
    shim.failed = NULL;
    shim.accounting = true;
    __atomic_store_n(&shim.armed, true, __ATOMIC_RELEASE);
}

EXPORT long shim_disarm(void)
{
    __atomic_store_n(&shim.armed, false, __ATOMIC_RELEASE);
    return shim.calls;
}

EXPORT const char *shim_failed(void)
{
    return shim.failed ? shim.failed : "";
}
EXPORT long shim_blocks(void)
{
    return count(kept);
}
EXPORT long shim_mappings(void)
{
    return count(mapped);
}

__attribute__((constructor)) static void begin(void)
{
    const char *at = getenv("FAULT_AT"), *mode = getenv("FAULT_MODE"), *pick = getenv("FAULT_PICK");
    if (!at) return;
    shim.plan = (struct shim_plan){atol(at), mode && !strcmp(mode, "from"), pick ? atoi(pick) : 0};
    shim.armed = true;
}

__attribute__((destructor)) static void end(void)
{
    const char *report = getenv("FAULT_REPORT");
    if (!report || !shim.armed) return;
    shim.armed = false;
    FILE *f = fopen(report, "w");
    if (!f) return;
    fprintf(f, "calls %ld failed %s\n", shim.calls, shim_failed());
    fclose(f);
}

/* --- Memory --- */

EXPORT void *malloc(size_t n)
{
    if (fails("malloc")) return NULL;
    void *p = __libc_malloc(n);
    account(kept, p);
    return p;
}
EXPORT void *calloc(size_t n, size_t size)
{
    if (fails("malloc")) return NULL;
    void *p = __libc_calloc(n, size);
    account(kept, p);
    return p;
}
EXPORT void *realloc(void *old, size_t n)
{
    if (fails("malloc")) return NULL;
    void *p = __libc_realloc(old, n);
    if (p || !n) settle(kept, old);
    account(kept, p);
    return p;
}
EXPORT int posix_memalign(void **out, size_t align, size_t n)
{
    int saved = errno;
    bool no = fails("malloc");
    void *p = no ? NULL : __libc_memalign(align, n);
    errno = saved; /* it does not set errno */
    if (!p) return ENOMEM;
    account(kept, *out = p);
    return 0;
}
EXPORT void *aligned_alloc(size_t align, size_t n)
{
    if (fails("malloc")) return NULL;
    void *p = __libc_memalign(align, n);
    account(kept, p);
    return p;
}
EXPORT void free(void *p)
{
    settle(kept, p);
    __libc_free(p);
}

EXPORT void *mmap(void *at, size_t n, int prot, int flags, int fd, off_t offset)
{
    if (fails("mmap")) return MAP_FAILED;
    void *p = (void *)syscall(SYS_mmap, at, n, prot, flags, fd, offset);
    if (p != MAP_FAILED && !(flags & MAP_FIXED)) account(mapped, p);
    return p;
}
EXPORT void *mmap64(void *at, size_t n, int prot, int flags, int fd, off64_t offset)
{
    return mmap(at, n, prot, flags, fd, offset);
}
EXPORT int munmap(void *p, size_t n)
{
    settle(mapped, p);
    return (int)syscall(SYS_munmap, p, n);
}

/* --- The rest: fail, or hand on to libc --- */

#define REAL(NAME)                                                      \
    static __typeof__(&NAME) real;                                      \
    __typeof__(&NAME) found = __atomic_load_n(&real, __ATOMIC_RELAXED); \
    if (!found) {                                                       \
        *(void **)&found = dlsym(RTLD_NEXT, #NAME);                     \
        __atomic_store_n(&real, found, __ATOMIC_RELAXED);               \
    }
#define HANDED_ON(RESULT, NAME, CALL, PARAMETERS, ARGUMENTS, FAILED) \
    EXPORT RESULT NAME PARAMETERS                                    \
    {                                                                \
        REAL(NAME)                                                   \
        if (fails(CALL)) return FAILED;                              \
        return found ARGUMENTS;                                      \
    }

HANDED_ON(int, madvise, "madvise", (void *p, size_t n, int advice), (p, n, advice), -1)
HANDED_ON(int, ftruncate, "ftruncate", (int fd, off_t n), (fd, n), -1)
HANDED_ON(int, ftruncate64, "ftruncate", (int fd, off64_t n), (fd, n), -1)
HANDED_ON(int, link, "linkat", (const char *a, const char *b), (a, b), -1)
HANDED_ON(int, linkat, "linkat", (int x, const char *a, int y, const char *b, int flags), (x, a, y, b, flags),
          -1)
HANDED_ON(int, rename, "rename", (const char *a, const char *b), (a, b), -1)
HANDED_ON(int, fstat, "fstat", (int fd, struct stat *st), (fd, st), -1)
HANDED_ON(int, fstat64, "fstat", (int fd, struct stat64 *st), (fd, st), -1)
HANDED_ON(int, lstat, "lstat", (const char *path, struct stat *st), (path, st), -1)
HANDED_ON(int, lstat64, "lstat", (const char *path, struct stat64 *st), (path, st), -1)
HANDED_ON(int, fstatfs, "fstatfs", (int fd, struct statfs *st), (fd, st), -1)
HANDED_ON(int, fchmod, "fchmod", (int fd, mode_t mode), (fd, mode), -1)
HANDED_ON(int, fchown, "fchown", (int fd, uid_t u, gid_t g), (fd, u, g), -1)
HANDED_ON(ssize_t, pread, "pread", (int fd, void *p, size_t n, off_t at), (fd, p, n, at), -1)
HANDED_ON(ssize_t, pwrite, "pwrite", (int fd, const void *p, size_t n, off_t at), (fd, p, n, at), -1)
HANDED_ON(ssize_t, getrandom, "getrandom", (void *p, size_t n, unsigned flags), (p, n, flags), -1)
HANDED_ON(char *, realpath, "realpath", (const char *path, char *to), (path, to), NULL)
HANDED_ON(FILE *, fopen, "fopen", (const char *path, const char *mode), (path, mode), NULL)

EXPORT int open(const char *path, int flags, ...)
{
    REAL(open)
    va_list ap;
    va_start(ap, flags);
    mode_t mode = flags & (O_CREAT | __O_TMPFILE) ? va_arg(ap, mode_t) : 0;
    va_end(ap);
    return fails("open") ? -1 : found(path, flags, mode);
}
EXPORT int open64(const char *path, int flags, ...)
{
    va_list ap;
    va_start(ap, flags);
    mode_t mode = flags & (O_CREAT | __O_TMPFILE) ? va_arg(ap, mode_t) : 0;
    va_end(ap);
    return open(path, flags, mode);
}
EXPORT int fcntl(int fd, int command, ...)
{
    REAL(fcntl)
    va_list ap;
    va_start(ap, command);
    void *argument = va_arg(ap, void *);
    va_end(ap);
    return fails("fcntl") ? -1 : found(fd, command, argument);
}
EXPORT int fcntl64(int fd, int command, ...)
{
    va_list ap;
    va_start(ap, command);
    void *argument = va_arg(ap, void *);
    va_end(ap);
    return fcntl(fd, command, argument);
}
EXPORT int prctl(int option, ...)
{
    va_list ap;
    va_start(ap, option);
    void *a = va_arg(ap, void *), *b = va_arg(ap, void *), *c = va_arg(ap, void *), *d = va_arg(ap, void *);
    va_end(ap);
    return fails("prctl") ? -1 : (int)syscall(SYS_prctl, option, a, b, c, d);
}
EXPORT int getrlimit(__rlimit_resource_t resource, struct rlimit *limit)
{
    REAL(getrlimit)
    return fails("getrlimit") ? -1 : found(resource, limit);
}

/* The shim's own calls come through here as well: they must not be counted twice. */
EXPORT long syscall(long number, ...)
{
    va_list ap;
    REAL(syscall)
    va_start(ap, number);
    long a[6];
    for (int i = 0; i < 6; i++) a[i] = va_arg(ap, long);
    va_end(ap);
    bool own = number == SYS_munmap || number == SYS_prctl || (number == SYS_mmap && !(a[3] & MAP_FIXED));
    if (!own && fails("syscall")) return -1;
    return found(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}
