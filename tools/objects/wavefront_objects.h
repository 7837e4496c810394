/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wavefront_objects.h - the service and the calls of `mtxctl wavefront`. docs/commands/wavefront.md explains them.
 */
#ifndef TOOLS_WAVEFRONT_OBJECTS_H
#define TOOLS_WAVEFRONT_OBJECTS_H

#include "call.h"

extern const struct talk_service wavefront_service;
extern const struct call wavefront_lines_calls[], wavefront_events_calls[];

/* Sends lines, each with its newline, as a format of requests: "trace". */
int wavefront_send(struct job *job, const char *format, const struct buf *lines, json_t **answer);

/* True if requests go to a proxy, not to the service itself. */
bool wavefront_is_proxy(const struct job *job);

#endif
