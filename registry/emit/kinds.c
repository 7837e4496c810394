/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kinds.c - kinds of events: found or created by name and constant tags, as series are (write/find.c). A kind is a
 * record of the index, and its place is its number, so a reader of an event finds what it is of with one look.
 */
#include <stdlib.h>
#include <string.h>

#include "atomic.h"
#include "event.h"
#include "table.h"

enum {
    WORDS_OF_CLASS = 256
}; /* + class: what the table knows kinds of events by; above every kind of metric */

static struct metrics__event_kind noop[EVENT_CLASSES];
static const char *const class_names[EVENT_CLASSES] = {"", "stream of annotations", "kind of span", "logger",
                                                       "kind of point"};

struct finding {
    metrics_registry_t *r;
    enum metrics__event_class class;
    struct metrics__key key;
    struct metrics__words sorted;
};

/* Why there is none; loss -1 = there is one. */
struct refusal {
    int loss, code;
    const char *why;
};
static const struct refusal had = {-1, 0, NULL};

static struct refusal refusal_of(int loss)
{
    if (loss < 0) return had;
    if (loss == LOSS_CARDINALITY)
        return (struct refusal){loss, METRICS_E_CARDINALITY,
                                "there are too many: names and constant tags must not vary without end"};
    if (loss == LOSS_MEMORY)
        return (struct refusal){loss, METRICS_E_MEMORY, "this process has no memory for it"};
    if (loss == LOSS_DAMAGE)
        return (struct refusal){loss, METRICS_E_DAMAGED, "its bytes in the segment are damaged"};
    return (struct refusal){
        LOSS_SEGMENT_FULL, METRICS_E_FULL,
        "the segment is full: make it larger (segment_bytes) or its rings smaller (event_bytes)"};
}

static bool admit(struct finding *f)
{
    uint64_t *count = &f->r->rings.kinds[f->class], n = mem_load(count); /* ORD-16 */
    do {
        if (n >= f->r->seg->family_series) return false;
    } while (!mem_cas(count, &n, n + 1)); /* ORD-16 */
    return true;
}

static void unadmit(struct finding *f)
{
    uint64_t *count = &f->r->rings.kinds[f->class], n = mem_load(count); /* ORD-16 */
    while (n && !mem_cas(count, &n, n - 1)) {                            /* ORD-16 */
    }
}

/* The record of the kind: found, or made and published (ORD-2). A loss or -1. */
static int find_record(struct finding *f, uint64_t *offset)
{
    segment_t *seg = f->r->seg;
    const struct metrics__key *key = &f->key;
    *offset = index_find(seg, key->bytes, key->length, index_hash(key->bytes, key->length));
    if (*offset) return -1;
    if (!admit(f)) return LOSS_CARDINALITY;
    uint64_t mine = record_new(seg, RECORD_EVENT, (uint8_t)f->class, key->bytes, key->length, 0);
    struct segment_record *record = mine ? record_at(seg, mine) : NULL;
    if (record) {
        uint64_t length = record->length;
        *offset = index_insert(seg, mine);
        if (*offset != mine) arena_return(seg, mine, length);
    }
    if (!*offset || *offset != mine) unadmit(f);
    return *offset ? -1 : (int)LOSS_SEGMENT_FULL;
}

/* The rings are allocated before the first record is, so that a kind that is there can be used. */
static int find_kind(struct finding *f, struct metrics__event_kind **out)
{
    uint64_t offset;
    struct metrics__event_kind *kind = NULL;
    int loss = rings_are_closed(&f->r->rings) ? rings_open(f->r->seg, f->r->event_bytes, &f->r->rings) : -1;
    if (loss < 0) loss = find_record(f, &offset);
    if (loss >= 0) return loss;
    struct segment_record *record = record_at(f->r->seg, offset);
    if (!record || record->type != RECORD_EVENT || record->kind != f->class ||
        offset / SEGMENT_ALIGN > UINT32_MAX)
        return LOSS_DAMAGE;
    if (posix_memalign((void **)&kind, 64, layout_round_up(sizeof *kind, 64))) return LOSS_MEMORY;
    memset(kind, 0, sizeof *kind);
    kind->h.seg = f->r->seg;
    kind->h.registry = f->r;
    kind->rings = &f->r->rings;
    kind->number = (uint32_t)(offset / SEGMENT_ALIGN);
    kind->class = (uint8_t)f->class;
    *out = kind;
    return -1;
}

/* The registry's lock is held. The same kind may be known under another order of its tags. */
static void *find_slowly(struct finding *f, const char *const *list, size_t n)
{
    char text[512];
    struct metrics__event_kind *kind = NULL;
    const char *wrong = metrics__key_series(&f->key, list, n);
    struct refusal no = {LOSS_NAME, METRICS_E_NAME, wrong};
    if (!wrong) {
        f->key.bytes[0] = (unsigned char)METRICS__EVENT_LETTERS[f->class];
        if (!metrics__words_of_key(&f->sorted, WORDS_OF_CLASS + f->class, &f->key)) return &noop[f->class];
        kind = metrics__table_find(f->r->table, &f->sorted);
        if (kind) return kind;
        no = refusal_of(find_kind(f, &kind));
    }
    if (no.loss < 0) {
        metrics__table_add(f->r, &f->sorted, kind, NULL);
        return kind;
    }
    metrics__name_text(text, sizeof text, list, n);
    metrics__refuse(f->r, (enum segment_loss)no.loss, no.code, text, "%s %s was refused: %s",
                    class_names[f->class], text, no.why);
    return &noop[f->class];
}

static void *find_locked(metrics_registry_t *r, enum metrics__event_class class, const char *const *list,
                         size_t n, const struct metrics__words *raw)
{
    void *kind = raw ? metrics__table_find(r->table, raw) : NULL;
    struct finding *f = kind ? NULL : malloc(sizeof *f);
    if (kind) return kind;
    if (!f) {
        metrics__refuse(r, LOSS_MEMORY, METRICS_E_MEMORY, NULL,
                        "a %s was refused: this process has no memory for it", class_names[class]);
        return &noop[class];
    }
    f->r = r;
    f->class = class;
    kind = find_slowly(f, list, n);
    if (kind != &noop[class] && raw && !metrics__table_find(r->table, raw))
        metrics__table_add(r, raw, kind, &f->sorted);
    free(f);
    return kind;
}

void *metrics__event_find(metrics_registry_t *r, enum metrics__event_class class, const char *const *list,
                          size_t n)
{
    struct metrics__words raw;
    struct process_undisturbed before;
    if (!r || !r->seg || segment_closed(r->seg)) return &noop[class];
    bool whole = metrics__words(&raw, WORDS_OF_CLASS + class, list, n);
    void *kind = whole ? metrics__table_find(mem_load_pointer_acquire(&r->table), &raw) : NULL; /* ORD-15 */
    if (kind) return kind;
    metrics__lock(r, &before);
    kind = find_locked(r, class, list, n, whole ? &raw : NULL);
    metrics__unlock(r, &before);
    return kind;
}

void *metrics__event_site(struct metrics__site *site, enum metrics__event_class class,
                          const char *const *list, size_t n)
{
    uint32_t generation = mem_load32(&metrics__generation); /* ORD-15 */
    void *kind = metrics__event_find(metrics_default(), class, list, n);
    mem_publish_pointer(&site->handle, kind);   /* ORD-15 */
    mem_store32(&site->generation, generation); /* ORD-15 */
    return kind;
}
