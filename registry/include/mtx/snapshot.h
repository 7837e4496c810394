/* SPDX-License-Identifier: Apache-2.0 */
/*
 * <mtx/snapshot.h> - read a segment: take a snapshot, walk its rows, encode and decode it, check the file.
 *
 * For exporters, tools and tests. Link libmtx-snapshot. A reader opens the file read-only, copies with
 * pread() and validates its private copy, so it neither disturbs writers nor can be hurt by what it reads:
 * truncation, garbage and half-finished writes become an error or a missing series, never a crash.
 *
 *     metrics_error_t err;
 *     metrics_reader_t *reader = metrics_reader_open("/dev/shm/mtx-0.seg", NULL, &err);
 *     metrics_snapshot_t *s = metrics_snapshot_take(reader, &err);
 *     for (size_t i = 0; i < metrics_snapshot_count(s); i++) {
 *         const metrics_reading_t *r = metrics_snapshot_reading(s, i);
 *         metrics_row_t rows[METRICS_ROWS_MAX];
 *         size_t n = metrics_reading_rows(r, NULL, NULL, rows, METRICS_ROWS_MAX);
 *         ...
 *     }
 *
 * Words: a *reading* is one series in one snapshot. A *row* is one attribute of a reading (its count, its
 * 99th percentile...), with a *nature* that tells what may be done with the number. Code that reports metrics
 * branches on the nature and never needs to know what kind of metric it came from.
 *
 * Thread safety: a reader belongs to one thread at a time; a snapshot is immutable and may be shared.
 * Strings and arrays reached through a snapshot belong to it and live as long as it.
 */
#ifndef MTX_SNAPSHOT_H
#define MTX_SNAPSHOT_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <mtx/error.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

typedef struct metrics_reader metrics_reader_t;
typedef struct metrics_snapshot metrics_snapshot_t;
typedef struct metrics_reading metrics_reading_t;

/* --- Readers --- */

/* Wall and segment clock, in nanoseconds; replaceable for tests. */
typedef struct metrics_clock {
    uint64_t (*wall)(void *arg);      /* since 1970 */
    uint64_t (*monotonic)(void *arg); /* CLOCK_MONOTONIC of the initial time namespace */
    void *arg;
} metrics_clock_t;

typedef struct metrics_reader_options {
    size_t size;           /* sizeof this struct */
    metrics_clock_t clock; /* zero: the system's */
    int world_writable;    /* 1 = accept a segment that everybody may write */
    uint64_t stale_ns;     /* callback gauges older than this are absent; default 30 s */
} metrics_reader_options_t;

/*
 * Open the segment at path (NULL: $MTX_SEGMENT, else the default path) for reading. Works while writers run,
 * and on a segment whose processes are all dead. NULL on error: METRICS_E_MISSING, _UNSAFE, _FORMAT,
 * _VERSION, _ARCH, _DAMAGED, _SYSTEM, _MEMORY.
 */
metrics_reader_t *metrics_reader_open(const char *path, const metrics_reader_options_t *options,
                                      metrics_error_t *error);
void metrics_reader_close(metrics_reader_t **reader);

/* The path that was opened, and the default one ($MTX_SEGMENT or /dev/shm/mtx-<uid>.seg; static buffer per
 * thread). */
const char *metrics_reader_path(const metrics_reader_t *reader);
const char *metrics_default_path(void);

/* Does the path now lead to another segment (deleted and made again) or to none? 1 = yes, 0 = no. */
int metrics_reader_replaced(metrics_reader_t *reader);

/* Facts about the segment itself. */
typedef struct metrics_segment_info {
    uint16_t major, minor;
    uint32_t cpu_lanes, atomic_lanes;
    uint64_t incarnation; /* random; another one = another segment */
    uint64_t created_wall_ns, age_ns;
    uint64_t bytes_limit, bytes_used; /* of the arena: used / limit is the fill ratio */
    uint64_t bytes_resident;          /* memory the file occupies */
    uint64_t series, families;
    uint32_t slots_limit, writers; /* process slots, and how many living processes hold one */
    int attached;                  /* 1 = at least one process has it open for writing */
    int leader;                    /* 1 = an exporter holds the leader lock */
    uint64_t epoch, folds;         /* closed intervals and EWMA folds */
    uint64_t losses[32];           /* per reason, see metrics_loss_name() */
    uint32_t loss_count;           /* reasons known to the segment */
} metrics_segment_info_t;

