/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config_load.h - makes a configuration: from a YAML file, from text in memory, or from the defaults.
 *
 * All mistakes in the text are reported, not only the first. Each is one line in `mistakes` that says where
 * it is (file:line:column) and what would be right. Warnings (an environment variable that is ignored) are
 * lines there, too, so there may be lines without a failure.
 *
 * Thread-safe if `env` is. The caller owns the configuration and frees it with config_free().
 */
#ifndef EXPORTERS_CONFIG_LOAD_H
#define EXPORTERS_CONFIG_LOAD_H

#include "config.h"
#include "expand.h"

/* Reads a file. NULL if there are mistakes. */
struct config *config_load(const char *path, expand_env_fn *env, struct buf *mistakes);

/* Reads `n` bytes of text; messages call the file `name`. NULL if there are mistakes. */
struct config *config_parse(const char *name, const char *text, size_t n, expand_env_fn *env,
                            struct buf *mistakes);

/* Without a file: the default segment, every 10 s, to the
 * console and the scrape endpoint. NULL without memory. */
struct config *config_default(expand_env_fn *env, struct buf *mistakes);

/* Checks how the settings fit together; to be called after the overrides. False if there are mistakes. */
bool config_sound(const struct config *config, struct buf *mistakes);

#endif
