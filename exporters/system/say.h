/* SPDX-License-Identifier: Apache-2.0 */
/*
 * say.h - the exporter's log: lines on stderr, one per event, with key=value pairs. Secrets are never
 * written.
 *
 *     say(SAY_WARN, "cannot deliver", "backend", name, "reason", text, NULL);
 *     2026-11-21T01:20:34.123Z warn  cannot deliver backend=librato reason="connection refused"
 *
 * A standard error that takes nothing (a full pipe that nobody reads, a stopped terminal) delays a line by a
 * second, and once, not each one: lines are lost then, and the next that goes out is preceded by their number.
 *
 * Thread-safe, except say_to(): each line is one write(2).
 */
#ifndef EXPORTERS_SAY_H
#define EXPORTERS_SAY_H

#include "buf.h"

enum say_level { SAY_ERROR, SAY_WARN, SAY_INFO, SAY_DEBUG };

/* Writes one line. The arguments are pairs of a key and a value, then a NULL; a pair whose value is NULL is
 * left out. Values are quoted if they need it. */
void say(enum say_level level, const char *message, ...) __attribute__((sentinel));

/* Writes lines that are not the log's own; only what controls a terminal is taken out. */
void say_text(const struct buf *lines);

/* Sets the minimum level; lines below it are not written. It is SAY_INFO at first. */
void say_from(enum say_level least);

/* For tests: sends lines to `sink` instead of stderr (NULL: to
 * stderr again). Not thread-safe: only before other threads exist. */
typedef void say_sink_fn(const char *line, size_t n);
void say_to(say_sink_fn *sink);

/* A number as a value for say(); valid to the end of the enclosing block. */
#define SAY_U64(V) (say_u64((char[24]){0}, (V)))
const char *say_u64(char text[24], uint64_t v);

#endif
