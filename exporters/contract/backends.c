/* SPDX-License-Identifier: Apache-2.0 */
/* The table of backends, made from backends.def, and the options that all of them have. */
#include "backend.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define BACKEND(NAME) extern const struct backend backend_##NAME;
#include "../backends.def"
#undef BACKEND

const struct backend *const backends[] = {
#define BACKEND(NAME) &backend_##NAME,
#include "../backends.def"
#undef BACKEND
    NULL};
enum { BACKEND_MOST = sizeof backends / sizeof *backends, BACKEND_ROWS_MOST = 64 };

const struct transport transport_scrape = {.name = "scrape"};

const char *const backend_time_units[] = {"s", "ms", "us", "ns", NULL};
static const char *const backend_empties[] = {"absent", "zero", NULL};

#define COMMON(MEMBER) OPTION_FIELD(struct backend_common, MEMBER)
static const struct option backend_common_rows[] = {
    {.name = "name",
     .type = OPTION_STRING,
     COMMON(name),
     .help = "name in log lines and in the exporter's metrics about itself; required if a type is used "
             "twice"},
    {.name = "include",
     .type = OPTION_GLOBS,
     COMMON(include),
     .help = "send only names that match one of these"},
    {.name = "exclude",
     .type = OPTION_GLOBS,
     COMMON(exclude),
     .help = "do not send names that match one of these"},
    {.name = "prefix", .type = OPTION_STRING, COMMON(prefix), .def = "", .help = "prefix for every name"},
    {.name = "tags",
     .type = OPTION_TAGS,
     COMMON(tags),
     .help = "tags added to every series; they override the top-level tags, and the series' own override "
             "them"},
    {.name = "empty",
     .type = OPTION_CHOICE,
     COMMON(empty),
     .def = "absent",
     .choices = backend_empties,
     .help = "what to send for a distribution without values: no statistics, or zeros"},
    {.name = NULL},
};
/* Only for backends that have a queue. */
static const struct option backend_push_rows[] = {
    {.name = "max_lag",
     .type = OPTION_DURATION,
     COMMON(max_lag),
     .def = "1h",
     .min = 1e9,
     .max = 30 * 86400e9,
     .help = "after an outage, intervals older than this are merged into one"},
    {.name = "queue_bytes",
     .type = OPTION_SIZE,
     COMMON(queue_bytes),
     .def = "0B",
     .min = 0,
     .max = 0x1p40,
     .help = "how much may wait in the log for this backend, compressed; beyond that, waiting intervals "
             "are merged; 0B: as much as `log.size` allows"},
    {.name = "retry_least",
     .type = OPTION_DURATION,
     COMMON(retry_least),
     .def = "1s",
     .min = 1e6,
     .max = 3600e9,
     .help = "bound of the first pause after a failure; it doubles each time, and pauses are random below "
             "it"},
    {.name = "retry_most",
     .type = OPTION_DURATION,
     COMMON(retry_most),
     .def = "1m",
     .min = 1e6,
     .max = 86400e9,
     .help = "longest pause after a failure"},
    {.name = NULL},
};
/* Only where a second copy would count twice. */
static const char *const backend_ambiguities[] = {"resend", "drop", NULL};
static const struct option backend_additive_rows[] = {
    {.name = "on_ambiguous",
     .type = OPTION_CHOICE,
     COMMON(on_ambiguous),
     .def = "resend",
     .choices = backend_ambiguities,
     .help = "what to do with a request that got no response: resend it, which may deliver it twice, or "
             "drop it"},
    {.name = NULL},
};

static const struct option backend_event_rows[] = {
    {.name = "events",
     .type = OPTION_LIST,
     COMMON(events),
     .check = event_type_check,
     .help = "which events to send: annotations, spans, logs, points, or none; without it, all that the "
             "service takes"},
    {.name = NULL},
};

/* Only for scraped backends. */
static bool backend_check_path(const char *path, struct buf *why)
{
    if (path[0] == '/' && path[1] && strncmp(path, "/-/", 3)) return true;
    buf_printf(why, "\"%s\" is not a path such as /metrics (those below /-/ are taken)", path);
    return false;
}
static const struct option backend_scrape_rows[] = {
    {.name = "path",
     .type = OPTION_STRING,
     COMMON(path),
     .def = "/metrics",
     .check = backend_check_path,
     .help = "path of the page on the address given in `http`"},
    {.name = NULL},
};

void *backend_alloc(size_t n, struct buf *why)
{
    void *memory = calloc(1, n);
    if (!memory) buf_str(why, "out of memory");
    return memory;
}

void backend_free(void **memory)
{
    free(*memory);
    *memory = NULL;
}

uint32_t backend_events(const struct backend *backend, const struct backend_common *settings)
{
    uint32_t types = 0;
    if (!backend->events) return 0;
    for (size_t i = 0; i < settings->events.n; i++) {
        int type = event_type_named(settings->events.items[i]);
        if (type) types |= EVENT_BIT(type);
    }
    return backend->events->types & (settings->events.n ? types : EVENT_ALL);
}

const struct backend *backend_find(const char *type)
{
    for (const struct backend *const *b = backends; *b; b++)
        if (!strcmp((*b)->name, type)) return *b;
    return NULL;
}

/* Appends the rows whose names are not in `table` yet. Returns how many rows it has then. */
static size_t backend_join(struct option *table, size_t n, const struct option *rows)
{
    bool file;
    for (; rows->name; rows++) {
        table[n].name = NULL;
        if (n + 1 == BACKEND_ROWS_MOST) abort();
        if (!option_find(table, rows->name, &file)) table[n++] = *rows;
    }
    table[n].name = NULL;
    return n;
}

static struct option backend_tables[BACKEND_MOST][BACKEND_ROWS_MOST];

static void backend_tables_make(void)
{
    for (size_t i = 0; backends[i]; i++) {
        const struct backend *b = backends[i];
        size_t n = backend_join(backend_tables[i], 0, b->options);
        if (b->transport->options) n = backend_join(backend_tables[i], n, b->transport->options);
        if (b->events) n = backend_join(backend_tables[i], n, backend_event_rows);
        if (b->wants.additive || (b->events && b->events->additive))
            n = backend_join(backend_tables[i], n, backend_additive_rows);
        n = backend_join(backend_tables[i], n, backend_common_rows);
        backend_join(backend_tables[i], n, backend_is_scraped(b) ? backend_scrape_rows : backend_push_rows);
    }
}

const struct option *backend_options(const struct backend *backend)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, backend_tables_make);
    for (size_t i = 0; backends[i]; i++)
        if (backends[i] == backend) return backend_tables[i];
    return backend->options;
}
