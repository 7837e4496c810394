/* SPDX-License-Identifier: Apache-2.0 */
#include "prometheus_family.h"

#include "fnv.h"
#include "prometheus_name.h"

#include <stdlib.h>
#include <string.h>

const char *prometheus_type_name(enum prometheus_type type)
{
    static const char *const names[] = {"counter", "gauge", "histogram", "summary", "info"};
    return names[type];
}

const char *prometheus_type_suffix(enum prometheus_type type)
{
    static const char *const suffixes[] = {"_total", "", "", "", "_info"};
    return suffixes[type];
}

/* What is needed only while a plan is made. */
struct planning {
    struct prometheus_page *page;
    const struct batch *batch;
    bool numbered;
    struct prometheus_names {
        struct prometheus_name *slots;
        size_t n, size;
    } names;
    struct region keys;
    struct tags tags;
    struct buf name, sample, label, quoted;
    uint64_t name_hash;
    uint32_t *seen; /* members, by label set; 0: free */
    size_t seen_room, member_room, shape_room;
    /* Where the series of one of our names went: nearly always the next item has the same name. */
    struct planned {
        const char *name, *unit;
        size_t n;
        struct planned_family {
            int key;
            enum prometheus_type type;
            struct prometheus_family *family; /* NULL: refused */
        } families[8];
    } last;
};

/* --- Text --- */

static struct prometheus_text text_add(struct prometheus_page *page, const char *bytes, size_t n)
{
    struct prometheus_text text = {(uint32_t)page->text.len, (uint32_t)n};
    buf_mem(&page->text, bytes, n);
    if (buf_ok(&page->text)) return text;
    page->failed = true;
    return (struct prometheus_text){0, 0};
}

static bool text_is(const struct prometheus_page *page, struct prometheus_text text, const char *word)
{
    return strlen(word) == text.n && !memcmp(prometheus_at(page, text), word, text.n);
}

/* --- Names that are taken, and by which family --- */

struct prometheus_name {
    const char *key; /* NULL: free */
    size_t n;
    struct prometheus_family *owner;
    uint64_t hash;
};

/* The slot that holds the key, or the free one where it belongs. */
static struct prometheus_name *prometheus_slot(const struct prometheus_names *names, uint64_t hash,
                                               const char *key, size_t n)
{
    size_t at = (hash ^ hash >> 29) & (names->size - 1);
    for (;; at = (at + 1) & (names->size - 1)) {
        struct prometheus_name *s = &names->slots[at];
        if (!s->key) return s;
        if (s->hash == hash && s->n == n && !memcmp(s->key, key, n)) return s;
    }
}

static bool prometheus_names_grow(struct prometheus_names *names)
{
    if (names->size && names->n < names->size / 2) return true;
    struct prometheus_names more = {.size = names->size ? names->size * 2 : 256, .n = names->n};
    more.slots = calloc(more.size, sizeof *more.slots);
    if (!more.slots) return false;
    for (size_t i = 0; i < names->size; i++) {
        struct prometheus_name *s = &names->slots[i];
        size_t at = (s->hash ^ s->hash >> 29) & (more.size - 1);
        if (!s->key) continue;
        while (more.slots[at].key) at = (at + 1) & (more.size - 1);
        more.slots[at] = *s;
    }
    free(names->slots);
    *names = more;
    return true;
}

/* p->name and a suffix, in p->sample, and its hash. */
static uint64_t prometheus_sample(struct planning *p, const char *suffix)
{
    buf_reset(&p->sample);
    buf_mem(&p->sample, p->name.data, p->name.len);
    buf_str(&p->sample, suffix);
    p->page->failed |= !buf_ok(&p->sample);
    return fnv(p->name_hash, suffix, strlen(suffix));
}

static struct prometheus_family *prometheus_owner(const struct planning *p, uint64_t hash)
{
    if (!p->names.size || p->page->failed) return NULL;
    return prometheus_slot(&p->names, hash, p->sample.data, p->sample.len)->owner;
}

static void prometheus_claim(struct planning *p, struct prometheus_family *family, uint64_t hash)
{
    p->page->failed |= !prometheus_names_grow(&p->names);
    if (p->page->failed) return;
    struct prometheus_name *s = prometheus_slot(&p->names, hash, p->sample.data, p->sample.len);
    if (s->key) return;
    const char *key = region_copy(&p->keys, p->sample.data, p->sample.len);
    *s = (struct prometheus_name){key, p->sample.len, family, hash};
    p->names.n += key != NULL;
}

