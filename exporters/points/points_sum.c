/* SPDX-License-Identifier: Apache-2.0 */
#include "points_sum.h"

#include <jansson.h>
#include <math.h>
#include <search.h>
#include <string.h>

#define SECOND UINT64_C(1000000000)

struct points_total {
    struct point point;
    bool tags_given; /* some services treat "tags": {} and no tags differently */
    struct points_total *next;
    metrics_centroid_t *centroids;
    size_t room;
};

/* --- Series --- */

static int order_text(const char *a, const char *b)
{
    return strcmp(a ? a : "", b ? b : "");
}

static int order_tags(const struct point *a, const struct point *b)
{
    for (size_t i = 0; i < a->tag_count && i < b->tag_count; i++) {
        int order = strcmp(a->tags[i].key, b->tags[i].key);
        if (!order) order = strcmp(a->tags[i].value, b->tags[i].value);
        if (order) return order;
    }
    return (a->tag_count > b->tag_count) - (a->tag_count < b->tag_count);
}

static int order_totals(const void *left, const void *right)
{
    const struct points_total *s = left, *t = right;
    const struct point *a = &s->point, *b = &t->point;
    int order = strcmp(a->name, b->name);
    if (!order) order = (a->type > b->type) - (a->type < b->type);
    if (!order) order = (a->time_ns > b->time_ns) - (a->time_ns < b->time_ns);
    if (!order) order = order_text(a->source, b->source);
    if (!order) order = s->tags_given - t->tags_given;
    return order ? order : order_tags(a, b);
}

static const char *keep_text(struct points_sum *sum, const char *text)
{
    return text ? region_copy(&sum->region, text, strlen(text)) : NULL;
}

/* A new series, with copies of everything that the point refers to. */
static struct points_total *new_total(struct points_sum *sum, const struct points_total *key)
{
    const struct point *from = &key->point;
    struct points_total *total = region_alloc(&sum->region, sizeof *total);
    metrics_tag_t *tags = region_alloc(&sum->region, (from->tag_count + 1) * sizeof *tags);
    if (!total || !tags) return NULL;
    *total = *key;
    for (size_t i = 0; i < from->tag_count; i++)
        tags[i] = (metrics_tag_t){keep_text(sum, from->tags[i].key), keep_text(sum, from->tags[i].value)};
    total->point.name = keep_text(sum, from->name);
    total->point.source = keep_text(sum, from->source);
    total->point.unit = keep_text(sum, from->unit);
    total->point.tags = tags;
    total->point.summary = (struct point_summary){.count = 0};
    total->point.value_type = METRICS_I64;
    total->point.value.i = 0;
    total->point.centroid_count = 0;
    if (sum->region.failed || !tsearch(total, &sum->tree, order_totals)) return NULL;
    json_incref((json_t *)(uintptr_t)from->extra);
    *(sum->last ? sum->last : &sum->first) = total;
    sum->last = &total->next;
    sum->n++;
    return total;
}

/* --- Adding up --- */

/* What is not known of one of the two is not known of the sum. */
static void add_summary(struct point_summary *to, const struct point_summary *more)
{
    bool first = to->count == 0;
    to->count += more->count;
    to->sum = first ? more->sum : to->sum + more->sum;
    to->sum_squares = first ? more->sum_squares : to->sum_squares + more->sum_squares;
    to->min = first || isnan(more->min)               ? more->min
              : isnan(to->min) || to->min < more->min ? to->min
                                                      : more->min;
    to->max = first || isnan(more->max)               ? more->max
              : isnan(to->max) || to->max > more->max ? to->max
                                                      : more->max;
}

static void add_value(struct point *to, const struct point *more)
{
    int64_t i;
    bool whole = to->value_type == METRICS_I64 && more->value_type == METRICS_I64 &&
                 !__builtin_add_overflow(to->value.i, more->value.i, &i);
    if (whole) {
        to->value.i = i;
    } else {
        double v = point_number(to) + point_number(more);
        to->value_type = METRICS_F64;
        to->value.f = v;
    }
}

static bool add_centroids(struct points_sum *sum, struct points_total *to, const struct point *more)
{
    size_t n = to->point.centroid_count + more->centroid_count;
    if (n > to->room) {
        metrics_centroid_t *grown = region_alloc(&sum->region, 2 * n * sizeof *grown);
        if (!grown) return false;
        memcpy(grown, to->centroids ? to->centroids : grown, to->point.centroid_count * sizeof *grown);
        to->centroids = grown;
        to->room = 2 * n;
    }
    memcpy(to->centroids + to->point.centroid_count, more->centroids,
           more->centroid_count * sizeof *more->centroids);
    to->point.centroids = to->centroids;
    to->point.centroid_count = n;
    to->point.summary.count += more->summary.count;
    return true;
}

static bool has_summaries(const struct backend_points *backend)
{
    for (const struct point_word *w = backend->words; w->word; w++)
        if (w->type == POINT_SUMMARY) return true;
    return false;
}

/* The type of the sum that a point goes into; POINT_TYPES: it cannot be added up. */
static enum point_type sum_type(const struct backend_points *backend, const struct point *point)
{
    switch (point->type) {
    case POINT_DELTA:
    case POINT_DISTRIBUTION: return point->type;
    case POINT_GAUGE:
    case POINT_SUMMARY: return has_summaries(backend) ? POINT_SUMMARY : POINT_TYPES;
    default: return POINT_TYPES;
    }
}

static bool add_to(struct points_sum *sum, struct points_total *total, const struct point *point)
{
    double v = point_number(point);
    const struct point_summary one = {.count = 1, .sum = v, .min = v, .max = v, .sum_squares = NAN};
    if (point->type == POINT_DELTA)
        add_value(&total->point, point);
    else if (point->type == POINT_DISTRIBUTION)
        return add_centroids(sum, total, point);
    else
        add_summary(&total->point.summary, point->type == POINT_SUMMARY ? &point->summary : &one);
    return true;
}

bool points_sum_add(struct points_sum *sum, const struct backend_points *backend, const struct point *point,
                    uint64_t now_ns, struct buf *why)
{
    struct points_total key = {.point = *point, .tags_given = json_object_get(point->extra, "tags") != NULL};
    key.point.type = sum_type(backend, point);
    if (key.point.type == POINT_TYPES) {
        buf_str(why,
                "points of this type cannot be added up for this backend: send them without --aggregate");
        return false;
    }
    uint64_t time = point->time_ns || !sum->period_ns ? point->time_ns : now_ns;
    key.point.time_ns = time - time % (sum->period_ns ? sum->period_ns : SECOND);
    struct points_total **found = tfind(&key, &sum->tree, order_totals);
    struct points_total *total = found ? *found : new_total(sum, &key);
    if (total && add_to(sum, total, point)) return true;
    buf_str(why, "out of memory");
    return false;
}

struct point *points_sum_all(struct points_sum *sum)
{
    struct point *all = region_alloc(&sum->region, (sum->n + 1) * sizeof *all);
    size_t i = 0;
    for (struct points_total *t = sum->first; t && all; t = t->next) all[i++] = t->point;
    return all;
}

static void keep(void *total)
{
    (void)total; /* the region's */
}

void points_sum_reset(struct points_sum *sum)
{
    for (struct points_total *t = sum->first; t; t = t->next)
        json_decref((json_t *)(uintptr_t)t->point.extra);
    tdestroy(sum->tree, keep);
    region_free(&sum->region);
    *sum = (struct points_sum){.period_ns = sum->period_ns};
}
