/* SPDX-License-Identifier: Apache-2.0 */
/*
 * points.h - for backends whose wire is made of points (a name, tags, a time, a value): what a point is, how
 * readings become points, and how points become payloads.
 *
 *     reading --map()--> points --add()--> payloads          the exporter
 *     a line of JSON ----------^                             mtxctl send
 *
 * so that points given by hand leave by the very code that the registry's do. All of it is pure; a struct
 * points belongs to one thread.
 */
#ifndef EXPORTERS_POINTS_H
#define EXPORTERS_POINTS_H

#include "json.h"
#include "region.h"
#include "view.h"

struct json_t; /* jansson's */

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

struct point {
    enum point_type type;
    const char *name;
    const metrics_tag_t *tags; /* sorted by key */
    size_t tag_count;
    const char *source;      /* NULL: the backend's default */
    const char *unit, *help; /* NULL or "": none */
    uint64_t time_ns;        /* since 1970; 0 = none was given */
    uint64_t interval_ns; /* of DELTA, RATE, SUMMARY, DISTRIBUTION: the time that it covers; 0 = not known */
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

/* The value as JSON: integers stay integers. */
void point_json_value(const struct point *point, struct json *j);

/* A list that grows, with memory for what its points refer to. Zero is an empty list. */
struct points {
    struct point *at;
    size_t n, room;
    struct region region;
    bool failed; /* no memory: what is in it is not all */
};
/* One more, zeroed but for `like` (which may be NULL); never NULL: without memory a spare one is returned and
 * the list marked as failed. Valid until the next call. */
struct point *points_add(struct points *points, const struct point *like);
void points_reset(struct points *points);
void points_free(struct points *points);

/* Text that lives as long as the points do; "" without memory. */
const char *points_text(struct points *points, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* name + separator + the row's customary suffix. */
const char *points_suffixed(struct points *points, const char *name, const char *separator,
                            const metrics_row_t *row);

/* A point as far as a row says it: name, tags (with `worker`), time, value; type by the row's nature and
 * scope: TOTAL or DELTA, RATE, else GAUGE. The interval is the view's. */
struct point *points_of_row(struct points *points, const struct view *view, const struct item *item,
                            const metrics_row_t *row);

/* What a backend of points is made of. */
struct backend_points {
    /* Appends an item's points, for which `rows` were expanded in the scope that the backend wants. */
    void (*map)(struct points *out, const struct view *view, const struct item *item, const struct rows *rows,
                const void *settings, const void *session);
    /* Begins PAYLOADS empty payloads. NULL = nothing to do. */
    void (*begin)(struct payload *payloads, const void *settings, const void *session);
    /*
     * Writes one point into one of the payloads and counts it there. The point has a name, and its value (a
     * summary's sum) is finite; of POINT_FIELDS neither is known. False, with the reason, if the wire cannot
     * carry it (too many tags, too long a name): it is left out and reported, and what was written of it to
     * the bodies is taken back. Names are made fit for the wire here, so that points by hand get the same treatment.
     */
    bool (*add)(struct payload *payloads, const struct point *point, const void *settings,
                const void *session, struct buf *why);
    /* Completes those that have points; one without must have an empty body. NULL = nothing to do. */
    void (*end)(struct payload *payloads, const void *settings, const void *session);
    size_t most; /* points in one payload; 0 = any number */
    /* What it takes by hand: the words of `type`, the first the default, and its own fields beside those that
     * all have. points_line.h reads lines by them and explains them. Both end with a NULL; own may be NULL.
     */
    const struct point_word *words;
    const struct point_own *own;
    const struct points_by_hand *hand; /* NULL: nothing is special */
};

/* What `value` may be. */
enum point_value {
    POINT_NUMBER = 1,
    POINT_NUMBERS = 2,  /* a list: a summary, a distribution, or that many points, as the type has it */
    POINT_ELEMENTS = 4, /* a list of texts and numbers */
};

struct point_word {
    const char *word; /* "count" */
    enum point_type type;
    double factor;       /* -1: `decrement` is a negative delta; 0 is read as 1 */
    unsigned value;      /* POINT_NUMBER...; 0: there is none */
    const char *instead; /* the own field that may stand in place of `value`; NULL: none */
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

/*
 * By hand there is no registry, no interval and no view: what differs from the exporter's way. The hooks talk
 * to the other side and answer as those of a session do.
 */
struct points_by_hand {
    const char *const *defaults;  /* "option=value" in place of the option's own default; ends with NULL */
    const char *const *always;    /* the same, also in place of what a configuration says */
    const char *optional;         /* an option that is required else */
    const char *nameless;         /* an own field that makes a name unnecessary */
    bool timed;                   /* a point without a time gets the present one */
    bool ascending;               /* points leave in the order of their times */
    const char *const *constants; /* what true, false and null are as tags; NULL: true, false, and no null */
    const char *duration;         /* the type in which a length of time is sent; NULL = the first */
    /* Before points are written, and again after expire(): a login, a schema. NULL = nothing to do. */
    void (*prepare)(void *session, const void *settings, void *link, const struct point *at, size_t n,
                    struct answer *answer);
    /* When all were sent; the times are those of the newest points. NULL = nothing to do. */
    void (*done)(void *session, const void *settings, void *link, struct answer *answer);
    /* True if an answer that else means "mend the configuration" passes by itself. NULL = none does. */
    bool (*passes)(const struct answer *answer);
    /* True if one that else would be tried again does mean that. NULL = none does. */
    bool (*denies)(const struct answer *answer);
    /* Calls `blamed` for each point, counted from 0 in the payload, that an answer names as refused. */
    void (*blame)(const struct answer *answer, void (*blamed)(void *arg, size_t at, const char *why),
                  void *arg);
};

/* The encode function of every backend that has points. Stops when a payload is full, at the end of an item,
 * and says in payloads[0].items how far it came. */
size_t points_encode(const struct batch *batch, struct payload *payloads);

/*
 * The same for points by hand: writes from at[0] on until a payload is full; returns how many were taken,
 * those left out included. where[i] (n of them) tells in which of the payloads at[i] stands, POINTS_NOTHING
 * if there is nothing to send of it (a delta of 0), POINTS_LEFT_OUT if it was left out: then `refused` was
 * called.
 */
enum { POINTS_NOTHING = -1, POINTS_LEFT_OUT = -2 };
typedef void points_refused_fn(void *arg, const struct point *point, const char *why);
size_t points_write(const struct backend_points *backend, const struct point *at, size_t n,
                    const void *settings, const void *session, struct payload *payloads, signed char *where,
                    points_refused_fn *refused, void *arg);

#endif
