/* SPDX-License-Identifier: Apache-2.0 */
/* config_yaml.h - the walk through a YAML document, led by the option tables. For config_load.c alone. */
#ifndef EXPORTERS_CONFIG_YAML_H
#define EXPORTERS_CONFIG_YAML_H

#include "config.h"
#include "expand.h"

/* Fills in what the text says. False if there was any mistake, each one line in `mistakes`. */
bool config_yaml_walk(struct config *config, const char *text, size_t n, expand_env_fn *env,
                      struct buf *mistakes);

#endif
