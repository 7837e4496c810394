/* SPDX-License-Identifier: Apache-2.0 */
#include "prometheus_family.h"

#include "prometheus_name.h"

#include <stdlib.h>
#include <string.h>

const char *prometheus_type_name(enum prometheus_type type)
{
    static const char *const names[] = {"counter", "gauge", "histogram", "summary", "info"};
    return names[type];
}

/* --- Names that are taken, by whom ------------------------------------------------------------------------
 */

struct prometheus_name {
    const char *key; /* NULL: free */
    size_t n;
    const struct prometheus_family *owner;
    uint64_t hash;
};

static uint64_t prometheus_hash(const void *owner, const char *key, size_t n)
{
    uint64_t h = UINT64_C(1469598103934665603) ^ (uintptr_t)owner;
    for (size_t i = 0; i < n; i++) h = (h ^ (unsigned char)key[i]) * UINT64_C(1099511628211);
    return h ^ h >> 29;
}

/* The slot that holds the key, or the free one where it belongs. `owner` NULL: whoever owns it. */
static struct prometheus_name *prometheus_slot(const struct prometheus_names *names, const void *owner,
                                               uint64_t hash, const char *key, size_t n)
{
    size_t at = hash & (names->size - 1);
    for (;; at = (at + 1) & (names->size - 1)) {
        struct prometheus_name *s = &names->slots[at];
        if (!s->key) return s;
        if (s->hash == hash && s->n == n && (!owner || s->owner == owner) && !memcmp(s->key, key, n))
            return s;
    }
}

static bool prometheus_names_grow(struct prometheus_names *names)
{
    if (names->size && names->n < names->size / 2) return true;
    struct prometheus_names more = {.size = names->size ? names->size * 2 : 1024, .n = names->n};
    more.slots = calloc(more.size, sizeof *more.slots);
    if (!more.slots) return false;
    for (size_t i = 0; i < names->size; i++) {
        struct prometheus_name *s = &names->slots[i];
        size_t at = s->hash & (more.size - 1);
        if (!s->key) continue;
        while (more.slots[at].key) at = (at + 1) & (more.size - 1);
        more.slots[at] = *s;
    }
    free(names->slots);
    *names = more;
    return true;
}

/* Sample names are shared by all families (owner NULL in the hash); label sets belong to one. */
static const struct prometheus_family *prometheus_owner(struct prometheus_page *page, const char *key,
                                                        size_t n)
{
    if (!page->names.size) return NULL;
    return prometheus_slot(&page->names, NULL, prometheus_hash(NULL, key, n), key, n)->owner;
}

static void prometheus_claim(struct prometheus_page *page, const struct prometheus_family *family,
                             const char *key, size_t n)
{
    if (!prometheus_names_grow(&page->names)) {
        page->failed = true;
        return;
    }
    uint64_t hash = prometheus_hash(NULL, key, n);
    struct prometheus_name *s = prometheus_slot(&page->names, NULL, hash, key, n);
    if (s->key) return;
    *s = (struct prometheus_name){region_copy(&page->region, key, n), n, family, hash};
    page->names.n++;
    page->failed |= !s->key;
}

bool prometheus_page_first(struct prometheus_page *page, const struct prometheus_family *family,
                           const char *labels, size_t n)
{
    if (!prometheus_names_grow(&page->names)) {
        page->failed = true;
        return false;
    }
    uint64_t hash = prometheus_hash(family, labels, n);
    struct prometheus_name *s = prometheus_slot(&page->names, family, hash, labels, n);
    if (s->key) return false;
    *s = (struct prometheus_name){region_copy(&page->region, labels, n), n, family, hash};
    page->names.n++;
    page->failed |= !s->key;
    return s->key != NULL;
}

/* --- Families ---------------------------------------------------------------------------------------------
 */

