/* SPDX-License-Identifier: Apache-2.0 */
/*
 * say.h - what the exporter tells its operator: one line per fact on stderr, key=value, secrets never.
 *
 *     say(SAY_WARN, "cannot deliver", "backend", name, "reason", text, NULL);
 *     2026-11-21T01:20:34.123Z warn  cannot deliver backend=librato reason="connection refused"
 *
 * Thread-safe: a line is one write(2).
 */
#ifndef EXPORTERS_SAY_H
#define EXPORTERS_SAY_H

#include "buf.h"

enum say_level { SAY_ERROR, SAY_WARN, SAY_INFO, SAY_DEBUG };

/* Pairs of key and value (a NULL value is left out), then a NULL. Values are quoted where they need it. */
void say(enum say_level level, const char *message, ...) __attribute__((sentinel));

/* Lines below this level are not written; SAY_INFO at first. Thread-safe. */
void say_from(enum say_level least);

/* Sends lines to `sink` instead of stderr (NULL: back to stderr). For tests; before other threads exist. */
typedef void say_sink_fn(const char *line, size_t n);
void say_to(say_sink_fn *sink);

/* A number as text for say(), valid until the end of the full expression. */
#define SAY_U64(V) (say_u64((char[24]){0}, (V)))
const char *say_u64(char text[24], uint64_t v);

#endif
