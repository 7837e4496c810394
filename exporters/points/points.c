/* SPDX-License-Identifier: Apache-2.0 */
#include "points.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

double point_number(const struct point *p)
{
    return p->value_type == METRICS_U64   ? (double)p->value.u
           : p->value_type == METRICS_I64 ? (double)p->value.i
                                          : p->value.f;
}

void point_json_value(const struct point *p, struct json *j)
{
    if (p->value_type == METRICS_U64)
        jsonw_u64(j, p->value.u);
    else if (p->value_type == METRICS_I64)
        jsonw_i64(j, p->value.i);
    else
        jsonw_f64(j, p->value.f);
}

/* --- The list --- */

static bool points_room(struct points *list)
{
    if (list->n < list->room) return true;
    size_t room = list->room ? list->room * 2 : 64;
    struct point *at = realloc(list->at, room * sizeof *at);
    if (!at) return false;
    list->at = at;
    list->room = room;
    return true;
}

struct point *points_add(struct points *list, const struct point *like)
{
    static _Thread_local struct point spare;
    bool room = points_room(list);
    struct point *point = room ? &list->at[list->n++] : &spare;
    *point = like ? *like : (struct point){.type = POINT_GAUGE};
    if (!room) list->failed = true;
    return point;
}

void points_reset(struct points *list)
{
    region_reset(&list->region);
    list->n = 0;
    list->failed = false;
}

void points_free(struct points *list)
{
    region_free(&list->region);
    free(list->at);
    *list = (struct points){.n = 0};
}

const char *points_text(struct points *list, const char *format, ...)
{
    char text[1024];
    va_list ap;
    va_start(ap, format);
    int n = vsnprintf(text, sizeof text, format, ap);
    va_end(ap);
    if (n < 0) n = 0;
    if ((size_t)n < sizeof text) {
        const char *copy = region_copy(&list->region, text, (size_t)n);
        if (copy) return copy;
    } else {
        char *room = region_alloc(&list->region, (size_t)n + 1);
        va_start(ap, format);
        if (room) vsnprintf(room, (size_t)n + 1, format, ap);
        va_end(ap);
        if (room) return room;
    }
    list->failed = true;
    return "";
}

const char *points_suffixed(struct points *list, const char *name, const char *separator,
                            const metrics_row_t *row)
{
    char suffix[64];
    return points_text(list, "%s%s%s", name, separator, metrics_row_suffix(row, suffix, sizeof suffix));
}

/* --- From rows --- */

static enum point_type type_of(const metrics_row_t *row)
{
    if (row->nature == METRICS_RATE) return POINT_RATE;
    if (row->nature != METRICS_TOTAL) return POINT_GAUGE;
    return row->scope == METRICS_INTERVAL ? POINT_DELTA : POINT_TOTAL;
}

/* The item's tags, which live as long as the view, or a copy with the worker among them. */
static void tags_of(struct points *list, struct point *point, const struct item *item,
                    const metrics_row_t *row)
{
    struct tags tags = {0};
    point->tags = item->tags;
    point->tag_count = item->tag_count;
    if (row->worker < 0) return;
    metrics_tag_t *copy = NULL;
    if (item_tags(item, row, &tags)) copy = region_alloc(&list->region, tags.n * sizeof *copy);
    if (copy) {
        memcpy(copy, tags.at, tags.n * sizeof *copy);
        for (size_t i = 0; i < tags.n; i++)
            if (copy[i].value == tags.worker)
                copy[i] = (metrics_tag_t){points_text(list, "%s", copy[i].key),
                                          points_text(list, "%s", tags.worker)};
        point->tags = copy;
        point->tag_count = tags.n;
    } else {
        list->failed = true;
    }
    tags_free(&tags);
}

struct point *points_of_row(struct points *list, const struct view *view, const struct item *item,
                            const metrics_row_t *row)
{
    struct point *point = points_add(list, NULL);
    point->type = type_of(row);
    point->name = item->name;
    point->unit = row->unit;
    point->help = item->help;
    point->time_ns = view->wall_ns;
    point->interval_ns = view->interval_ns;
    point->value_type = row->type;
    memcpy(&point->value, &row->value, sizeof point->value);
    point->attribute = row->attribute;
    point->item = (size_t)(item - view->items);
    tags_of(list, point, item, row);
    return point;
}

/* --- To payloads --- */

static bool is_full(const struct backend_points *backend, const struct payload *payloads, size_t more)
{
    for (int i = 0; i < PAYLOADS && backend->most; i++)
        if (payloads[i].points && payloads[i].points + more > backend->most) return true;
    return false;
}

