/* SPDX-License-Identifier: Apache-2.0 */
#include "ring.h"

#include <string.h>

#include "atomic.h"
#include "process.h"
#include "rseq_ring.h"

enum {
    RING_BYTES = 64 << 10,
    RINGS_SHARE =
        8, /* without a wish, the rings take at most this part of the segment, and the atomic one too */
    RING_TRIES = 4,    /* of the section: when it is single-stepped it never ends */
    CELL_STEPS = 4096, /* looks for a free run: more than there can be */
};

/* --- Opening --- */

static uint64_t power_of_two_from(uint64_t n)
{
    uint64_t p = SEGMENT_RING_LEAST;
    while (p < n && p < SEGMENT_RING_MOST) p *= 2;
    return p;
}

static struct segment_events choose_sizes(const segment_t *seg, uint64_t bytes)
{
    struct segment_events e = {.ring_bytes = power_of_two_from(bytes ? bytes : RING_BYTES),
                               .cells = SEGMENT_RING_CELLS};
    uint64_t share = seg->size / RINGS_SHARE;
    while (!bytes && e.ring_bytes > SEGMENT_RING_LEAST && e.ring_bytes * seg->lanes_cpu > share)
        e.ring_bytes /= 2;
    while (e.cells > 2 && e.cells * SEGMENT_RING_CELL > share) e.cells /= 2;
    return e;
}

static uint64_t make_rings(segment_t *seg, uint64_t bytes)
{
    struct segment_events sizes = choose_sizes(seg, bytes);
    uint64_t room = layout_rings(&sizes, seg->lanes_cpu), fresh = arena_alloc(seg, room), none = 0;
    struct segment_events *e = fresh ? segment_at(seg, fresh, room) : NULL;
    if (!e) return 0;
    *e = sizes;
    if (mem_cas(&seg->head->events, &none, fresh)) return fresh; /* ORD-3 */
    arena_return(seg, fresh, room);
    return none;
}

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* What is in the segment may change at any moment: the sizes that count are those of the copy. */
static int bind_rings(segment_t *seg, uint64_t at, struct rings *out)
{
    struct segment_events *e = at % SEGMENT_ALIGN ? NULL : segment_at(seg, at, sizeof *e), sizes;
    if (!e) return LOSS_DAMAGE;
    sizes = *e;
    if (!layout_rings_valid(&sizes) || !segment_at(seg, at, layout_rings(&sizes, seg->lanes_cpu)))
        return LOSS_DAMAGE;
    uint64_t stride = layout_ring_stride(&sizes);
    char *base = (char *)(e + 1);
    bool cpus = restart_uses_cpus(restart_choose(&seg->here, &seg->head->kernel));
    *out = (struct rings){
        .cells = {.base = base,
                  .atomic = base + seg->lanes_cpu * stride,
                  .rseq = process_rseq_offset(),
                  .stride = stride,
                  .lanes = cpus ? seg->lanes_cpu : 0},
        .size = sizes.ring_bytes,
        .cell_count = sizes.cells,
        .most =
            least(layout_event_most(sizes.ring_bytes), layout_event_most(sizes.cells * SEGMENT_RING_CELL)),
        .kinds = e->kinds,
        .seg = seg,
    };
    arena_touch(seg, at, layout_rings(&sizes, seg->lanes_cpu));
    return -1;
}

int rings_open(segment_t *seg, uint64_t bytes, struct rings *out)
{
    uint64_t at = mem_load_acquire(&seg->head->events); /* ORD-3 */
    if (!at) at = make_rings(seg, bytes);
    return at ? bind_rings(seg, at, out) : (int)LOSS_SEGMENT_FULL;
}

/* --- The atomic ring --- */

struct cells {
    struct segment_ring *ring;
    uint64_t *words;
    unsigned char *data;
    uint64_t count;
};

static struct cells cells_of(const struct rings *r)
{
    struct segment_ring *ring = (struct segment_ring *)r->cells.atomic;
    uint64_t *words = (uint64_t *)(ring + 1);
    return (struct cells){ring, words, (unsigned char *)(words + SEGMENT_RING_CELLS), r->cell_count};
}

/* Who reserves: the slot and low bits of the token. 0: no slot, or one whose lock may fall while the process lives. */
static uint64_t cells_owner(segment_t *seg)
{
    int slot = slot_self(seg);
    return slot > 0 && slot_is_firm(seg) ? (process_token() & 0xffff) << 12 | (uint64_t)slot : 0;
}

