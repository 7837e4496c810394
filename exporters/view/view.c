/* SPDX-License-Identifier: Apache-2.0 */
#include "view.h"

#include "pattern.h"
#include "printable.h"
#include "spare_key.h"

#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- Selection --- */

static int tag_order(const void *a, const void *b)
{
    return strcmp(((const metrics_tag_t *)a)->key, ((const metrics_tag_t *)b)->key);
}

void tags_sort(metrics_tag_t *tags, size_t n)
{
    qsort(tags, n, sizeof *tags, tag_order);
}

static const char *const view_time_units[] = {"seconds", "milliseconds", "microseconds", "nanoseconds"};
static const double view_time_factors[] = {1, 1e3, 1e6, 1e9};

bool selection_compile(struct selection *sel, const struct backend *backend,
                       const struct backend_common *settings, const struct option_tags *top)
{
    *sel = (struct selection){.backend = backend, .settings = settings};
    sel->time_factor = view_time_factors[settings->time_unit];
    sel->time_unit = view_time_units[settings->time_unit];
    attributes_compile(&settings->attributes, &sel->attributes);
    sel->attributes.mask |= backend->wants.natures;
    sel->events = backend_events(backend, settings);
    sel->tags = calloc(top->n + settings->tags.n + 1, sizeof *sel->tags);
    if (!sel->tags) return false;
    for (size_t i = 0; i < settings->tags.n; i++)
        sel->tags[sel->tag_count++] =
            (metrics_tag_t){settings->tags.items[i].key, settings->tags.items[i].value};
    for (size_t i = 0; i < top->n; i++)
        if (!option_tag_value(&settings->tags, top->items[i].key))
            sel->tags[sel->tag_count++] = (metrics_tag_t){top->items[i].key, top->items[i].value};
    tags_sort(sel->tags, sel->tag_count);
    return true;
}

bool selection_compile_replaced(struct selection *sel, const struct backend *backend,
                                const struct backend_common *settings, const struct option_tags *top)
{
    bool good = selection_compile(sel, backend, settings, top);
    sel->replaced = backend->wants.totals == METRICS_LIFETIME;
    return good;
}

void selection_free(struct selection *sel)
{
    free(sel->tags);
    *sel = (struct selection){0};
}

void selection_filter(const struct selection *sel, struct buf *out)
{
    const struct option_list *in = &sel->settings->include, *without = &sel->settings->exclude;
    for (size_t i = 0; i < in->n; i++) buf_printf(out, "+%s\n", in->items[i]);
    for (size_t i = 0; i < without->n; i++) buf_printf(out, "-%s\n", without->items[i]);
}

bool selection_passes(const struct selection *sel, const char *name)
{
    const struct option_list *in = &sel->settings->include, *out = &sel->settings->exclude;
    return (!in->n || pattern_any(in->items, in->n, name)) && !pattern_any(out->items, out->n, name);
}

/* True for a level of this moment, whose earlier values are gone. A level of the interval (how many distinct
 * things) is merged as exactly as a total. */
static bool view_is_level(const metrics_reading_t *reading)
{
    metrics_row_t row;
    metrics_row_options_t one = {.size = sizeof one, .attributes = METRICS_ATTR(METRICS_VALUE)};
    size_t n = metrics_reading_rows(reading, NULL, &one, &row, 1);
    return n && row.nature == METRICS_LEVEL && row.scope != METRICS_INTERVAL && row.type == METRICS_F64;
}

struct selection_count selection_count(const struct selection *sel, const metrics_snapshot_t *snapshot)
{
    struct selection_count count = {0};
    for (size_t i = 0, n = metrics_snapshot_count(snapshot); i < n; i++) {
        const metrics_reading_t *reading = metrics_snapshot_reading(snapshot, i);
        if (!selection_passes(sel, metrics_reading_name(reading))) continue;
        count.readings++;
        count.levels += view_is_level(reading);
    }
    return count;
}

/* --- Items --- */

void view_begin(struct view *view, const struct selection *sel, uint64_t wall_ns, uint64_t interval_ns)
{
    *view = (struct view){.selection = sel, .wall_ns = wall_ns, .interval_ns = interval_ns};
}

void view_free(struct view *view)
{
    free(view->items);
    region_free(&view->region);
    *view = (struct view){0};
}

