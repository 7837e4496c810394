/* SPDX-License-Identifier: Apache-2.0 */
#include "config_load.h"

#include "config_yaml.h"
#include "otel_env.h"

#include <stdlib.h>
#include <string.h>

#define CONFIG_LARGEST (1 << 20)

/* The name of a backend is its type unless given. */
static bool config_name(struct config_backend *b)
{
    if (!b->settings->name || !*b->settings->name) {
        free(b->settings->name);
        b->settings->name = strdup(b->type->name);
    }
    return b->settings->name != NULL;
}

static int config_tag_order(const void *a, const void *b)
{
    return strcmp(((const struct option_tag *)a)->key, ((const struct option_tag *)b)->key);
}

/* When all is read: names of backends, tags of the
 * environment added to those of the file, the order of tags. */
static bool config_finish(struct config *config, expand_env_fn *env, struct buf *mistakes)
{
    bool good = true;
    for (struct config_backend *b = config->backends; b; b = b->next) good = config_name(b) && good;
    otel_env_tags(&config->tags, env, mistakes);
    if (config->tags.n)
        qsort(config->tags.items, config->tags.n, sizeof *config->tags.items, config_tag_order);
    return good;
}

static const char *config_source(const struct config *config)
{
    return config->file ? config->file : "the defaults";
}

/* Without a configuration, the table on the terminal omits the exporter's own series. */
static void config_quiet(struct config_backend *console)
{
    bool file;
    struct buf why = {0};
    if (console)
        option_parse(option_find(backend_options(console->type), "exclude", &file), console->settings,
                     "mtx.*", &why);
    buf_free(&why);
}

struct config *config_default(expand_env_fn *env, struct buf *mistakes)
{
    static const char *const types[] = {"console", "prometheus"};
    struct config *config = calloc(1, sizeof *config);
    if (!config) return NULL;
    option_defaults(config_rows, config);
    for (size_t i = 0; i < 2; i++) {
        const struct backend *type = backend_find(types[i]);
        struct config_backend *b = type ? config_backend_new(type) : NULL;
        if (b) config_backend_add(config, b);
    }
    config_quiet(config->backends);
    if (!config_finish(config, env, mistakes)) config_free(&config);
    return config;
}

struct config *config_parse(const char *name, const char *text, size_t n, expand_env_fn *env,
                            struct buf *mistakes)
{
    struct config *config = calloc(1, sizeof *config);
    if (config) config->file = strdup(name);
    if (!config || !config->file) {
        buf_printf(mistakes, "%s: out of memory\n", name);
        free(config);
        return NULL;
    }
    option_defaults(config_rows, config);
    bool good = config_yaml_walk(config, text, n, env, mistakes);
    if (!config_finish(config, env, mistakes) || !good) config_free(&config);
    return config;
}

bool config_sound(const struct config *config, struct buf *mistakes)
{
    bool good = true;
    for (const struct config_backend *b = config->backends; b; b = b->next) {
        uint64_t resolution = b->type->wants.resolution_ns;
        struct buf why = {0};
        if (b->type->sound && !b->type->sound(b->settings, &why)) {
            buf_printf(mistakes, "%s: %s: %s\n", config_source(config), b->settings->name, buf_text(&why));
            good = false;
        }
        buf_free(&why);
        if (config->interval >= resolution) continue;
        buf_printf(mistakes, "%s: the interval of ", config_source(config));
        buf_duration(mistakes, config->interval);
        buf_printf(mistakes, " is too short for %s, whose timestamps are multiples of ", b->settings->name);
        buf_duration(mistakes, resolution);
        buf_str(mistakes, ": make it at least that long\n");
        good = false;
    }
    return good;
}

struct config *config_load(const char *path, expand_env_fn *env, struct buf *mistakes)
{
    struct buf text = {0};
    struct config *config = NULL;
    if (expand_read(path, CONFIG_LARGEST, &text, mistakes))
        config = config_parse(path, text.data, text.len, env, mistakes);
    else
        buf_char(mistakes, '\n');
    buf_free(&text);
    return config;
}
