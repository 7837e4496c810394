/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reading.h - what readers share: the catalog of series, a reading, a snapshot, and what a kind must provide
 * to be read.
 *
 * A reader keeps a catalog of what it found in the index: names, tags, settings, places. Snapshots refer to
 * its strings and keep it alive by a reference count; it only grows, so they may be used while the reader
 * goes on.
 */
#ifndef METRICS_REGISTRY_READING_H
#define METRICS_REGISTRY_READING_H

#include <stdbool.h>

#include <mtx/metrics.h>
#include <mtx/snapshot.h>

#include "format.h"
#include "plan.h"
#include "pool.h"
#include "sketch.h"

/* --- Series (series.c) --- */

/* What the settings of a family come to for series of one kind. Families with equal settings share it. */
struct metrics__shape {
    uint8_t kind;
    bool loads; /* the kind has a load(): there is more to a reading than one cell and rates */
    struct metrics__settings settings;
    struct metrics__plan plan;
    const double *bounds;
    metrics_bucket_t *buckets; /* lower, upper; count 0 */
    uint32_t bucket_count;
    int scale; /* of exponential buckets, else -1 */
    struct metrics__shape *next;
};

struct metrics__family_read {
    uint64_t offset;
    uint64_t text;      /* offset of the text record that unit and help are from; 0 = none yet */
    uint64_t wall_base; /* added to segment time: wall clock */
    const char *name;   /* of its series, unless they have their own; "" if the family was decoded */
    const char *unit, *help;
    const struct metrics__series_read *latest; /* of its series: the next one shares its texts */
    const struct metrics__shape *shape;        /* NULL: the family was decoded from bytes */
    struct metrics__family_read *other;        /* the same family for another kind: damage */
    struct metrics__family_read *newer;        /* the same with its text, which was added later */
    uint8_t merge;                             /* gauges: enum metrics_merge */
};

/*
 * A series as snapshots refer to it. What readings show of it never changes, as a snapshot may be in use in
 * another thread; the rest belongs to the reader's thread.
 */
struct metrics__series_read {
    struct metrics__family_read *family;
    uint64_t identity; /* hash of name and tags: the record's */
    uint64_t created;  /* segment time, ns */
    uint64_t offset, storage[2];
    uint8_t kind, tag_count;
    bool own_name;         /* else it is the family's */
    bool retired, twin;    /* twin: has the name and tags of a series before it: damage, left out */
    bool overflow, filled; /* an overflow series is shown once something was counted in it */
    uint32_t place;        /* its index in the readings, or METRICS__NOWHERE; to others a hint (ORD-15) */
    uint32_t late;         /* its entry in the catalog's `late`, if it has a reservoir */
    metrics_tag_t tags[];  /* then the name, if it has its own, and texts of the tags */
};
#define METRICS__NOWHERE UINT32_MAX

static inline const char *metrics__series_name(const struct metrics__series_read *s)
{
    return s->own_name ? (const char *)(s->tags + s->tag_count) : s->family->name;
}
/*
 * A series of that family and these texts (name, key, value, key, value ...; count is odd), all else zero. It
 * and copies of the texts are in the pool; texts that the family or its latest series has are shared. NULL
 * without memory.
 */
struct metrics__series_read *metrics__series_new(struct metrics__pool *pool, const char *const *texts,
                                                 size_t count, struct metrics__family_read *family);
/*
 * A family for series that belong to no catalog: `last`, if it is the same, else a new one in the pool with
 * copies of the texts. NULL without memory.
 */
struct metrics__family_read *metrics__family_like(struct metrics__pool *pool,
                                                  struct metrics__family_read *last, const char *unit,
                                                  const char *help, uint64_t wall_base, uint8_t merge);
/* Compare by name, then tags: the order of snapshots. */
int metrics__series_compare(const struct metrics__series_read *a, const struct metrics__series_read *b);

/* --- Catalog (catalog.c) --- */

/* A series' extremes as the leader read them, and later values for the same epoch (ORD-10): max, min. */
struct metrics__late {
    uint64_t seen[2]; /* highest words found in the bank of the last closed epoch */
    uint64_t late[2]; /* higher ones that came after that, to be counted to the next epoch */
};

struct metrics__catalog {
    unsigned references; /* atomic (ORD-15); all else but `spare` belongs to the reader's thread */
    struct metrics__pool pool;
    struct metrics__series_read **series; /* in order of discovery; retired ones included */
    uint32_t *sorted;                     /* indices into series, by name and tags */
    size_t count, room;
    struct metrics__family_read **families;
    size_t family_count, family_room;
    struct metrics__shape *shapes; /* the latest first */
    struct metrics__late *late;
    size_t late_count, late_room;
    uint32_t *table; /* of offsets, open addressing: see places.c */
    size_t table_room, table_used;
    uint64_t records; /* header.records when it was read */
    uint64_t damaged;
    struct metrics_snapshot *spare; /* the memory of one that was released, for the next (ORD-15) */
};

/* The caller owns one reference, and releases it. NULL without memory. Retain and release: any thread. */
struct metrics__catalog *metrics__catalog_new(void);
struct metrics__catalog *metrics__catalog_retain(struct metrics__catalog *c);
void metrics__catalog_release(struct metrics__catalog **c);

/*
 * The key's name '\0' key '\0' value '\0' ... in [at, end), which ends with a zero, as texts: how many, or 0 if it is
 * not whole, sorted, in pairs. Pure.
 */
size_t metrics__key_split(const char *at, const char *end, const char *texts[2 * METRICS_TAGS_MAX + 1]);