bool view_segment(struct view *view, const char *value)
{
    struct buf text = {0};
    view->segment = NULL;
    if (!value) return true;
    printable(&text, value, strlen(value));
    if (buf_ok(&text)) view->segment = region_copy(&view->region, buf_text(&text), text.len);
    buf_free(&text);
    return view->segment != NULL;
}

/* Adds a tag of our own to n others, under a key that none of them has. NULL as the value: adds none. */
static bool view_own_tag(struct view *view, metrics_tag_t *all, size_t *n, const char *word,
                         const char *value)
{
    if (!value) return true;
    char *room = region_alloc(&view->region, SPARE_KEY);
    if (!room) return false;
    all[*n] = (metrics_tag_t){spare_key(word, all, *n, room), value};
    tags_sort(all, ++*n);
    return true;
}

/* Merges the selection's tags under the series' own; both lists are sorted. */
static bool view_tags(struct view *view, struct item *item, const metrics_tag_t *own, size_t n)
{
    const struct selection *sel = view->selection;
    item->tags = own;
    item->tag_count = n;
    if (!sel->tag_count && !sel->replaced && !view->segment) return true;
    metrics_tag_t *all = region_alloc(&view->region, (n + sel->tag_count + 2) * sizeof *all);
    size_t a = 0, b = 0, out = 0;
    while (all && (a < n || b < sel->tag_count)) {
        int order = a == n ? 1 : b == sel->tag_count ? -1 : strcmp(own[a].key, sel->tags[b].key);
        if (order == 0) b++; /* the series' own wins */
        all[out++] = order <= 0 ? own[a] : sel->tags[b];
        *(order <= 0 ? &a : &b) += 1;
    }
    if (!all || !view_own_tag(view, all, &out, SEGMENT_TAG, view->segment) ||
        !view_own_tag(view, all, &out, "mtx_segment", sel->replaced ? "replaced" : NULL))
        return false;
    item->tags = all;
    item->tag_count = out;
    return true;
}

static const char *view_name(struct view *view, const char *name)
{
    const char *prefix = view->selection->settings->prefix;
    size_t p = prefix ? strlen(prefix) : 0, n = strlen(name);
    if (!p) return name;
    char *whole = region_alloc(&view->region, p + n + 1);
    if (whole) {
        memcpy(whole, prefix, p);
        memcpy(whole + p, name, n);
    }
    return whole;
}

/*
 * True if the series is not older than the interval that the base closed: so it was in no snapshot before, and nothing
 * of it was ever sent. (It may be missing in the base because it was retired meanwhile, or just being registered.) By
 * the segment's own clock, since somebody may set the other one.
 */
static bool view_born_since(const struct item *item, const metrics_snapshot_header_t *now,
                            const metrics_snapshot_header_t *base)
{
    uint64_t born = item->start_wall_ns - now->created_wall_ns;
    return born + base->interval_ns >= base->age_ns;
}

/* The rules at the top of view.h. */
static void view_base(struct view *view, struct item *item, const metrics_snapshot_t *now,
                      const metrics_snapshot_t *base)
{
    const metrics_snapshot_header_t *h = metrics_snapshot_header(now),
                                    *b = base ? metrics_snapshot_header(base) : NULL;
    bool known = b && b->incarnation == h->incarnation;
    item->base = known ? metrics_snapshot_find(base, item->now) : NULL;
    if (item->base) return;
    bool born_since = b && (!known || view_born_since(item, h, b));
    bool first = !b && h->first_export && h->epoch; /* the first interval of all, and this is its end */
    if (born_since || first) return;
    item->base = item->now;
    item->rebased = true;
    view->rebased++;
}

static struct item *view_room(struct view *view)
{
    if (view->n == view->room) {
        size_t room = view->room ? view->room * 2 : 256;
        struct item *items = realloc(view->items, room * sizeof *items);
        if (!items) return NULL;
        view->items = items;
        view->room = room;
    }
    struct item *item = &view->items[view->n];
    *item = (struct item){0};
    return item;
}

