/* SPDX-License-Identifier: Apache-2.0 */
#include "edit.h"

#include <math.h>
#include <string.h>

#include "format.h"

/* --- Fields --- */

struct field {
    uint16_t offset;
    uint8_t size, count;
};
#define FIELD(TYPE, NAME)                                  \
    {                                                      \
        offsetof(TYPE, NAME), sizeof(((TYPE *)0)->NAME), 1 \
    }
#define FIELDS(TYPE, NAME, COUNT)                                 \
    {                                                             \
        offsetof(TYPE, NAME), sizeof(((TYPE *)0)->NAME[0]), COUNT \
    }

static const struct field head_fields[] = {
    FIELDS(struct segment_header, magic, 8),
    FIELD(struct segment_header, major),
    FIELD(struct segment_header, minor),
    FIELD(struct segment_header, byte_order),
    FIELD(struct segment_header, header_size),
    FIELD(struct segment_header, page_size),
    FIELD(struct segment_header, size),
    FIELD(struct segment_header, incarnation),
    FIELD(struct segment_header, created_wall),
    FIELD(struct segment_header, created_monotonic),
    FIELD(struct segment_header, lanes_cpu),
    FIELD(struct segment_header, lanes_atomic),
    FIELD(struct segment_header, slots),
    FIELD(struct segment_header, family_series),
    FIELD(struct segment_header, features),
    FIELD(struct segment_header, checksum),
    FIELD(struct segment_header, arena_next),
    FIELD(struct segment_header, populated),
    FIELDS(struct segment_header, level, SEGMENT_INDEX_LEVELS),
    FIELDS(struct segment_header, cell_cursor, 2),
    FIELD(struct segment_header, group_cursor),
    FIELD(struct segment_header, records),
    FIELD(struct segment_header, refusals),
    FIELD(struct segment_header, clock),
    FIELD(struct segment_header, epoch),
    FIELD(struct segment_header, logged),
    FIELD(struct segment_header, fold),
    FIELDS(struct segment_header, fold_time, 2),
    FIELD(struct segment_header, closed_time),
    FIELD(struct segment_header, sweep),
    FIELD(struct segment_header, exported),
    FIELD(struct segment_header, pending_from),
    FIELDS(struct segment_header, slot_block, SEGMENT_SLOT_BLOCKS),
};
static const struct field record_fields[] = {
    FIELD(struct segment_record, length),  FIELD(struct segment_record, type),
    FIELD(struct segment_record, kind),    FIELD(struct segment_record, flags),
    FIELD(struct segment_record, hash),    FIELD(struct segment_record, created),
    FIELD(struct segment_record, link),    FIELDS(struct segment_record, storage, 2),
    FIELD(struct segment_record, state),   FIELD(struct segment_record, key_length),
    FIELD(struct segment_record, payload), FIELD(struct segment_record, payload_length),
};
#define SETTING(NAME)                                                                                 \
    {                                                                                                 \
        offsetof(struct metrics__family_record, settings) + offsetof(struct metrics__settings, NAME), \
            sizeof(((struct metrics__settings *)0)->NAME), 1                                          \
    }
static const struct field family_fields[] = {
    FIELD(struct metrics__family_record, kind),
    FIELD(struct metrics__family_record, series),
    FIELD(struct metrics__family_record, overflow),
    FIELD(struct metrics__family_record, text),
    SETTING(merge),
    SETTING(persistent),
    SETTING(reservoir),
    SETTING(scale),
    SETTING(samples),
    SETTING(alpha),
    SETTING(window_s),
    SETTING(low),
    SETTING(high),
    SETTING(bound_count),
    SETTING(series_limit),
    {offsetof(struct metrics__family_record, bounds), 8, 3},
};
static const struct field group_fields[] = {
    FIELDS(struct segment_group, ticket, SEGMENT_GROUP_GAUGES),
    FIELDS(struct segment_group, block, SEGMENT_SLOT_BLOCKS),
    FIELD(struct segment_group, older),
};
static const struct field slot_fields[] = {
    FIELD(struct segment_slot, token),     FIELD(struct segment_slot, started),
    FIELD(struct segment_slot, polled),    FIELD(struct segment_slot, pid),
    FIELDS(struct segment_slot, name, 16),
};
#define LENGTH(ARRAY) (sizeof(ARRAY) / sizeof *(ARRAY))

/* --- Values --- */

static uint64_t peek(const struct hostile *h, uint64_t at, unsigned size)
{
    uint64_t v = 0;
    if (at <= h->size && size <= h->size - at) memcpy(&v, h->bytes + at, size);
    return v;
}
static void poke(struct hostile *h, uint64_t at, uint64_t v, unsigned size)
{
    if (at <= h->size && size <= h->size - at) memcpy(h->bytes + at, &v, size);
}

