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
    double sum, min, max, sum_squares; /* NaN = not known */
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
    size_t item;                      /* which item of the batch; by hand: which line */
    const struct json_t *extra;       /* by hand: the whole line, for the backend's own fields; else NULL */
};

/* The value as a double. */
double point_number(const struct point *point);

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
     * Writes one point into one of the payloads and counts it there. False, with the reason, if the wire
     * cannot carry it (not a number, too many tags): it is left out and told. Names are made fit for the wire
     * here, so that points by hand get the same treatment.
     */
    bool (*add)(struct payload *payloads, const struct point *point, const void *settings,
                const void *session, struct buf *why);
    /* Completes those that have points; one without must have an empty body. NULL = nothing to do. */
    void (*end)(struct payload *payloads, const void *settings, const void *session);
    size_t most; /* points in one payload; 0 = any number */
    /* Types of points that it takes by hand: bits 1 << POINT_x, and the words for them. */
    const struct point_word {
        const char *word; /* "count" */
        enum point_type type;
        double factor;  /* -1: `decrement` is a negative delta; 0 is read as 1 */
    } * words;          /* NULL-terminated; the first is the default */
    const char *fields; /* for --help: its own fields, one a line: "name  what it does" */
};

/* The encode function of every backend that has points. Stops when a payload is full, at the end of an item,
 * and says in payloads[0].items how far it came. */
size_t points_encode(const struct batch *batch, struct payload *payloads);

/* The same for points by hand: writes from `from` on until a payload is full; returns how many were taken,
 * those left out included. For each of those `refused` is called. */
typedef void points_refused_fn(void *arg, const struct point *point, const char *why);
size_t points_write(const struct backend_points *backend, const struct point *at, size_t n,
                    const void *settings, const void *session, struct payload *payloads,
                    points_refused_fn *refused, void *arg);

#endif
