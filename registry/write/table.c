/* SPDX-License-Identifier: Apache-2.0 */
/*
 * table.c - the process's own table: open addressing, at most half full, replaced whole when it grows.
 *
 * A find must be a few tens of nanoseconds, and half of that went into strlen() and memcpy() of short
 * strings. So strings are read a word at a time and kept in words. Aligned words never cross a page, and
 * valgrind allows them (--partial-loads-ok); what follows the '\0' is masked out.
 */
#include "table.h"

#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "atomic.h"

struct table_entry {
    uint64_t hash;
    void *handle;              /* NULL = forgotten, until the series is found again */
    void *forgotten;           /* its handle then: user code may hold it for ever */
    struct table_entry *alias; /* a ring of all entries of this handle: other orders of the same tags */
    size_t count;
    uint64_t word[];
};
struct metrics__table {
    struct metrics__table *older;
    size_t mask, used;
    struct table_entry *entries[];
};

/* --- Words --- */

typedef uint64_t __attribute__((may_alias)) word_t;

/* The lowest 0x80 that is set marks the first zero byte: S. E. Anderson, "Bit Twiddling Hacks". */
static inline uint64_t zero_byte(uint64_t w)
{
    return (w - UINT64_C(0x0101010101010101)) & ~w & UINT64_C(0x8080808080808080);
}

/* By counting zeros, and not by mark ^ (mark - 1), because valgrind then knows that the result is defined. */
static inline uint64_t before_mark(uint64_t w, uint64_t mark)
{
    return w & ((UINT64_C(1) << (__builtin_ctzll(mark) & 56)) - 1);
}

#define UNINSTRUMENTED __attribute__((no_sanitize_address, no_sanitize_thread)) static inline

UNINSTRUMENTED uint64_t *append_aligned(uint64_t *to, const uint64_t *end, const word_t *from)
{
    for (; to < end; from++) {
        uint64_t word = *from, mark = zero_byte(word);
        *to++ = mark ? before_mark(word, mark) : word;
        if (mark) return to;
    }
    return NULL;
}

/* A word of the string lies in two aligned ones; the second is read only if the first has no '\0'. */
UNINSTRUMENTED uint64_t *append_shifted(uint64_t *to, const uint64_t *end, const word_t *from, unsigned shift)
{
    uint64_t low = *from >> shift, not_zero = ~UINT64_C(0) << (64 - shift);
    while (to < end) {
        uint64_t word = low, mark = zero_byte(low | not_zero);
        if (!mark) {
            uint64_t next = *++from;
            word |= next << (64 - shift);
            low = next >> shift;
            mark = zero_byte(word);
        }
        *to++ = mark ? before_mark(word, mark) : word;
        if (mark) return to;
    }
    return NULL;
}

bool metrics__words(struct metrics__words *w, unsigned kind, const char *const *list, size_t n)
{
    uint64_t *to = w->word, *end = w->word + sizeof w->word / sizeof *w->word;
    *to++ = kind;
    for (size_t i = 0; i < n; i++) {
        if (!list[i]) return false;
        uintptr_t at = (uintptr_t)list[i];
        unsigned behind = at & 7;
        const word_t *from = (const word_t *)(at - behind);
        to = behind ? append_shifted(to, end, from, behind * 8) : append_aligned(to, end, from);
        if (!to) return false;
    }
    w->count = (size_t)(to - w->word);
    w->hash = XXH3_64bits(w->word, w->count * sizeof *w->word);
    return true;
}

bool metrics__words_of_key(struct metrics__words *w, unsigned kind, const struct metrics__key *key)
{
    const char *list[2 * METRICS_TAGS_MAX + 1];
    size_t n = metrics__key_list(key, list);
    return n && metrics__words(w, kind, list, n);
}

/* --- Table --- */

static inline bool is_entry(const struct table_entry *e, const struct metrics__words *w)
{
    if (e->hash != w->hash || e->count != w->count) return false;
    for (size_t i = 0; i < w->count; i++)
        if (e->word[i] != w->word[i]) return false;
    return true;
}

static struct table_entry *find_entry(const struct metrics__table *t, const struct metrics__words *w)
{
    if (!t) return NULL;
    for (size_t i = w->hash & t->mask;; i = (i + 1) & t->mask) {
        struct table_entry *e = mem_load_pointer_acquire(&t->entries[i]); /* ORD-15 */
        if (!e || is_entry(e, w)) return e;
    }
}

void *metrics__table_find(const struct metrics__table *t, const struct metrics__words *w)
{
    struct table_entry *e = find_entry(t, w);
    return e ? mem_load_pointer_acquire(&e->handle) : NULL; /* ORD-15 */
}

void metrics__table_each(const struct metrics__table *t, void (*fn)(void *handle))
{
    for (size_t i = 0; t && i <= t->mask; i++) {
        void *handle = t->entries[i] ? mem_load_pointer(&t->entries[i]->handle) : NULL; /* ORD-15 */
        if (handle) fn(handle);
    }
}

static void put(struct metrics__table *t, struct table_entry *e)
{
    size_t i = e->hash & t->mask;
    while (t->entries[i]) i = (i + 1) & t->mask;
    mem_publish_pointer(&t->entries[i], e); /* ORD-15 */
    t->used++;
}

static struct metrics__table *grow(struct metrics__table *old)
{
    size_t size = old ? (old->mask + 1) * 2 : 256;
    struct metrics__table *t = calloc(1, sizeof *t + size * sizeof *t->entries);
    if (!t) return NULL;
    t->older = old;
    t->mask = size - 1;
    for (size_t i = 0; old && i <= old->mask; i++)
        if (old->entries[i]) put(t, old->entries[i]);
    return t;
}

void metrics__table_add(metrics_registry_t *r, const struct metrics__words *w, void *handle,
                        const struct metrics__words *alias_of)
{
    struct metrics__table *t = r->table;
    if (!t || t->used * 2 >= t->mask) t = grow(t);
    struct table_entry *e = t ? malloc(sizeof *e + w->count * sizeof *w->word) : NULL;
    if (!e) {
        if (t != r->table) free(t);
        return;
    }
    struct table_entry *first = alias_of ? find_entry(t, alias_of) : NULL;
    e->hash = w->hash;
    e->handle = handle;
    e->forgotten = NULL;
    e->alias = first ? first->alias : e;
    if (first) first->alias = e;
    e->count = w->count;
    memcpy(e->word, w->word, w->count * sizeof *w->word);
    put(t, e);
    mem_publish_pointer(&r->table, t); /* ORD-15 */
}

void metrics__table_forget(metrics_registry_t *r, const struct metrics__words *w)
{
    struct table_entry *first = find_entry(r->table, w), *e = first;
    if (!first || !first->handle) return;
    do {
        e->forgotten = e->handle;
        mem_publish_pointer(&e->handle, NULL); /* ORD-15 */
        e = e->alias;
    } while (e != first);
}

void *metrics__table_recall(metrics_registry_t *r, const struct metrics__words *w)
{
    struct table_entry *first = find_entry(r->table, w), *e = first;
    if (!first || !first->forgotten) return NULL;
    do {
        mem_publish_pointer(&e->handle, e->forgotten); /* ORD-15 */
        e->forgotten = NULL;
        e = e->alias;
    } while (e != first);
    return first->handle;
}
