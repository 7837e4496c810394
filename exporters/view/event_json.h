/* SPDX-License-Identifier: Apache-2.0 */
/*
 * event_json.h - an event as one JSON object, or as a line for people: the same in files, on terminals, in mtxctl.
 *
 * All functions are pure and thread-safe; what they append to belongs to the caller.
 */
#ifndef EXPORTERS_EVENT_JSON_H
#define EXPORTERS_EVENT_JSON_H

#include "buf.h"

#include <mtx/events_read.h>

/* Appends the object, without a newline; the time to the nanosecond. Every type has time, signal, name, tags, fields;
 * docs/events.md lists the others. */
void event_json(struct buf *out, const metrics_event_t *event);

/* Appends a line without a newline. Control characters of its texts become blanks. `colour`: with those of a terminal. */
void event_line(struct buf *out, const metrics_event_t *event, bool colour);

/* Appends nanoseconds since 1970 as 2026-01-31T23:59:58.123456789Z. */
void event_time(struct buf *out, uint64_t wall_ns);

#endif
