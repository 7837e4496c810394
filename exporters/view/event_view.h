/* SPDX-License-Identifier: Apache-2.0 */
/*
 * event_view.h - a chunk of events as one backend sees it: those that pass its filter, with its tags. encode gets a part
 * of a view, all of one type.
 *
 * The functions that take a const selection are thread-safe. All others are not: one thread at a time for each view.
 */
#ifndef EXPORTERS_EVENT_VIEW_H
#define EXPORTERS_EVENT_VIEW_H

#include "event_chunk.h"
#include "event_type.h"
#include "view.h"

/* True if the backend reports events of that type (enum metrics_event_type) and name. */
bool selection_passes_events(const struct selection *sel, int type, const char *name);

/* Fills in how many events of each type pass, from number `from` of the chunk on. */
void selection_count_events(const struct selection *sel, const struct event_chunk *chunk, size_t from,
                            uint32_t counts[METRICS_EVENT_TYPES]);

struct event_view {
    const struct selection *selection;
    const struct event_chunk *chunk;
    uint32_t *numbers; /* in the chunk, of those that pass */
    size_t n;
    struct event_dress *dresses; /* by kind: what the backend's settings make of name and tags */
    metrics_event_decoder_t *decoder;
    metrics_event_t event; /* the one that was asked for last */
    struct region region;
};

/* Makes a view of what passes of a chunk, from number `from` on, which event_view_free() gives back. Both must outlive
 * it. False without memory. */
bool event_view_open(struct event_view *view, const struct selection *sel, const struct event_chunk *chunk,
                     size_t from);

/* Frees what the view owns and makes it zero. */
void event_view_free(struct event_view *view);

/*
 * Event i of the view. Its tags are those of its kind, over those of the backend and of the top level; the name of a
 * point begins with the prefix. Valid until the next call with that view; never NULL.
 */
const metrics_event_t *event_view_get(struct event_view *view, size_t i);

/* The type of event i. */
int event_view_type(const struct event_view *view, size_t i);

/* Where events of another type than that of event `from` begin. */
size_t event_view_same(const struct event_view *view, size_t from);

/* What encode gets: events [from, to) of a view, all of one type. */
struct event_batch {
    struct event_view *view;
    size_t from, to;
    enum metrics_event_type type;
    const void *settings; /* the backend's whole settings struct */
    const void *session;  /* NULL without one */
    struct buf *notes;    /* may be NULL: one line for each event that had to be left out */
};

/* --- Parts of events as text --- */

/* Appends bytes in hexadecimal. */
void event_hex(struct buf *out, const unsigned char *bytes, size_t n);

/* Appends a trace's or a span's id as a UUID; a span's 8 bytes are the end of it. */
void event_uuid(struct buf *out, const unsigned char *bytes, size_t n);

/* True if not all of the id is zero. */
bool event_is_id(const unsigned char *bytes, size_t n);

/* Appends a field's value. */
void event_field_value(struct buf *out, const metrics_event_field_t *field);

/* True if the field says something about the event, as a tag does: key and value. */
bool event_field_is_tag(const metrics_event_field_t *field);

/* The usual name of a log line's level, a constant: "DEBUG", "INFO", "WARNING" ... */
const char *event_level_name(uint32_t level);

/* The value of the tag, or of the field that is a text, with that key; NULL if there is none. */
const char *event_tag(const metrics_event_t *event, const char *key);

#endif
