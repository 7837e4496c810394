/* SPDX-License-Identifier: Apache-2.0 */
/* lane.c - places for cells: one per lane, interleaved by extent. See LANES in layout.h. */
#include <mtx/rseq.h>

#include "atomic.h"
#include "process.h"
#include "segment.h"

#define CURSOR_USED(c) ((c)&0xfffff)
#define CURSOR_AT(c)   ((c) >> 20 << 6)

enum { LINE_BYTES = SEGMENT_LANE_LINE * 8 };

static uint64_t extent_bytes(const segment_t *seg)
{
    return ((uint64_t)seg->lanes_cpu + seg->lanes_atomic) * LINE_BYTES;
}

/* The n-th cell of a block of extents, in lane 0. */
static uint64_t cell_in_block(const segment_t *seg, uint64_t block, uint64_t n)
{
    return block + n / SEGMENT_LANE_LINE * extent_bytes(seg) + n % SEGMENT_LANE_LINE * 8;
}

/*
 * Take `cells` (1 or 8) from the cursor's block, or begin a new block. A process killed after the CAS leaves
 * a few cells that nobody uses.
 */
static uint64_t place_shared(segment_t *seg, uint64_t *cursor, uint64_t cells)
{
    uint64_t per_block = SEGMENT_EXTENT_BLOCK / extent_bytes(seg);
    uint64_t bytes = (per_block ? per_block : 1) * extent_bytes(seg);
    uint64_t capacity = (per_block ? per_block : 1) * SEGMENT_LANE_LINE;
    uint64_t now = mem_load(cursor), fresh = 0; /* ORD-3 */
    for (;;) {
        uint64_t used = CURSOR_USED(now), next;
        if (now && used + cells <= capacity) {
            next = now + cells;
        } else {
            if (!fresh) fresh = arena_alloc(seg, bytes);
            if (!fresh) return 0;
            next = fresh >> 6 << 20 | cells;
        }
        if (!mem_cas(cursor, &now, next)) continue; /* ORD-3 */
        if (fresh && CURSOR_AT(next) != fresh) arena_return(seg, fresh, bytes);
        return cell_in_block(seg, CURSOR_AT(next), CURSOR_USED(next) - cells);
    }
}

uint64_t lane_place(segment_t *seg, uint64_t cells)
{
    struct segment_header *h = seg->head;
    if (cells == 1) return place_shared(seg, &h->cell_cursor[0], 1);
    if (cells <= SEGMENT_LANE_SHARED) return place_shared(seg, &h->cell_cursor[1], SEGMENT_LANE_SHARED);
    return arena_alloc(seg, layout_stride(cells) * layout_lanes(cells, seg->lanes_cpu, seg->lanes_atomic));
}

int lane_bind(const segment_t *seg, uint64_t place, uint64_t cells, struct metrics__cells *out)
{
    uint64_t stride = layout_stride(cells), lanes = layout_lanes(cells, seg->lanes_cpu, seg->lanes_atomic);
    char *base = segment_at(seg, place, (lanes - 1) * stride + cells * 8);
    /* Pairs of cells are stored by instructions that fault where they are not aligned. */
    if (!base || place % (cells == 1 ? 8 : SEGMENT_ALIGN)) return -1;
    out->base = base;
    out->stride = stride;
    out->lanes = (uint32_t)(lanes - seg->lanes_atomic);
    out->stripes = seg->lanes_atomic - 1;
    out->atomic = base + out->lanes * stride;
    if (!restart_uses_cpus(restart_choose(&seg->here, &seg->head->kernel))) out->lanes = 0;
    out->rseq = process_rseq_offset();
    arena_touch(seg, place, (lanes - 1) * stride + cells * 8);
    return 0;
}

unsigned lane_stripe(const struct metrics__cells *c)
{
    uint64_t mix = ((uintptr_t)&process_thread >> 6) ^ *process_token_page;
    return (unsigned)((mix * UINT64_C(0x9e3779b97f4a7c15)) >> 40) & c->stripes;
}