bool view_add(struct view *view, const metrics_snapshot_t *now, const metrics_snapshot_t *base)
{
    for (size_t i = 0, n = metrics_snapshot_count(now); i < n; i++) {
        const metrics_reading_t *reading = metrics_snapshot_reading(now, i);
        const char *name = metrics_reading_name(reading);
        size_t tag_count;
        const metrics_tag_t *tags = metrics_reading_tags(reading, &tag_count);
        if (!selection_passes(view->selection, name)) continue;
        struct item *item = view_room(view);
        if (!item || !view_tags(view, item, tags, tag_count)) return false;
        item->own_name = name;
        item->name = view_name(view, name);
        item->unit = metrics_reading_unit(reading);
        item->help = metrics_reading_help(reading);
        item->number = view->numbered + (uint32_t)i;
        item->start_wall_ns = metrics_reading_start(reading);
        item->now = reading;
        if (!item->name) return false;
        view_base(view, item, now, base);
        view->n++;
    }
    view->numbered += (uint32_t)metrics_snapshot_count(now);
    return true;
}

bool view_add_level(struct view *view, const char *name, const char *help, double value)
{
    uint32_t number = view->numbered++;
    if (!selection_passes(view->selection, name)) return true;
    struct item *item = view_room(view);
    metrics_row_t *row = region_alloc(&view->region, sizeof *row);
    if (!item || !row || !view_tags(view, item, NULL, 0)) return false;
    *row = (metrics_row_t){.attribute = METRICS_VALUE,
                           .nature = METRICS_LEVEL,
                           .type = METRICS_F64,
                           .value.f = value,
                           .unit = "",
                           .worker = -1};
    item->own_name = name;
    item->name = view_name(view, name);
    item->unit = "";
    item->help = help;
    item->fixed = row;
    item->fixed_count = 1;
    item->number = number;
    if (!item->name) return false;
    view->n++;
    return true;
}

static int view_item_order(const void *a, const void *b)
{
    const struct item *x = a, *y = b;
    int order = strcmp(x->name, y->name);
    for (size_t i = 0; !order; i++) {
        if (i == x->tag_count || i == y->tag_count) return (x->tag_count > i) - (y->tag_count > i);
        order = strcmp(x->tags[i].key, y->tags[i].key);
        if (!order) order = strcmp(x->tags[i].value, y->tags[i].value);
    }
    return order;
}

/* The first item that belongs before its predecessor, from the second pair on. */
static size_t view_unsorted(const struct view *view)
{
    size_t i = 2;
    while (i < view->n && view_item_order(&view->items[i - 1], &view->items[i]) <= 0) i++;
    return i;
}

/* Nearly always a level is followed by one snapshot, which is sorted already. */
void view_sort(struct view *view)
{
    if (view_unsorted(view) < view->n) {
        qsort(view->items, view->n, sizeof *view->items, view_item_order);
        return;
    }
    size_t from = 1, to = view->n;
    while (from < to) {
        size_t middle = from + (to - from) / 2;
        if (view_item_order(&view->items[middle], &view->items[0]) < 0)
            from = middle + 1;
        else
            to = middle;
    }
    if (from < 2) return;
    struct item first = view->items[0];
    memmove(view->items, view->items + 1, (from - 1) * sizeof first);
    view->items[from - 1] = first;
}

/* --- Rows --- */

void rows_free(struct rows *rows)
{
    free(rows->at);
    *rows = (struct rows){0};
}

static bool rows_reserve(struct rows *rows, size_t n)
{
    if (n <= rows->room) return true;
    metrics_row_t *at = realloc(rows->at, n * sizeof *at);
    if (!at) return false;
    rows->at = at;
    rows->room = n;
    return true;
}

bool rows_set(struct rows *rows, const metrics_row_t *from, size_t n)
{
    if (!rows_reserve(rows, n)) return false;
    if (n) memcpy(rows->at, from, n * sizeof *rows->at);
    rows->n = n;
    return true;
}

bool rows_expand(struct rows *rows, const metrics_reading_t *now, const metrics_reading_t *base,
                 const metrics_row_options_t *options)
{
    rows->n = metrics_reading_rows(now, base, options, rows->at, rows->room);
    if (rows->n <= rows->room) return true;
    if (!rows_reserve(rows, rows->n)) return false;
    metrics_reading_rows(now, base, options, rows->at, rows->room);
    return true;
}

void row_json_value(const metrics_row_t *row, struct json *j)
{
    if (row->type == METRICS_U64)
        jsonw_u64(j, row->value.u);
    else if (row->type == METRICS_I64)
        jsonw_i64(j, row->value.i);
    else
        jsonw_f64(j, row->value.f);
}

