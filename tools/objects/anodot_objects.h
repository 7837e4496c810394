/* SPDX-License-Identifier: Apache-2.0 */
/*
 * anodot_objects.h - the service and the calls of `mtxctl anodot`. docs/commands/anodot.md explains them.
 */
#ifndef TOOLS_ANODOT_OBJECTS_H
#define TOOLS_ANODOT_OBJECTS_H

#include "call.h"

extern const struct talk_service anodot_service;
extern const struct call anodot_schema_calls[], anodot_calls_table[];

/* The schema of that name or id, a new reference: {id, name, version, dimensions, measurements, missingDimPolicy}. */
int anodot_find(struct job *job, const char *name, json_t **schema);

#endif
