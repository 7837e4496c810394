/* SPDX-License-Identifier: Apache-2.0 */
/* record.c - an event becomes a record (format.h, EVENTS), on the stack, and is put. */
#include <string.h>

#include "atomic.h"
#include "clock.h"
#include "event.h"
#include "trace.h"

enum {
    USUAL = 512,             /* bytes of stack that every event takes */
    VALUE_MOST = UINT16_MAX, /* of a field; a text with its '\0' */
};

/* --- Fields --- */

/*
 * memcpy() for the few bytes that most pieces have: without a call, and by two moves of the same size that may overlap.
 */
static inline __attribute__((always_inline)) void copy_bytes(unsigned char *to, const unsigned char *from,
                                                             size_t n)
{
    uint64_t first, last;
    uint32_t half, other;
    if (n > 16) {
        memcpy(to, from, n);
    } else if (n >= 8) {
        memcpy(&first, from, 8);
        memcpy(&last, from + n - 8, 8);
        memcpy(to, &first, 8);
        memcpy(to + n - 8, &last, 8);
    } else if (n >= 4) {
        memcpy(&half, from, 4);
        memcpy(&other, from + n - 4, 4);
        memcpy(to, &half, 4);
        memcpy(to + n - 4, &other, 4);
    } else {
        for (size_t i = 0; i < n; i++) to[i] = from[i];
    }
}

static inline __attribute__((always_inline)) void add(struct metrics__out *o, const void *bytes, size_t n)
{
    if (__builtin_expect(o->used <= o->room && n <= o->room - o->used, 1))
        copy_bytes(o->bytes + o->used, bytes, n);
    o->used += n;
}

static inline void add_head(struct metrics__out *o, enum metrics__event_field what, size_t key, size_t value)
{
    unsigned char head[METRICS__FIELD_HEAD] = {(unsigned char)what, (unsigned char)key, (unsigned char)value,
                                               (unsigned char)(value >> 8)};
    if (key > UINT8_MAX || value > VALUE_MOST) o->used += SEGMENT_EVENT_MOST; /* too long for any ring */
    o->fields++;
    add(o, head, sizeof head);
}

void metrics__out_field(struct metrics__out *o, enum metrics__event_field what, const char *key,
                        const void *value, size_t n)
{
    size_t key_n = key ? strlen(key) + 1 : 0;
    add_head(o, what, key_n, n);
    add(o, key, key_n);
    add(o, value, n);
}

void metrics__out_text(struct metrics__out *o, enum metrics__event_field what, const char *key,
                       const char *text)
{
    if (!text) text = "";
    metrics__out_field(o, what, key, text, strlen(text) + 1);
}

static void add_trace(struct metrics__out *o, enum metrics__event_field what, const metrics_trace_t *trace)
{
    static const metrics_trace_t none;
    _Static_assert(offsetof(metrics_trace_t, flags) == METRICS__FIELD_IDS, "the ids are together");
    metrics__out_field(o, what, NULL, trace ? trace : &none, METRICS__FIELD_IDS);
}

static void add_moment(struct metrics__out *o, const metrics_field_t *f, uint64_t began)
{
    const char *key = f->key ? f->key : "", *text = f->value.text ? f->value.text : "";
    uint64_t start = metrics__clock_monotonic(began), at = metrics__clock_monotonic(f->at);
    uint64_t after = at > start ? at - start : 0;
    size_t key_n = strlen(key) + 1, text_n = strlen(text) + 1;
    add_head(o, FIELD_MOMENT, key_n, sizeof after + text_n);
    add(o, key, key_n);
    add(o, &after, sizeof after);
    add(o, text, text_n);
}

static void add_given(struct metrics__out *o, const metrics_field_t *f, uint64_t began)
{
    const char *key = f->key ? f->key : "";
    uint8_t flag = f->value.i != 0;
    switch (f->type) {
    case METRICS_FIELD_INT: metrics__out_field(o, FIELD_INT, key, &f->value.i, sizeof f->value.i); break;
    case METRICS_FIELD_DOUBLE:
        metrics__out_field(o, FIELD_DOUBLE, key, &f->value.f, sizeof f->value.f);
        break;
    case METRICS_FIELD_BOOL: metrics__out_field(o, FIELD_BOOL, key, &flag, sizeof flag); break;
    case METRICS_FIELD_LINK: metrics__out_text(o, FIELD_LINK, key, f->value.text); break;
    case METRICS_FIELD_PARENT: add_trace(o, FIELD_PARENT, f->value.trace); break;
    case METRICS_FIELD_FOLLOWS: add_trace(o, FIELD_FOLLOWS, f->value.trace); break;
    case METRICS_FIELD_MOMENT: add_moment(o, f, began); break;
    default: metrics__out_text(o, FIELD_TEXT, key, f->value.text);
    }
}

