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
 * 99th percentile...), with a *nature* that says what may be done with the number. Code that reports metrics
 * branches on the nature and never needs to know what kind of metric it came from.
 *
 * Ownership: strings, arrays and readings that are reached through a snapshot belong to it and live as long
 * as it. A snapshot does not change and does not need its reader, which may be closed before it.
 *
 * Errors: error may be NULL everywhere. Times are in nanoseconds, sizes in bytes.
 *
 * Safety is said in these words, at the end of each comment, for all functions below that comment:
 *  - thread-safe: any number of threads may call it at once, for the same reader or snapshot, too;
 *  - one thread per reader: calls with the same reader must not overlap; those with different readers may;
 *  - process-safe: any number of processes may call it at once on one segment, beside its writers, and one
 *    that is killed inside it harms no other;
 *  - async-signal-safe: a signal handler may call it, whatever it interrupted. It waits for nothing that the
 *    interrupted code may hold, allocates no memory and leaves errno alone.
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
 * Open the segment at path (NULL: metrics_default_path()) for reading. Works while writers run, and on a
 * segment whose processes are all dead. options may be NULL. The caller owns the reader and closes it. NULL
 * on error: METRICS_E_MISSING, METRICS_E_UNSAFE, METRICS_E_FORMAT, METRICS_E_VERSION, METRICS_E_ARCH,
 * METRICS_E_DAMAGED, METRICS_E_SYSTEM, METRICS_E_MEMORY.
 * Safety: thread-safe; process-safe; not async-signal-safe.
 */
metrics_reader_t *metrics_reader_open(const char *path, const metrics_reader_options_t *options,
                                      metrics_error_t *error);

/*
 * Close the reader; *reader becomes NULL, and may be NULL. No errors.
 * Safety: one thread per reader; process-safe; not async-signal-safe.
 */
void metrics_reader_close(metrics_reader_t **reader);

/*
 * The path that was opened: it belongs to the reader.
 * Safety: thread-safe; process-safe; async-signal-safe.
 */
const char *metrics_reader_path(const metrics_reader_t *reader);

/*
 * $MTX_SEGMENT, else /dev/shm/mtx-<uid>.seg. It belongs to the environment or to this thread, and is valid
 * until the next call.
 * Safety: thread-safe; process-safe; not async-signal-safe.
 */
const char *metrics_default_path(void);

/*
 * Does the path now lead to another segment (deleted and made again) or to none? 1 = yes, 0 = no. No errors.
 * Safety: thread-safe; process-safe; not async-signal-safe.
 */
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
    uint32_t lanes;                /* enum metrics_lanes: which lanes a writer that starts now would use */
} metrics_segment_info_t;

/*
 * Which lanes writers use, and why. It is what a process with the environment of this one would choose; MTX_RSEQ of
 * a writer's own environment may differ, and a writer keeps the lanes that its handles began with.
 */
enum metrics_lanes {
    METRICS_LANES_TRUSTED, /* CPU lanes: this kernel is not known to break restartable sequences */
    METRICS_LANES_PROVED,  /* CPU lanes: the kernel passed the test since its boot */
    METRICS_LANES_FORCED,  /* CPU lanes: MTX_RSEQ=on */
    METRICS_LANES_NOT_PROVED, /* atomic lanes: kernels like this one break them, and it has not passed the test */
    METRICS_LANES_FAILED,     /* atomic lanes: the kernel failed the test */
    METRICS_LANES_SWITCHED_OFF, /* atomic lanes: MTX_RSEQ=off */
};

/*
 * Do writers use the CPU lanes then? 1 or 0. And in one word why: "trusted", "proved", "forced", "not_proved",
 * "failed", "switched_off"; a constant; NULL for any other number.
 * Safety: thread-safe; process-safe; async-signal-safe.
 */
int metrics_lanes_restartable(uint32_t lanes);
const char *metrics_lanes_why(uint32_t lanes);

/*
 * Fill in the caller's *info. 0, or METRICS_E_DAMAGED or METRICS_E_MEMORY with *error; *info is then
 * incomplete.
 * Safety: one thread per reader; process-safe; not async-signal-safe.
 */
int metrics_reader_info(metrics_reader_t *reader, metrics_segment_info_t *info, metrics_error_t *error);

/*
 * The name of a reason for losses: "segment_full", ...; a constant. NULL beyond the last reason.
 * Safety: thread-safe; process-safe; async-signal-safe.
 */
const char *metrics_loss_name(uint32_t reason);

/*
 * Call fn for each of the latest refused names (at most 64), oldest first; seq grows by one per refusal. The
 * strings are valid during the call. Calls nothing if the file cannot be read.
 * Safety: one thread per reader; process-safe; not async-signal-safe.
 */