/* The suffixes under which a type's samples stand; OpenMetrics reserves all of them for the family. */
static const char *const *prometheus_suffixes(enum prometheus_type type)
{
    static const char *const counter[] = {"", "_total", "_created", NULL};
    static const char *const gauge[] = {"", NULL};
    static const char *const histogram[] = {"", "_bucket", "_count", "_sum", "_created", NULL};
    static const char *const summary[] = {"", "_count", "_sum", "_created", NULL};
    static const char *const info[] = {"", "_info", NULL};
    static const char *const *const all[] = {counter, gauge, histogram, summary, info};
    return all[type];
}

static void prometheus_note(struct prometheus_page *page, const char *own_name, const char *what,
                            const struct prometheus_family *family)
{
    if (!page->notes) return;
    struct buf line = {0};
    buf_printf(&line, "%s is left out: %s is taken by %s (%s)\n", own_name, what, family->own_name,
               prometheus_type_name(family->type));
    /* Every series of a family would say the same. */
    if (!strstr(buf_text(page->notes), buf_text(&line))) buf_str(page->notes, buf_text(&line));
    buf_free(&line);
}

/* The family of that name that an item of this type and unit may join: an old one, a new one, or NULL if the
 * name belongs to another type. */
static struct prometheus_family *prometheus_family(struct prometheus_page *page, const struct item *item,
                                                   const struct buf *name, enum prometheus_type type,
                                                   const char *unit)
{
    struct buf sample = {0};
    const struct prometheus_family *owner = prometheus_owner(page, name->data, name->len);
    if (owner && owner->type == type && !strcmp(owner->unit, unit) && !strcmp(owner->name, name->data))
        return (struct prometheus_family *)(uintptr_t)owner;
    for (const char *const *s = prometheus_suffixes(type); *s; s++) {
        buf_reset(&sample);
        buf_printf(&sample, "%s%s", name->data, *s);
        owner = prometheus_owner(page, buf_text(&sample), sample.len);
        if (owner) {
            prometheus_note(page, item->own_name, buf_text(&sample), owner);
            buf_free(&sample);
            return NULL;
        }
    }
    struct prometheus_family *f = region_alloc(&page->region, sizeof *f);
    char *copy = region_copy(&page->region, name->data, name->len);
    page->failed |= !f || !copy;
    if (page->failed) return NULL;
    *f = (struct prometheus_family){
        .name = copy, .unit = unit, .help = item->help, .own_name = item->own_name, .type = type};
    for (const char *const *s = prometheus_suffixes(type); *s; s++) {
        buf_reset(&sample);
        buf_printf(&sample, "%s%s", name->data, *s);
        prometheus_claim(page, f, buf_text(&sample), sample.len);
    }
    buf_free(&sample);
    *(page->last ? &page->last->next : &page->first) = f;
    page->last = f;
    return f;
}

/* Room for `n` rows of an item in the family that they belong to; NULL if they have no place on the page. */
static metrics_row_t *prometheus_member(struct prometheus_page *page, const struct item *item,
                                        enum prometheus_type type, const char *part, bool with_unit, size_t n)
{
    struct buf name = {0};
    const char *unit = with_unit ? item->unit : "";
    prometheus_family_name(item->name, unit, part, &name);
    struct prometheus_family *f = NULL;
    if (buf_ok(&name))
        f = prometheus_family(page, item, &name, type, prometheus_unit(unit).base);
    else
        page->failed = true;
    buf_free(&name);
    if (!f) return NULL;
    struct prometheus_member *m = region_alloc(&page->region, sizeof *m);
    metrics_row_t *rows = region_alloc(&page->region, n * sizeof *rows);
    page->failed |= !m || !rows;
    if (page->failed) return NULL;
    *m = (struct prometheus_member){.item = item, .rows = rows, .n = n};
    *(f->last ? &f->last->next : &f->first) = m;
    f->last = m;
    f->mixed |= strcmp(f->own_name, item->own_name) != 0;
    if (!*f->help) f->help = item->help;
    return rows;
}

/* --- From rows to families ---------------------------------------------------------------------------------
 */

/* What the rows of one label set have in them. */
struct prometheus_shape {
    bool buckets, sum, total, level, fact;
};

