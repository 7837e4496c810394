/* SPDX-License-Identifier: Apache-2.0 */
/* series.c - series and families of a catalog: their texts, each once, and their order. */
#include <string.h>

#include <mtx/metrics.h>

#include "reading.h"

/* The same text in the family or in its latest series, or NULL. */
static const char *shared(const struct metrics__family_read *f, const char *const *texts, size_t i)
{
    const struct metrics__series_read *latest = f->latest;
    if (i == 0) return strcmp(texts[0], f->name) ? NULL : f->name;
    if (!latest || (i - 1) / 2 >= latest->tag_count) return NULL;
    const metrics_tag_t *tag = &latest->tags[(i - 1) / 2];
    const char *text = i % 2 ? tag->key : tag->value;
    return strcmp(texts[i], text) ? NULL : text;
}

struct metrics__series_read *metrics__series_new(struct metrics__pool *pool, const char *const *texts,
                                                 size_t count, struct metrics__family_read *family)
{
    size_t bytes = 0, tags = count / 2;
    const char *have[2 * METRICS_TAGS_MAX + 1];
    for (size_t i = 0; i < count; i++) {
        have[i] = shared(family, texts, i);
        if (!have[i]) bytes += strlen(texts[i]) + 1;
    }
    struct metrics__series_read *s =
        metrics__pool_take(pool, sizeof *s + tags * sizeof(metrics_tag_t) + bytes);
    if (!s) return NULL;
    s->family = family;
    s->own_name = !have[0];
    s->tag_count = (uint8_t)tags;
    s->place = METRICS__NOWHERE;
    char *at = (char *)(s->tags + tags);
    for (size_t i = 0; i < count; i++) {
        if (!have[i]) {
            have[i] = strcpy(at, texts[i]);
            at += strlen(at) + 1;
        }
        if (i) *(i % 2 ? &s->tags[i / 2].key : &s->tags[i / 2 - 1].value) = have[i];
    }
    family->latest = s;
    return s;
}

struct metrics__family_read *metrics__family_like(struct metrics__pool *pool,
                                                  struct metrics__family_read *last, const char *unit,
                                                  const char *help, uint64_t wall_base, uint8_t merge)
{
    if (last && last->wall_base == wall_base && last->merge == merge && !strcmp(last->unit, unit) &&
        !strcmp(last->help, help))
        return last;
    struct metrics__family_read *f = metrics__pool_take(pool, sizeof *f);
    const char *u = metrics__pool_text(pool, unit, strlen(unit)),
               *h = metrics__pool_text(pool, help, strlen(help));
    if (!f || !u || !h) return NULL;
    *f = (struct metrics__family_read){
        .wall_base = wall_base, .name = "", .unit = u, .help = h, .merge = merge};
    return f;
}

/* Texts that are shared need no look. */
static int compare(const char *a, const char *b)
{
    return a == b ? 0 : strcmp(a, b);
}

int metrics__series_compare(const struct metrics__series_read *a, const struct metrics__series_read *b)
{
    int order = compare(metrics__series_name(a), metrics__series_name(b));
    for (size_t i = 0; !order && i < a->tag_count && i < b->tag_count; i++) {
        order = compare(a->tags[i].key, b->tags[i].key);
        if (!order) order = compare(a->tags[i].value, b->tags[i].value);
    }
    return order ? order : (a->tag_count > b->tag_count) - (a->tag_count < b->tag_count);
}