/* --- Families --- */

/* The suffixes of a type's samples; OpenMetrics reserves all of them for the family. */
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

static void prometheus_note(struct planning *p, const char *own_name, const char *what,
                            const struct prometheus_family *family)
{
    struct buf *notes = p->batch->notes, line = {0};
    if (!notes) return;
    buf_printf(&line, "%s is left out: %s is taken by %.*s (%s)\n", own_name, what, (int)family->own_name.n,
               prometheus_at(p->page, family->own_name), prometheus_type_name(family->type));
    /* Every series of a family would give the same line. */
    if (!strstr(buf_text(notes), buf_text(&line))) buf_str(notes, buf_text(&line));
    buf_free(&line);
}

static void prometheus_help_of(struct planning *p, struct prometheus_family *f, const struct item *item)
{
    if (f->help.n || !*item->help) return;
    f->help = text_add(p->page, item->help, strlen(item->help));
    f->plain = prometheus_is_plain(item->help);
}

static struct prometheus_family *prometheus_family_new(struct planning *p, const struct item *item,
                                                       enum prometheus_type type, const char *unit)
{
    struct prometheus_page *page = p->page;
    struct prometheus_family *f = region_alloc(&page->region, sizeof *f);
    if (!f) return NULL;
    const char *suffix = prometheus_type_suffix(type);
    *f = (struct prometheus_family){.unit = unit, .type = type, .plain = true};
    f->name = f->head = text_add(page, p->name.data, p->name.len);
    f->head.n += text_add(page, suffix, strlen(suffix)).n;
    f->own_name = text_add(page, item->own_name, strlen(item->own_name));
    f->plain = prometheus_is_plain(item->own_name);
    for (const char *const *s = prometheus_suffixes(type); *s; s++)
        prometheus_claim(p, f, prometheus_sample(p, *s));
    *(page->last ? &page->last->next : &page->first) = f;
    page->last = f;
    return f;
}

/* The family of the name in p->name that an item of this type and unit may join: an old one, a new one, or
 * NULL if the name belongs to another type. */
static struct prometheus_family *prometheus_family(struct planning *p, const struct item *item,
                                                   enum prometheus_type type, const char *unit)
{
    p->name_hash = fnv(FNV_BEGIN, p->name.data, p->name.len);
    struct prometheus_family *owner = prometheus_owner(p, prometheus_sample(p, ""));
    if (owner && owner->type == type && !strcmp(owner->unit, unit) &&
        text_is(p->page, owner->name, p->name.data))
        return owner;
    for (const char *const *s = prometheus_suffixes(type); *s; s++) {
        owner = prometheus_owner(p, prometheus_sample(p, *s));
        if (owner) {
            prometheus_note(p, item->own_name, p->sample.data, owner);
            return NULL;
        }
    }
    return prometheus_family_new(p, item, type, unit);
}

/* The same by the item's name; `part` is what follows it, `key` a number for the part. */
static struct prometheus_family *prometheus_home(struct planning *p, const struct item *item,
                                                 enum prometheus_type type, int key, const char *part,
                                                 bool with_unit)
{
    struct planned *last = &p->last;
    if (!last->name || strcmp(last->name, item->name) || strcmp(last->unit, item->unit))
        *last = (struct planned){.name = item->name, .unit = item->unit};
    for (size_t i = 0; i < last->n; i++)
        if (last->families[i].key == key && last->families[i].type == type) return last->families[i].family;
    const char *unit = with_unit ? item->unit : "";
    buf_reset(&p->name);
    prometheus_family_name(item->name, unit, part, &p->name);
    if (!buf_ok(&p->name)) {
        p->page->failed = true;
        return NULL;
    }
    struct prometheus_family *f = prometheus_family(p, item, type, prometheus_unit(unit).base);
    if (f) f->mixed |= !text_is(p->page, f->own_name, item->own_name);
    if (last->n < sizeof last->families / sizeof *last->families)
        last->families[last->n++] = (struct planned_family){key, type, f};
    return f;
}

/* --- Members --- */

/* Makes room for one more element of an array with n elements. */
static void *planning_room(struct planning *p, void *array, size_t *room, size_t n, size_t size)
{
    if (n < *room) return array;
    size_t more = *room ? *room * 2 : 64;
    void *grown = n < UINT32_MAX / 2 ? realloc(array, more * size) : NULL;
    if (grown)
        *room = more;
    else
        p->page->failed = true;
    return grown ? grown : array;
}

