/* SPDX-License-Identifier: Apache-2.0 */
/*
 * table.h - this process's own map from the words of a call (kind, name, tags as written) to a handle.
 *
 * Finding takes no lock and does not look into the segment; it may run beside one thread that adds, which
 * holds the registry's lock. Nothing in a table is ever freed: threads that are finding, children and signal
 * handlers may refer to it.
 */
#ifndef METRICS_REGISTRY_TABLE_H
#define METRICS_REGISTRY_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "handle.h"

/* The words of a call: one with the kind, then each string with its '\0' and zeros up to the next word. */
struct metrics__words {
    uint64_t hash;
    size_t count;
    uint64_t word[METRICS__KEY_MAX / 8];
};

/*
 * Gather the words of {name, key, value...}; the order of the tags counts. False if a string is NULL or they
 * are too long together. Reads no byte beyond the aligned 8 bytes in which a string ends. Pure.
 */
bool metrics__words(struct metrics__words *w, unsigned kind, const char *const *list, size_t n);

/* The same for a series key of name.c, which is sorted. False also if the bytes are not a key. Pure. */
bool metrics__words_of_key(struct metrics__words *w, unsigned kind, const struct metrics__key *key);

/* [S] The handle, or NULL; it belongs to the registry. A NULL table is empty. Lock-free. */
void *metrics__table_find(const struct metrics__table *t, const struct metrics__words *w);

/* Call fn for each handle that is known, some twice. The caller holds r->lock. */
void metrics__table_each(const struct metrics__table *t, void (*fn)(void *handle));

/*
 * Learn a handle under words that are not known yet; alias_of: words under which it is known already, or NULL. The
 * caller holds r->lock. Without memory nothing is learnt, and the next find is slower.
 */
void metrics__table_add(metrics_registry_t *r, const struct metrics__words *w, void *handle,
                        const struct metrics__words *alias_of);

/*
 * Forget a handle under these words and all others of its ring: the next find looks into the segment. Recall it, and
 * return it, when its series is found there again; NULL if there is nothing to recall. So a series that comes and goes
 * keeps one handle. The caller holds r->lock. Both cost as much as the handle has names.
 */
void metrics__table_forget(metrics_registry_t *r, const struct metrics__words *w);
void *metrics__table_recall(metrics_registry_t *r, const struct metrics__words *w);

#endif
