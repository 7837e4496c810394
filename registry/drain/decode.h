/* SPDX-License-Identifier: Apache-2.0 */
/*
 * decode.h - from a record's bytes to an event. Whatever the bytes are, the result is an event that keeps what
 * <mtx/events_read.h> promises, or none. Pure, but for the room that the caller gives.
 */
#ifndef METRICS_REGISTRY_DECODE_H
#define METRICS_REGISTRY_DECODE_H

#include <stdbool.h>

#include <mtx/events.h>
#include <mtx/events_read.h>

#include "format.h"

/* What all events of a kind share. */
struct metrics__kind_texts {
    const char *name;
    metrics_tag_t tags[METRICS_TAGS_MAX];
    size_t tag_count;
    unsigned class;
    const void *key; /* as in the segment */
    size_t key_size;
};

enum { METRICS__EVENT_KEY_MOST = 1 + 4096 };

/* The parts of a kind's key, which they point into. False if it is not such a key. */
bool metrics__kind_split(struct metrics__kind_texts *kind, const char *key, size_t n);

/* The arrays of one event. */
struct metrics__event_room {
    metrics_event_t event;
    metrics_event_field_t fields[METRICS_FIELDS_MAX];
    metrics_event_ids_t ids[METRICS_FIELDS_MAX];
};

/*
 * The event of a record of n bytes, into the room; both must outlive it. Bytes that are not text become '?' in the
 * record. created_wall: of the segment. NULL if the record is invalid.
 */
const metrics_event_t *metrics__event_of(struct metrics__event_room *room,
                                         const struct metrics__kind_texts *kind, unsigned char *record,
                                         size_t n, uint64_t created_wall);

#endif
