/* SPDX-License-Identifier: Apache-2.0 */
/* logger.h - log lines, for syslog.c; levels by name. */
#ifndef METRICS_REGISTRY_LOGGER_H
#define METRICS_REGISTRY_LOGGER_H

#include <stdarg.h>

#include <mtx/events.h>

/* [S] metrics_vlog() with fields. */
void metrics__log_line(metrics_logger_t *logger, enum metrics_log_level level, const char *format,
                       va_list list, const metrics_field_t *fields, size_t n)
    __attribute__((format(printf, 3, 0)));

/* The least level that a word of the environment lets through; 0 = it is no such word. Pure. */
unsigned metrics__log_level_of(const char *text);

#endif
