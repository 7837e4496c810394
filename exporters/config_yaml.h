/* SPDX-License-Identifier: Apache-2.0 */
/* config_yaml.h - the walk through a YAML document, led by the option tables. Used by config.c alone. */
#ifndef EXPORTERS_CONFIG_YAML_H
#define EXPORTERS_CONFIG_YAML_H

#include "config.h"

extern const struct option config_rows[];

/* A backend with its defaults, not yet in the list; NULL without memory. */
struct config_backend *config_backend_new(const struct backend *type);
void config_backend_add(struct config *config, struct config_backend *b);

/* Fills in what the text says. False if there was any mistake, each one line in `mistakes`. */
bool config_yaml_walk(struct config *config, const char *text, size_t n, expand_env_fn *env,
                      struct buf *mistakes);

#endif
