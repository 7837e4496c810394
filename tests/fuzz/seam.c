/* SPDX-License-Identifier: Apache-2.0 */
#include "seam.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

ssize_t __real_pread(int fd, void *buf, size_t n, off_t offset);
ssize_t __wrap_pread(int fd, void *buf, size_t n, off_t offset);
int __real_fstat(int fd, struct stat *st);
int __wrap_fstat(int fd, struct stat *st);
void *__real_mmap(void *at, size_t n, int prot, int flags, int fd, off_t offset);
void *__wrap_mmap(void *at, size_t n, int prot, int flags, int fd, off_t offset);
void *__real_malloc(size_t n);
void *__wrap_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size);
int __real_posix_memalign(void **out, size_t align, size_t n);
int __wrap_posix_memalign(void **out, size_t align, size_t n);
void __real_free(void *p);
void __wrap_free(void *p);

/* --- The file --- */

static struct hostile file;
static ino_t file_ino;
static const struct program *watched;

static void remove_file(void)
{
    unlink(base_path());
}

struct hostile *seam_file(void)
{
    struct stat st;
    if (file.bytes) return &file;
    unlink(base_path());
    int fd = open(base_path(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0 || ftruncate(fd, BASE_ROOM) || __real_fstat(fd, &st)) {
        perror(base_path());
        abort();
    }
    file.bytes = __real_mmap(NULL, BASE_ROOM, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (file.bytes == MAP_FAILED) abort();
    file_ino = st.st_ino;
    close(fd);
    atexit(remove_file);
    return &file;
}

void seam_watch(const struct program *p)
{
    watched = p;
}

/* Gives the file that size in truth, for those who map it. False if the kernel refuses. */
static bool seam_resize(uint64_t size)
{
    static uint64_t now = BASE_ROOM;
    if (now != size && truncate(base_path(), (off_t)size)) return false;
    now = size;
    return true;
}

struct hostile *seam_program(struct program *p, const uint8_t *data, size_t n)
{
    struct hostile *h = seam_file();
    program_read(p, data, n);
    if (!seam_resize(p->base->size)) return NULL;
    program_start(p, h);
    return h->file_size == h->size ? h : NULL;
}

/* Bytes [offset, offset + n) as the file has them at this moment. Only one file is ever watched. */
ssize_t __wrap_pread(int fd, void *buf, size_t n, off_t offset)
{
    if (!watched) return __real_pread(fd, buf, n, offset);
    uint64_t at = (uint64_t)offset, end = file.file_size;
    size_t got = at < end ? (n < end - at ? n : (size_t)(end - at)) : 0;
    size_t real = at < file.size ? (got < file.size - at ? got : (size_t)(file.size - at)) : 0;
    memcpy(buf, file.bytes + (real ? at : 0), real);
    memset((char *)buf + real, 0, got - real); /* a hole */
    program_step(watched, &file);
    return (ssize_t)got;
}

int __wrap_fstat(int fd, struct stat *st)
{
    int rc = __real_fstat(fd, st);
    if (watched && !rc && st->st_ino == file_ino) {
        st->st_size = (off_t)file.file_size;
        st->st_blocks = (blkcnt_t)((file.size < file.file_size ? file.size : file.file_size) / 512);
    }
    return rc;
}

/* --- Guarded mappings --- */

enum { WINDOW = 64 << 20, GUARD = 16 << 20 };
static unsigned char *window;
static size_t mapped;
static bool tracking;

unsigned char *seam_mapping(size_t *size)
{
    *size = mapped;
    return mapped ? window + GUARD : NULL;
}

/* The segment goes into the window's middle; the rest of the window cannot be touched. */
void *__wrap_mmap(void *at, size_t n, int prot, int flags, int fd, off_t offset)
{
    if (!tracking || at || fd < 0 || mapped || n <= SEGMENT_PAGE || n > WINDOW - 2 * GUARD)
        return __real_mmap(at, n, prot, flags, fd, offset);
    if (!window) {
        window = __real_mmap(NULL, WINDOW, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (window == MAP_FAILED) abort();
    }
    void *p = __real_mmap(window + GUARD, n, prot, flags | MAP_FIXED, fd, offset);
    if (p != MAP_FAILED) mapped = n;
    return p;
}

static void unmap(void)
{
    if (mapped && __real_mmap(window + GUARD, mapped, PROT_NONE,
                              MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0) == MAP_FAILED)
        abort();
    mapped = 0;
}

/* --- Allocations --- */

enum { KEPT = 4096 };
static void *kept[KEPT];
static size_t kept_count;

static void *keep(void *p)
{
    if (tracking && p && kept_count < KEPT) kept[kept_count++] = p;
    return p;
}

void *__wrap_malloc(size_t n)
{
    return keep(__real_malloc(n));
}
void *__wrap_calloc(size_t n, size_t size)
{
    return keep(__real_calloc(n, size));
}
int __wrap_posix_memalign(void **out, size_t align, size_t n)
{
    int rc = __real_posix_memalign(out, align, n);
    if (!rc) keep(*out);
    return rc;
}
void __wrap_free(void *p)
{
    for (size_t i = kept_count; tracking && p && i-- > 0;)
        if (kept[i] == p) {
            kept[i] = kept[--kept_count];
            break;
        }
    __real_free(p);
}

void seam_begin(void)
{
    tracking = true;
    kept_count = 0;
}

size_t seam_end(void)
{
    size_t left = kept_count;
    tracking = false;
    unmap();
    while (kept_count) __real_free(kept[--kept_count]);
    return left;
}
