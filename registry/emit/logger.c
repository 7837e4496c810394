/* SPDX-License-Identifier: Apache-2.0 */
/* logger.c - log lines: filtered by level in the process, with the ids of the span in which they were written. */
#include <stdlib.h>
#include <string.h>

#include "atomic.h"
#include "event.h"
#include "logger.h"
#include "trace.h"

/* --- Levels --- */

enum { THRESHOLD_UNKNOWN = 0, LEVEL_ALL = 1, LEVEL_NONE = 255 };
static uint32_t threshold = THRESHOLD_UNKNOWN;

static const struct {
    const char *name;
    unsigned level, python; /* python: the number of that level, or 0 */
} levels[] = {{"NOTSET", LEVEL_ALL, 0},
              {"TRACE", METRICS_LOG_TRACE, 0},
              {"DEBUG", METRICS_LOG_DEBUG, 10},
              {"INFO", METRICS_LOG_INFO, 20},
              {"NOTICE", METRICS_LOG_NOTICE, 0},
              {"WARN", METRICS_LOG_WARNING, 0},
              {"WARNING", METRICS_LOG_WARNING, 30},
              {"ERROR", METRICS_LOG_ERROR, 40},
              {"CRITICAL", METRICS_LOG_CRITICAL, 50},
              {"FATAL", METRICS_LOG_FATAL, 0}};
enum { LEVEL_NAMES = sizeof levels / sizeof *levels };

static char upper(char c)
{
    return c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
}

static bool is_name(const char *text, const char *name)
{
    while (*text && upper(*text) == *name) text++, name++;
    return !*text && !*name;
}

unsigned metrics__log_level_of(const char *text)
{
    char *end;
    for (int i = 0; i < LEVEL_NAMES; i++)
        if (is_name(text, levels[i].name)) return levels[i].level;
    long number = strtol(text, &end, 10);
    if (!*text || *end || number < 0) return 0;
    for (int i = 0; i < LEVEL_NAMES; i++)
        if (levels[i].python && number <= (long)levels[i].python) return number ? levels[i].level : LEVEL_ALL;
    return LEVEL_NONE;
}

static void read_threshold(void)
{
    const char *own = secure_getenv("MTX_LOG_LEVEL"), *other = secure_getenv("CHOUETTE_LOG_LEVEL");
    unsigned level = metrics__log_level_of(own && *own ? own : other ? other : "");
    uint32_t unknown = THRESHOLD_UNKNOWN;
    mem_cas32(&threshold, &unknown, level ? level : LEVEL_ALL); /* ORD-16 */
}

int metrics_log_enabled(enum metrics_log_level level)
{
    return (uint32_t)level >= mem_load32(&threshold); /* ORD-16 */
}

void metrics_log_threshold(enum metrics_log_level least)
{
    mem_store32(&threshold, (uint32_t)least ? (uint32_t)least : LEVEL_ALL); /* ORD-16 */
}

/* --- Lines --- */

/* One or the other. */
struct message {
    const char *text;
    const char *format;
    va_list *list;
};

static void own_fields(struct metrics__out *o, const void *arg)
{
    const struct message *m = arg;
    metrics__out_begin(o);
    if (m->format) {
        va_list list;
        va_copy(list, *m->list);
        metrics__format(o, m->format, &list);
        va_end(list);
    } else {
        metrics__out_add(o, m->text, strlen(m->text));
    }
    metrics__out_end(o);
    if (metrics__trace_here.reserved[0])
        metrics__out_field(o, FIELD_TRACE, NULL, &metrics__trace_here, METRICS__FIELD_IDS);
}

static void write_line(metrics_logger_t *logger, enum metrics_log_level level, const struct message *message,
                       const metrics_field_t *fields, size_t n)
{
    metrics__event_put(&(struct metrics__event){.kind = &logger->kind,
                                                .time = metrics__event_time(&logger->kind, metrics_now()),
                                                .small = (uint8_t)level,
                                                .own = own_fields,
                                                .arg = message,
                                                .fields = fields,
                                                .count = n});
}

void metrics__log_line(metrics_logger_t *logger, enum metrics_log_level level, const char *format,
                       va_list list, const metrics_field_t *fields, size_t n)
{
    va_list copy;
    struct message message = {.format = format ? format : "", .list = &copy};
    if (!metrics_log_enabled(level) || !logger->kind.rings) return;
    va_copy(copy, list);
    write_line(logger, level, &message, fields, n);
    va_end(copy);
}

void metrics_vlog(metrics_logger_t *logger, enum metrics_log_level level, const char *format, va_list list)
{
    metrics__log_line(logger, level, format, list, NULL, 0);
}

void metrics_log(metrics_logger_t *logger, enum metrics_log_level level, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    metrics_vlog(logger, level, format, list);
    va_end(list);
}

void metrics_log_fields_v(metrics_logger_t *logger, enum metrics_log_level level, const char *text,
                          const metrics_field_t *fields, size_t n)
{
    struct message message = {.text = text ? text : ""};
    if (metrics_log_enabled(level)) write_line(logger, level, &message, fields, n);
}

/* --- Loggers --- */

metrics_logger_t *metrics_logger_v(metrics_registry_t *r, const char *const *list, size_t n)
{
    if (mem_load32(&threshold) == THRESHOLD_UNKNOWN) read_threshold(); /* ORD-16 */
    return metrics__event_find(r, EVENT_LOG, list, n);
}

void *metrics__site_resolve_logger(struct metrics__site *site, const char *const *list, size_t n)
{
    if (mem_load32(&threshold) == THRESHOLD_UNKNOWN) read_threshold(); /* ORD-16 */
    return metrics__event_site(site, EVENT_LOG, list, n);
}
