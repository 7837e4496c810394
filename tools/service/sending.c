/* SPDX-License-Identifier: Apache-2.0 */
/* sending.c - the backend, its settings, its tags. */
#include "sending.h"

#include "clock.h"
#include "config_load.h"
#include "nearest.h"
#include "transport_http.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

struct sending_options sending_options;

static const char *sending_env(const char *name)
{
    return getenv(name);
}

void sending_backends(struct buf *out)
{
    for (const struct backend *const *b = backends; *b; b++)
        if ((*b)->points) buf_printf(out, "  %-12s%s\n", (*b)->name, (*b)->summary);
}

/* --- Which backend --- */

static int sending_unknown(struct cli *cli, const char *name)
{
    struct buf known = {0};
    const char *near = NULL;
    const struct backend *other = backend_find(name);
    for (const struct backend *const *b = backends; *b; b++) {
        if (!(*b)->points) continue;
        buf_printf(&known, "%s%s", known.len ? ", " : "", (*b)->name);
        near = nearest_of(name, near, (*b)->name);
    }
    if (other)
        cli_usage(cli, "%s cannot send points by hand; these can: %s", name, buf_text(&known));
    else if (near)
        cli_usage(cli, "there is no backend \"%s\"; did you mean %s?", name, near);
    else
        cli_usage(cli, "there is no backend \"%s\"; the backends are: %s", name, buf_text(&known));
    buf_free(&known);
    return CLI_USAGE;
}

/* The backend of the configuration with that name, else the only one of that type. */
static int sending_choose(struct sending *s, const char *path, const char *type)
{
    const char *name = sending_options.instance;
    struct config_backend *chosen = config_backend_named(s->config, name ? name : type);
    size_t n = chosen ? 1 : 0;
    for (struct config_backend *b = s->config->backends; b && !name && !n; b = b->next)
        if (!strcmp(b->type->name, type)) chosen = b;
    for (struct config_backend *b = s->config->backends; b && !name && !n; b = b->next)
        if (b != chosen && !strcmp(b->type->name, type))
            return cli_usage(s->cli, "%s has several backends of type %s: choose one with --backend", path,
                             type);
    if (!chosen) return cli_usage(s->cli, "%s has no backend %s", path, name ? name : type);
    if (!chosen->type->points) return sending_unknown(s->cli, chosen->type->name);
    if (name && strcmp(chosen->type->name, type))
        return cli_usage(s->cli, "the backend %s of %s is of type %s, not %s", name, path, chosen->type->name,
                         type);
    s->backend = chosen->type;
    s->settings = chosen->settings;
    return CLI_OK;
}

static int sending_load(struct sending *s, const char *type)
{
    struct buf mistakes = {0};
    const char *env = getenv("MTX_EXPORTER_CONFIG");
    const char *path = sending_options.config ? sending_options.config : env;
    if (!path || !*path)
        return cli_usage(
            s->cli, "--backend names a backend of a configuration; give the configuration with --config");
    s->config = config_load(path, sending_env, &mistakes);
    int code = CLI_OK;
    if (!s->config)
        code = cli_fail(s->cli, CLI_USAGE, "the configuration has mistakes:\n%s", buf_text(&mistakes));
    buf_free(&mistakes);
    return code == CLI_OK ? sending_choose(s, path, type) : code;
}

/* --- Settings --- */

static bool sending_is_list(const struct option *row)
{
    return row->type == OPTION_LIST || row->type == OPTION_GLOBS || row->type == OPTION_TAGS;
}

/* The items of a list are separated by commas. */
static bool sending_parse(const struct option *row, void *settings, const char *text, struct buf *why)
{
    if (row->type != OPTION_TAGS) option_clear(row, settings);
    if (!sending_is_list(row)) return option_parse(row, settings, text, why);
    char *items = strdup(text), *rest = items, *item;
    bool good = items != NULL;
    while (good && (item = strsep(&rest, ",")))
        good = !*item || option_parse(row, settings, item + strspn(item, " "), why);
    free(items);
    return good;
}