/* Appends one label to p->label. A name that is there already gets both values, with a semicolon between. */
static void planning_label(struct planning *p, const char *name, const char *value)
{
    struct buf *l = &p->label;
    size_t n = strlen(name);
    char *at = l->len ? l->data : NULL;
    for (; at && (at = strstr(at, name)); at += n)
        if ((at == l->data || at[-1] == ',') && at[n] == '=' && at[n + 1] == '"') break;
    if (at) {
        char *end = at + n + 2;
        while (*end != '"') end += *end == '\\' ? 2 : 1;
        char *rest = strdup(end);
        buf_cut(l, (size_t)(end - l->data));
        buf_char(l, ';');
        prometheus_label_value(value, l);
        buf_str(l, rest ? rest : "");
        if (!rest) l->failed = true;
        free(rest);
        return;
    }
    if (l->len) buf_char(l, ',');
    buf_mem(l, name, n);
    buf_mem(l, "=\"", 2);
    prometheus_label_value(value, l);
    buf_char(l, '"');
}

/* The label set of a row. An empty value is the same as no label. */
static struct prometheus_text planning_labels(struct planning *p, const struct item *item,
                                              const metrics_row_t *row)
{
    struct prometheus_page *page = p->page;
    buf_reset(&p->label);
    page->failed |= !item_tags(item, row, &p->tags);
    for (size_t i = 0; !page->failed && i < p->tags.n; i++) {
        if (!p->tags.at[i].value[0]) continue;
        buf_reset(&p->quoted);
        prometheus_label_name(p->tags.at[i].key, &p->quoted);
        planning_label(p, buf_text(&p->quoted), p->tags.at[i].value);
        page->failed |= !buf_ok(&p->quoted) || !buf_ok(&p->label);
    }
    struct prometheus_text text = text_add(page, "{", 1);
    text.n += text_add(page, buf_text(&p->label), p->label.len).n;
    text.n += text_add(page, "} ", 2).n;
    return text;
}

/* Puts rows of an item that begin at `row` into a family. */
static void planning_member(struct planning *p, struct prometheus_family *f, const struct item *item,
                            const metrics_row_t *rows, size_t row)
{
    struct prometheus_page *page = p->page;
    page->members = planning_room(p, page->members, &p->member_room, (size_t)page->member_count + 1,
                                  sizeof *page->members);
    page->failed |= row >= 1u << 23;
    if (page->failed) return;
    uint32_t at = ++page->member_count;
    page->members[at] = (struct prometheus_member){.item = (uint32_t)(item - p->batch->view->items),
                                                   .row = row & 0x7fffff,
                                                   .unit = prometheus_unit_number(item->unit),
                                                   .labels = planning_labels(p, item, &rows[row])};
    *(f->last ? &page->members[f->last].next : &f->first) = at;
    f->last = at;
    f->n++;
    prometheus_help_of(p, f, item);
}

/* --- From rows to families --- */

static enum prometheus_type prometheus_type(const metrics_row_t *rows, size_t n)
{
    bool buckets = false, sum = false, total = false, fact = false;
    for (size_t i = 0; i < n; i++) {
        buckets |= rows[i].nature == METRICS_BUCKET;
        sum |= rows[i].attribute == METRICS_SUM;
        total |= rows[i].nature == METRICS_TOTAL;
        fact |= rows[i].nature == METRICS_FACT;
    }
    return buckets ? PROMETHEUS_HISTOGRAM
           : sum   ? PROMETHEUS_SUMMARY
           : total ? PROMETHEUS_COUNTER
           : fact  ? PROMETHEUS_INFO
                   : PROMETHEUS_GAUGE;
}

/* True if the row belongs to the family of the whole series; false if it needs one of its own. */
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

/* A row that has a family of its own: a rate, a minimum, a sum of squares. Quantiles that are left over are
 * beside buckets, from which the server computes better ones. */
static void prometheus_apart(struct planning *p, const struct item *item, const metrics_row_t *rows,
                             size_t at)
{
    char part[24];
    const metrics_row_t *row = &rows[at];
    if (row->nature == METRICS_DISTRIBUTION || row->nature == METRICS_QUANTILE) return;
    enum prometheus_type type = row->nature == METRICS_TOTAL ? PROMETHEUS_COUNTER : PROMETHEUS_GAUGE;
    bool with_unit = row->nature == METRICS_STATISTIC;
    struct prometheus_family *f = prometheus_home(p, item, type, 1 + (int)row->attribute,
                                                  metrics_row_suffix(row, part, sizeof part), with_unit);
    if (f) planning_member(p, f, item, rows, at);
}

