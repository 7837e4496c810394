/* SPDX-License-Identifier: Apache-2.0 */
/*
 * <mtx/syslog.h> - syslog(3) for programs that have it already: their lines become log events (<mtx/events.h>).
 *
 *     #define METRICS_SYSLOG          before the include: openlog, syslog, vsyslog, setlogmask, closelog are ours
 *     #include <mtx/syslog.h>
 *
 * Lines go to the default registry. Emergencies have the level METRICS_LOG_FATAL, alerts and critical conditions
 * METRICS_LOG_CRITICAL, the others that of their name. A priority's facility is ignored, as are the options but
 * LOG_PID, with which a line has the field `pid`.
 */
#ifndef MTX_SYSLOG_H
#define MTX_SYSLOG_H

#include <stdarg.h>
#include <syslog.h>

#include <mtx/events.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

#ifndef METRICS_OFF

/*
 * ident becomes the service of the lines that follow, in all threads; NULL: the program's name. closelog forgets it.
 * Safety: thread-safe; process-safe; not async-signal-safe.
 */
void metrics_openlog(const char *ident, int option, int facility);
void metrics_closelog(void);

/*
 * As syslog() and vsyslog(); with %m. The first line without metrics_openlog() opens the log.
 * Safety: thread-safe; process-safe; async-signal-safe after metrics_openlog().
 */
void metrics_syslog(int priority, const char *format, ...) __attribute__((format(printf, 2, 3)));
void metrics_vsyslog(int priority, const char *format, va_list arguments)
    __attribute__((format(printf, 2, 0)));

/*
 * Lets only those priorities through whose bit is set; 0 changes nothing. Returns the mask before.
 * Safety: thread-safe; process-safe; async-signal-safe.
 */
int metrics_setlogmask(int mask);

#else
#define metrics_openlog(...)                         METRICS__USED(__VA_ARGS__)
#define metrics_closelog()                           ((void)0)
#define metrics_syslog(...)                          METRICS__USED(__VA_ARGS__)
#define metrics_vsyslog(priority, format, arguments) METRICS__USED(priority, format)
#define metrics_setlogmask(mask)                     (METRICS__USED(mask), metrics__constant(255))
#endif

#ifdef METRICS_SYSLOG
#define openlog    metrics_openlog
#define closelog   metrics_closelog
#define syslog     metrics_syslog
#define vsyslog    metrics_vsyslog
#define setlogmask metrics_setlogmask
#endif

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
