/* SPDX-License-Identifier: Apache-2.0 */
/* events.c - open, take, and return one after the other in the order of their times. See <mtx/events_read.h>. */
#include <stdlib.h>
#include <string.h>

#include "drain_inside.h"
#include "error.h"

metrics_events_t *metrics_events_open(metrics_reader_t *r, enum metrics_events_mode mode,
                                      metrics_error_t *error)
{
    metrics_error_t dummy;
    if (!error) error = &dummy;
    memset(error, 0, sizeof *error);
    struct metrics_events *e = calloc(1, sizeof *e);
    if (e) {
        e->r = r;
        e->mode = mode;
        e->at = calloc(r->view.head.lanes_cpu + 1u, sizeof *e->at);
        e->kinds = metrics__kind_cache_new();
        e->room = malloc(sizeof *e->room);
    }
    if (e && e->at && e->kinds && e->room) return e;
    metrics__fail(error, METRICS_E_MEMORY, 0, "no memory to read the events of %s", r->view.path);
    metrics_events_close(&e);
    return NULL;
}

void metrics_events_close(metrics_events_t **events)
{
    struct metrics_events *e = *events;
    *events = NULL;
    if (!e) return;
    metrics__kind_cache_free(e->kinds);
    free(e->haul.bytes);
    free(e->haul.records);
    free(e->room);
    free(e->at);
    free(e);
}

/* --- Taking --- */

/* Records of one ring stay in their order where times are equal. */
static int by_time(const void *a, const void *b)
{
    const struct metrics__taken *x = a, *y = b;
    if (x->time != y->time) return x->time < y->time ? -1 : 1;
    return (x->at > y->at) - (x->at < y->at);
}

/* Sizes and place of the rings: once they are known they do not change. False if the file cannot be read. */
static bool find_rings(struct metrics_events *e)
{
    struct metrics_reader *r = e->r;
    uint64_t at = r->head.events;
    struct segment_events sizes;
    if (e->sizes.ring_bytes || !at) return true;
    if (at % SEGMENT_ALIGN || at < SEGMENT_ARENA || at > r->end || sizeof sizes > r->end - at) {
        e->stats.damaged++;
        return true;
    }
    if (view_read(&r->view, at, &sizes, sizeof sizes)) return false;
    if (!layout_rings_valid(&sizes) || layout_rings(&sizes, r->view.head.lanes_cpu) > r->end - at) {
        e->stats.damaged++;
        return true;
    }
    e->sizes = sizes;
    e->place = at + sizeof sizes;
    return true;
}

static bool take_all(struct metrics_events *e)
{
    memset(e->stats.dropped, 0, sizeof e->stats.dropped);
    memset(e->stats.refused, 0, sizeof e->stats.refused);
    for (uint32_t lane = 0; lane < e->r->view.head.lanes_cpu; lane++)
        if (!metrics__ring_take(e, lane)) return false;
    return metrics__cells_take(e);
}

static int failed(struct metrics_events *e, metrics_error_t *error)
{
    const char *path = e->r->view.path;
    e->haul.count = 0;
    if (e->r->trouble == METRICS__NO_MEMORY)
        return metrics__fail(error, METRICS_E_MEMORY, 0, "no memory for the events of %s", path);
    return metrics__fail(error, METRICS_E_DAMAGED, 0, "%s can no longer be read: was it truncated?", path);
}

/* Positions as they were, if it fails. */
static int take_or_stay(struct metrics_events *e, metrics_error_t *error)
{
    size_t n = metrics_events_positions(e, NULL, 0);
    uint64_t *before = malloc(n * sizeof *before);
    if (!before) {
        e->r->trouble = METRICS__NO_MEMORY;
        return failed(e, error);
    }
    metrics_events_positions(e, before, n);
    bool begun = e->begun;
    int rc = take_all(e) ? 0 : failed(e, error);
    if (rc) metrics_events_seek(e, before, n);
    e->begun = rc ? begun : true;
    free(before);
    return rc;
}

/* The header is copied again at the end: the kinds of what was copied are in the arena that it shows (ORD-2). */
int metrics_events_take(metrics_events_t *e, metrics_error_t *error)
{
    metrics_error_t dummy;
    if (!error) error = &dummy;
    memset(error, 0, sizeof *error);
    e->haul.used = e->haul.count = e->next = 0;
    e->fill = 0;
    e->r->trouble = METRICS__NO_TROUBLE;
    int rc = metrics__copy_head(e->r, error);
    if (rc) return rc;
    if (!find_rings(e)) return failed(e, error);
    if (!e->sizes.ring_bytes) {
        e->begun = true; /* whatever comes is new */
        return 0;
    }
    rc = take_or_stay(e, error);
    if (!rc) rc = metrics__copy_head(e->r, error);
    if (!rc && e->haul.count) qsort(e->haul.records, e->haul.count, sizeof *e->haul.records, by_time);
    return rc;
}

size_t metrics_events_taken(const metrics_events_t *e)
{
    return e->haul.count;
}

double metrics_events_fill(const metrics_events_t *e)
{
    return e->fill;
}

double metrics_events_poll(metrics_events_t *e)
{
    struct segment_ring ring;
    double most = 0;
    if (!e->sizes.ring_bytes && (metrics__copy_head(e->r, &(metrics_error_t){0}) || !find_rings(e))) return 0;
    for (uint32_t lane = 0; e->sizes.ring_bytes && lane <= e->r->view.head.lanes_cpu; lane++) {
        if (view_read(&e->r->view, metrics__ring_place(e, lane), &ring, sizeof ring)) return most;
        bool cells = lane == e->r->view.head.lanes_cpu;
        uint64_t size = cells ? e->sizes.cells : e->sizes.ring_bytes, used = ring.head - ring.tail;
        if (used <= size && (double)used / (double)size > most) most = (double)used / (double)size;
    }
    return most;
}

const metrics_event_t *metrics_events_next(metrics_events_t *e)
{
    struct segment_event head;
    while (e->next < e->haul.count) {
        const struct metrics__taken *t = &e->haul.records[e->next++];
        unsigned char *record = e->haul.bytes + t->at;
        memcpy(&head, record, sizeof head);
        const struct metrics__kind_texts *kind = metrics__kind_find(e, head.kind);
        const metrics_event_t *event =
            kind ? metrics__event_of(e->room, kind, record, t->size, e->r->view.head.created_wall) : NULL;
        if (event) {
            e->room->event.lane = t->lane;
            e->stats.events[event->type]++;
            e->stats.bytes += t->size;
            return event;
        }
        e->stats.damaged++;
    }
    return NULL;
}

const metrics_events_stats_t *metrics_events_stats(const metrics_events_t *e)
{
    return &e->stats;
}

/* --- Positions: those of the lanes, of the atomic ring, and what was taken beyond it --- */

size_t metrics_events_positions(const metrics_events_t *e, uint64_t *words, size_t room)
{
    uint32_t lanes = e->r->view.head.lanes_cpu;
    size_t n = lanes + 1u + CELL_BITS;
    for (size_t i = 0; i < n && i < room; i++)
        words[i] = i < lanes ? e->at[i] : i == lanes ? e->cell_at : e->cell_beyond[i - lanes - 1];
    return n;
}

void metrics_events_seek(metrics_events_t *e, const uint64_t *words, size_t n)
{
    uint32_t lanes = e->r->view.head.lanes_cpu;
    if (n != lanes + 1u + CELL_BITS) return;
    memcpy(e->at, words, lanes * sizeof *words);
    e->cell_at = words[lanes];
    memcpy(e->cell_beyond, words + lanes + 1, sizeof e->cell_beyond);
    e->begun = true;
}
