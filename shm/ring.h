/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ring.h - records that pass through the segment: one ring per CPU, and one for threads without a CPU lane. See
 * EVENTS in layout.h. Readers are in registry/read/events.c; they share nothing but layout.h with this.
 */
#ifndef METRICS_SHM_RING_H
#define METRICS_SHM_RING_H

#include <mtx/rseq.h>

#include "segment.h"

/* The rings as a writer has them: written once, before anybody uses them. */
struct rings {
    struct metrics__cells cells; /* the ring of lane l at base + l * stride; the atomic one at atomic */
    uint64_t size;               /* bytes of a lane's data */
    uint64_t cell_count;         /* of the atomic ring */
    uint64_t most;               /* bytes of the longest record that every ring takes */
    uint64_t *kinds;             /* segment_events.kinds */
    segment_t *seg;
};

/*
 * Fill in the caller's *out; the first process of a segment allocates the rings, with `bytes` per CPU (rounded up to
 * a power of two; 0 = 64 KiB, or less in a small segment). -1, or the loss to count. Not async-signal-safe.
 */
int rings_open(segment_t *seg, uint64_t bytes, struct rings *out);

/* [S] Was this never opened? */
static inline bool rings_are_closed(const struct rings *r)
{
    return !r->seg;
}

/*
 * [S] Put a record, which begins with struct segment_event; length is its length, a multiple of SEGMENT_EVENT_ALIGN
 * and not 0. What has no room is dropped and counted under its class (1 to SEGMENT_EVENT_CLASSES - 1). Wait-free but
 * for threads without a CPU lane, which may have to claim the process's slot; they run it undisturbed by signals.
 */
void ring_put(const struct rings *r, unsigned class, const void *record, uint64_t length);

/* [S] Count a record that cannot be put, whatever room there is. */
void ring_refuse(const struct rings *r, unsigned class);

#endif
