/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: a misspelt word gets the word that was probably meant, or none. */
#include "unit.h"

#include "nearest.h"

/* Known distances; a swap of neighbours counts once. */
UNIT(nearest, distance)
{
    CHECK_EQ_U64(nearest_distance("kitten", "sitting"), 3);
    CHECK_EQ_U64(nearest_distance("interval", "intreval"), 1);
    CHECK_EQ_U64(nearest_distance("", "abc"), 3);
    CHECK_EQ_U64(nearest_distance("same", "same"), 0);
    CHECK_EQ_U64(nearest_distance("ab", "ba"), 1);
}

/* A likely word is offered, an unlikely one is not; of two the nearer one, of equals the first. */
UNIT(nearest, choice)
{
    CHECK_STR(nearest_of("intervall", NULL, "interval"), "interval");
    CHECK(nearest_of("colour", NULL, "interval") == NULL);
    CHECK_STR(nearest_of("tag", "tabs", "tags"), "tags");
    CHECK_STR(nearest_of("includes", "include", "excludes"), "include");
    CHECK(nearest_of("x", NULL, "tags") == NULL);
    char longest[200];
    memset(longest, 'a', sizeof longest - 1);
    longest[199] = '\0';
    CHECK(nearest_of(longest, NULL, "tags") == NULL);
}
