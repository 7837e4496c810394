/* SPDX-License-Identifier: Apache-2.0 */
#include "error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *metrics_strerror(int code)
{
    static const char *const texts[] = {
#define METRICS__TEXT(CODE, TEXT) [CODE] = TEXT,
        METRICS_ERRORS(METRICS__TEXT)
#undef METRICS__TEXT
    };
    if (code < 0) code = -code;
    return code < METRICS_CODES ? texts[code] : "unknown error";
}

int metrics__fail(metrics_error_t *error, int code, int sys, const char *fmt, ...)
{
    int saved = errno;
    if (error) {
        va_list ap;
        va_start(ap, fmt);
        int n = vsnprintf(error->text, sizeof error->text, fmt, ap);
        va_end(ap);
        error->code = code;
        error->sys = sys;
        if (sys && n >= 0 && (size_t)n + 4 < sizeof error->text) {
            char why[80];
            snprintf(error->text + n, sizeof error->text - (size_t)n, ": %s",
                     strerror_r(sys, why, sizeof why));
        }
    }
    errno = saved;
    return code;
}