/* --- The message --- */

void metrics__out_begin(struct metrics__out *o)
{
    o->field = o->used;
    o->message = 0;
    add_head(o, FIELD_MESSAGE, 0, 0);
}

void metrics__out_add(struct metrics__out *o, const char *text, size_t n)
{
    size_t left = o->message < o->message_most ? o->message_most - o->message : 0;
    add(o, text, n < left ? n : left);
    o->message += n;
}

void metrics__out_end(struct metrics__out *o)
{
    add(o, "", 1);
    size_t n = o->used - o->field - METRICS__FIELD_HEAD;
    if (o->used > o->room) return;
    o->bytes[o->field + 2] = (unsigned char)n;
    o->bytes[o->field + 3] = (unsigned char)(n >> 8);
}

/* --- The record --- */

static void add_zeros(struct metrics__out *o)
{
    static const unsigned char zeros[SEGMENT_EVENT_ALIGN];
    add(o, zeros, (SEGMENT_EVENT_ALIGN - o->used % SEGMENT_EVENT_ALIGN) % SEGMENT_EVENT_ALIGN);
}

static void build(struct metrics__out *o, const struct metrics__event *e)
{
    size_t part = metrics__event_part(e->kind->class), head = sizeof(struct segment_event);
    o->used = head + sizeof(struct metrics__event_body);
    o->fields = 0;
    o->message = 0;
    if (e->kind->class == EVENT_SPAN) /* a constant length is copied without a call */
        add(o, e->part, sizeof(struct metrics__event_span));
    else
        add(o, e->part, part);
    size_t first = o->used;
    if (e->own) e->own(o, e->arg);
    for (size_t i = 0; i < e->count; i++) add_given(o, &e->fields[i], e->began);
    struct metrics__event_body body = {.fields = (uint16_t)o->fields,
                                       .small = e->small,
                                       .flags = o->message > o->message_most ? METRICS__EVENT_CUT : 0,
                                       .bytes = (uint32_t)(o->used - first)};
    add_zeros(o);
    if (o->used > o->room) return;
    struct segment_event record = {(uint32_t)o->used, e->kind->number, e->time};
    memcpy(o->bytes, &record, sizeof record);
    memcpy(o->bytes + head, &body, sizeof body);
}

/* How much of the message may stay, if all of the record is `used` bytes with it: none, if it is too long without. */
static size_t message_room(const struct metrics__out *o, size_t most)
{
    size_t over = o->used > most ? o->used - most : 0;
    size_t shown = o->message < o->message_most ? o->message : o->message_most;
    return over < shown ? shown - over : 0;
}

/* Measured, it is too long for the usual room: build it once more in as much as it needs. */
static __attribute__((cold, noinline)) void put_long(const struct metrics__event *e, struct metrics__out *o)
{
    const struct rings *rings = e->kind->rings;
    size_t most = rings->most;
    if (o->used > most) {
        o->message_most = message_room(o, most);
        o->room = 0;
        build(o, e);
    }
    if (o->used > most || o->used > SEGMENT_EVENT_MOST) {
        ring_refuse(rings, e->kind->class);
        return;
    }
    unsigned char bytes[o->used];
    o->bytes = bytes;
    o->room = sizeof bytes;
    build(o, e);
    if (o->used > o->room) /* somebody has changed a text meanwhile */
        ring_refuse(rings, e->kind->class);
    else
        ring_put(rings, e->kind->class, bytes, o->used);
}

void metrics__event_put(const struct metrics__event *e)
{
    _Alignas(16) unsigned char bytes[USUAL];
    const struct rings *rings = e->kind->rings;
    if (!rings) return;
    if (e->count > METRICS_FIELDS_MAX) {
        ring_refuse(rings, e->kind->class);
        return;
    }
    struct metrics__out o = {.bytes = bytes, .room = sizeof bytes, .message_most = VALUE_MOST - 1};
    build(&o, e);
    if (__builtin_expect(o.used <= sizeof bytes, 1))
        ring_put(rings, e->kind->class, bytes, o.used);
    else
        put_long(e, &o);
}

/* --- Times --- */

uint64_t metrics__event_time(const struct metrics__event_kind *kind, uint64_t ticks)
{
    return kind->h.seg ? metrics__clock_monotonic(ticks) - kind->h.seg->time_offset : 0;
}

uint64_t metrics__event_time_of_wall(const struct metrics__event_kind *kind, uint64_t wall)
{
    return kind->h.seg ? wall - mem_load(&kind->h.seg->head->created_wall) : 0; /* ORD-16 */
}
