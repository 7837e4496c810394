/* SPDX-License-Identifier: Apache-2.0 */
/*
 * <mtx/events_read.h> - read the events of a segment: take them in turn for an exporter, or watch them go by.
 *
 * For exporters, tools and tests. Link libmtx-snapshot. As with snapshots, everything is copied with pread() and the
 * copy is validated: damage is counted and left out.
 *
 *     metrics_events_t *events = metrics_events_open(reader, METRICS_EVENTS_DRAIN, &err);
 *     metrics_events_seek(events, words, n);                  what the log says, if it is of this segment
 *     for (;;) {
 *         if (metrics_events_take(events, &err)) ...;         copy what has come since the last time
 *         while ((e = metrics_events_next(events)))           in the order of their times
 *             n = metrics_event_encode(e, buf, sizeof buf);   append to the log
 *         n = metrics_events_positions(events, words, room);  into the same transaction of the log
 *         metrics_leader_drained(leader, words, n);           then give the room back to the writers
 *     }
 *
 * A taken event is taken again by the next reader unless its positions were given to it by seek(), or the room was
 * given back: so nothing is lost and nothing comes twice, whenever an exporter is killed.
 *
 * Ownership and safety are said as in <mtx/snapshot.h>.
 */
#ifndef MTX_EVENTS_READ_H
#define MTX_EVENTS_READ_H

#include <mtx/snapshot.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

/* --- Events --- */

enum metrics_event_type {
    METRICS_EVENT_ANNOTATION = 1,
    METRICS_EVENT_SPAN = 2,
    METRICS_EVENT_LOG = 3,
    METRICS_EVENT_POINT = 4,
};
enum { METRICS_EVENT_TYPES = 5 }; /* for arrays by type; 0 is not used */

/*
 * The name of a type: "annotation", "span", "log", "point"; a constant. NULL for any other number.
 * Safety: thread-safe; process-safe; async-signal-safe.
 */
const char *metrics_event_type_name(uint32_t type);

enum metrics_event_field_type {
    METRICS_EVENT_TEXT,    /* key, text */
    METRICS_EVENT_INT,     /* key, i */
    METRICS_EVENT_DOUBLE,  /* key, f: may be infinite or NaN */
    METRICS_EVENT_BOOL,    /* key, i = 0 or 1 */
    METRICS_EVENT_LINK,    /* annotations: key = relation, text = address */
    METRICS_EVENT_PARENT,  /* spans: ids, of one more parent */
    METRICS_EVENT_FOLLOWS, /* spans: ids, of a span that this one follows from */
    METRICS_EVENT_MOMENT,  /* spans: key, text, after_ns: a line of the span's log */
};

typedef struct metrics_event_ids {
    uint8_t trace_id[16], span_id[8];
} metrics_event_ids_t;

/* Texts are UTF-8, and never NULL; a key has no control characters and is not empty. */
typedef struct metrics_event_field {
    enum metrics_event_field_type type;
    const char *key, *text; /* "" where there is none */
    int64_t i;
    double f;
    uint64_t after_ns; /* since the span began */
    const metrics_event_ids_t *ids;
} metrics_event_field_t;

typedef struct metrics_event {
    enum metrics_event_type type;
    const char *name;          /* of the span, stream, service, point */
    const metrics_tag_t *tags; /* those that all of its kind have, sorted by key */
    size_t tag_count;
    const metrics_event_field_t *fields; /* its own, in the order in which they were given */
    size_t field_count;
    uint64_t wall_ns;      /* when, since 1970; spans: when it began */
    uint64_t monotonic_ns; /* segment time when it was recorded; spans: when it began */
    uint32_t lane;         /* the ring that it came through */
    uint32_t has_ids;      /* 1 = ids: a span's own, or of the span in which a line was written */
    metrics_event_ids_t ids;
    uint8_t parent_id[8]; /* spans; zeros: none */
    uint64_t duration_ns; /* spans */
    uint32_t error;       /* spans: 1 = it failed */
    uint32_t level;       /* log lines: enum metrics_log_level, OpenTelemetry's severity number; 1 to 24 */
    uint32_t cut;         /* log lines: 1 = the end of the message is missing */
    uint32_t point;       /* points: 1 = gauge, 2 = counter */
    const char *message;  /* log lines */
    const char *title, *description, *source; /* annotations; "" if none */
    uint64_t end_wall_ns;                     /* annotations; 0 = none */
    double value;                             /* points; finite */
    const void *key, *record;                 /* for metrics_event_encode() */
    size_t key_size, record_size;
    uint64_t created_wall_ns;
} metrics_event_t;

/* --- Taking --- */

typedef struct metrics_events metrics_events_t;

