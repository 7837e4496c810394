/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bytes.c - an event as bytes of its own: for an exporter's log. See docs/events.md.
 *      0 u32 size of all   4 u32 size of the key   8 u64 created_wall of the segment
 *     16 the kind's key, as in the segment, and zeros up to a multiple of 8
 *        the record, as in the ring
 */
#include <stdlib.h>
#include <string.h>

#include "decode.h"

struct head {
    uint32_t size, key_size;
    uint64_t created_wall;
};

struct metrics_event_decoder {
    struct metrics__event_room room;
    struct metrics__kind_texts kind;
    char key[METRICS__EVENT_KEY_MOST];
    _Alignas(16) unsigned char record[SEGMENT_EVENT_MOST];
};

static size_t padded(size_t n)
{
    return (n + 7) / 8 * 8;
}

size_t metrics_event_encode(const metrics_event_t *e, void *buf, size_t room)
{
    size_t key = padded(e->key_size), n = sizeof(struct head) + key + e->record_size;
    struct head head = {(uint32_t)n, (uint32_t)e->key_size, e->created_wall_ns};
    unsigned char *to = buf;
    if (n > room) return n;
    memcpy(to, &head, sizeof head);
    memset(to + sizeof head + key - (key ? 8 : 0), 0, key ? 8 : 0);
    memcpy(to + sizeof head, e->key, e->key_size);
    memcpy(to + sizeof head + key, e->record, e->record_size);
    return n;
}

metrics_event_decoder_t *metrics_event_decoder_new(void)
{
    return calloc(1, sizeof(metrics_event_decoder_t));
}

void metrics_event_decoder_free(metrics_event_decoder_t **decoder)
{
    free(*decoder);
    *decoder = NULL;
}

const metrics_event_t *metrics_event_decode(metrics_event_decoder_t *d, const void *bytes, size_t n,
                                            size_t *used)
{
    struct head head;
    const unsigned char *from = bytes;
    if (n < sizeof head) return NULL;
    memcpy(&head, from, sizeof head);
    if (head.size > n || head.key_size > sizeof d->key || head.size < sizeof head + padded(head.key_size))
        return NULL;
    size_t record = head.size - sizeof head - padded(head.key_size);
    if (record > sizeof d->record) return NULL;
    memcpy(d->key, from + sizeof head, head.key_size);
    memcpy(d->record, from + sizeof head + padded(head.key_size), record);
    if (!metrics__kind_split(&d->kind, d->key, head.key_size)) return NULL;
    if (used) *used = head.size;
    return metrics__event_of(&d->room, &d->kind, d->record, record, head.created_wall);
}
