/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kinds_read.c - kinds of events by number, which is where their record is. Each is read and checked once, and kept.
 * A segment that is damaged on purpose could name endlessly many: when they take too much memory, all are forgotten.
 */
#include <stdlib.h>
#include <string.h>

#include "drain_inside.h"

enum { SLOTS_FIRST = 256, BYTES_MOST = 16 << 20 };

struct known {
    uint32_t number;
    struct metrics__kind_texts texts;
};
struct metrics__kind_cache {
    struct metrics__pool pool;
    struct known **slots; /* open addressing, at most half full */
    size_t mask, used, bytes;
};

struct metrics__kind_cache *metrics__kind_cache_new(void)
{
    struct metrics__kind_cache *c = calloc(1, sizeof *c);
    if (!c) return NULL;
    c->slots = calloc(SLOTS_FIRST, sizeof *c->slots);
    c->mask = SLOTS_FIRST - 1;
    if (c->slots) return c;
    free(c);
    return NULL;
}

void metrics__kind_cache_free(struct metrics__kind_cache *c)
{
    if (!c) return;
    metrics__pool_free(&c->pool);
    free(c->slots);
    free(c);
}

static struct known **slot_of(struct known **slots, size_t mask, uint32_t number)
{
    size_t i = (number * UINT64_C(0x9e3779b97f4a7c15)) >> 32 & mask;
    while (slots[i] && slots[i]->number != number) i = (i + 1) & mask;
    return &slots[i];
}

static void forget_all(struct metrics__kind_cache *c)
{
    metrics__pool_free(&c->pool);
    memset(&c->pool, 0, sizeof c->pool);
    memset(c->slots, 0, (c->mask + 1) * sizeof *c->slots);
    c->used = c->bytes = 0;
}

static bool grow(struct metrics__kind_cache *c)
{
    size_t mask = c->mask * 2 + 1;
    struct known **slots = calloc(mask + 1, sizeof *slots);
    if (!slots) return false;
    for (size_t i = 0; i <= c->mask; i++)
        if (c->slots[i]) *slot_of(slots, mask, c->slots[i]->number) = c->slots[i];
    free(c->slots);
    c->slots = slots;
    c->mask = mask;
    return true;
}

/* Is the record whole, inside the arena, of a kind of event, and does its hash say that its key is its own? */
static bool is_kind(const struct metrics_reader *r, uint64_t offset, const struct segment_record *rec)
{
    return rec->type == RECORD_EVENT && rec->key_length >= 3 && rec->key_length <= METRICS__EVENT_KEY_MOST &&
           rec->key_length <= r->end - offset - RECORD_KEY;
}

static const struct metrics__kind_texts *remember(struct metrics__kind_cache *c, uint32_t number,
                                                  const char *key, size_t n)
{
    if (c->bytes > BYTES_MOST) forget_all(c);
    if (c->used * 2 >= c->mask && !grow(c)) return NULL;
    struct known *k = metrics__pool_take(&c->pool, sizeof *k);
    char *copy = metrics__pool_text(&c->pool, key, n);
    if (!k || !copy || !metrics__kind_split(&k->texts, copy, n)) return NULL;
    k->number = number;
    *slot_of(c->slots, c->mask, number) = k;
    c->used++;
    c->bytes += sizeof *k + n;
    return &k->texts;
}

static const struct metrics__kind_texts *read_kind(struct metrics_events *e, uint32_t number)
{
    struct metrics_reader *r = e->r;
    struct metrics__kind_texts texts;
    struct segment_record rec;
    char key[METRICS__EVENT_KEY_MOST];
    uint64_t offset = (uint64_t)number * SEGMENT_ALIGN;
    if (offset < SEGMENT_ARENA || offset > r->end || r->end - offset < RECORD_KEY) return NULL;
    if (view_read(&r->view, offset, &rec, sizeof rec) || !is_kind(r, offset, &rec)) return NULL;
    if (view_read(&r->view, offset + RECORD_KEY, key, rec.key_length)) return NULL;
    if (view_hash(key, rec.key_length) != rec.hash || !metrics__kind_split(&texts, key, rec.key_length))
        return NULL;
    return texts.class == rec.kind ? remember(e->kinds, number, key, rec.key_length) : NULL;
}

const struct metrics__kind_texts *metrics__kind_find(struct metrics_events *e, uint32_t number)
{
    const struct known *k = *slot_of(e->kinds->slots, e->kinds->mask, number);
    return k ? &k->texts : read_kind(e, number);
}
