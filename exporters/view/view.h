/* SPDX-License-Identifier: Apache-2.0 */
/*
 * view.h - a snapshot as one backend sees it: the readings that pass its filter, under its prefix and with
 * its tags, each beside the reading from which its deltas count. encode() gets a part of a view.
 *
 *     delta of a total = its value now - its value in the base, where the base is the snapshot that the
 *     backend accepted last:
 *       1. the same series (name, tags, start, incarnation) is in the base: subtract that;
 *       2. it was born in the interval that the base closed, or later, or belongs to another incarnation, or no
 *          exporter ever read this segment before and this one closes an interval: subtract nothing;
 *       3. else (the backend is new, or the series was left out as damaged last time) it is not known what
 *          was reported already: this interval counts as zero, and the reading is counted as rebased.
 *
 * A selection is compiled once for each backend and then only read. The functions that take a const selection
 * or a const view are thread-safe. All others, and those that fill `rows` or `tags`, are not thread-safe: one
 * thread at a time for each object that they change.
 */
#ifndef EXPORTERS_VIEW_H
#define EXPORTERS_VIEW_H

#include "attribute.h"
#include "backend.h"
#include "json.h"
#include "region.h"
#include "segment_tag.h"
#include "spare_key.h"

/* --- Selections --- */

/* What a backend's settings mean for readings, ready for use. */
struct selection {
    const struct backend *backend;
    const struct backend_common *settings;
    metrics_tag_t *tags; /* top level and backend merged, sorted by key; owned, the texts are not */
    size_t tag_count;
    bool replaced; /* its series get a tag that says so */
    struct attributes attributes;
    uint32_t events;    /* EVENT_BIT(): which types of events it takes */
    double time_factor; /* from seconds to the backend's unit */
    const char *time_unit;
};

/* Compiles a selection, which selection_free() gives back. The backend, the settings and the texts of `top`
 * must outlive it. False without memory. */
bool selection_compile(struct selection *sel, const struct backend *backend,
                       const struct backend_common *settings, const struct option_tags *top);

/* The same for a segment that has a successor, whose series are sent beside its own. Increments of both add
 * up under one name. But two running totals must not take turns in one series, where each fall looks like a
 * new start: backends that send totals get the tag mtx_segment=replaced (mtx_segment_2, if a series has a tag
 * of that key). */
bool selection_compile_replaced(struct selection *sel, const struct backend *backend,
                                const struct backend_common *settings, const struct option_tags *top);

/* Frees what the selection owns and makes it zero. */
void selection_free(struct selection *sel);

/* Appends the filter in a form in which two filters that are written alike are equal. */
void selection_filter(const struct selection *sel, struct buf *out);

/* True if the backend reports series of that name. */
bool selection_passes(const struct selection *sel, const char *name);

/* How many readings of a snapshot pass, and how many of those are plain levels, which a merge of intervals
 * would lose (all others keep their totals). */
struct selection_count {
    uint64_t readings, levels;
};
struct selection_count selection_count(const struct selection *sel, const metrics_snapshot_t *snapshot);

/* --- Views --- */

/* One reading as the backend sees it. It owns nothing: its texts and tags live as long as the view and the
 * snapshots that were added to it. */
struct item {
    const char *name;          /* with the prefix */
    const char *own_name;      /* without it */
    const metrics_tag_t *tags; /* sorted by key; without the worker of unmerged levels, see item_tags() */
    size_t tag_count;
    const char *unit, *help; /* "" if none */
    uint64_t start_wall_ns;
    const metrics_reading_t *now;  /* NULL: `fixed` is all */
    const metrics_reading_t *base; /* NULL: deltas count from zero */
    const metrics_row_t *fixed;    /* rows that come from no segment */
    size_t fixed_count;
    uint32_t number; /* in the order of adding; levels and readings that do not pass count, too */
    bool rebased;    /* rule 3: nothing is known of its deltas */
};

struct view {
    const struct selection *selection;
    struct item *items; /* in the order of the snapshot: by name, then by tags */
    size_t n, room;
    uint32_t numbered;   /* how many levels and readings were added */
    const char *segment; /* the tag SEGMENT_TAG of what is added now; NULL: it gets none */
    uint64_t wall_ns, interval_ns;
    size_t rebased;       /* items */
    struct region region; /* names and tags of the items */
};

