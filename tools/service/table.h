/* SPDX-License-Identifier: Apache-2.0 */
/*
 * table.h - what a service answered, as a table for people: a column names a member of each object by its path.
 * Text from outside is made printable. Pure, but for memory; not thread-safe.
 */
#ifndef TOOLS_TABLE_H
#define TOOLS_TABLE_H

#include "buf.h"

#include <jansson.h>

enum column_how {
    COLUMN_VALUE,  /* a text as it is, anything else as JSON; "-" if it is not there or null */
    COLUMN_NUMBER, /* the same, to the right */
    COLUMN_TIME,   /* seconds since 1970 */
    COLUMN_COUNT,  /* how many items an array or object has */
};

struct column {
    const char *title; /* NULL ends the table; at most 16 columns */
    const char *path;  /* members, separated by dots: attributes.color */
    enum column_how how;
};

/* The value at a path, which belongs to the object, or NULL. */
json_t *table_at(const json_t *object, const char *path);

/* Appends one line for each object of an array, below the titles. */
void table_list(const json_t *list, const struct column *columns, struct buf *out);

/* Appends an object as one line for each member; members of objects in it as outer.inner. */
void table_object(const json_t *object, struct buf *out);

/* Appends a value on one line: a text as it is, anything else as JSON. */
void table_value(const json_t *value, struct buf *out);

/* Appends seconds since 1970 as a date. */
void table_time(double seconds, struct buf *out);

#endif
