/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rings.c - take what has come in a CPU's ring.
 *
 * Head and tail are copied first, then the records between them (ORD-19), then, by those who do not drain, head and
 * tail again: what was overwritten meanwhile is left out.
 */
#include "drain_inside.h"

#include <string.h>

/* Where to begin, and up to where. */
struct stretch {
    uint64_t from, to;
};

static bool read_ring(struct metrics_events *e, uint32_t lane, struct segment_ring *ring)
{
    if (!view_read(&e->r->view, metrics__ring_place(e, lane), ring, sizeof *ring)) return true;
    e->r->trouble = METRICS__TRUNCATED;
    return false;
}

/* The first position whose record is sure to be whole still: see ORD-19. */
static uint64_t still_whole(const struct segment_ring *ring, uint64_t size)
{
    uint64_t waiting = ring->head - ring->tail, half = size / 2;
    uint64_t kept = waiting > half ? waiting : half;
    return kept < ring->head ? ring->head - kept : 0;
}

/*
 * The beginning of the data is always the beginning of a record, as records do not wrap. So that is where to begin for
 * whoever wants what was drained already.
 */
static uint64_t first_look(const struct metrics_events *e, const struct segment_ring *ring)
{
    uint64_t size = e->sizes.ring_bytes, lap = ring->head - ring->head % size;
    if (e->mode == METRICS_EVENTS_DRAIN) return ring->tail;
    if (e->mode == METRICS_EVENTS_FOLLOW) return ring->head;
    return lap < ring->tail && lap >= still_whole(ring, size) ? lap : ring->tail;
}

/* A ring that is impossible is damage: go on at its head. */
static struct stretch choose(struct metrics_events *e, uint32_t lane, const struct segment_ring *ring)
{
    uint64_t size = e->sizes.ring_bytes, from = e->begun ? e->at[lane] : first_look(e, ring);
    if (ring->head - ring->tail > size || ring->head % SEGMENT_EVENT_ALIGN ||
        ring->tail % SEGMENT_EVENT_ALIGN) {
        e->stats.damaged++;
        return (struct stretch){ring->head, ring->head};
    }
    bool waits = ring->head - from <= ring->head - ring->tail;
    bool whole = e->mode != METRICS_EVENTS_DRAIN && from <= ring->head && from >= still_whole(ring, size);
    if (waits || whole) return (struct stretch){from, ring->head};
    e->stats.missed += e->mode != METRICS_EVENTS_DRAIN;
    return (struct stretch){ring->tail, ring->head};
}

/* The bytes of a stretch, in one or two parts. */
static bool copy(struct metrics_events *e, uint32_t lane, struct stretch s, unsigned char *to)
{
    uint64_t size = e->sizes.ring_bytes, n = s.to - s.from, at = s.from % size;
    uint64_t data = metrics__ring_place(e, lane) + sizeof(struct segment_ring);
    uint64_t first = n < size - at ? n : size - at;
    if (!view_read(&e->r->view, data + at, to, first) &&
        (n == first || !view_read(&e->r->view, data, to + first, n - first)))
        return true;
    e->r->trouble = METRICS__TRUNCATED;
    return false;
}

/* The length of the record at that position if it can be one. */
static uint32_t length_at(const unsigned char *bytes, uint64_t left, uint64_t to_end)
{
    struct segment_event head;
    if (left < sizeof head) return 0;
    memcpy(&head, bytes, sizeof head);
    bool good = head.length >= sizeof head && head.length % SEGMENT_EVENT_ALIGN == 0 && head.length <= left &&
                head.length <= to_end;
    return good ? head.length : 0;
}

static bool is_pad(const unsigned char *bytes)
{
    struct segment_event head;
    memcpy(&head, bytes, sizeof head);
    return head.kind == 0;
}

/* Note the records; those before `whole` may have been overwritten during the copy. */
static bool note(struct metrics_events *e, uint32_t lane, struct stretch s, size_t base, uint64_t whole)
{
    uint64_t size = e->sizes.ring_bytes;
    for (uint64_t p = s.from; p < s.to;) {
        const unsigned char *bytes = e->haul.bytes + base + (p - s.from);
        uint32_t n = p < whole ? 0 : length_at(bytes, s.to - p, size - p % size);
        if (!n) { /* the end of a record cannot be known without its beginning */
            if (p < whole)
                e->stats.missed++;
            else
                e->stats.damaged++;
            return true;
        }
        if (!is_pad(bytes) && !metrics__haul_record(e, base + (p - s.from), n, lane)) return false;
        p += n;
    }
    return true;
}

bool metrics__ring_take(struct metrics_events *e, uint32_t lane)
{
    struct segment_ring ring, again;
    if (!read_ring(e, lane, &ring)) return false;
    metrics__events_losses(e, &ring);
    struct stretch s = choose(e, lane, &ring);
    double fill = (double)(s.to - s.from) / (double)e->sizes.ring_bytes;
    if (fill > e->fill) e->fill = fill;
    if (s.from < s.to) {
        unsigned char *to = metrics__haul_bytes(e, s.to - s.from);
        if (!to || !copy(e, lane, s, to)) return false;
        bool drains = e->mode == METRICS_EVENTS_DRAIN;
        if (!drains && !read_ring(e, lane, &again)) return false;
        uint64_t whole = drains ? s.from : still_whole(&again, e->sizes.ring_bytes);
        if (!note(e, lane, s, (size_t)(to - e->haul.bytes), whole)) return false;
    }
    e->at[lane] = s.to;
    return true;
}