enum metrics_events_mode {
    METRICS_EVENTS_DRAIN,  /* all that wait; only the one who gives the room back should */
    METRICS_EVENTS_FOLLOW, /* those that come from now on, whether or not somebody else drains them */
    METRICS_EVENTS_LAST,   /* those that are still there first, drained or not; then as FOLLOW */
};

/*
 * Begin to read the events of reader's segment. The reader stays the caller's, must outlive the result, and counts as
 * used by each call with it. The caller owns the result and closes it. NULL on error: METRICS_E_MEMORY.
 * Safety: thread-safe; process-safe; not async-signal-safe.
 */
metrics_events_t *metrics_events_open(metrics_reader_t *reader, enum metrics_events_mode mode,
                                      metrics_error_t *error);
/*
 * Close; *events becomes NULL, and may be NULL. No errors.
 * Safety: one thread per reader; process-safe; not async-signal-safe.
 */
void metrics_events_close(metrics_events_t **events);

/*
 * Copy what has come since the last call. 0, also if that is nothing, or if the segment has no rings yet; else
 * METRICS_E_DAMAGED (the file cannot be read) or METRICS_E_MEMORY, with *error, and nothing is taken. Events of the
 * call before are gone.
 * Safety: one thread per reader; process-safe; not async-signal-safe.
 */
int metrics_events_take(metrics_events_t *events, metrics_error_t *error);

/*
 * How many were taken, damaged ones included, and how full the fullest ring is, 0 to 1, before they were.
 * Safety: one thread per reader; process-safe; not async-signal-safe.
 */
size_t metrics_events_taken(const metrics_events_t *events);
double metrics_events_fill(const metrics_events_t *events);

/*
 * How full is the fullest ring now? Reads the rings' heads and tails only: for deciding whether to drain early. 0 if
 * there are no rings, or they cannot be read.
 * Safety: one thread per reader; process-safe; not async-signal-safe.
 */
double metrics_events_poll(metrics_events_t *events);

/*
 * The next of the taken events in the order of their times; NULL = that was the last. It, and all that it leads to, is
 * valid until the next call with the same `events`.
 * Safety: one thread per reader; process-safe; not async-signal-safe.
 */
const metrics_event_t *metrics_events_next(metrics_events_t *events);

/* All since metrics_events_open(), but for the totals of the segment. */
typedef struct metrics_events_stats {
    uint64_t events[METRICS_EVENT_TYPES]; /* returned by metrics_events_next() */
    uint64_t bytes;                       /* of their records */
    uint64_t damaged;                     /* invalid records, and rings whose rest had to be left out */
    uint64_t killed; /* records of processes that were killed while they wrote them, without a CPU lane */
    uint64_t missed; /* not with DRAIN: how often a ring had gone on too far */
    uint64_t dropped[METRICS_EVENT_TYPES]; /* total of the segment: there was no room */
    uint64_t
        refused[METRICS_EVENT_TYPES]; /* total of the segment: too long, too many fields, no process slot */
} metrics_events_stats_t;

/*
 * They belong to `events`.
 * Safety: one thread per reader; process-safe; not async-signal-safe.
 */
const metrics_events_stats_t *metrics_events_stats(const metrics_events_t *events);

/*
 * Where the next metrics_events_take() begins, as numbers that mean something for the same segment (incarnation) only:
 * up to `room` of them into the caller's words. Returns how many there are: 5 and one per CPU lane, always the same;
 * all are 0 before the segment has rings.
 *
 * seek begins there instead. Where that is not possible, as the rings have gone on, it begins at the oldest event that
 * waits. n must be what positions returned, else nothing happens.
 * Safety: one thread per reader; process-safe; not async-signal-safe.
 */
size_t metrics_events_positions(const metrics_events_t *events, uint64_t *words, size_t room);
void metrics_events_seek(metrics_events_t *events, const uint64_t *words, size_t n);

/* --- Bytes --- */

/*
 * An event as bytes that need no segment: up to `room` of them into the caller's buf. Returns how many it has.
 * Safety: thread-safe; process-safe; async-signal-safe.
 */
size_t metrics_event_encode(const metrics_event_t *event, void *buf, size_t room);

typedef struct metrics_event_decoder metrics_event_decoder_t;

/*
 * Memory for one event. The caller owns it; NULL without memory. free sets *decoder to NULL.
 * Safety: thread-safe; process-safe; not async-signal-safe.
 */
metrics_event_decoder_t *metrics_event_decoder_new(void);
void metrics_event_decoder_free(metrics_event_decoder_t **decoder);

/*
 * And back. NULL if the first bytes of the n are not an event. It is valid until the next call with that decoder; *used
 * (which may be NULL) is how many bytes it had, so that events can follow each other.
 * Safety: one thread per decoder; process-safe; not async-signal-safe.
 */
const metrics_event_t *metrics_event_decode(metrics_event_decoder_t *decoder, const void *bytes, size_t n,
                                            size_t *used);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
