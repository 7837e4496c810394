/* SPDX-License-Identifier: Apache-2.0 */
#include "error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
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

/* How many bytes of valid UTF-8 without control characters begin here; 0 if none. */
static size_t good_bytes(const char *text)
{
    const unsigned char *c = (const unsigned char *)text;
    size_t n = *c < 0x80                 ? 1
               : *c >= 0xc2 && *c < 0xe0 ? 2
               : (*c & 0xf0) == 0xe0     ? 3
               : *c >= 0xf0 && *c < 0xf5 ? 4
                                         : 0;
    for (size_t i = 1; i < n; i++)
        if ((c[i] & 0xc0) != 0x80) return 0;
    bool control = *c < 0x20 || *c == 0x7f || (*c == 0xc2 && c[1] < 0xa0);
    bool wrong = (*c == 0xe0 && c[1] < 0xa0) || (*c == 0xed && c[1] >= 0xa0) || (*c == 0xf0 && c[1] < 0x90) ||
                 (*c == 0xf4 && c[1] >= 0x90);
    return control || wrong ? 0 : n;
}

/* Names and paths may hold anything: a question mark for each byte that would harm a terminal or a log. */
static void clean(char *text)
{
    for (size_t n; *text; text += n ? n : 1)
        if (!(n = good_bytes(text))) *text = '?';
}

static bool inside_character(char c)
{
    return ((unsigned char)c & 0xc0) == 0x80;
}

/* A sentence that is too long loses its middle, a long name: what failed is in front of it, why is behind it. */
static void shorten(char *out, size_t room, const char *text)
{
    static const char gap[] = "...";
    size_t n = strlen(text), tail = room * 2 / 3;
    if (n < room) {
        memcpy(out, text, n + 1);
        return;
    }
    size_t head = room - tail - sizeof gap, from = n - tail;
    while (head && inside_character(text[head])) head--;
    while (inside_character(text[from])) from++;
    memcpy(out, text, head);
    memcpy(out + head, gap, sizeof gap - 1);
    memcpy(out + head + sizeof gap - 1, text + from, n - from + 1);
}

static void write_text(metrics_error_t *error, int sys, const char *fmt, va_list ap)
{
    char whole[4608], why[80]; /* a path of 4096 bytes, and what is said of it */
    int n = vsnprintf(whole, sizeof whole - sizeof why - 2, fmt, ap);
    size_t at = n < 0 ? 0 : strnlen(whole, sizeof whole);
    whole[at] = 0;
    if (sys) snprintf(whole + at, sizeof whole - at, ": %s", strerror_r(sys, why, sizeof why));
    clean(whole);
    shorten(error->text, sizeof error->text, whole);
}

int metrics__fail_list(metrics_error_t *error, int code, int sys, const char *fmt, va_list ap)
{
    int saved = errno;
    if (error) {
        write_text(error, sys, fmt, ap);
        error->code = code;
        error->sys = sys;
    }
    errno = saved;
    return code;
}

int metrics__fail(metrics_error_t *error, int code, int sys, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    metrics__fail_list(error, code, sys, fmt, ap);
    va_end(ap);
    return code;
}
