/* SPDX-License-Identifier: Apache-2.0 */
/*
 * index.c - find or insert a record by key, lock-free.
 *
 * Lines of eight entries in levels that grow by eight: see INDEX in layout.h. Both find and insert walk the
 * same entries in the same order and stop at the first empty one, and entries never change once set; so two
 * inserters of one key meet at the same entry, where one CAS decides, and the loser reads the winner's
 * record.
 */
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "atomic.h"
#include "segment.h"

#define ENTRY_OFFSET (UINT64_C(0xffffffffffff))

uint64_t index_hash(const void *key, size_t length)
{
    return XXH3_64bits(key, length);
}

struct segment_record *record_at(const segment_t *seg, uint64_t offset)
{
    struct segment_record *r = segment_at(seg, offset, RECORD_KEY);
    if (!r || offset % SEGMENT_ALIGN || r->length < RECORD_KEY || !segment_at(seg, offset, r->length))
        return NULL;
    if (r->key_length > r->length - RECORD_KEY) return NULL;
    if (r->payload % 8 || r->payload > r->length || r->payload_length > r->length - r->payload) return NULL;
    return r;
}

uint64_t record_new(segment_t *seg, uint8_t type, uint8_t kind, const void *key, size_t key_length,
                    size_t payload_length)
{
    uint64_t payload = layout_round_up(RECORD_KEY + key_length, 8);
    uint64_t length = layout_round_up(payload + payload_length, SEGMENT_ALIGN);
    uint64_t offset = arena_alloc(seg, length);
    struct segment_record *r = offset ? segment_at(seg, offset, length) : NULL;
    if (!r) return 0;
    r->length = (uint32_t)length;
    r->type = type;
    r->kind = kind;
    r->hash = index_hash(key, key_length);
    r->created = segment_now(seg);
    r->key_length = (uint32_t)key_length;
    r->payload = (uint32_t)payload;
    r->payload_length = (uint32_t)payload_length;
    memcpy((unsigned char *)r + RECORD_KEY, key, key_length);
    return offset;
}

static bool is_key(const segment_t *seg, uint64_t entry, const void *key, size_t length, uint64_t hash)
{
    if (entry >> 48 != hash >> 48) return false;
    const struct segment_record *r = record_at(seg, entry & ENTRY_OFFSET);
    const unsigned char *own = r ? record_key(seg, r, length) : NULL;
    return own && r->hash == hash && r->key_length == length && !memcmp(own, key, length);
}

/* The key's line in a level, or NULL while there is no such level. */
static uint64_t *line_of(const segment_t *seg, unsigned level, uint64_t hash)
{
    uint64_t entries = layout_level_entries(level);
    uint64_t at = level ? mem_load_acquire(&seg->head->level[level]) : SEGMENT_INDEX0; /* ORD-2 */
    if (!at || at > seg->size || entries * 8 > seg->size - at || at % 8) return NULL;
    return (uint64_t *)(seg->base + at) + hash % (entries / SEGMENT_INDEX_LINE) * SEGMENT_INDEX_LINE;
}

uint64_t index_find(const segment_t *seg, const void *key, size_t length, uint64_t hash)
{
    for (unsigned level = 0; level < SEGMENT_INDEX_LEVELS; level++) {
        const uint64_t *line = line_of(seg, level, hash);
        if (!line) return 0;
        for (int i = 0; i < SEGMENT_INDEX_LINE; i++) {
            uint64_t entry = mem_load_acquire(&line[i]); /* ORD-2 */
            if (!entry) return 0;
            if (is_key(seg, entry, key, length, hash)) return entry & ENTRY_OFFSET;
        }
    }
    return 0;
}

static bool add_level(segment_t *seg, unsigned level)
{
    uint64_t bytes = layout_level_entries(level) * 8;
    uint64_t at = arena_alloc(seg, bytes), none = 0;
    if (!at) return mem_load_acquire(&seg->head->level[level]) != 0;
    if (!mem_cas(&seg->head->level[level], &none, at)) arena_return(seg, at, bytes); /* ORD-2 */
    return true;
}

/* What index_insert() looks for: our record's key and offset. */
struct inserting {
    uint64_t offset, length, hash;
    const unsigned char *key;
};

/* The offset of our record, or of one with the same key that was there first; 0 = the line is full. */
static uint64_t insert_in_line(segment_t *seg, uint64_t *line, const struct inserting *our)
{
    for (int i = 0; i < SEGMENT_INDEX_LINE; i++) {
        uint64_t entry = mem_load_acquire(&line[i]);                                  /* ORD-2 */
        if (!entry && mem_cas(&line[i], &entry, our->hash >> 48 << 48 | our->offset)) /* ORD-2 */
            return our->offset;
        if (is_key(seg, entry, our->key, our->length, our->hash)) return entry & ENTRY_OFFSET;
    }
    return 0;
}

uint64_t index_insert(segment_t *seg, uint64_t offset)
{
    struct segment_record *r = record_at(seg, offset);
    if (!r) return 0;
    struct inserting our = {offset, mem_load32(&r->key_length), mem_load(&r->hash), NULL}; /* ORD-16 */
    our.key = record_key(seg, r, our.length);
    for (unsigned level = 0; our.key && level < SEGMENT_INDEX_LEVELS; level++) {
        uint64_t *line = line_of(seg, level, our.hash);
        if (!line && add_level(seg, level)) line = line_of(seg, level, our.hash);
        if (!line) return 0;
        uint64_t found = insert_in_line(seg, line, &our);
        if (found == offset) record_announce(seg, r);
        if (found) return found;
    }
    return 0;
}

void record_announce(segment_t *seg, struct segment_record *r)
{
    uint32_t state = mem_load32(&r->state); /* ORD-2 */
    if (state & RECORD_ANNOUNCED) return;
    mem_add_release(&seg->head->records, 1); /* ORD-2: who sees it finds the entry and the state */
    mem_cas32(&r->state, &state, state | RECORD_ANNOUNCED);
}

void record_retire(segment_t *seg, struct segment_record *r, bool retired)
{
    uint32_t state = mem_load32(&r->state), next; /* ORD-2 */
    while (!!(state & RECORD_RETIRED) != retired) {
        next = (state & ~(uint32_t)(RECORD_RETIRED | RECORD_ANNOUNCED)) + RECORD_CHANGE;
        if (mem_cas32(&r->state, &state, next | (retired ? RECORD_RETIRED : 0))) break; /* ORD-2 */
    }
    record_announce(seg, r);
}

uint64_t record_set_storage(struct segment_record *r, int i, uint64_t offset)
{
    uint64_t now = 0;
    return mem_cas(&r->storage[i], &now, offset) ? offset : now; /* ORD-3 */
}
