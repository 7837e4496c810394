/* SPDX-License-Identifier: Apache-2.0 */
/* event_pack.c - makes a chunk from events. */
#include "event_chunk_inside.h"

#include "fnv.h"

#include <stdlib.h>

/* A kind that the chunk has; kind + 1, 0 = the slot is free. */
struct event_slot {
    uint64_t hash;
    size_t key; /* where it is in packer->keys */
    uint32_t key_size, kind;
};

/* --- Kinds --- */

static bool is_slot_of(const struct event_packer *p, const struct event_slot *s, uint64_t hash,
                       const metrics_event_t *e)
{
    return s->hash == hash && s->key_size == e->key_size &&
           !memcmp(p->keys.data + s->key, e->key, e->key_size);
}

/* That of the kind, or a free one. */
static struct event_slot *slot_of(const struct event_packer *p, uint64_t hash, const metrics_event_t *e)
{
    size_t i = hash % p->slot_count;
    while (p->slots[i].kind && !is_slot_of(p, &p->slots[i], hash, e)) i = (i + 1) % p->slot_count;
    return &p->slots[i];
}

static bool grow_slots(struct event_packer *p)
{
    size_t count = p->slot_count ? p->slot_count * 2 : 64;
    if (p->slot_count > 2 * p->kind_count) return true;
    struct event_slot *slots = calloc(count, sizeof *slots);
    if (!slots) return false;
    for (size_t i = 0; i < p->slot_count; i++) {
        size_t at = p->slots[i].hash % count;
        while (slots[at].kind) at = (at + 1) % count;
        slots[at] = p->slots[i];
    }
    free(p->slots);
    p->slots = slots;
    p->slot_count = count;
    return true;
}

static void add_kind(struct buf *out, const metrics_event_t *e)
{
    size_t from = out->len;
    uint32_t bytes = 0;
    buf_mem(out, &bytes, sizeof bytes);
    buf_char(out, (char)e->type);
    buf_char(out, (char)e->tag_count);
    buf_mem(out, e->name, strlen(e->name) + 1);
    for (size_t i = 0; i < e->tag_count; i++) {
        buf_mem(out, e->tags[i].key, strlen(e->tags[i].key) + 1);
        buf_mem(out, e->tags[i].value, strlen(e->tags[i].value) + 1);
    }
    bytes = (uint32_t)(out->len - from);
    if (buf_ok(out)) memcpy(out->data + from, &bytes, sizeof bytes);
}

static uint32_t kind_of(struct event_packer *p, const metrics_event_t *e)
{
    uint64_t hash = fnv(FNV_BEGIN, e->key, e->key_size);
    p->failed |= !grow_slots(p) || !buf_ok(&p->keys);
    if (p->failed) return 0;
    struct event_slot *slot = slot_of(p, hash, e);
    if (slot->kind) return slot->kind - 1;
    *slot = (struct event_slot){hash, p->keys.len, (uint32_t)e->key_size, (uint32_t)++p->kind_count};
    buf_mem(&p->keys, e->key, e->key_size);
    add_kind(&p->kinds, e);
    return slot->kind - 1;
}

/* --- Events --- */

void event_pack(struct event_packer *p, const metrics_event_t *e)
{
    struct buf *out = &p->records[e->type];
    size_t n = metrics_event_encode(e, NULL, 0);
    struct chunk_event head = {(uint32_t)(sizeof head + n), kind_of(p, e)};
    char *room = buf_room(out, sizeof head + n);
    if (p->failed || !room) return;
    memcpy(room, &head, sizeof head);
    metrics_event_encode(e, room + sizeof head, n);
    out->len += sizeof head + n;
    p->counts[e->type]++;
}

size_t event_packer_size(const struct event_packer *p)
{
    size_t n = 0;
    for (int type = 0; type < METRICS_EVENT_TYPES; type++) n += p->records[type].len;
    return n;
}

static void clear(struct event_packer *p)
{
    buf_reset(&p->kinds);
    buf_reset(&p->keys);
    for (int type = 0; type < METRICS_EVENT_TYPES; type++) buf_reset(&p->records[type]);
    if (p->slots) memset(p->slots, 0, p->slot_count * sizeof *p->slots);
    memset(p->counts, 0, sizeof p->counts);
    p->kind_count = 0;
    p->failed = false;
}

void event_packer_take(struct event_packer *p, struct buf *out)
{
    struct chunk_head head = {CHUNK_MAGIC, CHUNK_VERSION, (uint32_t)p->kind_count, 0};
    for (int type = 0; type < METRICS_EVENT_TYPES; type++) head.events += (uint32_t)p->counts[type];
    buf_mem(out, &head, sizeof head);
    buf_mem(out, p->kinds.data, p->kinds.len);
    bool good = !p->failed && buf_ok(&p->kinds) && buf_ok(&p->keys);
    for (int type = 0; type < METRICS_EVENT_TYPES; type++) {
        buf_mem(out, p->records[type].data, p->records[type].len);
        good = good && buf_ok(&p->records[type]);
    }
    if (!good) out->failed = true;
    clear(p);
}

void event_packer_free(struct event_packer *p)
{
    buf_free(&p->kinds);
    buf_free(&p->keys);
    for (int type = 0; type < METRICS_EVENT_TYPES; type++) buf_free(&p->records[type]);
    free(p->slots);
    *p = (struct event_packer){.kind_count = 0};
}
