/* SPDX-License-Identifier: Apache-2.0 */
/* error.h - filling in a metrics_error_t. */
#ifndef METRICS_SHM_ERROR_H
#define METRICS_SHM_ERROR_H

#include <mtx/error.h>

/*
 * Write the sentence into the caller's *error, followed by the system's text for the errno `sys` if that is
 * not 0. error may be NULL. Returns code, so that a caller can write `return metrics__fail(...)`. Keeps
 * errno. Thread-safe; not async-signal-safe.
 */
int metrics__fail(metrics_error_t *error, int code, int sys, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

#endif