/* One label set of an item, rows [from, to): its main family, then the rest. */
static void prometheus_rows(struct planning *p, const struct item *item, const metrics_row_t *rows,
                            size_t from, size_t to)
{
    enum prometheus_type type = prometheus_type(rows + from, to - from);
    bool distribution = type == PROMETHEUS_HISTOGRAM || type == PROMETHEUS_SUMMARY;
    size_t main = from;
    while (main < to && !prometheus_is_main(&rows[main], type)) main++;
    if (main < to) {
        struct prometheus_family *f = prometheus_home(p, item, type, 0, "", type != PROMETHEUS_INFO);
        if (!f) return; /* the names of the other families are taken, too */
        planning_member(p, f, item, rows, distribution ? from : main);
    }
    for (size_t i = from; i < to; i++)
        if (!prometheus_is_main(&rows[i], type)) prometheus_apart(p, item, rows, i);
}

/* --- Rows that come and go --- */

uint32_t prometheus_shape_hash(const metrics_row_t *rows, size_t n)
{
    uint64_t h = 1;
    for (size_t i = 0; i < n; i++) {
        const metrics_row_t *r = &rows[i];
        bool many = r->nature == METRICS_BUCKET || r->nature == METRICS_QUANTILE;
        uint64_t word = (uint64_t)r->nature | (many ? 0 : (uint64_t)r->attribute << 8 | (uint64_t)i << 16);
        h = (h ^ word ^ (uint64_t)r->worker << 40) * UINT64_C(0x9e3779b97f4a7c15);
        h ^= h >> 32;
    }
    return (uint32_t)h;
}

/* True if the rows of an item cannot change: running totals, which do not go away, and what is in the same
 * family. */
static bool prometheus_is_steady(const struct planning *p, const metrics_row_t *rows, size_t n)
{
    const uint32_t others =
        ~(METRICS_ATTR(METRICS_VALUE) | METRICS_ATTR(METRICS_COUNT) | METRICS_ATTR(METRICS_SUM) |
          METRICS_ATTR(METRICS_PERCENTILE) | METRICS_ATTR(METRICS_BUCKETS_LE));
    if (!n || p->batch->view->selection->attributes.mask & others) return false;
    for (size_t i = 0; i < n; i++)
        if (rows[i].nature != METRICS_TOTAL && rows[i].nature != METRICS_BUCKET &&
            rows[i].nature != METRICS_QUANTILE && rows[i].nature != METRICS_FACT)
            return false;
    return true;
}

/* A series that is nothing but a count needs no rows. */
static void planning_counted(struct planning *p, const metrics_row_t *rows, size_t n)
{
    struct prometheus_member *m = &p->page->members[p->page->member_count];
    const struct prometheus_unit unit = prometheus_unit_numbered((unsigned char)m->unit);
    m->counted = n == 1 && rows->attribute == METRICS_COUNT && rows->nature == METRICS_TOTAL &&
                 rows->type == METRICS_U64 && rows->reading && unit.times == unit.per;
}

static void planning_shape(struct planning *p, const struct item *item, const struct rows *rows, bool placed)
{
    struct prometheus_page *page = p->page;
    if (!p->numbered) return;
    if (prometheus_is_steady(p, rows->at, rows->n)) {
        if (placed) planning_counted(p, rows->at, rows->n);
        return;
    }
    page->shapes = planning_room(p, page->shapes, &p->shape_room, page->shape_count, sizeof *page->shapes);
    if (page->failed) return;
    page->shapes[page->shape_count++] =
        (struct prometheus_shape){item->number, prometheus_shape_hash(rows->at, rows->n)};
}

/* --- Label sets --- */

/* When it is known which families are shared: their members get their own names as a label. */
static void planning_mix(struct planning *p, struct prometheus_member *m)
{
    struct prometheus_page *page = p->page;
    struct prometheus_text old = m->labels;
    buf_reset(&p->label);
    planning_label(p, "mtx_name", p->batch->view->items[m->item].own_name);
    page->failed |= !buf_ok(&p->label);
    m->labels = text_add(page, "{", 1);
    m->labels.n += text_add(page, buf_text(&p->label), p->label.len).n;
    m->labels.n += text_add(page, ",", old.n > 3).n;
    /* The text must not move while a part of it is copied to its end. */
    if (buf_room(&page->text, old.n))
        m->labels.n += text_add(page, prometheus_at(page, old) + 1, old.n - 1).n;
}

