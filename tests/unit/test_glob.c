/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "glob.h"

/* A star crosses dots and slashes, the whole name must match. */
UNIT(glob, matches)
{
    CHECK(glob_match("http.*", "http.request.time"));
    CHECK(!glob_match("http.*", "https.request"));
    CHECK(!glob_match("http", "http.requests"));
    CHECK(glob_match("*", ".hidden/with slash"));
    CHECK(glob_match("q?", "q1"));
    CHECK(glob_match("[a-c]x", "bx"));
    CHECK(!glob_match("[!a-c]x", "bx"));
    CHECK(glob_match("a\\*b", "a*b"));
    CHECK(!glob_match("a\\*b", "axb"));
    char *list[] = {"a*", "b*"};
    CHECK(glob_any(list, 2, "bx"));
    CHECK(!glob_any(list, 2, "cx"));
    CHECK(!glob_any(list, 0, "cx"));
}

/* Patterns that would silently mean something else are refused. */
UNIT(glob, faults)
{
    CHECK(glob_fault("http.*") == NULL);
    CHECK(glob_fault("[]x]") == NULL);
    CHECK(glob_fault("[!]x]") == NULL);
    CHECK(glob_fault("") != NULL);
    CHECK(glob_fault("a[bc") != NULL);
    CHECK(glob_fault("a\\") != NULL);
}
