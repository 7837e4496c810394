/* SPDX-License-Identifier: Apache-2.0 */
/*
 * names.h - a set of names.
 *
 * Not thread-safe: a set is protected by its owner's lock. Zero at first; names_free() at the end.
 */
#ifndef EXPORTERS_NAMES_H
#define EXPORTERS_NAMES_H

#include <stdbool.h>
#include <stddef.h>

struct names {
    char **items; /* the set's own */
    size_t n;
};

bool names_has(const struct names *names, const char *name);

/* Copies the name, unless it is there. Without memory it stays out. */
void names_add(struct names *names, const char *name);
void names_remove(struct names *names, const char *name);
void names_free(struct names *names);

#endif