/* True if no member of the family had that label set before. */
static bool planning_first(struct planning *p, uint32_t member, size_t mask)
{
    const struct prometheus_page *page = p->page;
    struct prometheus_text labels = page->members[member].labels, other;
    uint64_t hash = fnv(FNV_BEGIN, prometheus_at(page, labels), labels.n);
    size_t at = (hash ^ hash >> 29) & mask;
    for (; p->seen[at]; at = (at + 1) & mask) {
        other = page->members[p->seen[at]].labels;
        if (other.n == labels.n && !memcmp(prometheus_at(page, other), prometheus_at(page, labels), labels.n))
            return false;
    }
    p->seen[at] = member;
    return true;
}

static void planning_double(struct planning *p, const struct prometheus_family *f,
                            const struct prometheus_member *m)
{
    const struct prometheus_page *page = p->page;
    if (p->batch->notes)
        buf_printf(p->batch->notes, "%s is left out: another series is %.*s%.*s already\n",
                   p->batch->view->items[m->item].own_name, (int)f->name.n, prometheus_at(page, f->name),
                   (int)m->labels.n - 1, prometheus_at(page, m->labels));
}

/* A label set appears once in a family: later ones are taken out. */
static void planning_unique(struct planning *p, struct prometheus_family *f)
{
    struct prometheus_page *page = p->page;
    size_t size = 4;
    while (size < (size_t)f->n * 2) size *= 2;
    if (f->n < 2) return;
    if (size > p->seen_room) {
        free(p->seen);
        p->seen = malloc(size * sizeof *p->seen);
        p->seen_room = p->seen ? size : 0;
    }
    if (!p->seen) {
        page->failed = true;
        return;
    }
    memset(p->seen, 0, size * sizeof *p->seen);
    for (uint32_t *link = &f->first; *link;) {
        struct prometheus_member *m = &page->members[*link];
        if (planning_first(p, *link, size - 1)) {
            link = &m->next;
        } else {
            planning_double(p, f, m);
            *link = m->next;
        }
    }
}

static void planning_labels_all(struct planning *p)
{
    struct prometheus_page *page = p->page;
    for (struct prometheus_family *f = page->first; f && !page->failed; f = f->next) {
        for (uint32_t at = f->mixed ? f->first : 0; at && !page->failed; at = page->members[at].next)
            planning_mix(p, &page->members[at]);
        if (!page->failed) planning_unique(p, f);
    }
}

/* --- The whole --- */

static void planning_end(struct planning *p)
{
    free(p->names.slots);
    free(p->seen);
    region_free(&p->keys);
    tags_free(&p->tags);
    buf_free(&p->name);
    buf_free(&p->sample);
    buf_free(&p->label);
    buf_free(&p->quoted);
}

bool prometheus_page_build(struct prometheus_page *page, const struct batch *batch, bool numbered)
{
    struct planning p = {.page = page, .batch = batch, .numbered = numbered};
    struct rows rows = {0};
    page->text.limit = UINT32_MAX - PROMETHEUS_SLACK;
    for (size_t i = batch->from; i < batch->to && !page->failed; i++) {
        const struct item *item = &batch->view->items[i];
        uint32_t members = page->member_count;
        if (!item_rows(batch->view, item, METRICS_LIFETIME, &rows)) page->failed = true;
        for (size_t at = 0, end; !page->failed && at < rows.n; at = end) {
            for (end = at + 1; end < rows.n && rows.at[end].worker == rows.at[at].worker;) end++;
            prometheus_rows(&p, item, rows.at, at, end);
        }
        if (!page->failed) planning_shape(&p, item, &rows, page->member_count > members);
    }
    planning_labels_all(&p);
    for (uint32_t i = 1; numbered && i <= page->member_count; i++)
        page->members[i].item = batch->view->items[page->members[i].item].number;
    page->failed |= page->region.failed || p.keys.failed || !buf_room(&page->text, PROMETHEUS_SLACK);
    rows_free(&rows);
    planning_end(&p);
    return !page->failed;
}

void prometheus_page_free(struct prometheus_page *page)
{
    region_free(&page->region);
    buf_free(&page->text);
    free(page->members);
    free(page->shapes);
    *page = (struct prometheus_page){0};
}