int metrics_reader_info(metrics_reader_t *reader, metrics_segment_info_t *info, metrics_error_t *error);
const char *metrics_loss_name(uint32_t reason); /* "segment_full", ...; NULL beyond the last */

/* The most recent refused names (at most 64), oldest first; seq grows by one per refusal. */
typedef void metrics_refusal_fn(void *arg, uint64_t seq, const char *reason, const char *name);
void metrics_reader_refusals(metrics_reader_t *reader, metrics_refusal_fn *fn, void *arg);

/* Processes that hold a slot: pid and name are information for humans, liveness is proven by a kernel
 * lock. */
typedef struct metrics_process {
    uint32_t slot, pid;
    int alive, weak; /* weak: its lock drops when the process closes any descriptor of the file */
    uint64_t started_wall_ns;
    char name[16];
} metrics_process_t;
typedef void metrics_process_fn(void *arg, const metrics_process_t *process);
void metrics_reader_processes(metrics_reader_t *reader, metrics_process_fn *fn, void *arg);

/* --- Snapshots --- */

/*
 * Read everything afresh. Touches no interval state: anybody may do it at any time, beside an exporter or
 * without one. Rates are extrapolated to now in private memory. NULL on error (METRICS_E_DAMAGED, _SYSTEM,
 * _MEMORY). Release with metrics_snapshot_release().
 */
metrics_snapshot_t *metrics_snapshot_take(metrics_reader_t *reader, metrics_error_t *error);

/* Snapshots are reference-counted (thread-safe); release sets *snapshot to NULL. */
metrics_snapshot_t *metrics_snapshot_retain(metrics_snapshot_t *snapshot);
void metrics_snapshot_release(metrics_snapshot_t **snapshot);

typedef struct metrics_snapshot_header {
    uint64_t incarnation;     /* of the segment */
    uint64_t epoch;           /* the interval that it closed; 0 = it closed none (taken privately) */
    uint64_t wall_ns;         /* when it was taken, since 1970 */
    uint64_t monotonic_ns;    /* the same on the monotonic clock: lengths come from this one */
    uint64_t interval_ns;     /* length of the interval part of its readings; 0 = none */
    uint64_t created_wall_ns; /* of the segment */
    uint64_t series_damaged;  /* readings left out because their bytes made no sense */
    int first_export;         /* 1 = no exporter ever closed an interval of this segment before */
} metrics_snapshot_header_t;
const metrics_snapshot_header_t *metrics_snapshot_header(const metrics_snapshot_t *snapshot);

/* Readings are sorted by name, then by tags (keys in byte order). */
size_t metrics_snapshot_count(const metrics_snapshot_t *snapshot);
const metrics_reading_t *metrics_snapshot_reading(const metrics_snapshot_t *snapshot, size_t i);

/* The same series (name, tags, start) in another snapshot of the same incarnation, or NULL. */
const metrics_reading_t *metrics_snapshot_find(const metrics_snapshot_t *snapshot,
                                               const metrics_reading_t *like);

/*
 * 1 = the same series, with the same texts, are at the same places in both: known of two snapshots of one
 * reader between which none came or went. 0 = that is not known. Takes no time; so what was made of the texts
 * of one can be used for the other.
 */
int metrics_snapshot_alike(const metrics_snapshot_t *a, const metrics_snapshot_t *b);

/*
 * Let newer stand for both intervals: a new snapshot with newer's cumulative values and an interval part that
 * covers older's interval too (extremes and samples merged). This is how a log is thinned. NULL on error.
 */
metrics_snapshot_t *metrics_snapshot_merge(const metrics_snapshot_t *older, const metrics_snapshot_t *newer,
                                           metrics_error_t *error);

/* --- Readings --- */

typedef struct metrics_tag {
    const char *key, *value;
} metrics_tag_t;

