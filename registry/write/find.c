/* SPDX-License-Identifier: Apache-2.0 */
/*
 * find.c - find or create: from name and tags to a handle.
 *
 * Two steps. This process's own table maps the arguments, just as they were written, to a handle: one hash,
 * no lock, no check, no look into the segment. What it does not know goes the long way, under the registry's
 * lock: check and sort, find or create the record in the segment, its storage and a handle. Refusals are not
 * remembered in the table: a flood of bad names must not grow it.
 */
#include "handle.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "atomic.h"
#include "table.h"

/* --- The record in the segment --- */

/* Why there is no handle: the loss to count, and the words for it. loss -1 = there is one. */
struct refusal {
    int loss, code;
    const char *why;
};
static const struct refusal had = {-1, 0, NULL};
static const struct refusal full = {
    LOSS_SEGMENT_FULL, METRICS_E_FULL,
    "the segment is full: make it larger (segment_bytes) or use fewer series"};
static const struct refusal damaged = {LOSS_DAMAGE, METRICS_E_DAMAGED,
                                       "its bytes in the segment are damaged"};
static const struct refusal limit = {
    LOSS_CARDINALITY, METRICS_E_CARDINALITY,
    "the family has reached its limit of series: use fewer tag values, or raise "
    "series_limit"};
static const struct refusal clash = {LOSS_KIND, METRICS_E_KIND,
                                     "the name is in use by another kind of metric"};
static const struct refusal no_memory = {LOSS_MEMORY, METRICS_E_MEMORY,
                                         "this process has no memory for a handle"};

/* A search under way. */
struct finding {
    metrics_registry_t *r;
    const struct metrics__kind *kind;
    struct metrics__key key; /* of the series */
    uint64_t family_offset;
    struct metrics__family_record *family;
    struct metrics__settings settings;
    double bounds[METRICS__BOUNDS_MAX];
};

static bool is_tagged(const struct metrics__key *key)
{
    return strlen((const char *)key->bytes + 1) + 2 < key->length;
}

/* Admit one more series to the family: false at its limit. */
static bool admit(struct finding *f)
{
    uint32_t most = f->settings.series_limit ? f->settings.series_limit : f->r->seg->family_series;
    uint32_t n = mem_load32(&f->family->series); /* ORD-16 */
    do {
        if (n >= most) return false;
    } while (!mem_cas32(&f->family->series, &n, n + 1)); /* ORD-16 */
    return true;
}

static void unadmit(struct finding *f)
{
    uint32_t n = mem_load32(&f->family->series);             /* ORD-16 */
    while (n && !mem_cas32(&f->family->series, &n, n - 1)) { /* ORD-16 */
    }
}

/* Find or make the record with that key. */
static struct refusal find_record(struct finding *f, const struct metrics__key *key, bool overflow,
                                  uint64_t *offset)
{
    segment_t *seg = f->r->seg;
    *offset = index_find(seg, key->bytes, key->length, index_hash(key->bytes, key->length));
    if (*offset) return had;
    if (!overflow && !admit(f)) return limit;
    uint64_t mine = record_new(seg, RECORD_SERIES, (uint8_t)f->kind->number, key->bytes, key->length, 0);
    struct segment_record *record = mine ? record_at(seg, mine) : NULL;
    if (record) {
        record->link = f->family_offset;
        record->flags = overflow ? RECORD_OVERFLOW : 0;
        uint64_t length = record->length;
        *offset = index_insert(seg, mine);
        if (*offset != mine) arena_return(seg, mine, length);
    }
    if (!overflow && (!*offset || *offset != mine)) unadmit(f);
    return *offset ? had : full;
}

