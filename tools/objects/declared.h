/* SPDX-License-Identifier: Apache-2.0 */
/*
 * declared.h - a YAML file as values of jansson's, with the lines they are on. Plain scalars are null, booleans and
 * numbers as in JSON; all others are texts.
 *
 * Not thread-safe.
 */
#ifndef TOOLS_DECLARED_H
#define TOOLS_DECLARED_H

#include "buf.h"

#include <jansson.h>

struct declared_mark {
    const json_t *at;
    size_t line;
};

struct declared {
    json_t *root;
    struct declared_mark *marks; /* of the maps and lists */
    size_t n, room;
};

/* Reads a file. False with the reason, which begins with the file and the line. declared_free() in any case. */
bool declared_read(struct declared *declared, const char *path, struct buf *why);
void declared_free(struct declared *declared);

/* The line on which a map or list of the file begins; 0 if it is not of the file. */
size_t declared_line(const struct declared *declared, const json_t *value);

/* Appends a text as a scalar that reads back as the same text: quoted where it has to be. */
void declared_text(struct buf *out, const char *text);

#endif
