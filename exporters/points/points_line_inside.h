/* SPDX-License-Identifier: Apache-2.0 */
/*
 * points_line_inside.h - what points_line.c (the fields of a line), points_value.c (its value) and
 * points_help.c (both in words) share; for these files only.
 *
 * Pure, but for memory. Not thread-safe: one thread at a time for each line.
 */
#ifndef EXPORTERS_POINTS_LINE_INSIDE_H
#define EXPORTERS_POINTS_LINE_INSIDE_H

#include "points_line.h"

#include <jansson.h>

/* The line that is being read; it owns nothing. */
struct point_line {
    struct points *points;
    struct point_reader *reader;
    const json_t *root;
    const struct point_word *word;
    struct buf *why;
};

/* --- points_line_inside.c --- */

/* Appends to the reason why the line is bad; always false. */
bool point_line_wrong(struct point_line *l, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A value as it was written, cut to the length that fits a message; "?" for NULL. Valid until the points are
 * reset. */
const char *point_line_quoted(struct point_line *l, const json_t *value);

/* A number or a constant as text: the shortest that reads back as the same. Valid until the points are
 * reset. */
const char *point_line_as_text(struct point_line *l, const json_t *v);

/* True for a finite number; false for NULL. */
bool point_line_is_number(const json_t *v);

/* --- points_value.c --- */

/* Appends the points of the line, each as `like`, with a value. The line's fields have been checked. False,
 * with the reason; then some may have been appended, which the caller takes out again. */
bool point_line_make_points(struct point_line *l, const struct point *like);

/* --- points_help.c --- */

/* "a whole number": what a field of that shape holds. A constant. */
const char *point_shape_words(enum point_shape shape);

/* Appends the choices of a row that has choices: "average, sum". */
void point_put_choices(const struct point_own *own, struct buf *out);

/* Appends what a type takes: "a number, or a list of numbers, or in its place centroids". */
void point_put_takes(const struct point_word *w, struct buf *out);

#endif
