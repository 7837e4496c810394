/* SPDX-License-Identifier: Apache-2.0 */
/*
 * librato.h - what the files of `mtxctl librato` share: the service, its lists and how their objects are found; and
 * their tables of calls. docs/commands/librato.md explains the calls.
 *
 * For one thread. A function that returns int has printed what was wrong and returns the exit code.
 */
#ifndef TOOLS_LIBRATO_H
#define TOOLS_LIBRATO_H

#include "call.h"

enum { LIBRATO_NAME = 255, LIBRATO_PAGE = 100 };

extern const struct talk_service librato_service;

/* A kind of object. */
struct librato_kind {
    const char *one;  /* "space" */
    const char *list; /* the member of the list's answer: "spaces" */
    const char *path; /* of the list: "/v1/spaces" */
    bool search;      /* the service can look for a name */
};
extern const struct librato_kind librato_space, librato_alert, librato_a_service, librato_metric;

/* All objects, of all pages, as an array, a new reference. `path` may have a query. */
int librato_list(struct talk *talk, const char *path, const char *member, json_t **list);

/* The object with that name, whatever the case of its letters, or with that id; a new reference. CLI_NO, after
 * saying so, if there is none. */
int librato_find(struct talk *talk, const struct librato_kind *kind, const char *name, json_t **found);

/* The same among objects that are already known; a borrowed reference or NULL. */
json_t *librato_among(const json_t *list, const char *name);

/* True for a text of digits only. */
bool librato_is_id(const char *text);

/* The id of an object as text, for a path; `room` has to live as long as the result is used. */
const char *librato_id(const json_t *object, char room[24]);

/* CLI_OK if an answer's object has an id; if it has none, nothing may be done with it. */
int librato_check_id(struct talk *talk, const json_t *object);

/* The run() of a call that lists: its path, its fields as the query, all pages; arguments are patterns for names. */
int librato_run_list(struct job *job);

/* --- Charts and alerts, also in a file --- */

extern const char *const librato_chart_types[];

/* A stream, "METRIC source=web-* summary_function=max"; NULL with the reason. The read() of a field. */
json_t *librato_read_stream(const char *text, struct buf *why);

/* A condition, "above METRIC 90 duration=300"; NULL with the reason. The read() of a field. */
json_t *librato_read_condition(const char *text, struct buf *why);

/* Completes a stream, condition or chart that has been read: defaults, what is required. False with the reason. */
bool librato_sound_stream(json_t *stream, struct buf *why);
bool librato_sound_condition(json_t *condition, struct buf *why);
bool librato_sound_chart(json_t *chart, struct buf *why);

/* Makes an alert complete: all keys present, as the service wants them. False with the reason. */
bool librato_sound_alert(json_t *alert, struct buf *why);

/* What a PUT of a chart or alert sends that the service has: a new reference. It replaces the whole object. */
json_t *librato_chart_body(const json_t *chart);
json_t *librato_alert_body(const json_t *alert);

/* Replaces the titles among an alert's services by ids. */
int librato_services(struct talk *talk, json_t *alert);

/* --- Calls --- */

extern const struct call librato_metrics_calls[], librato_annotations_calls[], librato_alerts_calls[],
    librato_spaces_calls[], librato_apply_calls[], librato_generate_calls[];

#endif
