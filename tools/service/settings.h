/* SPDX-License-Identifier: Apache-2.0 */
/*
 * settings.h - a backend used by hand: which one, and its settings. They come from a configuration of
 * mtx-exporter, or are the defaults and the usual environment variables; --set wins over both.
 *
 * For one thread. A function that returns int has printed what was wrong and returns the exit code.
 */
#ifndef TOOLS_SETTINGS_H
#define TOOLS_SETTINGS_H

#include "cli.h"
#include "config.h"

/* What the command line said; SETTINGS_ROWS are the rows, for every command that talks to a service. */
struct settings_options {
    const char *config, *instance;
    struct cmd_list set;
    bool dry, secrets;
};
extern struct settings_options settings_options;

#define SETTINGS_ROWS                                                                                \
    {.name = "set",                                                                                  \
     .type = CMD_WORDS,                                                                              \
     .value = &settings_options.set,                                                                 \
     .arg = "OPTION=VALUE",                                                                          \
     .help = "an option of the backend (mtx-exporter backends BACKEND lists them); give secrets as " \
             "token_file=FILE or in the environment"},                                               \
        {.name = "config",                                                                           \
         .letter = 'c',                                                                              \
         .type = CMD_TEXT,                                                                           \
         .value = &settings_options.config,                                                          \
         .arg = "FILE",                                                                              \
         .help = "take the backend's options and tags from this configuration of mtx-exporter"},     \
        {.name = "backend",                                                                          \
         .letter = 'b',                                                                              \
         .type = CMD_TEXT,                                                                           \
         .value = &settings_options.instance,                                                        \
         .arg = "NAME",                                                                              \
         .help = "which backend of the configuration, if it has several of that type"},              \
        {.name = "dry-run",                                                                          \
         .letter = 'n',                                                                              \
         .type = CMD_FLAG,                                                                           \
         .value = &settings_options.dry,                                                             \
         .help = "print the requests instead of sending them"},                                      \
    {                                                                                                \
        .name = "show-secrets", .type = CMD_FLAG, .value = &settings_options.secrets,                \
        .help = "do not mask secrets in what --dry-run prints"                                       \
    }

/* What a command needs of the settings. The lists end with NULL and may be NULL. */
struct settings_wants {
    const char *const *defaults; /* "option=value" in place of the option's own default */
    const char *const *always;   /* the same, also in place of what a configuration says */
    const char *const *optional; /* options that are required otherwise */
};

struct settings {
    struct cli *cli;
    const struct backend *backend;
    struct config *config;         /* owned; NULL: then the settings are owned */
    struct backend_common *common; /* the backend's whole struct */
};

/* True if the command line or the environment names a configuration to use. */
bool settings_configured(void);

/* Chooses the backend of that type, which must exist if no configuration is used. named: the type may also be
 * the name of a backend in the configuration. CLI_OK or another exit code; settings_close() in any case. */
int settings_choose(struct settings *s, struct cli *cli, const char *type, bool named);

/* Fills in the settings of the backend that was chosen. CLI_OK or another exit code. */
int settings_fill(struct settings *s, const struct settings_wants *wants);
void settings_close(struct settings *s);

/* The value of an option that is a text or a secret; "" if it is not given. Valid as long as the settings. */
const char *settings_text(const struct settings *s, const char *option);

#endif