/* A handle of the record at offset, with storage, into *out. */
static struct refusal make_handle(struct finding *f, uint64_t offset, void **out)
{
    struct metrics__series s = {.seg = f->r->seg,
                                .offset = offset,
                                .record = record_at(f->r->seg, offset),
                                .family = f->family,
                                .settings = &f->settings,
                                .bounds = f->bounds};
    if (!s.record || s.record->type != RECORD_SERIES) return damaged;
    if (s.record->kind != f->kind->number) return clash;
    if (metrics__plan((enum metrics__kind_number)f->kind->number, &f->settings, f->bounds, &s.plan))
        return damaged;
    struct metrics__handle *h = NULL;
    if (posix_memalign((void **)&h, 64, layout_round_up(f->kind->handle_size, 64))) return no_memory;
    memset(h, 0, f->kind->handle_size);
    h->registry = f->r;
    h->kind = (uint8_t)f->kind->number;
    h->seg = f->r->seg;
    int loss = f->kind->bind(h, &s);
    if (loss >= 0) {
        free(h);
        return loss == LOSS_SEGMENT_FULL ? full : loss == LOSS_MEMORY ? no_memory : damaged;
    }
    record_retire(f->r->seg, s.record, false);
    *out = h;
    return had;
}

/* The kind of a family is set by its first series and holds for all (ORD-11). */
static struct refusal find_family(struct finding *f)
{
    static const double none[1];
    struct metrics__settings settings = metrics__default_settings();
    const char *name = (const char *)f->key.bytes + 1;
    f->family_offset = metrics__family(f->r, name, &settings, none);
    if (!f->family_offset) return full;
    f->family = metrics__family_at(f->r->seg, f->family_offset, &f->settings, f->bounds);
    if (!f->family) return damaged;
    uint32_t kind = 0;
    bool first = mem_cas32(&f->family->kind, &kind, f->kind->number); /* ORD-11 */
    return first || kind == f->kind->number ? had : clash;
}

/* This process's one handle of a series: the one that it had before the series was retired, or a new one. */
static void *learn_words(metrics_registry_t *r, const struct metrics__words *sorted, void *handle)
{
    void *known = metrics__table_find(r->table, sorted);
    if (!known) known = metrics__table_recall(r, sorted);
    if (!known) {
        metrics__table_add(r, sorted, handle, NULL);
        return handle;
    }
    free(handle);
    return known;
}

/* The family's overflow series, made with the first tagged series: it exists when room runs out. */
static void *find_overflow(struct finding *f)
{
    struct metrics__key key;
    struct metrics__words words;
    void *handle = NULL;
    if (!f->family || !f->kind->overflows || !is_tagged(&f->key)) return NULL;
    uint64_t offset = mem_load_acquire(&f->family->overflow); /* ORD-2 */
    if (!offset) {
        metrics__key_overflow(&key, &f->key);
        if (find_record(f, &key, true, &offset).loss >= 0) return NULL;
        uint64_t none = 0;
        if (!mem_cas(&f->family->overflow, &none, offset)) offset = none; /* ORD-2 */
    }
    struct segment_record *record = record_at(f->r->seg, offset);
    key.length = record ? mem_load32(&record->key_length) : SIZE_MAX;
    const unsigned char *bytes =
        key.length <= METRICS__KEY_MAX ? record_key(f->r->seg, record, key.length) : NULL;
    if (!bytes) return NULL;
    memcpy(key.bytes, bytes, key.length);
    if (!metrics__words_of_key(&words, f->kind->number, &key)) return NULL;
    if ((handle = metrics__table_find(f->r->table, &words))) return handle;
    if (make_handle(f, offset, &handle).loss >= 0) return NULL;
    return learn_words(f->r, &words, handle);
}

static struct refusal find_series(struct finding *f, void **handle)
{
    uint64_t offset;
    struct refusal no = find_family(f);
    if (no.loss >= 0) return no;
    if (is_tagged(&f->key) && !mem_load(&f->family->overflow)) find_overflow(f); /* ORD-2 */
    no = find_record(f, &f->key, false, &offset);
    return no.loss >= 0 ? no : make_handle(f, offset, handle);
}

/* --- Both steps --- */

