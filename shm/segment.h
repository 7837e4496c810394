/* SPDX-License-Identifier: Apache-2.0 */
/*
 * segment.h - a segment as a writer has it: the mapped file, its arena, and what this process knows of it.
 *
 * Everything below is thread-safe and process-safe unless it says otherwise. Calls marked [S] are
 * async-signal-safe and leave errno alone. Offsets read from the segment are checked before use: another
 * process wrote them. What is checked is read once, into private memory: whoever may write the file may
 * change it between a check and a use. So a segment that is damaged on purpose gives wrong numbers at worst;
 * nothing outside the mapping is read or written. (Making the file shorter is beyond that: SIGBUS. The mode
 * prevents it.)
 */
#ifndef METRICS_SHM_SEGMENT_H
#define METRICS_SHM_SEGMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <mtx/error.h>

#include "atomic.h"
#include "layout.h"
#include "restart.h"

struct segment_options {
    const char *path;
    uint64_t size; /* bytes, a multiple of SEGMENT_PAGE */
    bool existing; /* never create */
    bool reset;    /* replace an existing segment if nobody else is attached */
    uint32_t mode; /* permission bits of a new file */
    bool group_given, owner_given;
    gid_t group;
    uid_t owner;
    uint32_t slots;
    uint32_t family_series;
    uint32_t lanes; /* 0 = highest online CPU + 1 */
    bool preallocate;
    bool world_writable; /* accept a file that everybody may write */
};

typedef struct segment {
    unsigned char *base;
    struct segment_header *head; /* == base */
    uint64_t size;
    /* Checked copies of the header's constants: those in the file may change at any moment. */
    uint32_t lanes_cpu, lanes_atomic, slots, family_series;
    uint64_t time_offset;     /* CLOCK_MONOTONIC - time_offset = segment time */
    struct restart_here here; /* what decides about the CPU lanes */
    char *path;
    int fd; /* the host may have closed it: never use without segment_fd() */
    dev_t dev;
    ino_t ino;
    _Alignas(16) mem_pair_t spare; /* a block that lost its race, for the next allocation (arena.c) */
    uint32_t closed;               /* 1 = mapping replaced by private memory: everything is a no-op */
    char warning[160];             /* why it works less well than it could, or "" */
    /* This process's slot (slot.c). Claimed and released under slot.c's lock; read without it (ORD-15). */
    uint64_t slot_claim;  /* token of the process that claims or has claimed */
    uint64_t slot_ready;  /* token of the process for which `slot` holds */
    uint64_t slot_again;  /* token of the process one of whose threads tries once more, or 0 */
    int32_t slot;         /* -1 = none was left */
    void *slot_page;      /* the mapping that keeps the lock's file description; NULL: a weak slot */
    bool slot_stays_weak; /* the file system drops the lock with its descriptor: nothing to gain */
} segment_t;

/* [S] Has segment_close() begun? */
bool segment_closed(const segment_t *seg);

/* A descriptor of the segment's file, or -1 if the host has closed it (and perhaps reused its number). */
int segment_fd(const segment_t *seg);

/* [S] Nanoseconds since the segment was created. */
uint64_t segment_now(const segment_t *seg);

/* [S] Count something that was not recorded; `name`, if not NULL, also goes into the ring of refusals. */
void segment_lose(segment_t *seg, enum segment_loss reason, const char *name, size_t length);

/* [S] The address of n bytes at an offset, part of the mapping; NULL if they are not inside the arena. */
static inline void *segment_at(const segment_t *seg, uint64_t offset, uint64_t n)
{
    if (offset < SEGMENT_ARENA || offset > seg->size || n > seg->size - offset) return NULL;
    return seg->base + offset;
}

/* --- attach.c --- */

/*
 * Create or attach. *out is NULL on error and *error (never NULL) says why. The caller owns it and ends it
 * with segment_close(). Not async-signal-safe.
 */
int segment_open(segment_t **out, const struct segment_options *options, metrics_error_t *error);

/*
 * Replace the mapping by private memory at the same addresses, which lets go of every lock at once, and turns
 * updates that are under way in other threads into writes that nobody sees. The struct stays valid for ever.
 */
void segment_close(segment_t *seg);

/* --- arena.c --- */

/*
 * [S] Allocate a zero-filled block of size bytes, aligned to SEGMENT_ALIGN, with memory behind it (ORD-4).
 * Returns its offset, or 0 if the segment or its file system is full. Never raises SIGBUS.
 */
uint64_t arena_alloc(segment_t *seg, uint64_t size);

/* [S] Hand back a block that nothing refers to. It is zeroed and used for a later allocation, or lost. */
void arena_return(segment_t *seg, uint64_t offset, uint64_t size);

/* [S] Map the pages of a block into this process now, so that the first update does not fault. */
void arena_touch(const segment_t *seg, uint64_t offset, uint64_t size);