static struct prometheus_shape prometheus_shape(const metrics_row_t *rows, size_t n)
{
    struct prometheus_shape s = {0};
    for (size_t i = 0; i < n; i++) {
        s.buckets |= rows[i].nature == METRICS_BUCKET;
        s.sum |= rows[i].attribute == METRICS_SUM;
        s.total |= rows[i].nature == METRICS_TOTAL;
        s.level |= rows[i].nature == METRICS_LEVEL;
        s.fact |= rows[i].nature == METRICS_FACT;
    }
    return s;
}

/* True if the row is part of the family that stands for the whole series, not one of its own. */
static bool prometheus_is_main(const metrics_row_t *row, enum prometheus_type type)
{
    switch (row->nature) {
    case METRICS_TOTAL:
        return row->attribute == METRICS_COUNT || row->attribute == METRICS_VALUE ||
               row->attribute == METRICS_SUM;
    case METRICS_BUCKET: return type == PROMETHEUS_HISTOGRAM;
    case METRICS_QUANTILE: return type == PROMETHEUS_SUMMARY;
    case METRICS_LEVEL:
    case METRICS_FACT: return true;
    default: return false;
    }
}

/* A row that has a family of its own: a rate, a minimum, a sum of squares. Quantiles that are left over stand
 * beside buckets, from which the server computes better ones. */
static void prometheus_apart(struct prometheus_page *page, const struct item *item, const metrics_row_t *row)
{
    char part[24];
    if (row->nature == METRICS_DISTRIBUTION || row->nature == METRICS_QUANTILE) return;
    bool with_unit = row->nature == METRICS_STATISTIC;
    metrics_row_t *own =
        prometheus_member(page, item, row->nature == METRICS_TOTAL ? PROMETHEUS_COUNTER : PROMETHEUS_GAUGE,
                          metrics_row_suffix(row, part, sizeof part), with_unit, 1);
    if (own) *own = *row;
}

/* One label set of an item: its main family, then the rest. */
static void prometheus_rows(struct prometheus_page *page, const struct item *item, const metrics_row_t *rows,
                            size_t n)
{
    struct prometheus_shape s = prometheus_shape(rows, n);
    enum prometheus_type type = s.buckets ? PROMETHEUS_HISTOGRAM
                                : s.sum   ? PROMETHEUS_SUMMARY
                                : s.total ? PROMETHEUS_COUNTER
                                : s.fact  ? PROMETHEUS_INFO
                                          : PROMETHEUS_GAUGE;
    size_t count = 0, at = 0;
    for (size_t i = 0; i < n; i++) count += prometheus_is_main(&rows[i], type);
    if (count) {
        metrics_row_t *main = prometheus_member(page, item, type, "", type != PROMETHEUS_INFO, count);
        for (size_t i = 0; main && i < n; i++)
            if (prometheus_is_main(&rows[i], type)) main[at++] = rows[i];
        if (!main) return; /* its relatives would have no home either */
    }
    for (size_t i = 0; i < n; i++)
        if (!prometheus_is_main(&rows[i], type)) prometheus_apart(page, item, &rows[i]);
}

bool prometheus_page_build(struct prometheus_page *page, const struct batch *batch)
{
    struct rows rows = {0};
    page->notes = batch->notes;
    for (size_t i = batch->from; i < batch->to && !page->failed; i++) {
        const struct item *item = &batch->view->items[i];
        if (!item_rows(batch->view, item, METRICS_LIFETIME, &rows)) page->failed = true;
        for (size_t at = 0, end; !page->failed && at < rows.n; at = end) {
            for (end = at + 1; end < rows.n && rows.at[end].worker == rows.at[at].worker;) end++;
            prometheus_rows(page, item, rows.at + at, end - at);
        }
    }
    rows_free(&rows);
    return !page->failed && !page->region.failed;
}

void prometheus_page_free(struct prometheus_page *page)
{
    free(page->names.slots);
    region_free(&page->region);
    *page = (struct prometheus_page){0};
}
