/* SPDX-License-Identifier: Apache-2.0 */
/*
 * edit.h - an input of the fuzzer as a list of edits to a sound segment.
 *
 *     byte 0: which base; 1: flags; 2: length of the script; then the script (what the target does to the
 *     segment); then edits of 14 bytes: op, field, mode, extra, index (2), value (8)
 *
 * An edit names a structure and a field, not an offset, so that small mutations of the input are small and
 * meaningful mutations of the segment. The mode says how the value is made: as given, relative to what
 * was there, or as the place of something else (a record, the arena's end, the file's end). A PHASE puts the
 * edits after it off until the target has read, or done, that many things: a segment that changes while it is
 * looked at.
 */
#ifndef FUZZ_EDIT_H
#define FUZZ_EDIT_H

#include <stdbool.h>

#include "base.h"

enum edit_flags {
    EDIT_UNSEALED = 1,  /* leave the checksum as the edits made it */
    EDIT_BYTES_TOO = 2, /* encode and decode, which takes long, unless EDIT_NO_BYTES is set, too */
    EDIT_NO_BYTES = 4,
    EDIT_FACTS_TOO = 8, /* ask for facts about the segment, too */
};

enum { EDIT_BYTES = 14, EDIT_MAX = 48, EDIT_SCRIPT_AT = 3, EDIT_PHASES = 16 };

struct edit {
    uint8_t op, field, mode, extra;
    uint16_t index;
    uint64_t value;
};

struct program {
    const struct base *base;
    uint8_t flags;
    const uint8_t *script;
    size_t script_length;
    const uint8_t *edits; /* EDIT_BYTES each */
    size_t count;
};

/* The hostile file while it is being made: bytes of room BASE_ROOM, and the size it pretends to have. */
struct hostile {
    unsigned char *bytes;
    uint64_t size;      /* of the file's bytes that exist */
    uint64_t file_size; /* as fstat() reports; reads beyond min(both) are short, or zeros while below it */
    size_t next;        /* edit to be applied next */
    unsigned phase;     /* which phase has been reached */
};

/* Split an input; always succeeds (short inputs are empty programs). */
void program_read(struct program *p, const uint8_t *data, size_t n);

/* Put the base into h and apply the edits before the first PHASE. */
void program_start(const struct program *p, struct hostile *h);

/* Something was read or done: apply the edits whose turn has come. */
void program_step(const struct program *p, struct hostile *h);

#endif
