/* SPDX-License-Identifier: Apache-2.0 */
/*
 * points.h - for backends whose wire is made of points (a name, tags, a time, a value): what a point is, how
 * readings become points, and how points become payloads.
 *
 *     reading --map()--> points --add()--> payloads          the exporter
 *     a line of JSON ----------^                             mtxctl send
 *
 * so that points by hand are sent by the same code as those of the registry.
 *
 * Pure, but for memory. Not thread-safe: one thread at a time for each struct points and each set of
 * payloads.
 */
#ifndef EXPORTERS_POINTS_H
#define EXPORTERS_POINTS_H

#include "json.h"
#include "region.h"
#include "view.h"

struct json_t; /* jansson's */

/* --- Points --- */

enum point_type {
    POINT_GAUGE,        /* a value now */
    POINT_TOTAL,        /* a running total: the other side takes differences */
    POINT_DELTA,        /* what was added: the other side adds */
    POINT_RATE,         /* per second */
    POINT_SUMMARY,      /* count, sum, min, max, sum of squares of some values */
    POINT_DISTRIBUTION, /* centroids */
    POINT_SAMPLE,       /* one value of a distribution */
    POINT_SET,          /* distinct elements */
    POINT_FIELDS,       /* several named values at once */
    POINT_TYPES
};

struct point_field {
    const char *name;
    double value;
    bool delta; /* the other side adds them up */
};

struct point_summary {
    uint64_t count;
    double sum;
    double min, max, sum_squares; /* NaN = not known */
};

/* It owns nothing: what it refers to lives as long as its struct points, and the view or the lines that it
 * came from. */
struct point {
    enum point_type type;
    const char *name;
    const metrics_tag_t *tags; /* sorted by key */
    size_t tag_count;
    const char *source;      /* NULL: the backend's default */
    const char *unit, *help; /* NULL or "": none */
    uint64_t time_ns;        /* since 1970; 0 = none was given */
    uint64_t interval_ns;    /* the time that DELTA, RATE, SUMMARY, DISTRIBUTION cover; 0 = not known */
    enum metrics_value_type value_type;
    union {
        uint64_t u;
        int64_t i;
        double f;
    } value;
    struct point_summary summary;
    const metrics_centroid_t *centroids; /* weights are counts that add up to summary.count */
    size_t centroid_count;
    const char *const *elements;
    size_t element_count;
    const struct point_field *fields;
    size_t field_count;
    enum metrics_attribute attribute; /* what row it came from; METRICS_VALUE by hand */
    size_t item;                      /* which item of the batch; by hand: a number that no other point has */
    size_t line;                      /* by hand: which line of the input, from 1 */
    const struct json_t *extra;       /* by hand: the whole line, for the backend's own fields; else NULL */
};

/* The value as a double. */
double point_number(const struct point *point);

/* Writes the value: integers stay integers. */
void point_json_value(const struct point *point, struct json *j);

/* --- Lists of points --- */

/* A list that grows, with memory for what its points refer to. Zero is an empty list; points_free() gives it
 * back. */
struct points {
    struct point *at;
    size_t n, room;
    struct region region;
    bool failed; /* without memory: points or texts are missing */
};

/* Appends a point, zero but for `like` (which may be NULL), and returns it, valid until the next call. Never
 * NULL: without memory a spare point is returned and the list is marked as failed. */
struct point *points_add(struct points *points, const struct point *like);

/* Takes all points out, and keeps memory for the next ones. */
void points_reset(struct points *points);

/* Frees what the list owns and makes it zero. */
void points_free(struct points *points);

