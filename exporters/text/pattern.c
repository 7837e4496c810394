/* SPDX-License-Identifier: Apache-2.0 */
#include "pattern.h"

#include <fnmatch.h>
#include <string.h>

bool pattern_match(const char *pattern, const char *name)
{
    return fnmatch(pattern, name, 0) == 0;
}

bool pattern_any(char *const *patterns, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (pattern_match(patterns[i], name)) return true;
    return false;
}

/* The end of the class that opens at `c`, or NULL. A ']' directly after the '[' or the '!' is a member. */
static const char *pattern_class_end(const char *c)
{
    c++;
    if (*c == '!' || *c == '^') c++;
    if (*c == ']') c++;
    return strchr(c, ']');
}

const char *pattern_fault(const char *pattern)
{
    if (!*pattern) return "is empty and matches nothing";
    for (const char *c = pattern; *c; c++) {
        if (*c == '\\' && !*++c) return "ends in a lone backslash";
        if (*c == '[' && !(c = pattern_class_end(c))) return "has a [ without its ]";
    }
    return NULL;
}
