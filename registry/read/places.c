/* SPDX-License-Identifier: Apache-2.0 */
#include "places.h"

#include <stdlib.h>

const struct segment_record *metrics__record_in(struct metrics_reader *r, struct metrics__window *w,
                                                uint64_t offset, uint64_t *have)
{
    if (offset % SEGMENT_ALIGN || offset >= r->end) return NULL;
    uint64_t left = r->end - offset;
    *have = left < METRICS__RECORD_MOST ? left : METRICS__RECORD_MOST;
    const struct segment_record *rec =
        *have < RECORD_KEY ? NULL : metrics__arena_at(r, w, offset, *have, METRICS__WINDOW);
    if (!rec || rec->length < RECORD_KEY || rec->length > left) return NULL;
    if (rec->key_length > rec->length - RECORD_KEY || rec->payload % 8 || rec->payload > rec->length ||
        rec->payload_length > rec->length - rec->payload)
        return NULL;
    return rec;
}

/* --- The catalog's table --- */

/*
 * An entry of the table is 8 bits of the offset's hash << 24 | its number + 1 << 1 | is it a family: small,
 * and so that most of the others are passed over without a look at them. An index has fewer entries than
 * there are numbers.
 */
enum { NUMBERS = 1 << 23 };
_Static_assert(SEGMENT_INDEX_LEVELS == 5 && SEGMENT_INDEX0_ENTRIES == 1024 && SEGMENT_INDEX_GROWTH == 8,
               "all entries of the index can be numbered");

static uint64_t hash_offset(uint64_t offset)
{
    return offset / SEGMENT_ALIGN * UINT64_C(0x9e3779b97f4a7c15);
}

static uint64_t offset_of(const struct metrics__catalog *c, uint32_t word)
{
    size_t n = metrics__slot_number(word);
    return metrics__slot_is_family(word) ? c->families[n]->offset : c->series[n]->offset;
}

static uint32_t *slot_of(const struct metrics__catalog *c, uint32_t *table, size_t room, uint64_t offset)
{
    uint64_t hash = hash_offset(offset);
    size_t i = (size_t)(hash >> 24) & (room - 1);
    for (; table[i]; i = (i + 1) & (room - 1))
        if (table[i] >> 24 == hash >> 56 && offset_of(c, table[i]) == offset) break;
    return &table[i];
}

uint32_t metrics__catalog_known(const struct metrics__catalog *c, uint64_t offset)
{
    return c->table_room ? *slot_of(c, c->table, c->table_room, offset) : 0;
}

/* Room for one more; at most three quarters are used. */
static bool make_table_room(struct metrics__catalog *c)
{
    if (c->table_used < c->table_room / 4 * 3) return true;
    size_t room = c->table_room ? c->table_room * 2 : 64;
    uint32_t *table = calloc(room, sizeof *table);
    if (!table) return false;
    for (size_t i = 0; i < c->table_room; i++)
        if (c->table[i]) *slot_of(c, table, room, offset_of(c, c->table[i])) = c->table[i];
    free(c->table);
    c->table = table;
    c->table_room = room;
    return true;
}

bool metrics__catalog_enter(struct metrics__catalog *c, uint64_t offset, size_t number, bool family)
{
    if (number + 1 >= NUMBERS || !make_table_room(c)) return false;
    *slot_of(c, c->table, c->table_room, offset) =
        (uint32_t)(hash_offset(offset) >> 56 << 24 | (number + 1) << 1 | (uint64_t)family);
    c->table_used++;
    return true;
}
