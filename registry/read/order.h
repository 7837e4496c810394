/* SPDX-License-Identifier: Apache-2.0 */
/*
 * order.h - in which order a snapshot reads, and where it stores what it has read.
 *
 * Readings are sorted by name; cells lie where registration put them. So that the file is read from its
 * beginning to its end, and each reading is written once, the reader keeps its series a second time in order
 * of their storage. That order holds until a series comes, goes, or gets its storage.
 *
 * A series of one cell has its cells side by side with those of its neighbours, in every lane: such a group
 * is a stripe, and its lanes are added up row by row, as arrays.
 */
#ifndef METRICS_REGISTRY_ORDER_H
#define METRICS_REGISTRY_ORDER_H

#include "reading.h"

/* Cells at, at + 8 ... of as many series; lane l is l * layout_stride(1) further. */
struct metrics__stripe {
    uint64_t at;
    uint32_t first; /* of its places in order.places */
    uint32_t count; /* at most SEGMENT_LANE_LINE */
};

struct metrics__series_list {
    struct metrics__series_read **items;
    size_t count, room;
};

struct metrics__order {
    uint64_t number; /* changes whenever a place does; 0 = not made yet */
    bool stale;      /* to be made anew */
    uint64_t end;    /* of the arena when it was made */
    size_t shown;    /* readings */
    uint64_t damaged;
    struct metrics__stripe *stripes;
    size_t stripe_count;
    uint32_t *places;                        /* of the series in stripes: index of the reading, or NOWHERE */
    struct metrics__series_list rest;        /* shown, with other storage; by storage[0] */
    struct metrics__series_list rated;       /* with a rate block; by storage[1] */
    struct metrics__series_list overflowing; /* overflow series that are shown */
    struct metrics__series_list hidden[2];   /* those that are not, as they were empty: in stripes, others */
    struct metrics__series_list waiting;     /* whose storage has not come yet, in order of discovery */
    bool gauges;                             /* there are some */
};

/*
 * Make it anew: places of all series of the catalog that are to be shown. head has the numbers of lanes; end
 * is where the arena ends. false without memory: then it stays stale. From the reader's thread.
 */
bool metrics__order_make(struct metrics__order *o, const struct metrics__catalog *c,
                         const struct segment_header *head, uint64_t end);
void metrics__order_free(struct metrics__order *o);

#endif
