/* SPDX-License-Identifier: Apache-2.0 */
/* haul.c - the memory of one take: bytes of records, and where each is; what the rings lost. */
#include <stdlib.h>
#include <string.h>

#include "drain_inside.h"

static void *more(struct metrics_events *e, void *have, size_t *room, size_t need, size_t each)
{
    if (need <= *room) return have;
    size_t n = *room + *room / 2 > need ? *room + *room / 2 : need;
    void *bytes = realloc(have, n * each);
    if (bytes)
        *room = n;
    else
        e->r->trouble = METRICS__NO_MEMORY;
    return bytes;
}

unsigned char *metrics__haul_bytes(struct metrics_events *e, size_t n)
{
    struct metrics__haul *h = &e->haul;
    unsigned char *bytes = more(e, h->bytes, &h->room, h->used + n, 1);
    if (!bytes) return NULL;
    h->bytes = bytes;
    h->used += n;
    return bytes + h->used - n;
}

bool metrics__haul_record(struct metrics_events *e, size_t at, uint32_t size, uint32_t lane)
{
    struct segment_event head;
    struct metrics__haul *h = &e->haul;
    struct metrics__taken *records = more(e, h->records, &h->record_room, h->count + 1, sizeof *records);
    if (!records) return false;
    h->records = records;
    memcpy(&head, h->bytes + at, sizeof head);
    h->records[h->count++] = (struct metrics__taken){head.time, at, size, lane};
    return true;
}

void metrics__events_losses(struct metrics_events *e, const struct segment_ring *ring)
{
    for (unsigned i = 1; i < METRICS_EVENT_TYPES; i++) {
        e->stats.dropped[i] += ring->dropped[i];
        e->stats.refused[i] += ring->refused[i];
    }
}
