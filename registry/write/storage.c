/* SPDX-License-Identifier: Apache-2.0 */
/* storage.c - a series' storage in the segment: allocated once (ORD-3), bound to a handle. */
#include "atomic.h"
#include "handle.h"

int metrics__bind_cells(struct metrics__handle *h, const struct metrics__series *s)
{
    uint64_t place = mem_load_acquire(&s->record->storage[0]); /* ORD-3 */
    if (!place) {
        uint64_t fresh = lane_place(s->seg, s->plan.cells);
        if (!fresh) return LOSS_SEGMENT_FULL;
        place = record_set_storage(s->record, 0, fresh);
        /* The loser's shared cells stay unused; a large extent goes back. */
        if (place != fresh && s->plan.cells > SEGMENT_LANE_SHARED)
            arena_return(s->seg, fresh,
                         layout_stride(s->plan.cells) *
                             layout_lanes(s->plan.cells, s->seg->lanes_cpu, s->seg->lanes_atomic));
    }
    return lane_bind(s->seg, place, s->plan.cells, &h->cells) ? (int)LOSS_DAMAGE : -1;
}

void *metrics__bind_block(const struct metrics__series *s, int i, uint64_t bytes, int *loss)
{
    uint64_t at = mem_load_acquire(&s->record->storage[i]); /* ORD-3 */
    if (!at) {
        uint64_t fresh = arena_alloc(s->seg, bytes);
        if (!fresh) {
            *loss = LOSS_SEGMENT_FULL;
            return NULL;
        }
        at = record_set_storage(s->record, i, fresh);
        if (at != fresh) arena_return(s->seg, fresh, bytes);
    }
    void *block = at % SEGMENT_ALIGN ? NULL : segment_at(s->seg, at, bytes);
    *loss = block ? -1 : (int)LOSS_DAMAGE;
    if (block) arena_touch(s->seg, at, bytes);
    return block;
}

void metrics__add_atomic(const struct metrics__cells *c, uint64_t n)
{
    mem_add((uint64_t *)(c->atomic + lane_stripe(c) * c->stride), n); /* ORD-5 */
}
