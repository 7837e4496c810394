/* SPDX-License-Identifier: Apache-2.0 */
/* syslog.c - syslog(3)'s calls on the default registry. */
#include <errno.h>
#include <unistd.h>

#include <mtx/syslog.h>

#include "atomic.h"
#include "event.h"
#include "logger.h"

static metrics_logger_t *the_log; /* NULL: not opened (ORD-15) */
static uint32_t mask = 0xff, with_pid;

static metrics_logger_t *open_log(const char *ident)
{
    const char *name = ident && *ident ? ident : program_invocation_short_name;
    metrics_logger_t *log = metrics_logger_v(metrics_default(), &name, 1);
    mem_publish_pointer(&the_log, log); /* ORD-15 */
    return log;
}

void metrics_openlog(const char *ident, int option, int facility)
{
    (void)facility;
    mem_store32(&with_pid, (option & LOG_PID) != 0); /* ORD-16 */
    open_log(ident);
}

void metrics_closelog(void)
{
    mem_publish_pointer(&the_log, NULL); /* ORD-15 */
}

int metrics_setlogmask(int next)
{
    uint32_t before = mem_load32(&mask);          /* ORD-16 */
    if (next) mem_store32(&mask, (uint32_t)next); /* ORD-16 */
    return (int)before;
}

static enum metrics_log_level level_of(int priority)
{
    static const uint8_t levels[] = {METRICS_LOG_FATAL, METRICS_LOG_CRITICAL, METRICS_LOG_CRITICAL,
                                     METRICS_LOG_ERROR, METRICS_LOG_WARNING,  METRICS_LOG_NOTICE,
                                     METRICS_LOG_INFO,  METRICS_LOG_DEBUG};
    return (enum metrics_log_level)levels[priority & 7];
}

void metrics_vsyslog(int priority, const char *format, va_list list)
{
    if (!(mem_load32(&mask) >> (priority & 7) & 1)) return;     /* ORD-16 */
    metrics_logger_t *log = mem_load_pointer_acquire(&the_log); /* ORD-15 */
    if (!log) log = open_log(NULL);
    metrics_field_t pid = metrics_field_int("pid", getpid());
    metrics__log_line(log, level_of(priority), format, list, &pid, mem_load32(&with_pid)); /* ORD-16 */
}

void metrics_syslog(int priority, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    metrics_vsyslog(priority, format, list);
    va_end(list);
}
