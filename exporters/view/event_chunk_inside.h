/* SPDX-License-Identifier: Apache-2.0 */
/*
 * event_chunk_inside.h - the bytes of a chunk, which event_pack.c writes and event_chunk.c reads; for nobody else.
 *
 *     struct chunk_head
 *     kinds:    u32 bytes of all that follows with this, u8 type, u8 tags, name '\0', key '\0' value '\0' ...
 *     events:   struct chunk_event, then as metrics_event_encode() writes it
 *
 * Nothing is aligned. Numbers are the machine's own: a log is read where it was written.
 */
#ifndef EXPORTERS_EVENT_CHUNK_INSIDE_H
#define EXPORTERS_EVENT_CHUNK_INSIDE_H

#include "event_chunk.h"

enum { CHUNK_VERSION = 1, CHUNK_KIND_HEAD = 6 };
#define CHUNK_MAGIC UINT32_C(0x4e56456d)

struct chunk_head {
    uint32_t magic, version, kinds, events;
};
struct chunk_event {
    uint32_t bytes; /* with this */
    uint32_t kind;
};

#endif
