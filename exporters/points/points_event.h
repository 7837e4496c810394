/* SPDX-License-Identifier: Apache-2.0 */
/*
 * points_event.h - events of type METRICS_EVENT_POINT as points: for backends whose wire is made of points.
 *
 * All functions are pure but for memory. Not thread-safe: one thread at a time for each list, and each set of payloads.
 */
#ifndef EXPORTERS_POINTS_EVENT_H
#define EXPORTERS_POINTS_EVENT_H

#include "event_view.h"
#include "points.h"

/* Appends a point for an event that is one, with its own time; fields are tags. A counter is what the backend's word
 * "counter" or "count" says, as by hand. The point lives as long as the list, and no longer than the view's chunk. */
void points_of_event(struct points *points, const struct backend_points *backend,
                     const metrics_event_t *event, size_t number);

/* The encode hook for such a batch; see struct backend_events. */
size_t points_encode_events(const struct event_batch *batch, struct payload *payloads);

#endif
