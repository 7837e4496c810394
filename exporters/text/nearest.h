/* SPDX-License-Identifier: Apache-2.0 */
/*
 * nearest.h - which known word was probably meant by a misspelt one.
 *
 * Pure. Thread-safe.
 */
#ifndef EXPORTERS_NEAREST_H
#define EXPORTERS_NEAREST_H

#include <stddef.h>

/* The number of edits between two words: a letter added, removed or replaced, or two neighbours swapped. If a
 * word is longer than 64 bytes, the result is larger than any distance that nearest_of() accepts. */
unsigned nearest_distance(const char *a, const char *b);

/* The one of `best` (may be NULL) and `candidate` that is nearer to `word`; `best` if they are equally near,
 * or if the candidate differs in more than a third of the word's letters (at least one, at most three). */
const char *nearest_of(const char *word, const char *best, const char *candidate);

#endif