/* --- Readings and snapshots (reading.c) --- */

/* Rates per second; NaN = absent. */
struct metrics__rates_read {
    double ewma[3], mean;
};

/* A sample: summary from before it was compressed, and its centroids. */
struct metrics__sample_read {
    bool present;
    bool has_stddev;
    double min, max, mean, stddev;
    uint64_t values;               /* how many single values the centroids stand for */
    metrics_centroid_t *centroids; /* sorted by mean */
    size_t centroid_count;
};

struct metrics__distribution_read {
    struct metrics__rates_read rates; /* timers */
    double sum, squares;
    uint64_t ignored;
    struct metrics__sample_read recent, interval;
    bool has_extremes; /* of the interval */
    double interval_min, interval_max;
    metrics_bucket_t *buckets;
    size_t bucket_count;
    int scale;
    metrics_distribution_t whole; /* lifetime buckets or recent centroids */
};

struct metrics__level {
    int64_t worker;
    double value;
};
struct metrics__gauge_read { /* one level, or one per worker */
    size_t count;
    struct metrics__level levels[];
};

struct metrics__set_read {
    double distinct;
    bool exact;
    size_t element_count;
    uint64_t *elements;
};

/*
 * One series in one snapshot. What a kind has besides its count is in the snapshot's pool, or NULL if there
 * is nothing: so a counter takes no more memory than this.
 */
struct metrics_reading {
    const struct metrics__series_read *series;
    uint64_t count; /* counter, meter, distribution; updown: two's complement */
    union {
        void *any;
        struct metrics__rates_read *rates; /* meter */
        struct metrics__distribution_read *distribution;
        struct metrics__gauge_read *gauge;
        struct metrics__set_read *set;
    } more;
};

/* That part of a reading, in its snapshot; an empty constant if it has none. Never NULL. */
const struct metrics__rates_read *metrics__rates_of(const struct metrics_reading *r);
const struct metrics__distribution_read *metrics__distribution_of(const struct metrics_reading *r);
/*
 * A sum that went beyond the largest double is reported as that number, and so is every difference of it: never
 * as 0, as less than it was, or as infinite. Sums of both infinities count as beyond, too. Pure.
 */
double metrics__saturate(double sum);
bool metrics__is_saturated(double sum);
double metrics__sum_since(double now, double base);

const struct metrics__gauge_read *metrics__gauge_of(const struct metrics_reading *r);
const struct metrics__set_read *metrics__set_of(const struct metrics_reading *r);
/* An empty distribution in the pool, for a reading of such a kind; NULL without memory. */
struct metrics__distribution_read *metrics__distribution_new(struct metrics__pool *pool);
/* Set its `whole` from its other members. */
void metrics__distribution_complete(struct metrics__distribution_read *d, uint64_t count);

struct metrics_snapshot {
    unsigned references;
    struct metrics__pool pool;
    struct metrics__catalog *catalog; /* whose series the readings are of; NULL = all in the pool */
    metrics_snapshot_header_t header;
    struct metrics_reading *readings;
    size_t count, room;
    uint64_t order; /* number of the order (order.h) whose series the readings have; kept in a spare one */
};

/* All readings zero; the caller owns its one reference. NULL without memory. */
struct metrics_snapshot *metrics__snapshot_new(size_t readings);
/* Free its memory, whatever its references. NULL is allowed. */
void metrics__snapshot_free(struct metrics_snapshot *s);

/* --- Kinds --- */

struct metrics__taking;
struct metrics__rows;

/* The reader's side of a kind: the last thing in <kind>_rows.c. */
struct metrics__kind_read {
    const char *name;
    /*
     * Fill in a reading whose series is set. false = damaged: it is left out. NULL: the kind has only a count
     * in one cell, and rates if its plan has any; snapshot.c fills these in.
     */
    bool (*load)(const struct metrics__taking *t, struct metrics_reading *out);
    void (*rows)(struct metrics__rows *rows, const struct metrics_reading *now,
                 const struct metrics_reading *base);
};
#define KIND(NUMBER, NAME) extern const struct metrics__kind_read metrics__kind_read_##NAME;
#include "kinds.def"
#undef KIND
/* From kinds.def (rows.c). NULL for numbers that this version does not know. */
const struct metrics__kind_read *metrics__kind_read_of(unsigned number);

/* --- Rows (row.c) --- */

struct metrics__rows {
    metrics_row_options_t options; /* completed with defaults */
    metrics_row_t *out;
    size_t max, n;
    const struct metrics_reading *now;
    const char *unit;
};
/* Append a row, if its attribute is wanted. */
void metrics__row_u64(struct metrics__rows *r, enum metrics_attribute a, enum metrics_nature nature,
                      enum metrics_scope scope, uint64_t v);
void metrics__row_i64(struct metrics__rows *r, enum metrics_attribute a, enum metrics_nature nature,
                      int64_t v, bool additive);
void metrics__row_f64(struct metrics__rows *r, enum metrics_attribute a, enum metrics_nature nature,
                      enum metrics_scope scope, double v);
/* m1_rate, m5_rate, m15_rate, mean_rate: those that are known. */
void metrics__row_rates(struct metrics__rows *r, const struct metrics_reading *now);
void metrics__row_push(struct metrics__rows *r, const metrics_row_t *row);

/* Rows that histograms and timers share (distribution_rows.c). */
void metrics__distribution_rows(struct metrics__rows *r, const struct metrics_reading *now,
                                const struct metrics_reading *base);

#endif
