/* SPDX-License-Identifier: Apache-2.0 */
/*
 * format.h - the segment format, version 1.1, part two: what records and blocks mean to metrics. Part one is
 * shm/layout.h; the blocks of reservoirs, rates and sets are described in reservoir.h, rate.h and sketch.h.
 *
 * RECORDS
 *   RECORD_FAMILY  key: 'F' name '\0'                            payload: struct metrics__family_record
 *   RECORD_SERIES  key: 'S' name '\0' key '\0' value '\0' ...    link: its family; tags sorted by key bytes
 *   RECORD_TEXT    not in the index; family.text leads to it     payload: unit '\0' help '\0'
 *   RECORD_EVENT   key: a letter of METRICS__EVENT_LETTERS, then as a series; kind: enum metrics_event_class
 *
 * STORAGE of a series, by kind; "cells" are in lanes (layout.h)
 *   counter, updown   [0] 1 cell: the total (updown: two's complement)
 *   meter             [0] 1 cell: the total                          [1] rate block
 *   gauge             [0] gauge group | index
 *   histogram, timer  [0] 8 cells DIST_*, or DIST_FIRST_BUCKET + n   [1] rate block (timers), reservoir block
 *   set               [0] sketch block
 *   info              none: its tags say everything
 *
 * EVENTS. A record in a ring is struct segment_event, whose kind is the offset of a RECORD_EVENT / 64, struct
 * metrics__event_body, what its class has (struct metrics__event_span ...), and fields, one right after the other:
 *     u8 what   u8 key_size   u16 value_size   key   value            (not aligned; texts end with '\0')
 * then zeros up to its length. A reader skips fields that it does not know.
 *
 * UNITS. Timers keep nanoseconds in sum, sum of squares, extremes and reservoir; bucket bounds are seconds.
 */
#ifndef METRICS_REGISTRY_FORMAT_H
#define METRICS_REGISTRY_FORMAT_H

#include "layout.h"

enum { RECORD_SERIES = 1, RECORD_FAMILY = 2, RECORD_TEXT = 3, RECORD_EVENT = 4 };

/* Flags of a series record. */
enum { RECORD_OVERFLOW = 1 }; /* a family's overflow series: readers leave it out while it is empty */

enum metrics__kind_number {
#define KIND(NUMBER, NAME) KIND_##NAME = NUMBER,
#include "kinds.def"
#undef KIND
};

/* Cells of a histogram or timer that keeps a reservoir: one cache line per lane. */
enum {
    DIST_SQUARES = 0, /* f64: sum of squares */
    DIST_IGNORED = 1, /* u64: updates that were not finite numbers */
    DIST_SUM = 2,     /* f64; written together with the count, so 16-byte aligned */
    DIST_COUNT = 3,   /* u64 */
    DIST_MAX = 4,     /* two banks: u16 epoch << 48 | 48 bits of order_encode(max); bank = epoch & 1 */
    DIST_MIN = 6,     /* two banks: the same with order_encode(-min), so that both are maxima */
    DIST_CELLS = 8,
};
/*
 * Cells of one that keeps buckets: the count is the sum of the buckets. The sum is kept in several parts,
 * because otherwise each addition would wait for the result of the one before it, which would take most of an
 * update's time.
 */
enum {
    DIST_BUCKET_SUM = 0, /* f64: this many parts, in any proportion */
    DIST_BUCKET_SUMS = 4,
    DIST_BUCKET_IGNORED = 4,
    DIST_FIRST_BUCKET = 5, /* then one per bucket, the last one unbounded above */
};

/* Settings of a family; all bytes count when two are compared, so padding is explicit and zero. */
struct metrics__settings {
    uint8_t merge; /* enum metrics_merge */
    uint8_t persistent;
    uint8_t reservoir; /* enum metrics_reservoir */
    int8_t scale;
    uint32_t samples;
    double alpha;
    double window_s;
    double low, high; /* 0, 0 = the kind's default */
    uint32_t bound_count;
    uint32_t series_limit; /* 0 = the segment's */
};
_Static_assert(sizeof(struct metrics__settings) == 48, "settings are 48 bytes");

struct metrics__family_record {
    uint32_t kind;     /* 0 until the first series (ORD-11) */
    uint32_t series;   /* series admitted; one too many for each process that was killed while adding one */
    uint64_t overflow; /* offset of the overflow series' record, or 0 (ORD-2) */
    uint64_t text;     /* offset of a RECORD_TEXT, or 0 (ORD-2) */
    uint64_t pad;
    struct metrics__settings settings;
    double bounds[]; /* settings.bound_count of them, ascending */
};
LAYOUT_AT(struct metrics__family_record, settings, 32);
LAYOUT_AT(struct metrics__family_record, bounds, 80);

