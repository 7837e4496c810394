/* SPDX-License-Identifier: Apache-2.0 */
/*
 * event.h - the writer's side of events: kinds, and how an event becomes a record (format.h, EVENTS).
 *
 * A record is built on the stack and then put whole (shm/ring.h). What builds it may run twice: an event that is longer
 * than the usual room is measured the first time.
 */
#ifndef METRICS_REGISTRY_EVENT_H
#define METRICS_REGISTRY_EVENT_H

#include <stdbool.h>
#include <stddef.h>

#include <mtx/events.h>

#include "handle.h"

/* --- Kinds (kinds.c) --- */

/* Every handle of a kind of event. number 0: a no-op. */
struct metrics__event_kind {
    struct metrics__handle h;
    const struct rings *rings;
    uint32_t number; /* what its records have: the offset of its own record / 64 */
    uint8_t class;   /* enum metrics__event_class */
};

/* The kind of {name, key, value...}; a no-op if there cannot be one. Never NULL; never freed. */
void *metrics__event_find(metrics_registry_t *r, enum metrics__event_class class, const char *const *list,
                          size_t n);
/* The same, for a call site on the default registry. */
void *metrics__event_site(struct metrics__site *site, enum metrics__event_class class,
                          const char *const *list, size_t n);

/* --- Records being built (record.c) --- */

/* All of `used` that is beyond `room` is counted, but not written. */
struct metrics__out {
    unsigned char *bytes;
    size_t room, used;
    size_t message;      /* bytes of the message, as long as it would be */
    size_t message_most; /* cut it to that */
    unsigned fields;
    size_t field; /* where the field that is being written began */
};

/* A field with n bytes of value; key may be NULL. */
void metrics__out_field(struct metrics__out *o, enum metrics__event_field what, const char *key,
                        const void *value, size_t n);
/* The same with a text; NULL counts as "". */
void metrics__out_text(struct metrics__out *o, enum metrics__event_field what, const char *key,
                       const char *text);
/* The message, in pieces. */
void metrics__out_begin(struct metrics__out *o);
void metrics__out_add(struct metrics__out *o, const char *text, size_t n);
void metrics__out_end(struct metrics__out *o);

/* What is to be recorded. All that it leads to is the caller's. */
struct metrics__event {
    const struct metrics__event_kind *kind;
    uint64_t time;    /* segment time, ns */
    uint8_t small;    /* see struct metrics__event_body */
    const void *part; /* what its class has: metrics__event_part() bytes */
    void (*own)(struct metrics__out *o,
                const void *arg); /* writes the fields that its class has; NULL: none */
    const void *arg;
    const metrics_field_t *fields; /* then these */
    size_t count;
    uint64_t began; /* spans: start as metrics_now(), from which moments count */
};

/* [S] Build it and put it, or count it as dropped. Nothing for a no-op. */
void metrics__event_put(const struct metrics__event *e);

/* [S] Segment time of a reading of metrics_now(); and of ns since 1970. */
uint64_t metrics__event_time(const struct metrics__event_kind *kind, uint64_t ticks);
uint64_t metrics__event_time_of_wall(const struct metrics__event_kind *kind, uint64_t wall);

/* [S] What printf() would print, as the message. See metrics_log(). */
void metrics__format(struct metrics__out *o, const char *format, va_list *list);

struct metrics_annotations {
    struct metrics__event_kind kind;
};
struct metrics_spans {
    struct metrics__event_kind kind;
};
struct metrics_logger {
    struct metrics__event_kind kind;
};
struct metrics_points {
    struct metrics__event_kind kind;
};

/* The public ways to a kind. */
#define METRICS__EVENT_FRONT_END(NAME, CLASS)                                                     \
    metrics_##NAME##_t *metrics_##NAME##_v(metrics_registry_t *r, const char *const *l, size_t n) \
    {                                                                                             \
        return metrics__event_find(r, CLASS, l, n);                                               \
    }
#define METRICS__EVENT_SITE(NAME, CLASS)                                                           \
    void *metrics__site_resolve_##NAME(struct metrics__site *site, const char *const *l, size_t n) \
    {                                                                                              \
        return metrics__event_site(site, CLASS, l, n);                                             \
    }

#endif
