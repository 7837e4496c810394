/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: patterns match whole names, and patterns that cannot mean anything are refused. */
#include "unit.h"

#include "pattern.h"

/* A star matches dots and slashes, too; the whole name must match. */
UNIT(pattern, matches)
{
    CHECK(pattern_match("http.*", "http.request.time"));
    CHECK(!pattern_match("http.*", "https.request"));
    CHECK(!pattern_match("http", "http.requests"));
    CHECK(pattern_match("*", ".hidden/with slash"));
    CHECK(pattern_match("q?", "q1"));
    CHECK(pattern_match("[a-c]x", "bx"));
    CHECK(!pattern_match("[!a-c]x", "bx"));
    CHECK(pattern_match("a\\*b", "a*b"));
    CHECK(!pattern_match("a\\*b", "axb"));
    char *list[] = {"a*", "b*"};
    CHECK(pattern_any(list, 2, "bx"));
    CHECK(!pattern_any(list, 2, "cx"));
    CHECK(!pattern_any(list, 0, "cx"));
}

/* Patterns that would silently mean something else are refused. */
UNIT(pattern, faults)
{
    CHECK(pattern_fault("http.*") == NULL);
    CHECK(pattern_fault("[]x]") == NULL);
    CHECK(pattern_fault("[!]x]") == NULL);
    CHECK(pattern_fault("") != NULL);
    CHECK(pattern_fault("a[bc") != NULL);
    CHECK(pattern_fault("a\\") != NULL);
}
