/* SPDX-License-Identifier: Apache-2.0 */
/*
 * arena.c - blocks by offset, and the memory behind them.
 *
 * A sparse file on a full tmpfs turns the first touch of a page into SIGBUS. So memory is allocated before an
 * offset into it exists, by a system call that can fail, and `populated` records how far that went.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "atomic.h"
#include "process.h"
#include "segment.h"

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

/* Allocate this much at once while there is plenty: fewer system calls and shorter page-table walks. */
enum { POPULATE_CHUNK = 64 << 10 };

/* Kernels before 5.14: allocate by descriptor. Never glibc's posix_fallocate: it may emulate by writing. */
static int populate_by_fd(const segment_t *seg, uint64_t from, uint64_t to)
{
    int fd = segment_fd(seg);
    if (fd < 0 || syscall(SYS_fallocate, fd, 0, (off_t)from, (off_t)(to - from))) return -1;
    for (uint64_t at = from; at < to; at += SEGMENT_PAGE)
        mem_add((uint64_t *)(seg->base + at), 0); /* ORD-4 */
    return 0;
}

static int populate_range(const segment_t *seg, uint64_t from, uint64_t to)
{
    if (madvise(seg->base + from, to - from, MADV_POPULATE_WRITE) == 0) return 0;
    return errno == EINVAL ? populate_by_fd(seg, from, to) : -1;
}

int arena_populate(segment_t *seg, uint64_t end)
{
    int saved = errno;
    uint64_t have = seg->head->size ? mem_load_acquire(&seg->head->populated) : 0; /* ORD-4 */
    if (end > seg->size) return -1;
    int rc = 0;
    if (end > have) {
        uint64_t wish = layout_round_up(end, seg->head->size ? POPULATE_CHUNK : SEGMENT_PAGE);
        if (wish > seg->size) wish = seg->size;
        have -= have % SEGMENT_PAGE;
        rc = populate_range(seg, have, wish);
        if (rc) {
            wish = layout_round_up(end, SEGMENT_PAGE);
            rc = populate_range(seg, have, wish);
        }
        if (!rc && seg->head->size)
            while (have < wish && !mem_cas(&seg->head->populated, &have, wish)) { /* ORD-4 */
            }
    }
    errno = saved;
    return rc;
}

/*
 * The spare block is {token of the process that put it there, offset / 64 << 24 | size / 64}, so that it
 * changes hands atomically and a forked child, which has a copy, does not take it for its own.
 */
static mem_pair_t read_spare(const segment_t *seg)
{
    return (mem_pair_t){mem_load(&seg->spare.lo), mem_load(&seg->spare.hi)}; /* ORD-15 */
}

static uint64_t take_spare(segment_t *seg, uint64_t size)
{
    mem_pair_t spare = read_spare(seg);
    if (!spare.hi || spare.lo != process_token() || (spare.hi & 0xffffff) * SEGMENT_ALIGN < size) return 0;
    if (!mem_pair_cas(&seg->spare, spare, (mem_pair_t){0, 0})) return 0; /* ORD-15 */
    return (spare.hi >> 24) * SEGMENT_ALIGN;
}

uint64_t arena_alloc(segment_t *seg, uint64_t size)
{
    size = layout_round_up(size, SEGMENT_ALIGN);
    if (segment_closed(seg) || size > seg->size) return 0;
    uint64_t offset = take_spare(seg, size);
    if (offset) return offset;
    uint64_t next = mem_load(&seg->head->arena_next); /* ORD-4 */
    do {
        if (next < SEGMENT_ARENA || next % SEGMENT_ALIGN || next > seg->size - size) return 0;
        if (arena_populate(seg, next + size)) return 0;
    } while (!mem_cas(&seg->head->arena_next, &next, next + size)); /* ORD-4 */
    return next;
}

void arena_return(segment_t *seg, uint64_t offset, uint64_t size)
{
    size = layout_round_up(size, SEGMENT_ALIGN);
    unsigned char *block = segment_at(seg, offset, size);
    if (!block || size / SEGMENT_ALIGN > 0xffffff) return;
    memset(block, 0, size);
    mem_pair_t spare = read_spare(seg),
               mine = {process_token(), offset / SEGMENT_ALIGN << 24 | size / SEGMENT_ALIGN};
    if (!spare.hi || spare.lo != mine.lo) mem_pair_cas(&seg->spare, spare, mine); /* ORD-15 */
}

void arena_touch(const segment_t *seg, uint64_t offset, uint64_t size)
{
    int saved = errno;
    uint64_t from = offset - offset % SEGMENT_PAGE, to = layout_round_up(offset + size, SEGMENT_PAGE);
    if (!segment_closed(seg) && to <= seg->size) madvise(seg->base + from, to - from, MADV_POPULATE_WRITE);
    errno = saved;
}
