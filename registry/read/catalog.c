/* SPDX-License-Identifier: Apache-2.0 */
/*
 * catalog.c - what a reader has found in the index. It only grows, and nothing in it that a snapshot shows
 * changes. When header.records has moved, the index is walked: new records are read in the order of their
 * offsets and sorted into the others by name; of the others one word is read again.
 */
#include <stdlib.h>
#include <string.h>

#include <mtx/metrics.h>

#include "atomic.h"
#include "family_read.h"
#include "places.h"
#include "text.h"

#define ENTRY_OFFSET UINT64_C(0xffffffffffff)

enum { KEY_MOST = 1 + 4096 }; /* bytes of a series' key */

struct metrics__catalog *metrics__catalog_new(void)
{
    struct metrics__catalog *c = calloc(1, sizeof *c);
    if (c) c->references = 1;
    return c;
}

struct metrics__catalog *metrics__catalog_retain(struct metrics__catalog *c)
{
    if (c) mem_add_reference(&c->references); /* ORD-15 */
    return c;
}

void metrics__catalog_release(struct metrics__catalog **where)
{
    struct metrics__catalog *c = *where;
    *where = NULL;
    if (!c || !mem_drop_reference(&c->references)) return; /* ORD-15 */
    metrics__snapshot_free(c->spare);
    metrics__pool_free(&c->pool);
    free(c->series);
    free(c->sorted);
    free(c->families);
    free(c->late);
    free(c->table);
    free(c);
}

/* --- Records --- */

size_t metrics__key_split(const char *at, const char *end, const char *texts[2 * METRICS_TAGS_MAX + 1])
{
    size_t n = 0;
    for (; at < end; at += strlen(at) + 1) {
        if (n > 2 * METRICS_TAGS_MAX) return 0;
        texts[n] = at;
        if (metrics__text_wrong(at, strlen(at), n && n % 2 == 0)) return 0;
        if (n > 2 && n % 2 && strcmp(texts[n - 2], at) >= 0) return 0;
        n++;
    }
    return n % 2 ? n : 0;
}

static struct metrics__series_read *read_key(struct metrics__pool *pool, const struct segment_record *rec,
                                             uint64_t have, struct metrics__family_read *family)
{
    const char *texts[2 * METRICS_TAGS_MAX + 1], *key = (const char *)rec + RECORD_KEY;
    size_t n = rec->key_length;
    if (n < 3 || n > KEY_MOST || !key[1] || RECORD_KEY + n > have || key[0] != 'S' || key[n - 1]) return NULL;
    n = metrics__key_split(key + 1, key + n, texts);
    return n ? metrics__series_new(pool, texts, n, family) : NULL;
}

static bool give_late(struct metrics__catalog *c, struct metrics__series_read *s)
{
    if (!s->family->shape->plan.reservoir) return true;
    if (c->late_count == c->late_room) {
        size_t room = c->late_room ? c->late_room * 2 : 64;
        struct metrics__late *late = realloc(c->late, room * sizeof *late);
        c->pool.failed |= !late;
        if (!late) return false;
        c->late = late;
        c->late_room = room;
    }
    s->late = (uint32_t)c->late_count;
    c->late[c->late_count++] = (struct metrics__late){0};
    return true;
}

static struct metrics__series_read *read_series(struct metrics_reader *r, uint64_t offset,
                                                const struct segment_record *rec, uint64_t have)
{
    /* Memory is taken only for what is sound, because the rest is looked at again at every update. */
    struct metrics__family_read *family =
        metrics__kind_read_of(rec->kind) ? metrics__family_find(r, rec->link, rec->kind) : NULL;
    struct metrics__series_read *s = family ? read_key(&r->catalog->pool, rec, have, family) : NULL;
    if (!s) return NULL;
    s->offset = offset;
    s->kind = rec->kind;
    s->overflow = (rec->flags & RECORD_OVERFLOW) != 0;
    s->created = rec->created;
    s->identity = rec->hash;
    s->storage[0] = rec->storage[0];
    s->storage[1] = rec->storage[1];
    s->retired = (rec->state & RECORD_RETIRED) != 0;
    return give_late(r->catalog, s) ? s : NULL;
}

/* --- New ones --- */

