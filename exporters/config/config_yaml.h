/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config_yaml.h - walks through a YAML document as the option tables say. Only for config_load.c.
 *
 * Thread-safe if `env` is.
 */
#ifndef EXPORTERS_CONFIG_YAML_H
#define EXPORTERS_CONFIG_YAML_H

#include "config.h"
#include "expand.h"

/* Sets what the `n` bytes of text say. False if there are
 * mistakes, with one line for each appended to `mistakes`. */
bool config_yaml_walk(struct config *config, const char *text, size_t n, expand_env_fn *env,
                      struct buf *mistakes);

#endif
