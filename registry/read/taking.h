/* SPDX-License-Identifier: Apache-2.0 */
/*
 * taking.h - the reader itself, and what those who take a snapshot share: where the bytes come from, and what
 * a kind's load() works with.
 */
#ifndef METRICS_REGISTRY_TAKING_H
#define METRICS_REGISTRY_TAKING_H

#include "order.h"
#include "reading.h"
#include "readonly.h"
#include "window.h"

/*
 * The pairs of the gauge group that was read last (gauge_rows.c), copied twice: stamps of the first copy, values
 * of the second one (ORD-7).
 */
struct metrics__group_read {
    uint64_t at;                 /* of the group; 0 = none */
    struct segment_pair *first;  /* [slot][gauge]; only those of living slots in blocks that are there */
    struct segment_pair *second; /* in the same memory, behind the first ones */
    bool there[SEGMENT_SLOT_BLOCKS];
};

struct metrics_reader {
    view_t view;
    metrics_clock_t clock;
    uint64_t stale_ns;
    uint64_t time_offset;
    struct metrics__catalog *catalog;
    struct metrics__order order;
    struct segment_header head;     /* as it was copied last */
    uint64_t end;                   /* of the arena, according to it */
    struct metrics__window records; /* of series */
    struct metrics__window families;
    struct metrics__window values; /* cells and blocks */
    enum metrics__trouble trouble; /* sticky, until the next snapshot */
    uint8_t *alive;                /* per slot */
    uint64_t *polled;              /* per slot: segment time */
    uint32_t *living;              /* the slots that are alive, ascending */
    uint32_t living_count;
    struct metrics__group_read group;
    struct metrics__scratch scratch[3];
};

/*
 * metrics_reader_open() into a struct of the caller's. 0 or a metrics_code with *error (never NULL). The
 * caller ends it with metrics__reader_end(), also when it failed.
 */
int metrics__reader_init(struct metrics_reader *r, const char *path, const metrics_reader_options_t *options,
                         bool write, metrics_error_t *error);
void metrics__reader_end(struct metrics_reader *r);

/* Memory for one thing at a time, kept by the reader: see pool.h. NULL without memory, which is trouble. */
static inline void *metrics__scratch(struct metrics_reader *r, unsigned which, size_t n)
{
    void *bytes = metrics__scratch_take(&r->scratch[which], n);
    if (!bytes) r->trouble = METRICS__NO_MEMORY;
    return bytes;
}

/* Copy the header, and find the end of the arena. 0, or METRICS_E_DAMAGED with *error. */
int metrics__copy_head(struct metrics_reader *r, metrics_error_t *error);

/* Segment time of a CLOCK_MONOTONIC reading; never before 0. The offset wraps after a boot (shm/boot.h). */
static inline uint64_t metrics__segment_time(const struct metrics_reader *r, uint64_t monotonic)
{
    int64_t age = (int64_t)(monotonic - r->time_offset);
    return age > 0 ? (uint64_t)age : 0;
}

/* Was it written by a version that may know more kinds? Then unknown ones are left out, not damaged. */
static inline bool metrics__is_newer(const struct segment_header *h)
{
    return h->minor > SEGMENT_MINOR || h->newest > SEGMENT_MINOR;
}

/* [offset, offset + n) of the arena through that window, or NULL; the offset must be a multiple of 8. */
static inline const void *metrics__arena_at(struct metrics_reader *r, struct metrics__window *w,
                                            uint64_t offset, uint64_t n, uint64_t ahead)
{
    if (offset % 8 || offset < SEGMENT_ARENA || offset > r->end || n > r->end - offset) return NULL;
    return metrics__window_at(w, &r->view, r->end, offset, n, ahead, &r->trouble);
}

/*
 * Bring the catalog up to date with the header that the reader has: new series, retired ones, texts that came
 * late. 0; -1 without memory or when the file cannot be read (see trouble). Marks the order as stale if
 * anything changed.
 */
int metrics__catalog_update(struct metrics_reader *r);

enum metrics__depth { METRICS__TAKE_ALL, METRICS__TAKE_TOTALS };

/* What a kind's load() works with. */
struct metrics__taking {
    struct metrics_reader *r;
    enum metrics__depth depth;
    struct metrics_snapshot *snapshot;
    uint64_t now;   /* segment time, ns */
    uint32_t tick;  /* the same in 1/8 s, from 1 */
    uint64_t epoch; /* the closed interval, or 0: none was closed for this snapshot */
    uint64_t from;  /* segment time at which that interval began */
};

/*
 * A snapshot whose interval part is the closed epoch that began at segment time `from`; epoch 0 = none. With
 * METRICS__TAKE_TOTALS it has counts only. The caller releases it; NULL with *error.
 */
metrics_snapshot_t *metrics__take(struct metrics_reader *r, enum metrics__depth depth, uint64_t epoch,
                                  uint64_t from, metrics_error_t *error);

/* The cells of a series in all lanes, in a window until it moves: lane l begins at base + l * stride. */
struct metrics__lanes {
    const unsigned char *base; /* NULL = damaged */
    uint64_t stride, count;
};
struct metrics__lanes metrics__lanes_of(struct metrics_reader *r, const struct metrics__series_read *s);
/* Sum of a cell over all lanes, as integers or as doubles: then infinite or NaN beyond the largest double. */
uint64_t metrics__sum_u64(const struct metrics__lanes *l, uint32_t cell);
double metrics__sum_f64(const struct metrics__lanes *l, uint32_t cell);

/* The counts of all series in stripes; *more is set if a hidden one has a count. false with trouble. */
bool metrics__stripes_load(const struct metrics__taking *t, bool *more);

/*
 * The load() of histograms and timers. per: how many units of the cells are one of the rows. Dividing gives the
 * double that is nearest to a whole number of nanoseconds, so the decimal that went in comes out.
 */
bool metrics__distribution_load(const struct metrics__taking *t, struct metrics_reading *out, double per);
/*
 * The highest words (max, min) of the bank of that epoch over all lanes, read afresh; 0 = none. false =
 * damaged. Also for the leader, which looks for late ones before the bank is used again (ORD-10).
 */
bool metrics__extremes_read(struct metrics_reader *r, const struct metrics__series_read *s, uint64_t epoch,
                            uint64_t words[2]);

#endif
