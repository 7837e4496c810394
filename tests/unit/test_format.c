/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <errno.h>
#include <limits.h>
#include <stddef.h>
#include <stdarg.h>

#include "event.h"

static char got[4096];

static __attribute__((format(printf, 1, 2))) const char *ours(const char *format, ...)
{
    unsigned char bytes[4096];
    struct metrics__out o = {.bytes = bytes, .room = sizeof bytes, .message_most = sizeof bytes - 8};
    va_list list;
    va_start(list, format);
    metrics__out_begin(&o);
    metrics__format(&o, format, &list);
    metrics__out_end(&o);
    va_end(list);
    memcpy(got, bytes + METRICS__FIELD_HEAD, o.used - METRICS__FIELD_HEAD);
    return got;
}

#define SAME(...)                                 \
    do {                                          \
        char want[4096];                          \
        snprintf(want, sizeof want, __VA_ARGS__); \
        CHECK_STR(ours(__VA_ARGS__), want);       \
    } while (0)

UNIT(format, integers)
{
    SAME("%d %i %u", -7, 7, 7u);
    SAME("[%5d] [%-5d] [%05d] [%+d] [% d] [%.3d] [%8.3d]", 42, 42, 42, 42, 42, 42, 42);
    SAME("%d %d", INT_MIN, INT_MAX);
    SAME("%lld %llu %jd %zu %td", (long long)INT64_MIN, (unsigned long long)UINT64_MAX, (intmax_t)-1,
         (size_t)5, (ptrdiff_t)-5);
    SAME("%hd %hu %hhd %hhu", (short)-3, (unsigned short)65535, (signed char)-3, (unsigned char)255);
    SAME("%x %X %#x %#X %o %#o %#x", 255u, 255u, 255u, 255u, 8u, 8u, 0u);
    SAME("[%*d] [%-*d] [%.*d]", 6, 1, 6, 1, 3, 1);
    SAME("[%20llx] [%-20llo]", 0x1234567890abcdefULL, 0x1234567890abcdefULL);
}

UNIT(format, texts)
{
    SAME("%s %10s|%-10s|%.2s|%c%c", "ab", "ab", "ab", "abcdef", 'x', 'y');
    SAME("100%% %s", "done");
    SAME("%p", (void *)0x1234);
    SAME("plain");
    errno = ENOENT;
    SAME("%m");
    CHECK_EQ_I64(errno, ENOENT);
    const char *volatile none = NULL;
    CHECK_STR(ours("%s", none), "(null)");
}

UNIT(format, doubles)
{
    static const double values[] = {0,      -0.0,    1,        0.1,      0.5,  1.5,  2.5,
                                    1e10,   123.456, 9.99999,  99999.95, 1e-5, 1e-4, 1e100,
                                    1e-300, 1.0 / 3, -2.0 / 3, 999999.5, 1e15, 0.05};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        double x = values[i];
        if (fabs(x) < 1e15) SAME("%f %.0f %.2f %10.3f %-10.1f| %010.2f %+f", x, x, x, x, x, x, x);
        SAME("%e %.0e %.10e %E %15e", x, x, x, x, x);
        SAME("%g %.3g %.10g %G %.0g", x, x, x, x, x);
    }
    SAME("%f %e %g %F %5f|%-5f|%05f", INFINITY, -INFINITY, (double)NAN, INFINITY, INFINITY, INFINITY,
         INFINITY);
    SAME("%#g %#g", 1.0, 1e-5);
    SAME("%Lf", (long double)2.25);
}
