/* SPDX-License-Identifier: Apache-2.0 */
/* leader_inside.h - what leader.c (locks, rates, intervals) and leader_note.c (what was delivered) share. */
#ifndef METRICS_LEADER_INSIDE_H
#define METRICS_LEADER_INSIDE_H

#include "leader.h"

#include "atomic.h"
#include "taking.h"

struct metrics_leader {
    struct metrics_reader r;
    struct segment_header *head; /* mapped */
    uint64_t taken;              /* the epoch whose extremes this leader has read; 0 = none */
};

#endif