static bool make_room(struct metrics__catalog *c)
{
    if (c->count < c->room) return true;
    size_t room = c->room ? c->room + c->room / 2 : 64;
    struct metrics__series_read **series = realloc(c->series, room * sizeof *series);
    if (!series) return false;
    c->series = series;
    uint32_t *sorted = realloc(c->sorted, room * sizeof *sorted);
    if (!sorted) return false;
    c->sorted = sorted;
    c->room = room;
    return true;
}

/* An entry that is not in the table: a series, a family, something of a later version, or damage. */
static int take_entry(struct metrics_reader *r, uint64_t entry)
{
    struct metrics__catalog *c = r->catalog;
    uint64_t offset = entry & ENTRY_OFFSET, have;
    const struct segment_record *rec = metrics__record_in(r, &r->records, offset, &have);
    if (r->trouble) return -1;
    if (!rec || rec->hash >> 48 != entry >> 48) {
        c->damaged++;
        return 0;
    }
    if (rec->type != RECORD_SERIES) return 0;
    if (!metrics__kind_read_of(rec->kind) && metrics__is_newer(&r->head)) return 0;
    if (!make_room(c)) return -1;
    struct metrics__series_read *s = read_series(r, offset, rec, have);
    if (r->trouble || c->pool.failed) return -1;
    if (!s) {
        c->damaged++;
        return 0;
    }
    if (!metrics__catalog_enter(c, offset, c->count, false)) return -1;
    c->series[c->count++] = s;
    r->order.stale = true;
    return 0;
}

/* --- The index --- */

struct found {
    uint64_t *entries; /* not known yet */
    size_t count, room;
};

static bool note(struct found *f, uint64_t entry)
{
    if (f->count == f->room) {
        size_t room = f->room ? f->room * 2 : 256;
        uint64_t *entries = realloc(f->entries, room * sizeof *entries);
        if (!entries) return false;
        f->entries = entries;
        f->room = room;
    }
    f->entries[f->count++] = entry;
    return true;
}

static bool is_known(const struct metrics__catalog *c, uint64_t offset)
{
    return offset % SEGMENT_ALIGN == 0 && metrics__catalog_known(c, offset);
}

/* Find new entries of a level. One may lead beyond the arena's end: see metrics__catalog_update(). */
static int walk_level(struct metrics_reader *r, uint64_t at, uint64_t entries, struct found *found)
{
    enum { PIECE = 8192 };
    uint64_t *piece = metrics__scratch(r, 0, PIECE * sizeof *piece);
    if (!piece) return -1;
    for (uint64_t i = 0; i < entries; i += PIECE) {
        uint64_t n = entries - i < PIECE ? entries - i : PIECE;
        if (view_read(&r->view, at + i * 8, piece, n * 8)) {
            r->trouble = METRICS__TRUNCATED;
            return -1;
        }
        for (uint64_t k = 0; k < n; k++) {
            uint64_t offset = piece[k] & ENTRY_OFFSET;
            if (!piece[k] || offset >= r->end || is_known(r->catalog, offset)) continue;
            if (!note(found, piece[k])) return -1;
        }
    }
    return 0;
}

/* Level 0 lies before the arena, the others in it. A private copy of the header says where. */
static int walk_index(struct metrics_reader *r, struct found *found)
{
    for (unsigned level = 0; level < SEGMENT_INDEX_LEVELS; level++) {
        uint64_t n = layout_level_entries(level), at = level ? r->head.level[level] : SEGMENT_INDEX0;
        if (!at) continue;
        if (level && (at % 8 || at < SEGMENT_ARENA || at > r->end || n * 8 > r->end - at))
            r->catalog->damaged++;
        else if (walk_level(r, at, n, found))
            return -1;
    }
    return 0;
}

static int by_offset(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a & ENTRY_OFFSET, y = *(const uint64_t *)b & ENTRY_OFFSET;
    return (x > y) - (x < y);
}

static int take_new(struct metrics_reader *r)
{
    struct found found = {0};
    int rc = walk_index(r, &found);
    if (!rc && found.count) qsort(found.entries, found.count, sizeof *found.entries, by_offset);
    for (size_t i = 0; !rc && i < found.count; i++)
        if (!is_known(r->catalog, found.entries[i] & ENTRY_OFFSET)) rc = take_entry(r, found.entries[i]);
    free(found.entries);
    return rc;
}

/* --- Those that were known --- */

