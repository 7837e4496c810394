/* SPDX-License-Identifier: Apache-2.0 */
/*
 * otel_env.h - tags from OpenTelemetry's environment variables OTEL_RESOURCE_ATTRIBUTES and
 * OTEL_SERVICE_NAME.
 *
 * Thread-safe if `env` is; the tags belong to one thread at a time.
 */
#ifndef EXPORTERS_OTEL_ENV_H
#define EXPORTERS_OTEL_ENV_H

#include "expand.h"
#include "option.h"

/* Adds the variables' tags to `tags`, which owns them (see option_clear()). Keys that are there already keep
 * their values, and OTEL_SERVICE_NAME has priority over a service.name in the list. As OpenTelemetry's
 * specification demands, a list with a mistake is ignored as a whole; a line in `warnings` says so. */
void otel_env_tags(struct option_tags *tags, expand_env_fn *env, struct buf *warnings);

#endif
