/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Promise: whatever the rings of events, the records in them and the kinds that these name have for bytes, a reader
 * takes events that keep what <mtx/events_read.h> promises, counts the rest, and ends; a leader gives room back without
 * touching anything else.
 *
 *     byte 0: flags; then edits of 11 bytes: where, index (2), value (8)
 *
 * where: bits 0, 1: 8 bytes of the rings, 8 bytes of the records of the kinds, a word of the header, one byte of the
 * rings; bits 2, 3: the value as given, added to what is there, xor, the place of a kind; bit 7: later edits come after
 * the first take.
 */
#include <fcntl.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <mtx/events.h>
#include <mtx/events_read.h>

#include "../../registry/programs/leader.h"
#include "base.h"
#include "fuzz.h"
#include "walk.h"

enum { SIZE = 128 << 10, EDIT = 11, POSITIONS = 16, FLAG_MODES = 3, FLAG_LEAD = 4, FLAG_SEEK = 8 };

static struct {
    unsigned char bytes[SIZE];
    uint64_t used, rings, rings_size, kinds, kinds_size;
    uint32_t number; /* of a kind */
    int fd;
} base;

static unsigned char now[SIZE];

/* --- The sound segment: the same in every process --- */

static void put_events(metrics_registry_t *r)
{
    metrics_spans_t *spans = metrics_spans(r, "checkout", "service", "shop");
    metrics_trace_t trace = {.trace_id = {1}, .span_id = {2}, .flags = 1};
    metrics_field_t fields[] = {
        metrics_field_text("route", "/cart"), metrics_field_int("n", 3),
        metrics_field_double("x", 1.5),       metrics_field_bool("b", 1),
        metrics_field_parent(&trace),         metrics_field_moment(metrics_now(), "k", "v")};
    metrics_span_record(spans, &trace, trace.span_id, 0, 5, 0, fields, sizeof fields / sizeof *fields);
    metrics_log_fields(metrics_logger(r, "shop"), METRICS_LOG_ERROR, "a message", fields[0], fields[1]);
    metrics_field_t link = metrics_field_link("details", "https://example.com");
    metrics_annotate(metrics_annotations(r, "deploys", "env", "prod"),
                     &(metrics_annotation_t){.size = sizeof(metrics_annotation_t),
                                             .title = "2.1",
                                             .description = "live",
                                             .source = "web",
                                             .fields = &link,
                                             .field_count = 1});
    metrics_point_at(metrics_points(r, "depth"), METRICS_POINT_COUNTER, 2.5, 7, fields, 2);
}

/* All events went through the atomic ring; put copies of them into the ring of the one CPU, too. */
static void copy_to_ring(struct segment_events *e)
{
    struct segment_ring *ring = (struct segment_ring *)(e + 1);
    struct segment_ring *atomic = (void *)((unsigned char *)ring + layout_ring_stride(e));
    uint64_t *words = (uint64_t *)(atomic + 1);
    unsigned char *cells = (unsigned char *)(words + SEGMENT_RING_CELLS), *data = (unsigned char *)(ring + 1);
    for (uint64_t i = 0; i < atomic->head; i++) {
        struct segment_event *event = (void *)(cells + i * SEGMENT_RING_CELL);
        event->time = 1000 + i;
        memcpy(data + ring->head, event, event->length);
        ring->head += event->length;
        words[i] = layout_word(1, 77 << 12 | 1, 1, i % 2 ? RING_READY : RING_RESERVED);
    }
}

static void find_kinds(const struct segment_header *h)
{
    base.kinds = h->arena_next;
    for (uint64_t at = SEGMENT_INDEX0; at < SEGMENT_ARENA; at += 8) {
        uint64_t entry;
        memcpy(&entry, base.bytes + at, sizeof entry);
        uint64_t offset = entry & UINT64_C(0xffffffffffff);
        if (offset && offset < base.kinds) base.kinds = offset;
    }
    base.kinds_size = h->arena_next - base.kinds;
    base.number = (uint32_t)(base.kinds / SEGMENT_ALIGN);
}

static void remove_file(void)
{
    unlink(base_path());
}