/* Sets "option=value". False with the reason in `why`. */
static bool sending_set(struct sending *s, const char *text, bool by_user, struct buf *why)
{
    const struct option *rows = backend_options(s->backend);
    const char *equals = strchr(text, '=');
    char *name = strndup(text, equals ? (size_t)(equals - text) : strlen(text));
    struct buf contents = {0};
    bool file = false, good = false;
    const struct option *row = name ? option_find(rows, name, &file) : NULL;
    if (!equals)
        buf_printf(why, "\"%s\" is not OPTION=VALUE", text);
    else if (!row) {
        struct buf near = {0};
        buf_printf(why, "%s has no option \"%s\"", s->backend->name, name);
        if (option_nearest(rows, name, &near)) buf_printf(why, "; did you mean %s?", near.data);
        buf_free(&near);
    } else if (by_user && row->type == OPTION_SECRET && !file)
        buf_printf(why,
                   "%s: every user of this host can read a command line: give %s_file=FILE, or the variable "
                   "%s",
                   name, name, row->env ? row->env : "of a configuration");
    else if (!file || expand_file(equals + 1, &contents, why))
        good = sending_parse(row, s->settings, file ? buf_text(&contents) : equals + 1, why);
    buf_free(&contents);
    free(name);
    return good;
}

static bool sending_set_all(struct sending *s, const char *const *texts, struct buf *why)
{
    for (size_t i = 0; texts && texts[i]; i++)
        if (!sending_set(s, texts[i], false, why)) return false;
    return true;
}

/* Checks that no required option is missing, except the one that points by hand do not need. */
static bool sending_complete(struct sending *s, struct buf *why)
{
    const struct points_by_hand *hand = s->points->hand;
    struct buf all = {0};
    option_complete(backend_options(s->backend), s->settings, "", &all);
    char *rest = all.data, *line;
    while (rest && (line = strsep(&rest, "\n"))) {
        size_t n = hand && hand->optional ? strlen(hand->optional) : 0;
        if (!*line || (n && !strncmp(line, hand->optional, n) && line[n] == ' ')) continue;
        bool file;
        char name[64];
        snprintf(name, sizeof name, "%.*s", (int)strcspn(line, " "), line);
        const struct option *row = option_find(backend_options(s->backend), name, &file);
        buf_printf(why, "%s%s", why->len ? "; " : "", line);
        if (row) buf_printf(why, " (--set %s%s=...", name, row->type == OPTION_SECRET ? "_file" : "");
        if (row) buf_printf(why, "%s%s)", row->env ? " or $" : "", row->env ? row->env : "");
    }
    buf_free(&all);
    if (!why->len && s->backend->sound) s->backend->sound(s->settings, why);
    return why->len == 0;
}

/* True if --set gives it. */
static bool sending_gives(const void *arg, const struct option *row)
{
    const struct sending *s = arg;
    for (size_t i = 0; i < sending_options.set.n; i++) {
        const char *text = sending_options.set.items[i];
        char name[80];
        bool file;
        snprintf(name, sizeof name, "%.*s", (int)strcspn(text, "="), text);
        if (option_find(backend_options(s->backend), name, &file) == row) return true;
    }
    return false;
}

static void sending_environment(struct sending *s)
{
    struct buf warnings = {0};
    option_environment(backend_options(s->backend), s->settings, sending_env, sending_gives, s, &warnings);
    char *rest = warnings.data, *line;
    while (rest && (line = strsep(&rest, "\n")))
        if (*line) cli_fail(s->cli, CLI_OK, "%s: %s", s->backend->name, line);
    buf_free(&warnings);
}

/* Without a configuration: the defaults, those for points by hand, the environment. */
static bool sending_defaults(struct sending *s, struct buf *why)
{
    const struct option *rows = backend_options(s->backend);
    const struct points_by_hand *hand = s->points->hand;
    s->settings = calloc(1, s->backend->settings_size);
    if (!s->settings) {
        buf_str(why, "out of memory");
        return false;
    }
    option_defaults(rows, s->settings);
    if (hand && !sending_set_all(s, hand->defaults, why)) return false;
    if (!s->settings->name) s->settings->name = strdup(s->backend->name);
    sending_environment(s);
    return true;
}

static int sending_settings(struct sending *s)
{
    struct buf why = {0};
    const struct points_by_hand *hand = s->points->hand;
    bool good = s->config || sending_defaults(s, &why);
    good = good && (!hand || sending_set_all(s, hand->always, &why));
    for (size_t i = 0; i < sending_options.set.n && good; i++) {
        good = sending_set(s, sending_options.set.items[i], true, &why);
        if (!good) cli_usage(s->cli, "--set %s", buf_text(&why));
    }
    if (!good && !sending_options.set.n) cli_usage(s->cli, "%s", buf_text(&why));
    if (good && !sending_complete(s, &why)) {
        good = false;
        cli_usage(s->cli, "%s: %s", s->backend->name, buf_text(&why));
    }
    buf_free(&why);
    return good ? CLI_OK : CLI_USAGE;
}

