/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config_load.h - makes a configuration: from a YAML file, from text, or the defaults. Every mistake in the text
 * is reported, not just the first, each with file:line:column and what would be right.
 */
#ifndef EXPORTERS_CONFIG_LOAD_H
#define EXPORTERS_CONFIG_LOAD_H

#include "config.h"
#include "expand.h"

/* Reads a file. NULL if there are mistakes: one line each in `mistakes`. The warnings of a file that is good
 * all the same (an ignored environment variable) go there, too. */
struct config *config_load(const char *path, expand_env_fn *env, struct buf *mistakes);

/* The same from memory; `name` stands for the file in messages. */
struct config *config_parse(const char *name, const char *text, size_t n, expand_env_fn *env,
                            struct buf *mistakes);

/* No file: the default segment, every 10 s, to the console and the scrape endpoint. */
struct config *config_default(expand_env_fn *env, struct buf *mistakes);

/* What only shows when overrides are in, too. False, with one line for each mistake. */
bool config_sound(const struct config *config, struct buf *mistakes);

#endif
