/* SPDX-License-Identifier: Apache-2.0 */
/*
 * apptuit_objects.h - the service and the calls of `mtxctl apptuit`, and its options. docs/commands/apptuit.md explains
 * them.
 */
#ifndef TOOLS_APPTUIT_OBJECTS_H
#define TOOLS_APPTUIT_OBJECTS_H

#include "call.h"

/* What the command line said about a query. */
struct apptuit_options {
    const char *start, *end;
    bool csv, chart;
};
extern struct apptuit_options apptuit_options;

extern const struct talk_service apptuit_service;
extern const struct call apptuit_calls_table[];

/* A name and its tags as the key of a registry: name{"k": "v"}; NULL without memory. Tags are an object. */
char *apptuit_encode(const char *name, const json_t *tags);

/* The other way. False with the reason; *name is to be freed, *tags a new reference. */
bool apptuit_decode(const char *key, char **name, json_t **tags, struct buf *why);

#endif