static void build(void)
{
    setenv("MTX_RSEQ", "off", 1);
    unlink(base_path());
    metrics_registry_t *r = metrics_open(&(metrics_options_t){.size = sizeof(metrics_options_t),
                                                              .path = base_path(),
                                                              .segment_bytes = SIZE,
                                                              .slots = 63,
                                                              .event_bytes = 4096,
                                                              .lanes = 1},
                                         NULL);
    put_events(r);
    if (metrics_status(r, NULL)) fuzz_broken("the base cannot be built");
    base.fd = open(base_path(), O_RDWR);
    atexit(remove_file);
    if (base.fd < 0 || pread(base.fd, base.bytes, SIZE, 0) != SIZE) fuzz_broken("the base cannot be read");
    metrics_close(&r);
    struct segment_header *h = (struct segment_header *)base.bytes;
    struct segment_events *e = (struct segment_events *)(base.bytes + h->events);
    h->created_wall = UINT64_C(1700000000000000000);
    base_seal(base.bytes);
    base.used = h->arena_next;
    base.rings = h->events;
    base.rings_size = layout_rings(e, 1);
    copy_to_ring(e);
    find_kinds(h);
}

/* --- Edits --- */

static void edit(const uint8_t *at)
{
    static const uint16_t header[] = {
        offsetof(struct segment_header, events), offsetof(struct segment_header, arena_next),
        offsetof(struct segment_header, populated), offsetof(struct segment_header, slot_block)};
    uint64_t index = (uint64_t)(at[1] | at[2] << 8), value, was;
    memcpy(&value, at + 3, sizeof value);
    uint64_t place = (at[0] & 3) == 0   ? base.rings + index * 8 % base.rings_size
                     : (at[0] & 3) == 1 ? base.kinds + index * 8 % base.kinds_size
                     : (at[0] & 3) == 2 ? header[index % (sizeof header / sizeof *header)]
                                        : base.rings + index % base.rings_size;
    size_t n = (at[0] & 3) == 3 ? 1 : 8;
    if (place + n > SIZE) return;
    memcpy(&was, now + place, n);
    if ((at[0] >> 2 & 3) == 1) value += was;
    if ((at[0] >> 2 & 3) == 2) value ^= was;
    if ((at[0] >> 2 & 3) == 3) value = base.number + value % 64;
    memcpy(now + place, &value, n);
}

/* Edits up to the next that says "later"; returns where to go on. */
static size_t apply(const uint8_t *data, size_t n, size_t at)
{
    while (at + EDIT <= n) {
        bool later = data[at] & 0x80;
        edit(data + at);
        at += EDIT;
        if (later) break;
    }
    if (pwrite(base.fd, now, SIZE, 0) != SIZE) fuzz_broken("the file cannot be written");
    return at;
}

/* Whole edits come and go, most of them with small values, and in the words that the rings begin with. */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t n, size_t max, unsigned seed);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t n, size_t max, unsigned seed)
{
    uint64_t r = (seed + UINT64_C(1)) * UINT64_C(0x9e3779b97f4a7c15),
             v = (r ^ r >> 29) * UINT64_C(0xbf58476d1ce4e5b9);
    size_t edits = n ? (n - 1) / EDIT : 0, which = edits ? (r >> 40) % edits : 0;
    if (r % 8 == 0 && LLVMFuzzerMutate) return LLVMFuzzerMutate(data, n, max);
    if (!n) data[n++] = (uint8_t)v;
    if (r % 8 == 1) data[0] = (uint8_t)v;
    if (r % 8 < 5 && n + EDIT <= max)
        which = edits, n = 1 + (edits + 1) * EDIT;
    else if (!edits)
        return n;
    uint8_t *at = data + 1 + which * EDIT;
    uint16_t index = (uint16_t)(v >> 16);
    if (v % 4) index %= 600;
    if (v % 16 < 5) v &= 0xff;
    if (v % 16 == 5) v &= 0xffffff;
    at[0] = (uint8_t)(r >> 8);
    if (r >> 32 & 3) at[0] &= 0x7f;
    memcpy(at + 1, &index, sizeof index);
    memcpy(at + 3, &v, sizeof v);
    return n;
}

/* --- What is promised --- */

static void is_text(const char *text)
{
    FUZZ_HOLDS(text && walk_is_utf8(text, strlen(text)), "texts are UTF-8");
}

static void is_key(const char *key)
{
    is_text(key);
    FUZZ_HOLDS(*key, "keys are not empty");
    for (; *key; key++)
        FUZZ_HOLDS((unsigned char)*key >= 0x20 && *key != 0x7f, "keys have no control characters");
}

static void walk_field(const metrics_event_field_t *f)
{
    is_text(f->text);
    if (f->type == METRICS_EVENT_PARENT || f->type == METRICS_EVENT_FOLLOWS)
        FUZZ_HOLDS(f->ids, "other spans have ids");
    else
        is_key(f->key);
    FUZZ_HOLDS(f->type <= METRICS_EVENT_MOMENT, "fields have a type");
    if (f->type == METRICS_EVENT_BOOL) FUZZ_HOLDS(f->i == 0 || f->i == 1, "a flag is 0 or 1");
}