/* --- Tags --- */

/* Of two tags with the same key, the later one wins. */
static void sending_tag(struct sending *s, const char *key, const char *value)
{
    size_t i = 0;
    while (i < s->reader.tag_count && strcmp(s->tags[i].key, key)) i++;
    s->tags[i] = (metrics_tag_t){key, value};
    if (i == s->reader.tag_count) s->reader.tag_count++;
}

/* The command line wins over the backend, the backend over the rest of the configuration. */
static int sending_tags(struct sending *s)
{
    const struct option_tags none = {.n = 0}, *top = s->config ? &s->config->tags : &none;
    const struct option_tags *own = &s->settings->tags;
    s->tags = calloc(top->n + own->n + sending_options.tags.n + 1, sizeof *s->tags);
    if (!s->tags) return cli_fail(s->cli, CLI_FAILED, "out of memory");
    for (size_t i = 0; i < top->n; i++) sending_tag(s, top->items[i].key, top->items[i].value);
    for (size_t i = 0; i < own->n; i++) sending_tag(s, own->items[i].key, own->items[i].value);
    for (size_t i = 0; i < sending_options.tags.n; i++) {
        char *text = (char *)(uintptr_t)sending_options.tags.items[i], *equals = strchr(text, '=');
        if (!equals || equals == text) return cli_usage(s->cli, "--tag takes KEY=VALUE, not \"%s\"", text);
        *equals = '\0';
        sending_tag(s, text, equals + 1);
    }
    tags_sort(s->tags, s->reader.tag_count);
    s->reader.tags = s->tags;
    return CLI_OK;
}

/* --- Begin and end --- */

static int sending_connect(struct sending *s)
{
    const struct backend_session *session = s->backend->session;
    struct buf why = {0};
    if (!sending_options.dry) s->link = s->backend->transport->open(s->settings, &why);
    if ((s->link || sending_options.dry) && session) s->session = session->open(s->settings, &why);
    bool good = (s->link || sending_options.dry) && (!session || s->session);
    if (!good) cli_usage(s->cli, "%s: %s", s->backend->name, buf_text(&why));
    buf_free(&why);
    return good ? CLI_OK : CLI_USAGE;
}

int sending_open(struct sending *s, struct cli *cli, const char *backend)
{
    *s = (struct sending){.cli = cli};
    int code = CLI_OK;
    if (sending_options.config || sending_options.instance)
        code = sending_load(s, backend);
    else
        s->backend = backend_find(backend);
    if (code != CLI_OK) return code;
    if (!s->backend || !s->backend->points) return sending_unknown(cli, backend);
    s->points = s->backend->points;
    code = sending_settings(s);
    if (code != CLI_OK) return code;
    s->reader.backend = s->points;
    s->reader.prefix = s->settings->prefix ? s->settings->prefix : "";
    /* Distinguishes our points from those of another run. */
    if (getrandom(&s->reader.next_item, sizeof s->reader.next_item, 0) < 0)
        s->reader.next_item = (size_t)clock_wall(&clock_system);
    s->reader.next_item >>= 1;
    code = sending_tags(s);
    if (code == CLI_OK) code = sending_connect(s);
    s->shown = (struct requests){
        .cli = cli, .backend = s->backend, .settings = s->settings, .secrets = sending_options.secrets};
    if (code == CLI_OK && sending_options.dry) request_begin(&s->shown);
    return code;
}

struct point_reader *sending_reader(struct sending *s)
{
    uint64_t now = clock_wall(&clock_system);
    s->reader.now_ns = now - now % 1000;
    return &s->reader;
}

void sending_close(struct sending *s)
{
    http_send_to(NULL);
    if (s->session) s->backend->session->close(&s->session);
    if (s->link) s->backend->transport->close(&s->link);
    if (s->config) {
        config_free(&s->config);
    } else if (s->settings) {
        option_release(backend_options(s->backend), s->settings);
        free(s->settings);
    }
    for (size_t i = 0; i < s->refusal_count; i++) free(s->refusals[i].why);
    free(s->refusals);
    free(s->tags);
    buf_free(&s->reason);
    buf_free(&s->shown.json);
    *s = (struct sending){.cli = NULL};
}