enum { METRICS__BOUNDS_MAX = 512 };

/*
 * The 48 bits of an extreme: the top 48 bits of the double, made order-preserving (sign flipped for
 * positives, all bits for negatives), so a plain comparison of words compares epoch first and value second.
 * The low 16 bits are lost; encoding rounds up, and since minima are stored negated, min rounds down and max
 * up. x is finite: then rounding up never overflows. A value whose low 16 bits are 0, such as a whole number
 * below 2^36, comes back as it was. In a negative value's word these bits are ones: word w > 0 means
 * w * 2^16 - 1.
 */
static inline uint64_t metrics__order_encode(double x)
{
    union {
        double f;
        uint64_t u;
    } v = {.f = x};
    uint64_t negative = (uint64_t)((int64_t)v.u >> 63), ordered = v.u ^ (negative | UINT64_C(1) << 63);
    return (ordered + 0xffff - negative) >> 16; /* + 2^16 for a negative one */
}
static inline double metrics__order_decode(uint64_t word48)
{
    uint64_t ordered = word48 << 16;
    union {
        uint64_t u;
        double f;
    } v = {.u = ordered >> 63 ? ordered & ~(UINT64_C(1) << 63) : ~(ordered - !!ordered)};
    return v.f;
}

/* --- Events --- */

enum metrics__event_class {
    EVENT_ANNOTATION = 1,
    EVENT_SPAN = 2,
    EVENT_LOG = 3,
    EVENT_POINT = 4,
    EVENT_CLASSES = 5,
};
/* The first byte of a kind's key, by class. */
#define METRICS__EVENT_LETTERS " APLV"

struct metrics__event_body {
    uint16_t fields; /* how many */
    uint8_t small;   /* log lines: level; points: type; spans: 1 = error */
    uint8_t flags;   /* METRICS__EVENT_CUT */
    uint32_t bytes;  /* of all fields */
};
enum { METRICS__EVENT_CUT = 1 }; /* the end of the message is missing */

struct metrics__event_span {
    uint8_t trace_id[16], span_id[8];
    uint8_t parent_id[8]; /* zeros: none */
    uint64_t duration;    /* ns; it began at the record's time */
};
struct metrics__event_annotation {
    uint64_t start, end; /* ns since 1970; 0 = the record's time; no end */
};
struct metrics__event_point {
    double value;
    uint64_t wall; /* ns since 1970; 0 = the record's time */
};
_Static_assert(sizeof(struct metrics__event_body) == 8, "the class's part follows");
_Static_assert(sizeof(struct metrics__event_span) == 40, "spans have 40 bytes of their own");

/* What a field is, and what its key and value are. */
enum metrics__event_field {
    FIELD_TEXT = 1,        /* key, text */
    FIELD_INT = 2,         /* key, i64 */
    FIELD_DOUBLE = 3,      /* key, f64 */
    FIELD_BOOL = 4,        /* key, u8 */
    FIELD_MESSAGE = 5,     /* -, text */
    FIELD_TITLE = 6,       /* -, text */
    FIELD_DESCRIPTION = 7, /* -, text */
    FIELD_SOURCE = 8,      /* -, text */
    FIELD_LINK = 9,        /* relation, address */
    FIELD_TRACE = 10,      /* -, trace id and span id, 24 bytes: in which span it happened */
    FIELD_PARENT = 11,     /* the same: one more parent */
    FIELD_FOLLOWS = 12,    /* the same: a span that this one follows from */
    FIELD_MOMENT = 13,     /* key, u64 ns after the span's start, then a text: a line of the span's log */
};
enum { METRICS__FIELD_HEAD = 4, METRICS__FIELD_IDS = 24 };

/* Bytes that a class has between body and fields. */
static inline uint32_t metrics__event_part(unsigned class)
{
    return class == EVENT_SPAN         ? sizeof(struct metrics__event_span)
           : class == EVENT_ANNOTATION ? sizeof(struct metrics__event_annotation)
           : class == EVENT_POINT      ? sizeof(struct metrics__event_point)
                                       : 0;
}

/* Where the reservoir starts in storage[1] of a timer: after the rate block. */
enum { METRICS__RATE_BLOCK = 128 };

#endif
