/* SPDX-License-Identifier: Apache-2.0 */
/*
 * points_line.h - points by hand: one JSON object a line, read by the tables of the backend that takes them.
 *
 *     {"name": "orders", "type": "counter", "value": 12, "time": 1700000000.5, "tags": {"city": "nyc"}}
 *
 * A line makes one point, or several (a list of samples, a series), or none if it is bad: then one sentence
 * says what is wrong with it and how to fix it.
 *
 * Pure, but for memory. Not thread-safe: one thread at a time for each list of lines and each reader.
 */
#ifndef EXPORTERS_POINTS_LINE_H
#define EXPORTERS_POINTS_LINE_H

#include "points.h"

/* How lines are read: for which backend, and what all of them have. It owns nothing. */
struct point_reader {
    const struct backend_points *backend;
    const char *prefix;        /* in front of every name; "" = none */
    const metrics_tag_t *tags; /* weaker than a line's own; sorted by key */
    size_t tag_count;
    uint64_t now_ns;  /* wall time, for backends whose points need one */
    size_t next_item; /* the next point's number */
};

/* Points and the lines that they refer to. Zero is an empty list; point_lines_free() gives it back. */
struct point_lines {
    struct points points;
    struct json_t **roots;
    size_t root_count, root_room;
};

/* Takes all points and lines out, and keeps memory for the next ones. */
void point_lines_reset(struct point_lines *lines);

/* Frees what the list owns and makes it zero. */
void point_lines_free(struct point_lines *lines);

/* Reads a line of `n` bytes, without its newline, and appends its points, which live until
 * point_lines_reset(); the reader's texts and tags must live as long. `line` is its number. False, with the
 * reason: then nothing was appended. */
bool point_lines_add(struct point_lines *lines, struct point_reader *reader, const char *text, size_t n,
                     size_t line, struct buf *why);

/* The word among a backend's, or NULL with the reason, which names the nearest one. */
const struct point_word *point_word_find(const struct backend_points *backend, const char *word,
                                         struct buf *why);

/* Explains fields and types for --help: name, blanks, text, in 80 columns. */
void point_lines_help(const struct backend_points *backend, struct buf *out);

#endif