/*
 * Seconds in another unit. What is a whole number of nanoseconds (of their squares) is divided once, so that
 * 0.0003 s are 0.3 ms and not 0.29999999999999998 ms. The largest double, a sum that went beyond, stays finite.
 */
static double in_unit(double seconds, double factor, double nanoseconds)
{
    double ns = rint(seconds * nanoseconds), v = seconds * factor;
    if (fabs(ns) < 0x1p51 && ns / nanoseconds == seconds) return ns / (nanoseconds / factor);
    return isinf(v) && isfinite(seconds) ? copysign(DBL_MAX, v) : v;
}

/* Durations leave the registry in seconds. */
static void item_convert(const struct selection *sel, metrics_row_t *row)
{
    if (sel->time_factor == 1 || strcmp(row->unit, "seconds")) return;
    double factor = sel->time_factor, seconds = metrics_row_number(row);
    row->value.f = row->attribute == METRICS_SUM_SQUARES ? in_unit(seconds, factor * factor, 1e18)
                                                         : in_unit(seconds, factor, 1e9);
    row->type = METRICS_F64;
    row->unit = sel->time_unit;
}

bool reading_rows(const struct selection *sel, const metrics_reading_t *now, const metrics_reading_t *base,
                  enum metrics_scope totals, struct rows *rows)
{
    const metrics_row_options_t options = {
        .size = sizeof options,
        .attributes = sel->attributes.mask,
        .quantiles = sel->attributes.quantiles,
        .quantile_count = sel->attributes.quantile_count,
        .totals = totals,
        .sampled = sel->backend->wants.sampled,
        .empty_zero = sel->settings->empty == BACKEND_EMPTY_ZERO,
    };
    if (!rows_expand(rows, now, base, &options)) return false;
    if (sel->time_factor != 1)
        for (size_t i = 0; i < rows->n; i++) item_convert(sel, &rows->at[i]);
    return true;
}

bool item_rows(const struct view *view, const struct item *item, enum metrics_scope totals, struct rows *rows)
{
    if (item->now) return reading_rows(view->selection, item->now, item->base, totals, rows);
    if (!rows_set(rows, item->fixed, item->fixed_count)) return false;
    for (size_t i = 0; i < rows->n; i++) item_convert(view->selection, &rows->at[i]);
    return true;
}

const char *item_unit(const struct view *view, const struct item *item)
{
    return strcmp(item->unit, "seconds") ? item->unit : view->selection->time_unit;
}

static bool item_has(const struct item *item, enum metrics_attribute attribute)
{
    const metrics_row_options_t one = {.size = sizeof one, .attributes = METRICS_ATTR(attribute)};
    metrics_row_t row;
    return item->now && metrics_reading_rows(item->now, NULL, &one, &row, 1) > 0;
}

bool item_is_distribution(const struct item *item)
{
    return item_has(item, METRICS_SUM);
}

bool item_has_rates(const struct item *item)
{
    return item_has(item, METRICS_MEAN_RATE);
}

double item_factor(const struct view *view, const struct item *item)
{
    return strcmp(item->unit, "seconds") ? 1 : view->selection->time_factor;
}

const metrics_row_t *rows_find(const struct rows *rows, enum metrics_attribute attribute)
{
    for (size_t i = 0; i < rows->n; i++)
        if (rows->at[i].attribute == attribute) return &rows->at[i];
    return NULL;
}

void tags_free(struct tags *tags)
{
    free(tags->own);
    *tags = (struct tags){0};
}

bool item_tags(const struct item *item, const metrics_row_t *row, struct tags *tags)
{
    tags->at = item->tags;
    tags->n = item->tag_count;
    if (row->worker < 0) return true;
    if (tags->room < item->tag_count + 1) {
        metrics_tag_t *own = realloc(tags->own, (item->tag_count + 1) * sizeof *own);
        if (!own) return false;
        tags->own = own;
        tags->room = item->tag_count + 1;
    }
    snprintf(tags->worker, sizeof tags->worker, "%" PRId64, row->worker);
    const char *key = spare_key("worker", item->tags, item->tag_count, tags->key);
    size_t at = 0, n = 0;
    while (at < item->tag_count && strcmp(item->tags[at].key, key) < 0) tags->own[n++] = item->tags[at++];
    tags->own[n++] = (metrics_tag_t){key, tags->worker};
    while (at < item->tag_count) tags->own[n++] = item->tags[at++];
    tags->at = tags->own;
    tags->n = n;
    return true;
}
