/* SPDX-License-Identifier: Apache-2.0 */
/* drain_inside.h - what those who take events share: events.c, rings.c, cells.c, kinds_read.c. */
#ifndef METRICS_REGISTRY_DRAIN_INSIDE_H
#define METRICS_REGISTRY_DRAIN_INSIDE_H

#include "decode.h"
#include "taking.h"

/* One record in the copy. */
struct metrics__taken {
    uint64_t time;
    uint64_t at; /* in `bytes` */
    uint32_t size, lane;
};

/* What was copied in one take. */
struct metrics__haul {
    unsigned char *bytes;
    size_t used, room;
    struct metrics__taken *records;
    size_t count, record_room;
};

enum { CELL_BITS = SEGMENT_RING_CELLS / 64 };

struct metrics__kind_cache;

struct metrics_events {
    struct metrics_reader *r;
    enum metrics_events_mode mode;
    struct segment_events sizes; /* checked; ring_bytes 0: there are no rings yet */
    uint64_t place;              /* of the first ring */
    /* Positions: up to where each lane was taken. `begun`: they are set, not to be found at the first look. */
    uint64_t *at; /* lanes_cpu of them */
    uint64_t cell_at,
        cell_beyond[CELL_BITS]; /* runs that were taken although one before them was not, by cell */
    bool begun;
    struct metrics__haul haul;
    size_t next; /* record to be returned by metrics_events_next() */
    double fill;
    metrics_events_stats_t stats;
    struct metrics__kind_cache *kinds;
    struct metrics__event_room *room;
};

/* Sum of what a ring says that it lost. */
void metrics__events_losses(struct metrics_events *e, const struct segment_ring *ring);
/* Room for n more bytes of records, in e->haul; NULL without memory, which is trouble. */
unsigned char *metrics__haul_bytes(struct metrics_events *e, size_t n);
/* Note a record of `size` bytes at that place of the haul. False without memory, which is trouble. */
bool metrics__haul_record(struct metrics_events *e, size_t at, uint32_t size, uint32_t lane);

/*
 * Take what has come in a CPU's ring (rings.c), in the atomic one (cells.c). False when the file cannot be read or
 * memory is short (see trouble). Damage is counted.
 */
bool metrics__ring_take(struct metrics_events *e, uint32_t lane);
bool metrics__cells_take(struct metrics_events *e);

/* Where it is in the file: the head of a lane's ring; lane = lanes_cpu: the atomic one. */
static inline uint64_t metrics__ring_place(const struct metrics_events *e, uint32_t lane)
{
    return e->place + lane * layout_ring_stride(&e->sizes);
}

/* The kind of that number (kinds_read.c), valid until the next call; NULL if there is none. */
const struct metrics__kind_texts *metrics__kind_find(struct metrics_events *e, uint32_t number);
struct metrics__kind_cache *metrics__kind_cache_new(void);
void metrics__kind_cache_free(struct metrics__kind_cache *c);

#endif
