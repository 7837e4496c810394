/* SPDX-License-Identifier: Apache-2.0 */
/* otel_env.h - tags from OpenTelemetry's environment: OTEL_RESOURCE_ATTRIBUTES and OTEL_SERVICE_NAME. */
#ifndef EXPORTERS_OTEL_ENV_H
#define EXPORTERS_OTEL_ENV_H

#include "expand.h"
#include "option.h"

/* Adds their tags to the tags field of `row`, but for keys that are there already. OTEL_SERVICE_NAME wins
 * over service.name in the other. A faulty list is ignored whole, as its standard demands, with a line in
 * `warnings`. */
void otel_env_tags(const struct option *row, void *settings, expand_env_fn *env, struct buf *warnings);

#endif
