/* SPDX-License-Identifier: Apache-2.0 */
/*
 * event_chunk.h - a chunk: events that were taken at one time, as bytes.
 *
 * Its events are in the order of their types, and within a type in that in which they were added. An event's number,
 * from 0, is its place for good. A table says which kinds (type, name, constant tags) there are, so that what a backend
 * takes is counted without looking at each event. A chunk needs no segment.
 *
 * Pure but for memory. Not thread-safe: one thread at a time for each object that changes; a chunk may be read by many.
 */
#ifndef EXPORTERS_EVENT_CHUNK_H
#define EXPORTERS_EVENT_CHUNK_H

#include "buf.h"

#include <mtx/events_read.h>

/* --- Making one --- */

/* Zero at first; event_packer_free() gives it back. */
struct event_packer {
    struct buf kinds, keys, records[METRICS_EVENT_TYPES];
    struct event_slot *slots; /* a hash table: which kinds there are */
    size_t slot_count, kind_count, counts[METRICS_EVENT_TYPES];
    bool failed;
};

/* Adds an event. */
void event_pack(struct event_packer *packer, const metrics_event_t *event);

/* How many bytes the events have so far. */
size_t event_packer_size(const struct event_packer *packer);

/* Appends the chunk to `out`, which is marked as failed without memory, and empties the packer. */
void event_packer_take(struct event_packer *packer, struct buf *out);

/* Frees what the packer owns and makes it zero. */
void event_packer_free(struct event_packer *packer);

/* --- Reading one --- */

/* What some of a chunk's events have in common; the texts are the chunk's. */
struct event_kind {
    int type; /* enum metrics_event_type */
    const char *name;
    metrics_tag_t *tags; /* sorted by key */
    size_t tag_count;
    uint32_t events; /* how many of the chunk are of this kind */
};

struct event_chunk {
    const unsigned char *bytes; /* not its own */
    struct event_kind *kinds;
    metrics_tag_t *tags;
    uint32_t *places; /* where each event begins; one more says where they end */
    size_t kind_count, n;
};

/* The bytes must outlive the chunk, which the caller frees with event_chunk_free(). `hostile`: they come from a file, so
 * each event is decoded to see that it can be. False if they are not a chunk, or without memory. */
bool event_chunk_open(struct event_chunk *chunk, const void *bytes, size_t n, bool hostile);

/* Frees what the chunk owns and makes it zero. */
void event_chunk_free(struct event_chunk *chunk);

/* The kind of event i, an index of chunk->kinds. */
size_t event_chunk_kind(const struct event_chunk *chunk, size_t i);

/* Event i, valid until the next call with the same decoder; NULL if it cannot be decoded, which chunk_open() has seen. */
const metrics_event_t *event_chunk_get(const struct event_chunk *chunk, size_t i,
                                       metrics_event_decoder_t *decoder);

#endif