/* Give memory to [0, end). 0, or -1 if there is none. [S] but for kernels before 5.14. */
int arena_populate(segment_t *seg, uint64_t end);

/* --- index.c --- */

/* The hash that is part of the format: XXH3_64bits, seed 0. [S] */
uint64_t index_hash(const void *key, size_t length);

/* [S] The record at an offset if it is whole and inside the arena, else NULL. */
struct segment_record *record_at(const segment_t *seg, uint64_t offset);
/* [S] n bytes of its key; n bytes of its payload. NULL if they are not inside the arena (any more). */
static inline unsigned char *record_key(const segment_t *seg, const struct segment_record *r, uint64_t n)
{
    return segment_at(seg, (uint64_t)((const unsigned char *)r - seg->base) + RECORD_KEY, n);
}
static inline void *record_payload(const segment_t *seg, const struct segment_record *r, uint64_t n)
{
    uint32_t at = mem_load32(&r->payload); /* ORD-16 */
    return at % 8 ? NULL : segment_at(seg, (uint64_t)((const unsigned char *)r - seg->base) + at, n);
}

/*
 * A new record, not yet in the index: head, key and a zeroed payload of payload_length bytes. Returns its
 * offset or 0 when full. The caller fills in the payload and link, then calls index_insert() or
 * arena_return(offset, length).
 */
uint64_t record_new(segment_t *seg, uint8_t type, uint8_t kind, const void *key, size_t key_length,
                    size_t payload_length);

/* [S] Offset of the record with that key, or 0. */
uint64_t index_find(const segment_t *seg, const void *key, size_t length, uint64_t hash);

/*
 * Publish the record (ORD-2). Returns its offset, or that of the one that was there first (the caller returns
 * its own block), or 0 if the index cannot grow.
 */
uint64_t index_insert(segment_t *seg, uint64_t offset);

/*
 * [S] Readers keep a catalog and walk the index only when header.records moves. So a process that begins to
 * work with a record counts it there, unless RECORD_ANNOUNCED says that this was done since its last change:
 * the process that made the change may have been killed before it could count it. At most twice for one
 * change; lock-free.
 */
void record_announce(segment_t *seg, struct segment_record *r);

/* [S] Set or clear RECORD_RETIRED, and announce it. The last of several that do so at once wins. */
void record_retire(segment_t *seg, struct segment_record *r, bool retired);

/*
 * Set a record's storage[i] to offset unless it is set already (ORD-3); returns what holds now. The caller
 * returns its block if it is not that.
 */
uint64_t record_set_storage(struct segment_record *r, int i, uint64_t offset);

/* --- lane.c --- */

struct metrics__cells;

/* A place for that many cells in all lanes, zeroed. Offset or 0 when full. */
uint64_t lane_place(segment_t *seg, uint64_t cells);

/*
 * Fill in the caller's *out, a handle's first line, for a place. 0, or -1 if it is not inside the arena. Without CPU
 * lanes where the kernel must not be trusted with them (restart.h). That is decided for each handle anew, and holds
 * for it: a handle that was bound before a test has passed stays with the atomic lanes.
 */
int lane_bind(const segment_t *seg, uint64_t place, uint64_t cells, struct metrics__cells *out);

/* [S] Which atomic lane this thread uses. */
unsigned lane_stripe(const struct metrics__cells *c);

/* --- slot.c --- */

/*
 * [S] This process's slot; claimed at the first call, and anew after a fork. -1 = none was left (the caller
 * counts a loss).
 */
int slot_self(segment_t *seg);
/*
 * Try once more after such a failure; and make a weak slot (one whose lock falls when the process closes any
 * descriptor of the file, as is all that can be had without free descriptors) a firm one, or hold its lock again if
 * it has fallen. True: the process has another slot now, so addresses of the old one's pairs are void.
 */
bool slot_claim_again(segment_t *seg);
/* Give up this process's slot for good; called by segment_close(), after which no claim succeeds. */
void slot_release(segment_t *seg);
/* The record of a slot in the segment, allocated if need be; NULL when full or damaged. */
struct segment_slot *slot_record(segment_t *seg, int slot);

/* [S] Does the process's slot, which slot_self() gave, stay its own until the process ends? */
static inline bool slot_is_firm(const segment_t *seg)
{
    return seg->slot_page != NULL;
}

/* A place for one gauge: offset of its group | index; 0 when full. */
uint64_t group_place(segment_t *seg);
/* [S] The pair of a gauge in a slot, allocated if need be; NULL when full or damaged. */
struct segment_pair *group_pair(segment_t *seg, uint64_t place, int slot);
/* The gauge's latest ticket, a word in the segment; NULL when damaged. */
uint64_t *group_ticket(const segment_t *seg, uint64_t place);

#endif
