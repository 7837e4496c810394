/* SPDX-License-Identifier: Apache-2.0 */
/* error.h - filling in a metrics_error_t. */
#ifndef METRICS_SHM_ERROR_H
#define METRICS_SHM_ERROR_H

#include <stdarg.h>

#include <mtx/error.h>

/*
 * Write the sentence into the caller's *error, followed by the system's text for the errno `sys` if that is
 * not 0. A sentence that is too long loses its middle; bytes that are not UTF-8 and control characters become
 * question marks. error may be NULL. Returns code, so that a caller can write `return metrics__fail(...)`. Keeps
 * errno. Thread-safe; not async-signal-safe.
 */
int metrics__fail(metrics_error_t *error, int code, int sys, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
int metrics__fail_list(metrics_error_t *error, int code, int sys, const char *fmt, va_list ap)
    __attribute__((format(printf, 4, 0)));

#endif