typedef void metrics_refusal_fn(void *arg, uint64_t seq, const char *reason, const char *name);
void metrics_reader_refusals(metrics_reader_t *reader, metrics_refusal_fn *fn, void *arg);

/*
 * Call fn for each process that holds a slot, and for dead ones whose slot was not taken since; *process is
 * valid during the call. pid and name are information for humans; whether it lives is proven by a kernel
 * lock. Calls nothing if the file cannot be read.
 * Safety: one thread per reader; process-safe; not async-signal-safe.
 */
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
 * Read everything afresh. It changes nothing in the segment, so any process may do it at any time, beside an
 * exporter or without one. Rates are extrapolated to now in private memory. The caller owns one reference and
 * releases it. NULL on error: METRICS_E_DAMAGED, METRICS_E_MEMORY.
 * Safety: one thread per reader; process-safe; not async-signal-safe.
 */
metrics_snapshot_t *metrics_snapshot_take(metrics_reader_t *reader, metrics_error_t *error);

/*
 * Snapshots are reference-counted. retain adds a reference and returns its argument; release drops one and
 * sets *snapshot to NULL. The snapshot may be NULL in both. No errors.
 * Safety: thread-safe; process-safe; not async-signal-safe.
 */
metrics_snapshot_t *metrics_snapshot_retain(metrics_snapshot_t *snapshot);
void metrics_snapshot_release(metrics_snapshot_t **snapshot);

typedef struct metrics_snapshot_header {
    uint64_t incarnation;     /* of the segment */
    uint64_t epoch;           /* the interval that it closed; 0 = it closed none (taken privately) */
    uint64_t wall_ns;         /* when it was taken, since 1970 */
    uint64_t monotonic_ns;    /* the same on the monotonic clock: lengths come from this one */
    uint64_t interval_ns;     /* length of the interval part of its readings; 0 = none */
    uint64_t created_wall_ns; /* of the segment */
    uint64_t series_damaged;  /* readings left out because their bytes were invalid */
    int first_export;         /* 1 = no exporter ever closed an interval of this segment before */
    uint64_t sums_saturated;  /* series whose sum, or sum of squares, is beyond the largest double */
    uint64_t age_ns;          /* of the segment: start - created_wall_ns of a reading is on the same clock */
} metrics_snapshot_header_t;

/*
 * Facts about the snapshot, how many readings it has, and the i-th of these: NULL if there is none. Readings
 * are sorted by name, then by tags (keys in byte order).
 * Safety: thread-safe; process-safe; async-signal-safe.
 */
const metrics_snapshot_header_t *metrics_snapshot_header(const metrics_snapshot_t *snapshot);
size_t metrics_snapshot_count(const metrics_snapshot_t *snapshot);
const metrics_reading_t *metrics_snapshot_reading(const metrics_snapshot_t *snapshot, size_t i);

/*
 * The same series (name, tags, start) in another snapshot of the same incarnation, or NULL.
 * Safety: thread-safe; process-safe; async-signal-safe.
 */
const metrics_reading_t *metrics_snapshot_find(const metrics_snapshot_t *snapshot,
                                               const metrics_reading_t *like);

/*
 * 1 = the same series, with the same texts, are at the same places in both: so it is in two snapshots of one
 * reader if no series came or went between them. 0 = unknown. Takes constant time, so that what was made of
 * the texts of one can be used for the other.
 * Safety: thread-safe; process-safe; async-signal-safe.
 */
int metrics_snapshot_alike(const metrics_snapshot_t *a, const metrics_snapshot_t *b);

/*
 * A new snapshot for both intervals, with newer's cumulative values and an interval part that covers older's
 * interval, too (extremes and samples merged). Logs are thinned in this way. The caller owns one reference
 * and releases it; older and newer stay the caller's. NULL on error: METRICS_E_ARGUMENT if they are of two
 * segments, METRICS_E_MEMORY.
 * Safety: thread-safe; process-safe; not async-signal-safe.
 */
metrics_snapshot_t *metrics_snapshot_merge(const metrics_snapshot_t *older, const metrics_snapshot_t *newer,
                                           metrics_error_t *error);

/* --- Readings --- */

typedef struct metrics_tag {
    const char *key, *value;
} metrics_tag_t;

/*
 * Facts about a reading. All belong to its snapshot and are never NULL. count is the value of the row
 * METRICS_COUNT of lifetime scope; only for readings that have such a row. start is when the series was
 * created, in wall clock ns since 1970: the start of its cumulative values.
 * Safety: thread-safe; process-safe; async-signal-safe.
 */