const char *metrics_reading_name(const metrics_reading_t *reading);
const metrics_tag_t *metrics_reading_tags(const metrics_reading_t *reading, size_t *n); /* sorted by key */
const char *metrics_reading_unit(const metrics_reading_t *reading);                     /* "" if none */
const char *metrics_reading_help(const metrics_reading_t *reading);                     /* "" if none */
const char *metrics_reading_kind(const metrics_reading_t *reading); /* "counter", ...: for humans */
/* What the row METRICS_COUNT of lifetime scope says, without the row; of no meaning for a reading that has no
 * such row. */
uint64_t metrics_reading_count(const metrics_reading_t *reading);
/* When the series was created, on the wall clock: the start of its cumulative values. */
uint64_t metrics_reading_start(const metrics_reading_t *reading);

/* --- Rows --- */

enum metrics_nature {
    METRICS_TOTAL,        /* running total: cumulative, only grows; rates and deltas make sense */
    METRICS_LEVEL,        /* a level now */
    METRICS_RATE,         /* per second */
    METRICS_STATISTIC,    /* min, max, mean, stddev: of a sample, not additive */
    METRICS_QUANTILE,     /* .parameter = 0 to 1 */
    METRICS_BUCKET,       /* cumulative count of values <= .parameter (upper bound, +Inf last) */
    METRICS_DISTRIBUTION, /* .distribution: all of it at once */
    METRICS_FACT,         /* constant 1, what matters is in the tags */
};

enum metrics_scope {
    METRICS_LIFETIME, /* since the series began */
    METRICS_INTERVAL, /* since base, or the snapshot's own interval */
    METRICS_RECENT,   /* what the reservoir represents */
};

/* Attributes a row can have, and the suffix that Coda Hale's metrics made customary. */
#define METRICS_ATTRIBUTES(X)             \
    X(METRICS_VALUE, "value")             \
    X(METRICS_COUNT, "count")             \
    X(METRICS_SUM, "sum")                 \
    X(METRICS_SUM_SQUARES, "sum_squares") \
    X(METRICS_MIN, "min")                 \
    X(METRICS_MAX, "max")                 \
    X(METRICS_MEAN, "mean")               \
    X(METRICS_STDDEV, "stddev")           \
    X(METRICS_PERCENTILE, "p")            \
    X(METRICS_M1_RATE, "m1_rate")         \
    X(METRICS_M5_RATE, "m5_rate")         \
    X(METRICS_M15_RATE, "m15_rate")       \
    X(METRICS_MEAN_RATE, "mean_rate")     \
    X(METRICS_BUCKETS_LE, "bucket")       \
    X(METRICS_WHOLE, "distribution")
enum metrics_attribute {
#define METRICS__ATTRIBUTE(ID, NAME) ID,
    METRICS_ATTRIBUTES(METRICS__ATTRIBUTE)
#undef METRICS__ATTRIBUTE
        METRICS_ATTRIBUTE_COUNT
};
const char *metrics_attribute_name(enum metrics_attribute attribute);

typedef struct metrics_centroid {
    double mean, weight;
} metrics_centroid_t;

typedef struct metrics_bucket {
    double lower, upper; /* (lower, upper]; -Inf and +Inf at the ends */
    uint64_t count;      /* of this bucket alone */
} metrics_bucket_t;

/* A whole distribution: buckets (exact counts) or centroids (a weighted sample, sorted by mean), not both. */
typedef struct metrics_distribution {
    uint64_t count;
    double sum;
    const metrics_centroid_t *centroids;
    size_t centroid_count;
    const metrics_bucket_t *buckets; /* every bucket, ascending */
    size_t bucket_count;
    int scale; /* exponential buckets: OpenTelemetry's scale, else -1 */
} metrics_distribution_t;

enum metrics_value_type { METRICS_U64, METRICS_I64, METRICS_F64 };

typedef struct metrics_row {
    const metrics_reading_t *reading;
    enum metrics_attribute attribute;
    enum metrics_nature nature;
    enum metrics_scope scope;
    enum metrics_value_type type;
    union {
        uint64_t u;
        int64_t i;
        double f;
    } value;
    double parameter;                           /* quantile or bucket bound */
    const char *unit;                           /* of the value: "seconds", "bytes", "" ... */
    const metrics_distribution_t *distribution; /* METRICS_DISTRIBUTION only */
    int64_t worker;                             /* gauges that are not merged: worker index; else -1 */
    int additive; /* a level that may be summed over hosts (updown, sum gauges) */
} metrics_row_t;

