/* SPDX-License-Identifier: Apache-2.0 */
/*
 * table.h - this process's own map from the words of a call (kind, name, tags as written) to a handle.
 *
 * Finding takes no lock and does not look into the segment; it may run beside one writer, which holds the
 * registry's lock. Nothing in a table is ever freed: readers in flight, children and signal handlers may hold
 * it.
 */
#ifndef METRICS_REGISTRY_TABLE_H
#define METRICS_REGISTRY_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "handle.h"

/* The words of a call: a leading word with the kind, then each string, its '\0' and zeros to a multiple of
 * 8. */
struct metrics__words {
    uint64_t hash;
    size_t count;
    uint64_t word[METRICS__KEY_MAX / 8];
};

/* Gather the words of {name, key, value...}; the order of the tags counts. False if a string is NULL or they
 * are too long together. Reads no byte beyond the aligned 8 in which a string ends. */
bool metrics__words(struct metrics__words *w, unsigned kind, const char *const *list, size_t n);

/* The same for a series key of name.c, which is sorted. False also if the bytes are no key. */
bool metrics__words_of_key(struct metrics__words *w, unsigned kind, const struct metrics__key *key);

/* The handle, or NULL. A NULL table is empty. Lock-free, async-signal-safe. */
void *metrics__table_find(const struct metrics__table *t, const struct metrics__words *w);

/* Learn a handle. The registry's lock is held. Without memory nothing is learnt: the next find is slower. */
void metrics__table_add(metrics_registry_t *r, const struct metrics__words *w, void *handle);

/* Forget what the table says about a series, so that the next find looks into the segment. The lock is
 * held. */
void metrics__table_forget(metrics_registry_t *r, const void *handle);

#endif