const char *metrics_reading_name(const metrics_reading_t *reading);
const metrics_tag_t *metrics_reading_tags(const metrics_reading_t *reading, size_t *n); /* sorted by key */
const char *metrics_reading_unit(const metrics_reading_t *reading);                     /* "" if none */
const char *metrics_reading_help(const metrics_reading_t *reading);                     /* "" if none */
const char *metrics_reading_kind(const metrics_reading_t *reading); /* "counter", ...: for humans */
uint64_t metrics_reading_count(const metrics_reading_t *reading);
uint64_t metrics_reading_start(const metrics_reading_t *reading);

/* --- Rows --- */

enum metrics_nature {
    METRICS_TOTAL,        /* running total: cumulative, only grows; has rates and deltas */
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

/* Attributes that a row can have, and their suffixes in Coda Hale's metrics. */
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
/*
 * The suffix of an attribute; a constant. NULL beyond the last attribute.
 * Safety: thread-safe; process-safe; async-signal-safe.
 */
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

/*
 * The value as a double, whatever its type.
 * Safety: thread-safe; process-safe; async-signal-safe.
 */
double metrics_row_number(const metrics_row_t *row);

/*
 * The suffix with the quantile: "count", "p99", "p999", "m1_rate"... into the caller's buf (n: at least 24
 * bytes). Returns buf.
 * Safety: thread-safe; process-safe; not async-signal-safe.
 */
const char *metrics_row_suffix(const metrics_row_t *row, char *buf, size_t n);

/* Enough for a reading with default options and up to 32 quantiles, without buckets. */
enum { METRICS_ROWS_MAX = 64 };

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
    enum metrics_scope sampled; /* METRICS_RECENT (also 0) or METRICS_INTERVAL: min ... quantiles */
    int empty_zero;             /* 1 = sampled attributes of an empty sample are 0; 0 = they are absent */
} metrics_row_options_t;

/*
 * Expand a reading into the caller's rows (at most max). Returns how many rows there are, which may be more
 * than max: call again with more room. base is the same series in an earlier snapshot, or NULL; totals of
 * METRICS_INTERVAL scope are now - base (base NULL: since the series began). options may be NULL. Reads no
 * clock and changes nothing. A METRICS_WHOLE row points to the lifetime buckets or recent centroids, which
 * belong to the snapshot; for intervals see metrics_reading_distribution(). Without memory, the statistics of
 * a reading with buckets are left out.
 * Safety: thread-safe; process-safe; not async-signal-safe.
 */
size_t metrics_reading_rows(const metrics_reading_t *now, const metrics_reading_t *base,
                            const metrics_row_options_t *options, metrics_row_t *rows, size_t max);

/*
 * The distribution of an interval, into the caller's *out: buckets now - base (into the caller's room, for as
 * many as bucket_count in the METRICS_WHOLE row), or the centroids of the snapshot's own interval, which
 * belong to it. Count and sum are now - base. 0, or -1 if the reading has no distribution or room is too
 * small.
 * Safety: thread-safe; process-safe; async-signal-safe.
 */
int metrics_reading_distribution(const metrics_reading_t *now, const metrics_reading_t *base,
                                 metrics_bucket_t *room, size_t room_count, metrics_distribution_t *out);

/*
 * The elements of a small set as 48-bit hashes. NULL and *n = 0 if it is empty, too large, or not a set.
 * Safety: thread-safe; process-safe; async-signal-safe.
 */
const uint64_t *metrics_reading_elements(const metrics_reading_t *reading, size_t *n);

/* --- Bytes --- */

/*
 * A snapshot as bytes: msgpack, zlib level 1, a header object, then one object per reading; documented in
 * docs/format.md. *bytes is from malloc(), and the caller frees it. Returns 0 or METRICS_E_MEMORY.
 * Safety: thread-safe; process-safe; not async-signal-safe.
 */
int metrics_snapshot_encode(const metrics_snapshot_t *snapshot, void **bytes, size_t *n,
                            metrics_error_t *error);

/*
 * And back. Anything that is not such bytes is refused before memory is allocated for it. The caller owns one
 * reference and releases it. NULL on error: METRICS_E_FORMAT, METRICS_E_MEMORY.
 * Safety: thread-safe; process-safe; not async-signal-safe.
 */
metrics_snapshot_t *metrics_snapshot_decode(const void *bytes, size_t n, metrics_error_t *error);

/* --- Checking --- */

/*
 * Examine every structure of the segment at path (NULL: metrics_default_path()). Calls fn (which may be NULL)
 * for each damage; `what` is valid during the call. Returns how many there are, or -1 with *error: those of
 * metrics_reader_open().
 * Safety: thread-safe; process-safe; not async-signal-safe.
 */
typedef void metrics_damage_fn(void *arg, uint64_t offset, const char *what);
int metrics_segment_check(const char *path, metrics_damage_fn *fn, void *arg, metrics_error_t *error);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
