/* SPDX-License-Identifier: Apache-2.0 */
#include "event_view.h"

#include <stdlib.h>

/* What the events of a kind have in common here. */
struct event_dress {
    const char *name; /* NULL: the kind does not pass */
    metrics_tag_t *tags;
    size_t tag_count;
};

/* --- What passes --- */

bool selection_passes_events(const struct selection *sel, int type, const char *name)
{
    return sel->events & EVENT_BIT(type) && selection_passes(sel, name);
}

void selection_count_events(const struct selection *sel, const struct event_chunk *chunk, size_t from,
                            uint32_t counts[METRICS_EVENT_TYPES])
{
    memset(counts, 0, METRICS_EVENT_TYPES * sizeof *counts);
    for (size_t i = 0; i < chunk->kind_count; i++) {
        const struct event_kind *k = &chunk->kinds[i];
        if (selection_passes_events(sel, k->type, k->name)) counts[k->type] += k->events;
    }
    for (size_t i = 0; i < from && i < chunk->n; i++) {
        const struct event_kind *k = &chunk->kinds[event_chunk_kind(chunk, i)];
        counts[k->type] -= selection_passes_events(sel, k->type, k->name);
    }
}

/* --- Names and tags, once for each kind --- */

/* The selection's tags under the kind's own; both lists are sorted. */
static bool merge_tags(struct event_view *view, const struct event_kind *k, struct event_dress *d)
{
    const struct selection *sel = view->selection;
    metrics_tag_t *all = region_alloc(&view->region, (k->tag_count + sel->tag_count + 1) * sizeof *all);
    size_t a = 0, b = 0, n = 0;
    while (all && (a < k->tag_count || b < sel->tag_count)) {
        int order = a == k->tag_count     ? 1
                    : b == sel->tag_count ? -1
                                          : strcmp(k->tags[a].key, sel->tags[b].key);
        if (order == 0) b++; /* its own wins */
        all[n++] = order <= 0 ? k->tags[a] : sel->tags[b];
        *(order <= 0 ? &a : &b) += 1;
    }
    d->tags = all;
    d->tag_count = n;
    return all != NULL;
}

static bool add_prefix(struct event_view *view, const struct event_kind *k, struct event_dress *d)
{
    const char *prefix = view->selection->settings->prefix;
    size_t p = prefix && k->type == METRICS_EVENT_POINT ? strlen(prefix) : 0, n = strlen(k->name);
    d->name = k->name;
    if (!p) return true;
    char *whole = region_alloc(&view->region, p + n + 1);
    if (!whole) return false;
    memcpy(whole, prefix, p);
    memcpy(whole + p, k->name, n);
    d->name = whole;
    return true;
}

static bool dress_kinds(struct event_view *view)
{
    const struct event_chunk *chunk = view->chunk;
    bool good = (view->dresses = calloc(chunk->kind_count + 1, sizeof *view->dresses)) != NULL;
    for (size_t i = 0; good && i < chunk->kind_count; i++) {
        const struct event_kind *k = &chunk->kinds[i];
        struct event_dress *d = &view->dresses[i];
        if (!selection_passes_events(view->selection, k->type, k->name)) continue;
        good = merge_tags(view, k, d) && add_prefix(view, k, d);
    }
    return good;
}

/* --- Views --- */

bool event_view_open(struct event_view *view, const struct selection *sel, const struct event_chunk *chunk,
                     size_t from)
{
    *view = (struct event_view){.selection = sel, .chunk = chunk};
    view->numbers = calloc(chunk->n + 1, sizeof *view->numbers);
    view->decoder = metrics_event_decoder_new();
    if (!view->numbers || !view->decoder || !dress_kinds(view)) {
        event_view_free(view);
        return false;
    }
    for (size_t i = from; i < chunk->n; i++)
        if (view->dresses[event_chunk_kind(chunk, i)].name) view->numbers[view->n++] = (uint32_t)i;
    return true;
}

void event_view_free(struct event_view *view)
{
    free(view->numbers);
    free(view->dresses);
    metrics_event_decoder_free(&view->decoder);
    region_free(&view->region);
    *view = (struct event_view){.n = 0};
}

int event_view_type(const struct event_view *view, size_t i)
{
    return view->chunk->kinds[event_chunk_kind(view->chunk, view->numbers[i])].type;
}

const metrics_event_t *event_view_get(struct event_view *view, size_t i)
{
    const struct event_dress *d = &view->dresses[event_chunk_kind(view->chunk, view->numbers[i])];
    const metrics_event_t *e = event_chunk_get(view->chunk, view->numbers[i], view->decoder);
    if (!e) abort(); /* it was decoded before */
    view->event = *e;
    view->event.name = d->name;
    view->event.tags = d->tags;
    view->event.tag_count = d->tag_count;
    return &view->event;
}

size_t event_view_same(const struct event_view *view, size_t from)
{
    size_t to = from;
    while (to < view->n && event_view_type(view, to) == event_view_type(view, from)) to++;
    return to;
}
