/* SPDX-License-Identifier: Apache-2.0 */
/* nearest.h - the known word that a misspelt one was probably meant to be. Pure; safe in any thread. */
#ifndef EXPORTERS_NEAREST_H
#define EXPORTERS_NEAREST_H

#include <stddef.h>

/* Edits between two words: a letter added, removed, replaced, or two neighbours swapped. Words longer than 64
 * bytes count as further apart than any distance that nearest_note() accepts. */
unsigned nearest_distance(const char *a, const char *b);

/* Keeps the nearer of `best` (may be NULL) and `candidate` to `word`; candidates further away than a third of
 * the word's letters (at least one, at most three) are no likely meaning and leave `best` as it is. */
const char *nearest_of(const char *word, const char *best, const char *candidate);

#endif
