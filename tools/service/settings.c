/* SPDX-License-Identifier: Apache-2.0 */
#include "settings.h"

#include "config_load.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct settings_options settings_options;

static const char *settings_env(const char *name)
{
    return getenv(name);
}

bool settings_configured(void)
{
    return settings_options.config || settings_options.instance;
}

const char *settings_text(const struct settings *s, const char *option)
{
    bool file;
    const struct option *row = option_find(backend_options(s->backend), option, &file);
    const char *text = row ? *(char *const *)((const char *)s->common + row->offset) : NULL;
    return text ? text : "";
}

/* --- From a configuration --- */

/* The backend of the configuration with that name, else the only one of that type. */
static int settings_find(struct settings *s, const char *path, const char *type, bool named)
{
    const char *name = settings_options.instance;
    struct config_backend *chosen = config_backend_named(s->config, name ? name : type);
    size_t n = chosen ? 1 : 0;
    for (struct config_backend *b = s->config->backends; b && !name && !n; b = b->next)
        if (!strcmp(b->type->name, type)) chosen = b;
    for (struct config_backend *b = s->config->backends; b && !name && !n; b = b->next)
        if (b != chosen && !strcmp(b->type->name, type))
            return cli_usage(s->cli, "%s has several backends of type %s: choose one with --backend", path,
                             type);
    if (!chosen) return cli_usage(s->cli, "%s has no backend %s", path, name ? name : type);
    if ((name || !named) && strcmp(chosen->type->name, type))
        return cli_usage(s->cli, "the backend %s of %s is of type %s, not %s", chosen->settings->name, path,
                         chosen->type->name, type);
    s->backend = chosen->type;
    s->common = chosen->settings;
    return CLI_OK;
}

static int settings_load(struct settings *s, const char *type, bool named)
{
    struct buf mistakes = {0};
    const char *env = getenv("MTX_EXPORTER_CONFIG");
    const char *path = settings_options.config ? settings_options.config : env;
    if (!path || !*path)
        return cli_usage(
            s->cli, "--backend names a backend of a configuration; give the configuration with --config");
    s->config = config_load(path, settings_env, &mistakes);
    int code = CLI_OK;
    if (!s->config)
        code = cli_fail(s->cli, CLI_USAGE, "the configuration has mistakes:\n%s", buf_text(&mistakes));
    buf_free(&mistakes);
    return code == CLI_OK ? settings_find(s, path, type, named) : code;
}

/* --- --set --- */

static bool settings_is_list(const struct option *row)
{
    return row->type == OPTION_LIST || row->type == OPTION_GLOBS || row->type == OPTION_TAGS;
}

/* The items of a list are separated by commas. */
static bool settings_parse(const struct option *row, void *settings, const char *text, struct buf *why)
{
    if (row->type != OPTION_TAGS) option_clear(row, settings);
    if (!settings_is_list(row)) return option_parse(row, settings, text, why);
    char *items = strdup(text), *rest = items, *item;
    bool good = items != NULL;
    while (good && (item = strsep(&rest, ",")))
        good = !*item || option_parse(row, settings, item + strspn(item, " "), why);
    free(items);
    return good;
}

static void settings_unknown(const struct settings *s, const char *name, struct buf *why)
{
    struct buf near = {0};
    buf_printf(why, "%s has no option \"%s\"", s->backend->name, name);
    if (option_nearest(backend_options(s->backend), name, &near))
        buf_printf(why, "; did you mean %s?", near.data);
    buf_free(&near);
}

/* Sets "option=value". False with the reason in `why`. */
static bool settings_set(struct settings *s, const char *text, bool by_user, struct buf *why)
{
    const struct option *rows = backend_options(s->backend);
    const char *equals = strchr(text, '=');
    char *name = strndup(text, equals ? (size_t)(equals - text) : strlen(text));
    struct buf contents = {0};
    bool file = false, good = false;
    const struct option *row = name ? option_find(rows, name, &file) : NULL;
    if (!equals)
        buf_printf(why, "\"%s\" is not OPTION=VALUE", text);
    else if (!row)
        settings_unknown(s, name, why);
    else if (by_user && row->type == OPTION_SECRET && !file)
        buf_printf(why,
                   "%s: every user of this host can read a command line: give %s_file=FILE, or the variable "
                   "%s",
                   name, name, row->env ? row->env : "of a configuration");
    else if (!file || expand_file(equals + 1, &contents, why))
        good = settings_parse(row, s->common, file ? buf_text(&contents) : equals + 1, why);
    buf_free(&contents);
    free(name);
    return good;
}

