/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: a process that claims a slot wipes what its dead owner left, whatever the segment looks like. */
#include "unit.h"

#include "process.h"

#include "../raw.h"

/* What a dead owner of slot 1 left in a gauge. */
static struct segment_pair *leave(segment_t *seg, uint64_t place)
{
    struct segment_pair *pair = group_pair(seg, place, 1);
    *pair = (struct segment_pair){7, 7};
    return pair;
}

/* Breaks if a claimer leaves values of a dead owner in groups that lie behind a newer group of a lower
 * offset: they would come alive with the slot. A block that lost a race may become such a group. */
UNIT(slot, groups_in_any_order_are_wiped)
{
    segment_t *seg = raw_segment(1 << 20, 8);
    uint64_t low = arena_alloc(seg, sizeof(struct segment_group)), first = group_place(seg), newest;
    struct segment_pair *in_first = leave(seg, first), *in_newest;
    for (int i = 1; i < SEGMENT_GROUP_GAUGES; i++) group_place(seg);
    arena_return(seg, low, sizeof(struct segment_group));
    newest = group_place(seg);
    in_newest = leave(seg, newest);
    CHECK_EQ_U64(layout_gauge_group(newest), low);
    CHECK(low < layout_gauge_group(first));
    CHECK_EQ_I64(slot_self(seg), 1);
    CHECK_EQ_U64(in_newest->stamp, 0);
    CHECK_EQ_U64(in_first->stamp, 0);
    CHECK(isnan(mem_bits_to_f64(in_first->value)));
}

/* Breaks if a claim in a damaged segment, whose list of groups comes back to itself, never ends. */
UNIT(slot, a_list_that_loops_ends)
{
    segment_t *seg = raw_segment(1 << 20, 8);
    uint64_t place[5 * SEGMENT_GROUP_GAUGES];
    for (int i = 0; i < 5 * SEGMENT_GROUP_GAUGES; i++) place[i] = group_place(seg);
    struct segment_group *second =
        segment_at(seg, layout_gauge_group(place[SEGMENT_GROUP_GAUGES]), sizeof *second);
    second->older = layout_gauge_group(place[3 * SEGMENT_GROUP_GAUGES]);
    struct segment_pair *pair = leave(seg, place[4 * SEGMENT_GROUP_GAUGES]);
    CHECK_EQ_I64(slot_self(seg), 1);
    CHECK_EQ_U64(pair->stamp, 0);
}