/* Retired, or back again? One word of each is read again, in the order in which they were found. */
static int look_again(struct metrics_reader *r, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct metrics__series_read *s = r->catalog->series[i];
        const struct segment_record *rec =
            metrics__arena_at(r, &r->records, s->offset, RECORD_KEY, METRICS__WINDOW);
        if (r->trouble) return -1;
        bool retired = rec ? (rec->state & RECORD_RETIRED) != 0 : s->retired;
        r->order.stale |= retired != s->retired;
        s->retired = retired;
    }
    return 0;
}

/* Series whose family got its text are replaced by copies, since snapshots show the old ones. */
static int renew_series(struct metrics_reader *r, size_t count)
{
    struct metrics__catalog *c = r->catalog;
    for (size_t i = 0; i < count; i++) {
        const struct metrics__series_read *old = c->series[i];
        if (!old->family->newer) continue;
        const char *texts[2 * METRICS_TAGS_MAX + 1] = {metrics__series_name(old)};
        for (size_t k = 0; k < old->tag_count; k++) {
            texts[2 * k + 1] = old->tags[k].key;
            texts[2 * k + 2] = old->tags[k].value;
        }
        struct metrics__family_read *family = old->family->newer;
        struct metrics__series_read *s =
            metrics__series_new(&c->pool, texts, 2 * old->tag_count + 1u, family);
        if (!s) return -1;
        bool own_name = s->own_name;
        *s = *old; /* but for the texts */
        s->family = family;
        s->own_name = own_name;
        c->series[i] = s;
        r->order.stale = true;
    }
    return 0;
}

/* --- By name --- */

static int by_name(const void *a, const void *b, void *arg)
{
    const struct metrics__catalog *c = arg;
    const struct metrics__series_read *x = c->series[*(const uint32_t *)a],
                                      *y = c->series[*(const uint32_t *)b];
    int order = metrics__series_compare(x, y);
    return order ? order : (x->offset > y->offset) - (x->offset < y->offset);
}

/* Names are unique (ORD-2), and who looks a series up relies on it: of two alike, damage, the first stays. */
static void find_twins(struct metrics__catalog *c, size_t known)
{
    for (size_t i = 0; i < c->count; i++) {
        struct metrics__series_read *s = c->series[c->sorted[i]];
        if (i && (c->sorted[i] >= known || c->sorted[i - 1] >= known))
            s->twin = !metrics__series_compare(c->series[c->sorted[i - 1]], s);
        c->damaged += s->twin;
    }
}

/* Sorts the series that came after the first `known` ones into those: from the back, in place. */
static int sort_in(struct metrics__catalog *c, size_t known)
{
    size_t fresh = c->count - known, old = known;
    uint32_t *added = malloc((fresh + 1) * sizeof *added);
    if (!added) return -1;
    for (size_t i = 0; i < fresh; i++) added[i] = (uint32_t)(known + i);
    qsort_r(added, fresh, sizeof *added, by_name, c);
    for (size_t to = c->count; fresh; to--) {
        bool from_old = old && by_name(&c->sorted[old - 1], &added[fresh - 1], c) > 0;
        c->sorted[to - 1] = from_old ? c->sorted[--old] : added[--fresh];
    }
    free(added);
    return 0;
}

/* What could not be sorted in must not stay known. */
static void forget_new(struct metrics__catalog *c, size_t known)
{
    c->count = known;
    memset(c->table, 0, c->table_room * sizeof *c->table);
    c->table_used = 0;
    for (size_t i = 0; i < known; i++) metrics__catalog_enter(c, c->series[i]->offset, i, false);
    for (size_t i = 0; i < c->family_count; i++) metrics__catalog_enter(c, c->families[i]->offset, i, true);
}

/*
 * The index is read after the header, so an entry may lead beyond the header's end of the arena. It is then
 * found at the next update, because header.records was copied before both. When memory runs out or a read
 * fails, what was found so far stays, and the next update goes on.
 */
int metrics__catalog_update(struct metrics_reader *r)
{
    struct metrics__catalog *c = r->catalog;
    size_t known = c->count;
    if (c->count && c->records == r->head.records) return 0;
    metrics__window_forget(&r->records);
    metrics__window_forget(&r->families);
    c->pool.failed = false;
    c->damaged = 0;
    int rc = look_again(r, known);
    if (!rc) rc = metrics__families_refresh(r);
    if (!rc) rc = renew_series(r, known);
    if (!rc) rc = take_new(r);
    if (c->count > known && sort_in(c, known)) {
        forget_new(c, known);
        return -1;
    }
    find_twins(c, known);
    if (rc) return -1;
    c->records = r->head.records;
    return 0;
}