/* The registry's lock is held. */
static void *find_slowly(struct finding *f, const char *const *list, size_t n)
{
    char text[512];
    void *handle = NULL;
    const char *wrong = metrics__key_series(&f->key, list, n);
    struct refusal no = {LOSS_NAME, METRICS_E_NAME, wrong};
    if (!wrong) no = find_series(f, &handle);
    if (no.loss < 0) return handle;
    metrics__name_text(text, sizeof text, list, n);
    metrics__refuse(f->r, (enum segment_loss)no.loss, no.code, text, "%s %s was refused: %s", f->kind->name,
                    text, no.why);
    if (no.loss == LOSS_CARDINALITY || no.loss == LOSS_SEGMENT_FULL) handle = find_overflow(f);
    return handle ? handle : f->kind->noop;
}

/* The same series may be known under another order of tags: one series, one handle. */
static void *learn(struct finding *f, const struct metrics__words *raw, void *handle)
{
    metrics_registry_t *r = f->r;
    struct metrics__words sorted;
    if (!metrics__words_of_key(&sorted, f->kind->number, &f->key)) return handle;
    handle = learn_words(r, &sorted, handle);
    if (raw && !metrics__table_find(r->table, raw)) metrics__table_add(r, raw, handle, &sorted);
    return handle;
}

/* raw is NULL if the words are too long to be a series. */
static void *find_locked(metrics_registry_t *r, const struct metrics__kind *kind, const char *const *list,
                         size_t n, const struct metrics__words *raw)
{
    void *handle = raw ? metrics__table_find(r->table, raw) : NULL;
    if (handle) return handle;
    struct finding *f = malloc(sizeof *f);
    if (!f) {
        metrics__refuse(r, (enum segment_loss)no_memory.loss, no_memory.code, NULL, "a %s was refused: %s",
                        kind->name, no_memory.why);
        return kind->noop;
    }
    f->r = r;
    f->kind = kind;
    f->family = NULL;
    uint64_t refused = r->refused;
    handle = find_slowly(f, list, n);
    if (refused == r->refused) handle = learn(f, raw, handle);
    free(f);
    return handle;
}

void *metrics__find(metrics_registry_t *r, const struct metrics__kind *kind, const char *const *list,
                    size_t n)
{
    struct metrics__words raw;
    struct process_undisturbed before;
    if (!r || !r->seg || segment_closed(r->seg)) return kind->noop;
    bool whole = metrics__words(&raw, kind->number, list, n);
    void *handle = whole ? metrics__table_find(mem_load_pointer_acquire(&r->table), &raw) : NULL; /* ORD-15 */
    if (handle) return handle;
    metrics__lock(r, &before);
    handle = find_locked(r, kind, list, n, whole ? &raw : NULL);
    metrics__unlock(r, &before);
    return handle;
}

void *metrics__site_resolve(struct metrics__site *site, const struct metrics__kind *kind,
                            const char *const *list, size_t n)
{
    uint32_t generation = mem_load32(&metrics__generation); /* ORD-15 */
    void *handle = metrics__find(metrics_default(), kind, list, n);
    mem_publish_pointer(&site->handle, handle); /* ORD-15 */
    mem_store32(&site->generation, generation); /* ORD-15 */
    return handle;
}

void metrics_retire(metrics_registry_t *r, const char *const *list, size_t n)
{
    struct metrics__key key;
    if (!r || !r->seg || segment_closed(r->seg) || metrics__key_series(&key, list, n)) return;
    uint64_t offset = index_find(r->seg, key.bytes, key.length, index_hash(key.bytes, key.length));
    struct segment_record *record = offset ? record_at(r->seg, offset) : NULL;
    if (!record || record->type != RECORD_SERIES) return;
    record_retire(r->seg, record, true);
    struct metrics__words words;
    if (!metrics__words_of_key(&words, record->kind, &key)) return;
    struct process_undisturbed before;
    metrics__lock(r, &before);
    metrics__table_forget(r, &words);
    metrics__unlock(r, &before);
}