static size_t count_points(const struct payload *payloads)
{
    size_t n = 0;
    for (int i = 0; i < PAYLOADS; i++) n += payloads[i].points;
    return n;
}

/* False, with the reason, for what no wire of points can carry. A sample of several fields may have another
 * identity than a name, and its backend looks at each field. */
static bool is_sound(const struct point *point, struct buf *why)
{
    bool valued =
        point->type != POINT_SET && point->type != POINT_DISTRIBUTION && point->type != POINT_FIELDS;
    double v = point->type == POINT_SUMMARY ? point->summary.sum : point_number(point);
    if (valued && !isfinite(v))
        buf_str(why, "its value is not a finite number");
    else if (!*point->name && point->type != POINT_FIELDS)
        buf_str(why, "it has no name");
    else
        return true;
    return false;
}

/* Adds a point to the payloads; if the backend refuses it, what it wrote of it is taken back. */
static bool put(const struct backend_points *backend, const struct point *point, const void *settings,
                const void *session, struct payload *payloads, struct buf *why)
{
    size_t before[PAYLOADS];
    for (int i = 0; i < PAYLOADS; i++) before[i] = payloads[i].body.len;
    if (is_sound(point, why) && backend->add(payloads, point, settings, session, why)) return true;
    for (int i = 0; i < PAYLOADS; i++) buf_cut(&payloads[i].body, before[i]);
    return false;
}

static void note(const struct batch *batch, const struct point *point, const struct buf *why)
{
    if (batch->notes) buf_printf(batch->notes, "%s: %s\n", point->name, buf_text(why));
}

/* False without memory. */
static bool encode_item(const struct batch *batch, size_t at, struct rows *rows, struct points *points)
{
    const struct backend *backend = batch->view->selection->backend;
    const struct item *item = &batch->view->items[at];
    points_reset(points);
    if (!item_rows(batch->view, item, backend->wants.totals, rows)) return false;
    backend->points->map(points, batch->view, item, rows, batch->settings, batch->session);
    return !points->failed && !points->region.failed;
}

/* False if the backend does not accept some of them. */
static bool write_points(const struct batch *batch, const struct points *points, struct payload *payloads)
{
    const struct backend_points *backend = batch->view->selection->backend->points;
    struct buf why = {0};
    bool good = true;
    for (size_t i = 0; i < points->n; i++) {
        buf_reset(&why);
        if (put(backend, &points->at[i], batch->settings, batch->session, payloads, &why)) continue;
        note(batch, &points->at[i], &why);
        good = false;
    }
    buf_free(&why);
    return good;
}

size_t points_encode(const struct batch *batch, struct payload *payloads)
{
    const struct backend_points *backend = batch->view->selection->backend->points;
    struct rows rows = {0};
    struct points points = {0};
    size_t at = batch->from, left_out = 0;
    if (backend->begin) backend->begin(payloads, batch->settings, batch->session);
    for (; at < batch->to; at++) {
        if (!encode_item(batch, at, &rows, &points)) {
            payloads[0].body.failed = true;
            break;
        }
        if (is_full(backend, payloads, points.n)) break;
        left_out += !write_points(batch, &points, payloads);
    }
    if (backend->end) backend->end(payloads, batch->settings, batch->session);
    payloads[0].items = at - batch->from;
    payloads[0].left_out = left_out;
    rows_free(&rows);
    points_free(&points);
    return count_points(payloads);
}

/* The payload that got one more point. */
static signed char grown(const struct payload *payloads, const size_t *before)
{
    for (int i = 0; i < PAYLOADS; i++)
        if (payloads[i].points > before[i]) return (signed char)i;
    return POINTS_NOTHING;
}

size_t points_write(const struct backend_points *backend, const struct point *at, size_t n,
                    const void *settings, const void *session, struct payload *payloads, signed char *where,
                    points_refused_fn *refused, void *arg)
{
    struct buf why = {0};
    size_t i = 0, before[PAYLOADS];
    if (backend->begin) backend->begin(payloads, settings, session);
    for (; i < n && !is_full(backend, payloads, 1); i++) {
        for (int p = 0; p < PAYLOADS; p++) before[p] = payloads[p].points;
        buf_reset(&why);
        if (put(backend, &at[i], settings, session, payloads, &why)) {
            where[i] = grown(payloads, before);
        } else {
            where[i] = POINTS_LEFT_OUT;
            refused(arg, &at[i], buf_text(&why));
        }
    }
    if (backend->end) backend->end(payloads, settings, session);
    buf_free(&why);
    return i;
}
