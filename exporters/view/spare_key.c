/* SPDX-License-Identifier: Apache-2.0 */
#include "spare_key.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* The same letter for both cases, the same sign for all punctuation; whatever the locale is. */
static char plain(char c)
{
    if (c >= 'A' && c <= 'Z') return (char)(c - 'A' + 'a');
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || (unsigned char)c >= 0x80 ? c : '_';
}

static bool alike(const char *a, const char *b)
{
    while (*a && *b && plain(*a) == plain(*b)) a++, b++;
    return !*a && !*b;
}

static bool is_free(const char *key, const metrics_tag_t *tags, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (alike(tags[i].key, key)) return false;
    return true;
}

const char *spare_key(const char *word, const metrics_tag_t *tags, size_t n, char room[SPARE_KEY])
{
    const char *prefix = strncmp(word, "mtx_", 4) ? "mtx_" : "";
    if (is_free(word, tags, n)) return word;
    snprintf(room, SPARE_KEY, "%s%.16s", prefix, word);
    for (unsigned i = 2; !is_free(room, tags, n); i++)
        snprintf(room, SPARE_KEY, "%s%.16s_%u", prefix, word, i);
    return room;
}
