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

#include <mtx/snapshot.h>

#include "format.h"
#include "plan.h"
#include "sketch.h"
#include "readonly.h"

/* --- Memory that goes away all at once (pool.c)
 * ------------------------------------------------------------- */

struct metrics__pool {
    struct metrics__chunk *chunks;
    bool failed; /* sticky: an allocation was refused */
};
/* n zeroed bytes, aligned to 16; NULL (and failed) without memory. */
void *metrics__pool_take(struct metrics__pool *pool, size_t n);
char *metrics__pool_text(struct metrics__pool *pool, const char *text, size_t n); /* a terminated copy */
void metrics__pool_free(struct metrics__pool *pool);

/* --- Catalog (catalog.c)
 * ------------------------------------------------------------------------------------ */

struct metrics__family_read {
    uint64_t offset;
    uint64_t text; /* offset of the text record when unit and help were read */
    const char *unit, *help;
    struct metrics__settings settings;
    const double *bounds;
    metrics_bucket_t *buckets; /* lower, upper; count 0 */
    uint32_t bucket_count;
    int scale; /* of exponential buckets, else -1 */
    struct metrics__family_read *next;
};

struct metrics__series_read {
    uint64_t offset;
    uint8_t kind;
    bool retired, overflow;
    bool twin;        /* of a series before it: damage, left out */
    uint64_t created; /* segment time, ns */
    uint64_t storage[2];
    const char *name;
    metrics_tag_t *tags;
    size_t tag_count;
    uint64_t identity; /* hash of name and tags: the record's */
    struct metrics__family_read *family;
    struct metrics__plan plan;
    uint64_t seen[2]; /* leader: highest words (max, min) found in the bank of the last closed epoch */
    uint64_t late[2]; /* leader: higher ones that came after that, to be counted to the next epoch (ORD-10) */
};

struct metrics__catalog {
    unsigned references;
    struct metrics__pool pool;
    struct metrics__series_read **series; /* sorted by name and tags; retired ones included */
    size_t count, room;
    struct metrics__series_read **table; /* by offset, open addressing */
    size_t mask;
    struct metrics__family_read *families;
    struct metrics__family_read **family_table; /* by offset, open addressing, at most half full */
    size_t family_count, family_room;           /* room: a power of two, or 0 */
    uint64_t records;                           /* header.records when it was read */
    uint64_t damaged;
};

struct metrics__catalog *metrics__catalog_new(void);
struct metrics__catalog *metrics__catalog_retain(struct metrics__catalog *c);
void metrics__catalog_release(struct metrics__catalog **c);

/* Compare by name, then tags: the order of snapshots. */
int metrics__series_compare(const char *name_a, const metrics_tag_t *tags_a, size_t n_a, const char *name_b,
                            const metrics_tag_t *tags_b, size_t n_b);

/* --- Readings and snapshots
 * --------------------------------------------------------------------------------- */

/* What a sample said before it was compressed. */
struct metrics__sample_read {
    bool present;
    bool has_stddev;
    double min, max, mean, stddev;
    uint64_t values;               /* how many single values the centroids stand for */
    metrics_centroid_t *centroids; /* sorted by mean */
    size_t centroid_count;
};

struct metrics__level {
    int64_t worker;
    double value;
};

struct metrics_reading {
    const char *name;
    metrics_tag_t *tags;
    size_t tag_count;
    uint64_t identity;
    const char *unit, *help;
    uint8_t kind;
    uint8_t merge;    /* gauges: enum metrics_merge */
    uint64_t created; /* segment time, ns */
    uint64_t start_wall;
    uint64_t count; /* counter, meter, distribution; updown: two's complement */
    double sum, squares;
    uint64_t ignored;
    struct metrics__level *levels; /* gauge: one, or one per worker; empty = absent */
    size_t level_count;
    bool has_rates, has_mean_rate;
    double rates[3], mean_rate;
    struct metrics__sample_read recent, interval;
    bool has_extremes; /* of the interval */
    double interval_min, interval_max;
    metrics_bucket_t *buckets;
    size_t bucket_count;
    int scale;
    metrics_distribution_t whole; /* lifetime buckets or recent centroids */
    double distinct;              /* set */
    bool exact;
    uint64_t *elements;
    size_t element_count;
};

struct metrics_snapshot {
    unsigned references;
    struct metrics__pool pool;
    struct metrics__catalog *catalog; /* whose strings the readings use; NULL = all in the pool */
    metrics_snapshot_header_t header;
    struct metrics_reading *readings;
    size_t count;
};