/* Makes an empty view of a moment, to which snapshots are added; view_free() gives it back. The selection
 * must outlive it. */
void view_begin(struct view *view, const struct selection *sel, uint64_t wall_ns, uint64_t interval_ns);

/* What is added from now on gets the tag SEGMENT_TAG with this value, which is copied, under a key that no other of
 * its tags has (see spare_key.h). NULL: it gets none. False without memory. */
bool view_segment(struct view *view, const char *value);

/* Adds what passes of a snapshot. Both snapshots must outlive the view; base may be NULL (see rule 3 above).
 * False without memory. */
bool view_add(struct view *view, const metrics_snapshot_t *now, const metrics_snapshot_t *base);

/* Adds a series that no segment holds: one level, with no tags but the backend's. Filtered like all others.
 * `name` and `help` must outlive the view. False without memory. */
bool view_add_level(struct view *view, const char *name, const char *help, double value);

/* Sorts by name and tags again, after more than one snapshot was added. */
void view_sort(struct view *view);

/* Frees what the view owns and makes it zero. */
void view_free(struct view *view);

/* What encode() gets: items [from, to) of a view. */
struct batch {
    const struct view *view;
    size_t from, to;
    const void *settings; /* the backend's whole settings struct */
    const void *session;  /* NULL without one */
    unsigned form;        /* scraped backends: which of the media types */
    struct buf *notes;    /* may be NULL: one line for each reading that had to be left out or renamed */
};

/* --- Rows --- */

/* Rows of an item; memory that is used again and again. Zero at first; rows_free() gives it back. */
struct rows {
    metrics_row_t *at;
    size_t n, room;
};

/* Expands a reading into the rows that the options ask for; base and options may be NULL. The rows are valid
 * until the next call with the same `rows`, and no longer than the snapshot. False without memory. */
bool rows_expand(struct rows *rows, const metrics_reading_t *now, const metrics_reading_t *base,
                 const metrics_row_options_t *options);

/* Expands an item into the rows that its backend wants, durations in the backend's unit. Totals are of the
 * given scope. The rows are valid until the next call with the same `rows`. False without memory. */
bool item_rows(const struct view *view, const struct item *item, enum metrics_scope totals,
               struct rows *rows);

/* The same for a reading that has no item; base may be NULL. */
bool reading_rows(const struct selection *sel, const metrics_reading_t *now, const metrics_reading_t *base,
                  enum metrics_scope totals, struct rows *rows);

/* Copies n rows into `rows`. False without memory. */
bool rows_set(struct rows *rows, const metrics_row_t *from, size_t n);

/* The first row of that attribute, valid as long as the rows are; or NULL. */
const metrics_row_t *rows_find(const struct rows *rows, enum metrics_attribute attribute);

/* Writes a row's value: integers stay integers. */
void row_json_value(const metrics_row_t *row, struct json *j);

/* Frees what `rows` owns and makes it zero. */
void rows_free(struct rows *rows);

/* --- Items --- */

/* The unit in which the item's values are sent: the backend's for durations, else the family's; "" if it has
 * none. Valid as long as the view. */
const char *item_unit(const struct view *view, const struct item *item);

/* What the registry's values are multiplied by for the backend: 1, or for durations the unit's factor. */
double item_factor(const struct view *view, const struct item *item);

/* True if the item has a sum of values beside their count, or rates: whether they are sent or not, and
 * whether there was a value yet or not. So names that depend on it never change. */
bool item_is_distribution(const struct item *item);
bool item_has_rates(const struct item *item);

/* --- Tags --- */

/* Sorts tags by key, the order of all lists of tags here. */
void tags_sort(metrics_tag_t *tags, size_t n);

/* The tags of one row. Zero at first; tags_free() gives it back. */
struct tags {
    const metrics_tag_t *at; /* sorted by key */
    size_t n, room;
    metrics_tag_t *own;
    char worker[24], key[SPARE_KEY];
};

/* The item's tags, plus `worker` for a level that is not merged (mtx_worker, if the item has a tag of that key:
 * see spare_key.h). Valid until the next call with the same
 * `tags`, and as long as the view. False without memory. */
bool item_tags(const struct item *item, const metrics_row_t *row, struct tags *tags);

/* Frees what `tags` owns and makes it zero. */
void tags_free(struct tags *tags);

#endif
