/* SPDX-License-Identifier: Apache-2.0 */
#include "points_event.h"

#include <stdlib.h>
#include <string.h>

static enum point_type counter_of(const struct backend_points *backend)
{
    for (const struct point_word *w = backend->words; w->word; w++)
        if (!strcmp(w->word, "counter") || !strcmp(w->word, "count")) return w->type;
    return POINT_GAUGE;
}

static const char *field_text(struct points *points, const metrics_event_field_t *f)
{
    struct buf text = {0};
    event_field_value(&text, f);
    const char *copy = points_text(points, "%s", buf_text(&text));
    buf_free(&text);
    return copy;
}

/* True if a field of that key follows: the last one counts. */
static bool is_given_again(const metrics_event_t *e, size_t from, const char *key)
{
    for (size_t i = from; i < e->field_count; i++)
        if (event_field_is_tag(&e->fields[i]) && !strcmp(e->fields[i].key, key)) return true;
    return false;
}

/* The tags of its kind, and its fields, which win. */
static void add_tags(struct points *points, struct point *p, const metrics_event_t *e)
{
    metrics_tag_t *all = region_alloc(&points->region, (e->tag_count + e->field_count + 1) * sizeof *all);
    size_t n = 0;
    for (size_t i = 0; all && i < e->tag_count; i++)
        if (!is_given_again(e, 0, e->tags[i].key)) all[n++] = e->tags[i];
    for (size_t i = 0; all && i < e->field_count; i++) {
        const metrics_event_field_t *f = &e->fields[i];
        if (!event_field_is_tag(f) || is_given_again(e, i + 1, f->key)) continue;
        all[n++] = (metrics_tag_t){points_text(points, "%s", f->key), field_text(points, f)};
    }
    if (all) tags_sort(all, n);
    if (!all) points->failed = true;
    p->tags = all;
    p->tag_count = all ? n : 0;
}

void points_of_event(struct points *points, const struct backend_points *backend, const metrics_event_t *e,
                     size_t number)
{
    struct point *p =
        points_add(points, &(struct point){.type = e->point == 2 ? counter_of(backend) : POINT_GAUGE,
                                           .name = e->name,
                                           .time_ns = e->wall_ns,
                                           .value_type = METRICS_F64,
                                           .value.f = e->value,
                                           .item = number});
    add_tags(points, p, e);
}

struct losses {
    size_t n;
    struct buf *notes;
};

static void refused(void *arg, const struct point *point, const char *why)
{
    struct losses *losses = arg;
    losses->n++;
    if (losses->notes) buf_printf(losses->notes, "%s: %s\n", point->name, why);
}

static size_t write_all(const struct event_batch *batch, const struct points *points,
                        struct payload *payloads)
{
    const struct backend_points *backend = batch->view->selection->backend->points;
    struct losses losses = {0, batch->notes};
    signed char *where = calloc(points->n + 1, 1);
    if (!where || points->failed || points->region.failed) {
        payloads[0].body.failed = true;
        free(where);
        return 0;
    }
    size_t n = points_write(backend, points->at, points->n, batch->settings, batch->session, payloads, where,
                            refused, &losses);
    free(where);
    payloads[0].items = n;
    payloads[0].left_out = losses.n;
    return n - losses.n;
}

size_t points_encode_events(const struct event_batch *batch, struct payload *payloads)
{
    const struct backend_points *backend = batch->view->selection->backend->points;
    size_t n = batch->to - batch->from;
    struct points points = {0};
    if (backend->most && n > backend->most) n = backend->most;
    for (size_t i = batch->from; i < batch->from + n; i++)
        points_of_event(&points, backend, event_view_get(batch->view, i), batch->view->numbers[i]);
    size_t sent = write_all(batch, &points, payloads);
    points_free(&points);
    return sent;
}
