/* SPDX-License-Identifier: Apache-2.0 */
/* leader_events.c - room that is given back to the writers of events (ORD-19, ORD-20). */
#include "leader_inside.h"

/* The tail only moves on, and only to where there is a record, or the next one; where it cannot be, to the head. */
static void give_back_ring(struct segment_ring *ring, uint64_t to, uint64_t size)
{
    uint64_t tail = mem_load(&ring->tail), head = mem_load_acquire(&ring->head); /* ORD-19 */
    if (head - tail > size) tail = to = head;
    if (to - tail <= head - tail) mem_publish(&ring->tail, to); /* ORD-19 */
}

/*
 * A run beyond the tail says itself that it was taken. Nobody else changes a word that is ready, or that of a dead owner,
 * whose run has nothing for others to see.
 */
static void mark_taken(uint64_t *word, uint64_t lap)
{
    uint64_t was = mem_load(word), run = layout_word_run(was); /* ORD-20 */
    bool ready = layout_word_state(was) == RING_READY;
    if (layout_word_lap(was) != lap || layout_word_state(was) == RING_TAKEN) return;
    mem_cas(word, &was, ready ? was | RING_TAKEN : layout_word(lap, 0, run, RING_TAKEN)); /* ORD-20 */
}

/* positions: that of the atomic ring, then which of the cells from there on were taken, a bit for each. */
static void give_back_cells(struct segment_ring *ring, uint64_t count, const uint64_t *positions)
{
    uint64_t *words = (uint64_t *)(ring + 1), at = positions[0], tail = mem_load(&ring->tail); /* ORD-20 */
    if (at - tail > count) return;
    for (uint64_t p = at; p - at < count; p++) {
        uint64_t cell = p % count;
        if (positions[1 + cell / 64] >> cell % 64 & 1) mark_taken(&words[cell], layout_lap(p, count));
    }
    mem_publish(&ring->tail, at); /* ORD-20 */
}

/* The sizes are those of a private copy: what is in the segment may change at any moment. */
void metrics_leader_drained(metrics_leader_t *l, const uint64_t *positions, size_t n)
{
    uint32_t lanes = l->r.view.head.lanes_cpu;
    uint64_t at = mem_load_acquire(&l->head->events); /* ORD-3 */
    const struct segment_events *e = at % SEGMENT_ALIGN ? NULL : view_at(&l->r.view, at, sizeof *e);
    if (!e || at < SEGMENT_ARENA || n != lanes + 1u + SEGMENT_RING_CELLS / 64) return;
    struct segment_events sizes = *e;
    if (!layout_rings_valid(&sizes) || !view_at(&l->r.view, at, layout_rings(&sizes, lanes))) return;
    unsigned char *ring = l->r.view.map + at + sizeof sizes;
    mem_fence(); /* ORD-19: what was copied was copied before */
    for (uint32_t lane = 0; lane < lanes; lane++, ring += layout_ring_stride(&sizes))
        give_back_ring((struct segment_ring *)ring, positions[lane], sizes.ring_bytes);
    give_back_cells((struct segment_ring *)ring, sizes.cells, positions + lanes);
}