static uint64_t double_bits(double x)
{
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

/* Numbers that have hurt programs before. */
static uint64_t special(const struct hostile *h, uint64_t i)
{
    const uint64_t table[] = {
        0,
        1,
        7,
        8,
        63,
        64,
        65,
        255,
        256,
        4095,
        4096,
        20479,
        20480,
        65535,
        65536,
        INT32_MAX,
        UINT32_MAX,
        UINT64_C(1) << 32,
        UINT64_C(0xffffffffffff),
        INT64_MAX,
        (uint64_t)INT64_MIN,
        UINT64_MAX,
        UINT64_MAX - 63,
        h->size,
        h->size - 1,
        h->size - 8,
        h->size - 64,
        h->size + 64,
        double_bits(NAN),
        double_bits(INFINITY),
        double_bits(-INFINITY),
        double_bits(-1),
        double_bits(1e308),
        double_bits(5e-324),
        UINT64_C(1) << 40,
        SEGMENT_INDEX0,
        SEGMENT_REFUSALS,
    };
    return table[i % LENGTH(table)];
}

static uint64_t value_of(const struct program *p, const struct hostile *h, const struct edit *e, uint64_t old)
{
    const struct base *b = p->base;
    int64_t near = (int8_t)e->extra;
    switch (e->mode % 8) {
    case 0: return e->value;
    case 1: return old + (uint64_t)(int64_t)(int16_t)e->value;
    case 2: return old ^ e->value;
    case 3: return b->records[e->value % b->count] + (uint64_t)near;
    case 4: return h->size + (uint64_t)near * 8;
    case 5: return peek(h, offsetof(struct segment_header, arena_next), 8) + (uint64_t)near * 8;
    case 6: return special(h, e->value);
    default:
        return peek(h, b->records[e->value % b->count] + 32 + 8 * (e->value >> 32 & 1), 8) + (uint64_t)near;
    }
}

static void edit_at(const struct program *p, struct hostile *h, const struct edit *e, uint64_t at,
                    unsigned size)
{
    poke(h, at, value_of(p, h, e, peek(h, at, size)), size);
}

static void edit_field(const struct program *p, struct hostile *h, const struct edit *e,
                       const struct field *fields, size_t n, uint64_t from)
{
    const struct field *f = &fields[e->field % n];
    edit_at(p, h, e, from + f->offset + (uint64_t)(e->index >> 8) % f->count * f->size, f->size);
}

/* --- Operations --- */

static uint64_t record_of(const struct program *p, const struct edit *e)
{
    return p->base->records[e->index % 256 % p->base->count];
}

static uint64_t payload_of(const struct hostile *h, uint64_t record)
{
    return record + (uint32_t)peek(h, record + offsetof(struct segment_record, payload), 4);
}

/* What a hostile writer would do: a key of its own choice, with the hash and the place in the index right. */
static void enter_again(const struct program *p, struct hostile *h, const struct edit *e)
{
    size_t i = e->index % 256 % p->base->count;
    uint64_t record = p->base->records[i];
    uint64_t n = peek(h, record + offsetof(struct segment_record, key_length), 4);
    if (n > h->size - record - RECORD_KEY) return;
    uint64_t hash = base_hash(h->bytes + record + RECORD_KEY, n);
    poke(h, record + offsetof(struct segment_record, hash), hash, 8);
    poke(h, p->base->entries[i], (hash >> 48) << 48 | record, 8);
}

static void edit_key(const struct program *p, struct hostile *h, const struct edit *e)
{
    uint64_t record = record_of(p, e), n = peek(h, record + offsetof(struct segment_record, key_length), 4);
    poke(h, record + RECORD_KEY + (e->index >> 8) % (n ? n : 1), e->value, 1 + e->extra % 8);
    if (!(e->field & 1)) enter_again(p, h, e);
}

static void edit_block(const struct program *p, struct hostile *h, const struct edit *e, unsigned storage)
{
    uint64_t at = peek(h, record_of(p, e) + offsetof(struct segment_record, storage) + 8 * storage, 8);
    edit_at(p, h, e, at + (uint64_t)(e->index >> 8) * 8 + (uint64_t)(e->field & 3) * 2048, 8);
}

static void edit_copy(const struct program *p, struct hostile *h, const struct edit *e)
{
    uint64_t from = record_of(p, e), to = p->base->records[e->value % p->base->count];
    size_t n = 64 + (size_t)e->extra;
    if (from + n <= h->size && to + n <= h->size) memmove(h->bytes + to, h->bytes + from, n);
}

static void edit_entry(const struct program *p, struct hostile *h, const struct edit *e)
{
    uint64_t at = p->base->entries[e->index % 256 % p->base->count];
    if (e->field & 1) at += (uint64_t)(int8_t)(e->index >> 8) * 8; /* beside it, in its line or the next */
    uint64_t to = p->base->records[e->value % p->base->count];
    if (e->field & 2)
        poke(h, at,
             peek(h, to + offsetof(struct segment_record, hash), 8) >> 48 << 48 | (to + (int8_t)e->extra), 8);
    else
        edit_at(p, h, e, at, 8);
}

static void edit_size(const struct program *p, struct hostile *h, const struct edit *e)
{
    h->file_size = value_of(p, h, e, h->file_size) & ((UINT64_C(1) << 41) - 1);
    if (e->field & 1) poke(h, offsetof(struct segment_header, size), h->file_size, 8);
}

static void apply(const struct program *p, struct hostile *h, const struct edit *e)
{
    switch (e->op % 16) {
    case 0: edit_field(p, h, e, head_fields, LENGTH(head_fields), 0); break;
    case 1:
    case 2: edit_field(p, h, e, record_fields, LENGTH(record_fields), record_of(p, e)); break;
    case 3:
    case 4: edit_field(p, h, e, family_fields, LENGTH(family_fields), payload_of(h, record_of(p, e))); break;
    case 5: edit_entry(p, h, e); break;
    case 6: edit_key(p, h, e); break;
    case 7: {
        uint64_t group = peek(h, offsetof(struct segment_header, group_cursor), 8) & ~UINT64_C(63);
        edit_field(p, h, e, group_fields, LENGTH(group_fields), group);
        break;
    }
    case 8: {
        uint64_t block = peek(h, offsetof(struct segment_header, slot_block), 8);
        edit_field(p, h, e, slot_fields, LENGTH(slot_fields), block + (e->index & 3) * 64);
        break;
    }
    case 9: edit_block(p, h, e, 0); break;
    case 10: edit_block(p, h, e, 1); break;
    case 11: edit_copy(p, h, e); break;
    case 12: edit_size(p, h, e); break;
    case 13: edit_at(p, h, e, (uint64_t)e->index * 8 + (e->extra & 7), 1u << (e->field & 3)); break;
    case 14: {
        uint64_t family = payload_of(h, record_of(p, e));
        uint64_t text = peek(h, family + offsetof(struct metrics__family_record, text), 8);
        poke(h, payload_of(h, text) + (e->index >> 8) % 32, e->value, 1 + e->extra % 8);
        break;
    }
    default: break; /* PHASE: see advance() */
    }
}

/* --- Programs --- */

void program_read(struct program *p, const uint8_t *data, size_t n)
{
    *p = (struct program){.base = base_get(n ? data[0] : 0), .flags = n > 1 ? data[1] : 0};
    if (n <= EDIT_SCRIPT_AT) return;
    size_t script = data[2], left = n - EDIT_SCRIPT_AT;
    p->script = data + EDIT_SCRIPT_AT;
    p->script_length = script < left ? script : left;
    p->edits = p->script + p->script_length;
    p->count = (left - p->script_length) / EDIT_BYTES;
    if (p->count > EDIT_MAX) p->count = EDIT_MAX;
}

static struct edit edit_read(const struct program *p, size_t i)
{
    const uint8_t *at = p->edits + i * EDIT_BYTES;
    struct edit e = {.op = at[0], .field = at[1], .mode = at[2], .extra = at[3]};
    memcpy(&e.index, at + 4, sizeof e.index);
    memcpy(&e.value, at + 6, sizeof e.value);
    return e;
}

/* Until the next PHASE whose time has not come. */
static void advance(const struct program *p, struct hostile *h)
{
    for (; h->next < p->count; h->next++) {
        struct edit e = edit_read(p, h->next);
        if (e.op % 16 == 15 && e.value % EDIT_PHASES > h->phase) return;
        apply(p, h, &e);
    }
}

void program_start(const struct program *p, struct hostile *h)
{
    memcpy(h->bytes, p->base->bytes, p->base->size);
    h->size = h->file_size = p->base->size;
    h->next = 0;
    h->phase = 0;
    advance(p, h);
    if (!(p->flags & EDIT_UNSEALED)) base_seal(h->bytes);
}

void program_step(const struct program *p, struct hostile *h)
{
    h->phase++;
    if (h->next < p->count) advance(p, h);
}