struct metrics_snapshot *metrics__snapshot_new(size_t readings);

/* --- Taking (reader.c, snapshot.c)
 * --------------------------------------------------------------------------- */

struct metrics_reader {
    view_t view;
    metrics_clock_t clock;
    uint64_t stale_ns;
    uint64_t time_offset;
    struct metrics__catalog *catalog;
    unsigned char *image; /* the arena as it was copied last: [SEGMENT_ARENA, image_end) */
    uint64_t image_end, image_room;
    uint8_t *alive;   /* per slot */
    uint64_t *polled; /* per slot: segment time */
    struct segment_header head;
    bool rates_whole; /* no fold came between `head` and the image (ORD-9) */
};

/* Segment time of a CLOCK_MONOTONIC reading; never before 0. The offset wraps after a boot (shm/boot.h). */
static inline uint64_t metrics__segment_time(const struct metrics_reader *r, uint64_t monotonic)
{
    int64_t age = (int64_t)(monotonic - r->time_offset);
    return age > 0 ? (uint64_t)age : 0;
}

/* Was it written by a version that may know more kinds than this one? Then those are left out, not damaged.
 */
static inline bool metrics__is_newer(const struct segment_header *h)
{
    return h->minor > SEGMENT_MINOR || h->newest > SEGMENT_MINOR;
}

enum metrics__depth { METRICS__TAKE_ALL, METRICS__TAKE_TOTALS };

/* What a kind's load() works with. */
struct metrics__taking {
    struct metrics_reader *r;
    enum metrics__depth depth;
    struct metrics__series_read *series;
    struct metrics_snapshot *snapshot;
    uint64_t now;   /* segment time, ns */
    uint32_t tick;  /* the same in 1/8 s, from 1 */
    uint64_t epoch; /* the closed interval, or 0: none was closed for this snapshot */
    uint64_t from;  /* segment time at which that interval began */
};

/* [offset, offset + n) of the arena as copied, or NULL; the offset must be a multiple of 8. */
const void *metrics__image_at(const struct metrics_reader *r, uint64_t offset, uint64_t n);
/* Sum of a cell over all lanes of a series of that many cells, as integers or as doubles. false = damaged. */
bool metrics__sum_u64(const struct metrics__taking *t, uint32_t cell, uint64_t *out);
bool metrics__sum_f64(const struct metrics__taking *t, uint32_t cell, double *out);

/* The reader's side of a kind: the last thing in <kind>_rows.c. */
struct metrics__rows;
struct metrics__kind_read {
    const char *name;
    /* Fill in a reading whose identity is set. false = damaged: it is left out. */
    bool (*load)(const struct metrics__taking *t, struct metrics_reading *out);
    void (*rows)(struct metrics__rows *rows, const struct metrics_reading *now,
                 const struct metrics_reading *base);
};
#define KIND(NUMBER, NAME) extern const struct metrics__kind_read metrics__kind_read_##NAME;
#include "kinds.def"
#undef KIND
/* NULL for numbers that this version does not know. */
const struct metrics__kind_read *metrics__kind_read_of(unsigned number);

/* --- Rows (rows.c)
 * ------------------------------------------------------------------------------------------- */

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
/* m1_rate, m5_rate, m15_rate, mean_rate, as far as they are there. */
void metrics__row_rates(struct metrics__rows *r, const struct metrics_reading *now);
void metrics__row_push(struct metrics__rows *r, const metrics_row_t *row);

/* Loading and rows that histograms and timers share (distribution_rows.c); factor turns cells into units. */
bool metrics__distribution_load(const struct metrics__taking *t, struct metrics_reading *out, double factor);
void metrics__distribution_rows(struct metrics__rows *r, const struct metrics_reading *now,
                                const struct metrics_reading *base);
/*
 * The highest words (max, min) of the bank of that epoch over all lanes, read afresh; 0 = none. false =
 * damaged. Also for the leader, which looks for late ones before the bank is used again (ORD-10).
 */
bool metrics__extremes_read(const struct metrics_reader *r, const struct metrics__series_read *s,
                            uint64_t epoch, uint64_t words[2]);
/* The rates of a series with a rate block at storage[1], from its count. */
bool metrics__rates_load(const struct metrics__taking *t, struct metrics_reading *out);

#endif
