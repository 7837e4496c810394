/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "address.h"

#include <stdlib.h>
#include <string.h>

static const char *const config_log_places[] = {"file", "memory", NULL};
static const char *const config_verbosities[] = {"error", "warn", "info", "debug", NULL};

static const struct option config_log_rows[] = {
    {.name = "place",
     .type = OPTION_CHOICE,
     OPTION_FIELD(struct config_log, place),
     .def = "file",
     .choices = config_log_places,
     .help = "where snapshots wait for backends that are down: a file, which survives a restart, or memory"},
    {.name = "state_dir",
     .type = OPTION_STRING,
     OPTION_FIELD(struct config_log, state_dir),
     .help = "folder for that file, to keep it across reboots; without it, the file is next to the segment"},
    {.name = "size",
     .type = OPTION_SIZE,
     OPTION_FIELD(struct config_log, size),
     .def = "16MiB",
     .min = 65536,
     .max = 0x1p40,
     .help = "maximum size of the waiting snapshots; beyond it, intervals are merged: totals stay exact"},
    {.name = "age",
     .type = OPTION_DURATION,
     OPTION_FIELD(struct config_log, age),
     .def = "24h",
     .min = 60e9,
     .max = 365 * 86400e9,
     .help = "maximum time an interval waits; older ones are merged in the same way"},
    {.name = "events_size",
     .type = OPTION_SIZE,
     OPTION_FIELD(struct config_log, events_size),
     .def = "16MiB",
     .min = 65536,
     .max = 0x1p40,
     .help = "maximum size of the waiting events; beyond it, the oldest are dropped"},
    {.name = "events_age",
     .type = OPTION_DURATION,
     OPTION_FIELD(struct config_log, events_age),
     .def = "24h",
     .min = 1e9,
     .max = 365 * 86400e9,
     .help = "maximum time an event waits; older ones are dropped"},
    {.name = NULL},
};
static const struct option config_http_rows[] = {
    {.name = "listen",
     .type = OPTION_STRING,
     OPTION_FIELD(struct config_http, listen),
     .def = "127.0.0.1:9464",
     .check = address_check_listen,
     .help = "address of the scrape endpoint and the health checks (host:port), or off"},
    {.name = NULL},
};
const struct option config_rows[] = {
    {.name = "segment",
     .type = OPTION_LIST,
     OPTION_FIELD(struct config, segments),
     .min = 0,
     .max = 64,
     .help =
         "segment to report, a pattern, or a list of them; without it, $MTX_SEGMENT or /dev/shm/mtx-<uid>.seg"},
    {.name = "interval",
     .type = OPTION_DURATION,
     OPTION_FIELD(struct config, interval),
     .def = "10s",
     .min = 100e6,
     .max = 3600e9,
     .help = "length of an interval; snapshots are taken at multiples of it"},
    {.name = "event_interval",
     .type = OPTION_DURATION,
     OPTION_FIELD(struct config, event_interval),
     .def = "100ms",
     .min = 10e6,
     .max = 3600e9,
     .help =
         "how often it looks whether a ring of events is half full; events are taken then, and at the end of "
         "each interval"},
    {.name = "tags",
     .type = OPTION_TAGS,
     OPTION_FIELD(struct config, tags),
     .help = "added to every series of every backend; has priority over OTEL_RESOURCE_ATTRIBUTES"},
    {.name = "verbosity",
     .type = OPTION_CHOICE,
     OPTION_FIELD(struct config, verbosity),
     .def = "info",
     .choices = config_verbosities,
     .help = "minimum log level written to stderr"},
    {.name = "flush_timeout",
     .type = OPTION_DURATION,
     OPTION_FIELD(struct config, flush_timeout),
     .def = "5s",
     .min = 0,
     .max = 600e9,
     .help = "maximum time for the backends to deliver what is queued, after SIGTERM"},
    {.name = "log",
     .type = OPTION_SECTION,
     OPTION_FIELD(struct config, log),
     .rows = config_log_rows,
     .help = "snapshots that wait for backends"},
    {.name = "http",
     .type = OPTION_SECTION,
     OPTION_FIELD(struct config, http),
     .rows = config_http_rows,
     .help = "the HTTP server"},
    {.name = NULL},
};

static void config_free_backend(struct config_backend *b)
{
    if (b->settings) option_release(backend_options(b->type), b->settings);
    free(b->settings);
    free(b);
}

struct config *config_retain(struct config *config)
{
    config->references++;
    return config;
}

void config_free(struct config **config)
{
    struct config *c = *config;
    *config = NULL;
    if (!c || c->references--) return; /* the first reference is not counted */
    for (struct config_backend *b = c->backends, *next; b; b = next) {
        next = b->next;
        config_free_backend(b);
    }
    option_release(config_rows, c);
    free(c->file);
    free(c);
}

struct config_backend *config_backend_new(const struct backend *type)
{
    struct config_backend *b = calloc(1, sizeof *b);
    if (b) b->settings = calloc(1, type->settings_size);
    if (!b || !b->settings) {
        free(b);
        return NULL;
    }
    b->type = type;
    option_defaults(backend_options(type), b->settings);
    return b;
}

void config_backend_add(struct config *config, struct config_backend *b)
{
    struct config_backend **end = &config->backends;
    while (*end) end = &(*end)->next;
    *end = b;
}

struct config_backend *config_backend_named(const struct config *config, const char *name)
{
    for (struct config_backend *b = config->backends; b; b = b->next)
        if (b->settings->name && !strcmp(b->settings->name, name)) return b;
    return NULL;
}

bool config_backend_same(const struct config *a, const struct config_backend *x, const struct config *b,
                         const struct config_backend *y)
{
    return x->type == y->type && option_tags_equal(&a->tags, &b->tags) &&
           option_equal(backend_options(x->type), x->settings, y->settings);
}

bool config_override(struct config *config, const char *name, const char *value, struct buf *why)
{
    bool file;
    const struct option *row = option_find(config_rows, name, &file);
    option_clear(row, config);
    return option_parse(row, config, value, why);
}

void config_print(const struct config *config, struct buf *out)
{
    option_print_all(config_rows, config, 0, out);
    buf_str(out, "backends:\n");
    for (const struct config_backend *b = config->backends; b; b = b->next) {
        buf_printf(out, "  - type: %s\n", b->type->name);
        option_print_all(backend_options(b->type), b->settings, 4, out);
    }
}

void config_help(struct buf *out)
{
    option_help(config_rows, 2, out);
    buf_str(out,
            "  backends list                     where to report: each has a type and that type's options\n");
}

void config_sample(struct buf *out)
{
    option_sample(config_rows, 0, out);
}