/* The value as a double, whatever its type. */
double metrics_row_number(const metrics_row_t *row);
/* The customary suffix: "count", "p99", "p999", "m1_rate"... into buf (at least 24 bytes); returns buf. */
const char *metrics_row_suffix(const metrics_row_t *row, char *buf, size_t n);

enum {
    METRICS_ROWS_MAX = 64
}; /* enough for a reading with default options and up to 32 quantiles, no buckets */

#define METRICS_ATTR(A) (UINT32_C(1) << (A))
/* Everything but buckets and whole distributions. */
#define METRICS_ATTRS_DEFAULT                                                          \
    ((METRICS_ATTR(METRICS_ATTRIBUTE_COUNT) - 1) & ~METRICS_ATTR(METRICS_BUCKETS_LE) & \
     ~METRICS_ATTR(METRICS_WHOLE))

typedef struct metrics_row_options {
    size_t size;
    uint32_t attributes;     /* METRICS_ATTR() bits; 0 = METRICS_ATTRS_DEFAULT */
    const double *quantiles; /* NULL: 0.5 0.75 0.95 0.98 0.99 0.999 */
    size_t quantile_count;
    enum metrics_scope totals;  /* METRICS_LIFETIME (default) or METRICS_INTERVAL: count, sum, buckets */
    enum metrics_scope sampled; /* METRICS_RECENT or METRICS_INTERVAL: min, max, mean, stddev, quantiles.
                                   Zero (METRICS_LIFETIME) means METRICS_RECENT. */
    int empty_zero;             /* 1 = sampled attributes of an empty sample are 0, as some vendors expect;
                                   0 = they are absent */
} metrics_row_options_t;

/*
 * Expand a reading into rows (at most max; returns how many there are, which may be more than max: call again
 * with more room). base is the same series in an earlier snapshot, or NULL; totals of METRICS_INTERVAL scope
 * are now - base (base NULL: since the series began). options may be NULL. Reads no clock and changes
 * nothing: any number of threads may expand one snapshot. A METRICS_WHOLE row points to the lifetime buckets
 * or recent centroids, which belong to the snapshot; for intervals see metrics_reading_distribution().
 */
size_t metrics_reading_rows(const metrics_reading_t *now, const metrics_reading_t *base,
                            const metrics_row_options_t *options, metrics_row_t *rows, size_t max);

/*
 * The distribution of an interval: buckets now - base (into room, which takes bucket_count of the
 * METRICS_WHOLE row), or the centroids of the snapshot's own interval. Its count and sum are now - base. 0,
 * or -1 if the reading has no distribution or room is too small. Pure.
 */
int metrics_reading_distribution(const metrics_reading_t *now, const metrics_reading_t *base,
                                 metrics_bucket_t *room, size_t room_count, metrics_distribution_t *out);

/* The elements of a small set as 48-bit hashes; *n = 0 when there are too many to be kept. */
const uint64_t *metrics_reading_elements(const metrics_reading_t *reading, size_t *n);

/* --- Bytes --- */

/*
 * msgpack, zlib level 1: a header object, then one object per reading; documented in docs/format.md. *bytes
 * is malloc()ed and the caller's to free(). Returns 0 or a metrics_code.
 */
int metrics_snapshot_encode(const metrics_snapshot_t *snapshot, void **bytes, size_t *n,
                            metrics_error_t *error);
/* Refuses anything that is not such bytes, before allocating for it. NULL on error (METRICS_E_FORMAT,
 * ...). */
metrics_snapshot_t *metrics_snapshot_decode(const void *bytes, size_t n, metrics_error_t *error);

/* --- Checking --- */

typedef void metrics_damage_fn(void *arg, uint64_t offset, const char *what);
/* Examine every structure of the file. Returns the number of damages (each told to fn), or -1 with *error. */
int metrics_segment_check(const char *path, metrics_damage_fn *fn, void *arg, metrics_error_t *error);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
