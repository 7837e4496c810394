/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pattern.h - shell patterns for names, as in `include` and `exclude`: * ? [a-z]. A dot is an ordinary
 * character.
 *
 * Pure. Thread-safe.
 */
#ifndef EXPORTERS_PATTERN_H
#define EXPORTERS_PATTERN_H

#include <stdbool.h>
#include <stddef.h>

/* True if the pattern matches the whole of `name`. */
bool pattern_match(const char *pattern, const char *name);

/* True if at least one of the n patterns does. */
bool pattern_any(char *const *patterns, size_t n, const char *name);

/* NULL if the pattern is valid, else what is wrong with it, as the end of a sentence. A constant. */
const char *pattern_fault(const char *pattern);

#endif