static void walk_event(const metrics_event_t *e)
{
    FUZZ_HOLDS(metrics_event_type_name(e->type), "events have a type");
    is_key(e->name);
    is_text(e->message), is_text(e->title), is_text(e->description), is_text(e->source);
    FUZZ_HOLDS(e->tag_count <= METRICS_TAGS_MAX && e->field_count <= METRICS_FIELDS_MAX,
               "there are not too many");
    for (size_t i = 0; i < e->tag_count; i++) is_key(e->tags[i].key), is_text(e->tags[i].value);
    for (size_t i = 0; i < e->field_count; i++) walk_field(&e->fields[i]);
    if (e->type == METRICS_EVENT_POINT) FUZZ_HOLDS(isfinite(e->value), "points are finite");
    if (e->type == METRICS_EVENT_LOG)
        FUZZ_HOLDS(e->level >= 1 && e->level <= 24, "levels are OpenTelemetry's");
}

static void walk_coded(const metrics_event_t *e)
{
    static unsigned char bytes[80 << 10];
    static metrics_event_decoder_t *decoder;
    size_t used, n = metrics_event_encode(e, bytes, sizeof bytes);
    if (!decoder) decoder = metrics_event_decoder_new();
    FUZZ_HOLDS(n <= sizeof bytes, "an event is not longer than the longest");
    const metrics_event_t *again = metrics_event_decode(decoder, bytes, n, &used);
    FUZZ_HOLDS(again && used == n, "what was encoded can be decoded");
    FUZZ_HOLDS(again->field_count == e->field_count && !strcmp(again->name, e->name), "it is the same");
    walk_event(again);
}

static void walk_events(metrics_events_t *events)
{
    metrics_error_t error;
    uint64_t last = 0;
    if (metrics_events_take(events, &error)) return;
    for (const metrics_event_t *e; (e = metrics_events_next(events));) {
        FUZZ_HOLDS(e->monotonic_ns >= last, "events come in the order of their times");
        last = e->monotonic_ns;
        walk_event(e);
        walk_coded(e);
    }
    double fill = metrics_events_fill(events), poll = metrics_events_poll(events);
    FUZZ_HOLDS(fill >= 0 && fill <= 1 && poll >= 0 && poll <= 1, "a ring is not fuller than full");
}

static void give_back(metrics_leader_t *leader, metrics_events_t *events, const uint8_t *data, size_t n)
{
    uint64_t positions[POSITIONS] = {0};
    size_t count = metrics_events_positions(events, positions, POSITIONS);
    FUZZ_HOLDS(count <= POSITIONS, "there are as many positions as said");
    if (data[0] & FLAG_SEEK) memcpy(positions, data, n < sizeof positions ? n : sizeof positions);
    metrics_leader_drained(leader, positions, count);
    if (data[0] & FLAG_SEEK) metrics_events_seek(events, positions, count);
}

static void run(metrics_reader_t *reader, metrics_leader_t *leader, const uint8_t *data, size_t n, size_t at)
{
    metrics_error_t error;
    enum metrics_events_mode mode = (enum metrics_events_mode)((data[0] & FLAG_MODES) % 3);
    metrics_events_t *events = metrics_events_open(reader, mode, &error);
    if (!events) return;
    for (int round = 0; round < 3; round++) {
        walk_events(events);
        FUZZ_HOLDS(n > 1 || round || mode == METRICS_EVENTS_FOLLOW || metrics_events_taken(events) >= 6,
                   "the sound segment has events");
        if (leader) give_back(leader, events, data, n);
        if (at < n) at = apply(data, n, at);
    }
    metrics_events_close(&events);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    metrics_error_t error;
    if (!base.used) build();
    if (!n) return 0;
    memcpy(now, base.bytes, SIZE);
    size_t at = apply(data, n, 1);
    metrics_leader_t *leader = data[0] & FLAG_LEAD ? metrics_leader_acquire(base_path(), NULL, &error) : NULL;
    metrics_reader_t *reader = leader ? NULL : metrics_reader_open(base_path(), NULL, &error);
    if (leader || reader) run(leader ? metrics_leader_reader(leader) : reader, leader, data, n, at);
    if (leader) metrics_leader_release(&leader);
    metrics_reader_close(&reader);
    return 0;
}
