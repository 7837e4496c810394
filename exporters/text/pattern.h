/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pattern.h - which names pass: shell patterns (* ? [a-z], a dot is an ordinary character), include and
 * exclude. Pure; safe in any thread.
 */
#ifndef EXPORTERS_PATTERN_H
#define EXPORTERS_PATTERN_H

#include <stdbool.h>
#include <stddef.h>

/* True if the whole of `name` matches the pattern. */
bool pattern_match(const char *pattern, const char *name);

/* True if any of the n patterns matches. */
bool pattern_any(char *const *patterns, size_t n, const char *name);

/* NULL if the pattern is sound, else what is wrong with it, as the end of a sentence. */
const char *pattern_fault(const char *pattern);

#endif
