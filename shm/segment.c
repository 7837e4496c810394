/* SPDX-License-Identifier: Apache-2.0 */
/* segment.c - what all other files here ask of a segment: its time, its descriptor, is it closed; losses. */
#include "segment.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "atomic.h"

uint64_t segment_now(const segment_t *seg)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    uint64_t now = (uint64_t)ts.tv_sec * UINT64_C(1000000000) + (uint64_t)ts.tv_nsec;
    return now - seg->time_offset;
}

int segment_fd(const segment_t *seg)
{
    struct stat st;
    int saved = errno;
    bool ours = seg->fd >= 0 && fstat(seg->fd, &st) == 0 && st.st_dev == seg->dev && st.st_ino == seg->ino;
    errno = saved;
    return ours ? seg->fd : -1;
}

bool segment_closed(const segment_t *seg)
{
    return mem_load32_acquire(&seg->closed) != 0; /* ORD-15 */
}

void segment_lose(segment_t *seg, enum segment_loss reason, const char *name, size_t length)
{
    if (segment_closed(seg)) return;
    mem_add(&seg->head->loss[reason], 1); /* ORD-16 */
    if (!name) return;
    uint64_t n = mem_add(&seg->head->refusals, 1); /* ORD-13 */
    struct segment_refusal *r =
        (struct segment_refusal *)(seg->base + SEGMENT_REFUSALS) + n % SEGMENT_REFUSAL_COUNT;
    mem_store(&r->seq, 0); /* ORD-13 */
    mem_fence_release();   /* ORD-13 */
    r->reason = reason;
    r->length = (uint32_t)(length < sizeof r->name ? length : sizeof r->name);
    memcpy(r->name, name, r->length);
    mem_publish(&r->seq, n + 1); /* ORD-13 */
}
