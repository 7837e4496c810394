/* SPDX-License-Identifier: Apache-2.0 */
#include "names.h"

#include <stdlib.h>
#include <string.h>

static size_t names_find(const struct names *names, const char *name)
{
    size_t i = 0;
    while (i < names->n && strcmp(names->items[i], name)) i++;
    return i;
}

bool names_has(const struct names *names, const char *name)
{
    return names_find(names, name) < names->n;
}

void names_add(struct names *names, const char *name)
{
    if (names_has(names, name)) return;
    char **items = realloc(names->items, (names->n + 1) * sizeof *items);
    if (!items) return;
    names->items = items;
    items[names->n] = strdup(name);
    names->n += items[names->n] != NULL;
}

void names_remove(struct names *names, const char *name)
{
    size_t i = names_find(names, name);
    if (i == names->n) return;
    free(names->items[i]);
    names->items[i] = names->items[--names->n];
}

void names_free(struct names *names)
{
    for (size_t i = 0; i < names->n; i++) free(names->items[i]);
    free(names->items);
    *names = (struct names){0};
}
