/* SPDX-License-Identifier: Apache-2.0 */
/*
 * show.h - series, rows and values as text and as JSON, the same in every command. Everything is appended to
 * what the caller gives, which remembers errors. Pure; safe in any thread.
 *
 * Text shows a series as the command line accepts it: name key=value ..., quoted for the shell where needed.
 * Control characters (a damaged segment may contain any bytes) appear as \xNN, so output cannot control a
 * terminal.
 */
#ifndef TOOLS_SHOW_H
#define TOOLS_SHOW_H

#include "buf.h"
#include "json.h"
#include "values.h"

#include <mtx/snapshot.h>

/* One word, quoted as a shell needs it. */
void show_word(struct buf *out, const char *word);

/* Any text, with control characters made visible. */
void show_text(struct buf *out, const char *text);

/* "http.requests status=200", and " worker=3" for a gauge that is not merged (worker >= 0). */
void show_series(struct buf *out, const metrics_reading_t *reading, int64_t worker);

/* "count", "p99", "bucket le=0.5". */
void show_attribute(struct buf *out, const metrics_row_t *row);

/* The number: integers exactly, others with 15 digits (JSON has all 17), or in short with 6. */
void show_value(struct buf *out, const metrics_row_t *row);
void show_value_short(struct buf *out, const metrics_row_t *row);

/* The word for a nature or a scope in JSON. Static memory. */
const char *show_nature(enum metrics_nature nature);
const char *show_scope(enum metrics_scope scope);

/* Members "name", "tags", "kind", "unit", "start_ns" (wall time) of the open object. */
void show_json_series(struct json *j, const metrics_reading_t *reading);

/* Begins an object: attribute, value, nature, scope, unit; le or quantile; worker. The caller ends it. */
void show_json_row_open(struct json *j, const metrics_row_t *row);

/* One object: the members of the series, help, and "values". */
void show_json_reading(struct json *j, const metrics_reading_t *reading, const struct rows *rows);

/* Members "time", "wall_ns", "incarnation", "created_ns", "series_damaged" of the open object. */
void show_json_snapshot(struct json *j, const metrics_snapshot_header_t *header);

/* Members "time" (as text) and "wall_ns" of the open object. */
void show_json_time(struct json *j, uint64_t wall_ns);

#endif
