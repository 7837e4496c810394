/* SPDX-License-Identifier: Apache-2.0 */
/*
 * event_type.h - the sorts of events (enum metrics_event_type) as the configuration names them. With metrics they
 * are the signals.
 *
 * All functions are pure and thread-safe.
 */
#ifndef EXPORTERS_EVENT_TYPE_H
#define EXPORTERS_EVENT_TYPE_H

#include <mtx/events_read.h>

#include <stdbool.h>

struct buf;

/* A set of types is a number with these bits. */
#define EVENT_BIT(TYPE) (UINT32_C(1) << (TYPE))
#define EVENT_ALL                                                                                         \
    (EVENT_BIT(METRICS_EVENT_ANNOTATION) | EVENT_BIT(METRICS_EVENT_SPAN) | EVENT_BIT(METRICS_EVENT_LOG) | \
     EVENT_BIT(METRICS_EVENT_POINT))

/* "annotations", "spans", "logs", "points": a constant. */
const char *event_type_name(int type);

/* The type of that name; 0 if there is none. */
int event_type_named(const char *name);

/* For an option that is a list of types: false, with the reason, for another word than those and "none". */
bool event_type_check(const char *name, struct buf *why);

#endif