static bool settings_set_all(struct settings *s, const char *const *texts, struct buf *why)
{
    for (size_t i = 0; texts && texts[i]; i++)
        if (!settings_set(s, texts[i], false, why)) return false;
    return true;
}

/* True if --set gives it. */
static bool settings_gives(const void *arg, const struct option *row)
{
    const struct settings *s = arg;
    for (size_t i = 0; i < settings_options.set.n; i++) {
        const char *text = settings_options.set.items[i];
        char name[80];
        bool file;
        snprintf(name, sizeof name, "%.*s", (int)strcspn(text, "="), text);
        if (option_find(backend_options(s->backend), name, &file) == row) return true;
    }
    return false;
}

/* --- Together --- */

static bool settings_is_optional(const struct settings_wants *wants, const char *name)
{
    for (size_t i = 0; wants->optional && wants->optional[i]; i++)
        if (!strcmp(wants->optional[i], name)) return true;
    return false;
}

/* Checks that no required option is missing, except those that the command does not need. */
static bool settings_complete(struct settings *s, const struct settings_wants *wants, struct buf *why)
{
    struct buf all = {0};
    option_complete(backend_options(s->backend), s->common, "", &all);
    char *rest = all.data, *line;
    while (rest && (line = strsep(&rest, "\n"))) {
        bool file;
        char name[64];
        snprintf(name, sizeof name, "%.*s", (int)strcspn(line, " "), line);
        if (!*line || settings_is_optional(wants, name)) continue;
        const struct option *row = option_find(backend_options(s->backend), name, &file);
        buf_printf(why, "%s%s", why->len ? "; " : "", line);
        if (row) buf_printf(why, " (--set %s%s=...", name, row->type == OPTION_SECRET ? "_file" : "");
        if (row) buf_printf(why, "%s%s)", row->env ? " or $" : "", row->env ? row->env : "");
    }
    buf_free(&all);
    if (!why->len && s->backend->sound) s->backend->sound(s->common, why);
    return why->len == 0;
}

static void settings_environment(struct settings *s)
{
    struct buf warnings = {0};
    option_environment(backend_options(s->backend), s->common, settings_env, settings_gives, s, &warnings);
    char *rest = warnings.data, *line;
    while (rest && (line = strsep(&rest, "\n")))
        if (*line) cli_fail(s->cli, CLI_OK, "%s: %s", s->backend->name, line);
    buf_free(&warnings);
}

/* Without a configuration: the defaults, those of the command, the environment. */
static bool settings_defaults(struct settings *s, const struct settings_wants *wants, struct buf *why)
{
    s->common = calloc(1, s->backend->settings_size);
    if (!s->common) {
        buf_str(why, "out of memory");
        return false;
    }
    option_defaults(backend_options(s->backend), s->common);
    if (!settings_set_all(s, wants->defaults, why)) return false;
    if (!s->common->name) s->common->name = strdup(s->backend->name);
    settings_environment(s);
    return true;
}

int settings_fill(struct settings *s, const struct settings_wants *wants)
{
    struct buf why = {0};
    bool good = s->config || settings_defaults(s, wants, &why);
    good = good && settings_set_all(s, wants->always, &why);
    for (size_t i = 0; i < settings_options.set.n && good; i++) {
        good = settings_set(s, settings_options.set.items[i], true, &why);
        if (!good) cli_usage(s->cli, "--set %s", buf_text(&why));
    }
    if (!good && !settings_options.set.n) cli_usage(s->cli, "%s", buf_text(&why));
    if (good && !settings_complete(s, wants, &why)) {
        good = false;
        cli_usage(s->cli, "%s: %s", s->backend->name, buf_text(&why));
    }
    buf_free(&why);
    return good ? CLI_OK : CLI_USAGE;
}

int settings_choose(struct settings *s, struct cli *cli, const char *type, bool named)
{
    *s = (struct settings){.cli = cli};
    if (settings_configured()) return settings_load(s, type, named);
    s->backend = backend_find(type);
    return CLI_OK;
}

void settings_close(struct settings *s)
{
    if (s->config) {
        config_free(&s->config);
    } else if (s->common) {
        option_release(backend_options(s->backend), s->common);
        free(s->common);
    }
    *s = (struct settings){.cli = NULL};
}