/* A position at which a run begins, at or before the first free one. */
static uint64_t cells_begin(const struct cells *c)
{
    uint64_t hint = mem_load_acquire(&c->ring->head), tail = mem_load_acquire(&c->ring->tail); /* ORD-20 */
    return (int64_t)(hint - tail) > 0 ? hint : tail;
}

/*
 * One look at the run that begins at *at: over it if it is in use; else reserve it, or what is left before the end
 * of the data, if n cells do not fit there. 1 = reserved, 0 = look again, -1 = there is no room.
 */
static int cells_step(const struct cells *c, uint64_t *at, uint64_t n, uint64_t owner)
{
    uint64_t *word = &c->words[*at % c->count], was = mem_load_acquire(word); /* ORD-20 */
    uint64_t used = *at - mem_load_acquire(&c->ring->tail);                   /* ORD-20: after the word */
    uint64_t left = c->count - *at % c->count, lap = layout_lap(*at, c->count);
    uint64_t run = n > left ? left : n, end = n > left ? left + n : n;
    if ((int64_t)used < 0) {
        *at = cells_begin(c);
        return 0;
    }
    if (used + end > c->count) return -1;
    if (layout_word_lap(was) == lap) {
        *at += layout_word_run(was);
        return 0;
    }
    uint64_t mine =
        run < n ? layout_word(lap, 0, run, RING_TAKEN) : layout_word(lap, owner, n, RING_RESERVED);
    if (!mem_cas(word, &was, mine)) return 0; /* ORD-20 */
    mem_max(&c->ring->head, *at + run);       /* ORD-20 */
    if (run == n) return 1;
    *at += run;
    return 0;
}

static bool cells_reserve(const struct cells *c, uint64_t *at, uint64_t n, uint64_t owner)
{
    int got = 0;
    *at = cells_begin(c);
    for (int i = 0; !got && i < CELL_STEPS; i++) got = cells_step(c, at, n, owner);
    return got > 0;
}

enum cells_result { CELLS_DONE, CELLS_FULL, CELLS_NO_SLOT };

static enum cells_result cells_put(const struct rings *r, const void *record, uint64_t length)
{
    struct cells c = cells_of(r);
    uint64_t owner = cells_owner(r->seg), at, n = (length + SEGMENT_RING_CELL - 1) / SEGMENT_RING_CELL;
    if (!owner) return CELLS_NO_SLOT;
    if (!cells_reserve(&c, &at, n, owner)) return CELLS_FULL;
    memcpy(c.data + at % c.count * SEGMENT_RING_CELL, record, length);
    mem_publish(&c.words[at % c.count],
                layout_word(layout_lap(at, c.count), owner, n, RING_READY)); /* ORD-20 */
    return CELLS_DONE;
}

/* --- Both --- */

static void count(const struct rings *r, uint64_t counters, unsigned class)
{
    lane_add(&r->cells, counters + class % SEGMENT_EVENT_CLASSES * 8, 1);
}

void ring_refuse(const struct rings *r, unsigned class)
{
    count(r, offsetof(struct segment_ring, refused), class);
}

static void drop(const struct rings *r, unsigned class)
{
    count(r, offsetof(struct segment_ring, dropped), class);
}

/*
 * A handler that leaves by siglongjmp() between the reservation and the word `ready` would leave a run that its living
 * owner never fills. So nothing disturbs this.
 */
static void put_elsewhere(const struct rings *r, unsigned class, const void *record, uint64_t length)
{
    struct process_undisturbed before;
    process_undisturbed_begin(&before);
    enum cells_result result = cells_put(r, record, length);
    process_undisturbed_end(&before);
    if (result == CELLS_FULL) drop(r, class);
    if (result == CELLS_NO_SLOT) ring_refuse(r, class);
}

static __attribute__((cold, noinline)) void put_again(const struct rings *r, unsigned class,
                                                      const void *record, uint64_t length, int done)
{
    for (int i = 1; done == RSEQ_ABORTED && i < RING_TRIES; i++)
        done = rseq_put(&r->cells, r->size, record, length);
    if (done == RSEQ_FULL) drop(r, class);
    if (done == RSEQ_ABORTED || done == RSEQ_OUTSIDE) put_elsewhere(r, class, record, length);
}

void ring_put(const struct rings *r, unsigned class, const void *record, uint64_t length)
{
    if (__builtin_expect(length > r->most, 0)) {
        ring_refuse(r, class);
        return;
    }
    int done = rseq_put(&r->cells, r->size, record, length);
    if (__builtin_expect(done != RSEQ_DONE, 0)) put_again(r, class, record, length, done);
}