/* A text that lives until points_reset(). Without memory it is "", and the list is marked as failed. */
const char *points_text(struct points *points, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The same of name + separator + the row's usual suffix. */
const char *points_suffixed(struct points *points, const char *name, const char *separator,
                            const metrics_row_t *row);

/* Appends a point with what a row says and returns it as points_add() does: name, tags (with `worker`), time,
 * value; TOTAL, DELTA, RATE or GAUGE by the row's nature and scope; the view's interval. */
struct point *points_of_row(struct points *points, const struct view *view, const struct item *item,
                            const metrics_row_t *row);

/* --- Backends --- */

/* What a backend of points is made of. All hooks are pure. */
struct backend_points {
    /* Appends an item's points; `rows` are the item's in the scope that the backend wants. */
    void (*map)(struct points *out, const struct view *view, const struct item *item, const struct rows *rows,
                const void *settings, const void *session);
    /* Begins PAYLOADS empty payloads. NULL = nothing to do. */
    void (*begin)(struct payload *payloads, const void *settings, const void *session);
    /*
     * Writes one point into one of the payloads and counts it there. The point has a name, and its value (of
     * a summary, the sum) is finite; a point of type POINT_FIELDS may lack a name, and its fields were not
     * checked. False, with the reason, if the wire cannot carry it (too many tags, too long a name): the
     * point is left out and reported, and what was written of it to the bodies is taken back. Names are made
     * fit for the wire here, so that points by hand get the same treatment.
     */
    bool (*add)(struct payload *payloads, const struct point *point, const void *settings,
                const void *session, struct buf *why);
    /* Completes the payloads that have points; one without must have an empty body. NULL = nothing to do. */
    void (*end)(struct payload *payloads, const void *settings, const void *session);
    size_t most; /* points in one payload; 0 = any number */
    /* What it takes by hand: the words of `type`, the default first, and its own fields beside the common
     * ones. points_line.h reads lines by them and explains them. Both end with a NULL; `own` may be NULL. */
    const struct point_word *words;
    const struct point_own *own;
    const struct points_by_hand *hand; /* NULL: nothing is special */
};

/* The encode function of every backend that has points; see struct backend. Stops at the end of an item when
 * a payload is full, and sets payloads[0].items to the number of items written. */
size_t points_encode(const struct batch *batch, struct payload *payloads);

/* --- By hand --- */

/* What `value` may be. */
enum point_value {
    POINT_NUMBER = 1,
    POINT_NUMBERS = 2,  /* a list: by the type a summary, a distribution, or a point for each */
    POINT_ELEMENTS = 4, /* a list of texts and numbers */
};

struct point_word {
    const char *word; /* "count" */
    enum point_type type;
    double factor;       /* -1: `decrement` is a negative delta; 0 is read as 1 */
    unsigned value;      /* POINT_NUMBER...; 0: it takes no value */
    const char *instead; /* the own field that may be given in place of `value`; NULL: none */
    const char *help;
};

/* What a field of a line has to be, in JSON. */
enum point_shape {
    POINT_TEXT = 1,
    POINT_WHOLE,       /* a whole number */
    POINT_ANY_NUMBER,  /* a finite one */
    POINT_YES_NO,      /* true, false */
    POINT_TEXTS,       /* ["a", "b"] */
    POINT_PAIRS,       /* [[1, 2], [3, 4]] */
    POINT_NUMBER_MAP,  /* {"a": 1} */
    POINT_LISTS_MAP,   /* {"a": "x", "b": ["y", "z"]} */
    POINT_TEXT_OR_MAP, /* "x", or {"a": "x"} */
    POINT_OBJECT,      /* anything in braces */
};

struct point_own {
    const char *name;
    enum point_shape shape;
    const char *const *choices; /* of texts, ends with NULL; NULL = any */
    const char *words;          /* the types that it is for, separated by blanks; NULL = all */
    const char *help;
};

/* By hand there is no registry, no interval and no view: what differs from the exporter's way. prepare and
 * done talk to the other side and answer as those of a session do (see backend_talk_fn); the others are
 * pure. */
struct points_by_hand {
    const char *const *defaults;  /* "option=value" in place of the option's own default; ends with NULL */
    const char *const *always;    /* the same, also in place of what a configuration says */
    const char *optional;         /* an option that is required otherwise */
    const char *nameless;         /* an own field that makes a name unnecessary */
    bool timed;                   /* a point without a time gets the present one */
    bool ascending;               /* points are sent in the order of their times */
    const char *const *constants; /* what true, false and null are as tags; NULL: true, false, and no null */
    const char *duration;         /* the type for durations; NULL = the first */
    /* Before points are written, and again after expire(): a login, a schema. NULL = nothing to do. */
    void (*prepare)(void *session, const void *settings, void *link, const struct point *at, size_t n,
                    struct answer *answer);
    /* When all were sent; the times are those of the newest points. NULL = nothing to do. */
    void (*done)(void *session, const void *settings, void *link, struct answer *answer);
    /* True if an answer that usually means a wrong configuration is temporary here. NULL = none is. */
    bool (*passes)(const struct answer *answer);
    /* True if an answer after which one usually tries again means a wrong configuration here. NULL = none
     * does. */
    bool (*denies)(const struct answer *answer);
    /* Calls `blamed` for each point that an answer names as refused, counted from 0 in the payload, and with
     * POINTS_WHOLE for an error that names none. */
    void (*blame)(const struct answer *answer, void (*blamed)(void *arg, size_t at, const char *why),
                  void *arg);
};

enum { POINTS_NOTHING = -1, POINTS_LEFT_OUT = -2 };
#define POINTS_WHOLE SIZE_MAX
typedef void points_refused_fn(void *arg, const struct point *point, const char *why);

/*
 * What points_encode() is for points by hand: writes from at[0] on until a payload is full. Returns how many
 * points were taken, those left out included. where[i] (n of them) says which payload at[i] is in,
 * POINTS_NOTHING if nothing of it has to be sent (a delta of 0), POINTS_LEFT_OUT if it was left out: then
 * `refused` was called with the reason, which is valid during the call.
 */
size_t points_write(const struct backend_points *backend, const struct point *at, size_t n,
                    const void *settings, const void *session, struct payload *payloads, signed char *where,
                    points_refused_fn *refused, void *arg);

#endif
