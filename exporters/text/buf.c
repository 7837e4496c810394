/* SPDX-License-Identifier: Apache-2.0 */
#include "buf.h"

#include "digits.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

void buf_free(struct buf *b)
{
    free(b->data);
    *b = (struct buf){0};
}

void buf_reset(struct buf *b)
{
    buf_cut(b, 0);
    b->failed = false;
}

void buf_cut(struct buf *b, size_t len)
{
    if (len > b->len) return;
    b->len = len;
    if (b->data) b->data[len] = '\0';
}

bool buf_ok(const struct buf *b)
{
    return !b->failed;
}

const char *buf_text(const struct buf *b)
{
    return b->data ? b->data : "";
}

char *buf_take(struct buf *b)
{
    char *text = NULL;
    if (!b->failed) text = b->data ? b->data : strdup("");
    if (text == b->data) b->data = NULL;
    buf_free(b);
    return text;
}

/* Doubles the memory, so that a page of n bytes costs O(n). `need` includes the NUL. */
static bool buf_grow(struct buf *b, size_t need)
{
    size_t cap = b->cap ? b->cap : 256;
    while (cap < need) {
        if (cap > SIZE_MAX / 2) return false;
        cap *= 2;
    }
    char *data = realloc(b->data, cap);
    if (!data) return false;
    if (!b->data) data[0] = '\0';
    b->data = data;
    b->cap = cap;
    return true;
}

char *buf_room(struct buf *b, size_t n)
{
    if (b->failed) return NULL;
    size_t most = b->limit ? b->limit : SIZE_MAX / 2;
    bool fits = b->len <= most && n <= most - b->len;
    if (!fits || (b->len + n + 1 > b->cap && !buf_grow(b, b->len + n + 1))) {
        b->failed = true;
        return NULL;
    }
    return b->data + b->len;
}

void buf_mem_slowly(struct buf *b, const void *data, size_t n)
{
    char *to = buf_room(b, n);
    if (!to) return;
    if (n) memcpy(to, data, n);
    to[n] = '\0';
    b->len += n;
}

void buf_fill(struct buf *b, char c, size_t n)
{
    char *to = buf_room(b, n);
    if (!to) return;
    memset(to, c, n);
    to[n] = '\0';
    b->len += n;
}

void buf_vprintf(struct buf *b, const char *format, va_list ap)
{
    va_list again;
    va_copy(again, ap);
    /* It nearly always fits into the free room. */
    size_t free_now = b->failed ? 0 : b->cap - b->len;
    int n = vsnprintf(free_now ? b->data + b->len : NULL, free_now, format, again);
    va_end(again);
    char *to = n < 0 ? NULL : buf_room(b, (size_t)n);
    if (to && (size_t)n >= free_now) vsnprintf(to, (size_t)n + 1, format, ap);
    if (to) b->len += (size_t)n;
    if (!to && free_now) b->data[b->len] = '\0';
    if (n < 0) b->failed = true;
}

void buf_printf(struct buf *b, const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    buf_vprintf(b, format, ap);
    va_end(ap);
}

void buf_u64(struct buf *b, uint64_t v)
{
    char text[DIGITS_MOST];
    buf_mem(b, text, (size_t)(digits_u64(text, v) - text));
}

void buf_i64(struct buf *b, int64_t v)
{
    if (v < 0) buf_char(b, '-');
    buf_u64(b, v < 0 ? 0 - (uint64_t)v : (uint64_t)v);
}

/* printf writes the decimal sign of the locale; formats on the wire know the dot only. */
static void buf_decimal(struct buf *b, char *text)
{
    for (char *c = text; *c; c++)
        if (!strchr("0123456789+-e", *c)) *c = '.';
    buf_str(b, text);
}

/* True if the value was written as a word or as plain digits. */
static bool buf_f64_simple(struct buf *b, double v)
{
    if (isnan(v)) return buf_str(b, "NaN"), true;
    if (isinf(v)) return buf_str(b, v > 0 ? "+Inf" : "-Inf"), true;
    if (v == 0) return buf_str(b, signbit(v) ? "-0" : "0"), true;
    if (fabs(v) < 1e15 && v == (double)(int64_t)v) return buf_i64(b, (int64_t)v), true;
    return false;
}

void buf_f64(struct buf *b, double v)
{
    char text[DIGITS_MOST];
    buf_mem(b, text, (size_t)(digits_f64(text, v) - text));
}

void buf_float(struct buf *b, double v)
{
    size_t from = b->len;
    buf_f64(b, v);
    if (b->len > from && !memchr(b->data + from, '.', b->len - from) &&
        !memchr(b->data + from, 'e', b->len - from) && isfinite(v))
        buf_str(b, ".0");
}

void buf_f64_short(struct buf *b, double v, int digits)
{
    char text[40];
    if (buf_f64_simple(b, v)) return;
    /* A whole part with more digits is printed whole, not with an exponent. */
    if (fabs(v) >= pow(10, digits) && fabs(v) < 1e15)
        snprintf(text, sizeof text, "%.0f", v);
    else
        snprintf(text, sizeof text, "%.*g", digits, v);
    buf_decimal(b, text);
}

void buf_duration(struct buf *b, uint64_t ns)
{
    static const struct {
        uint64_t ns;
        const char *unit;
    } units[] = {{3600000000000, "h"}, {60000000000, "m"}, {1000000000, "s"}, {1000000, "ms"}, {1000, "us"}};
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        /* Hours and minutes only when whole; 90 s stays 90s, 1.5 ms is 1.5ms. */
        bool whole = ns % units[i].ns == 0;
        if (ns < units[i].ns || (i < 2 && !whole)) continue;
        buf_f64_short(b, (double)ns / (double)units[i].ns, 6);
        buf_str(b, units[i].unit);
        return;
    }
    buf_u64(b, ns);
    buf_str(b, ns ? "ns" : "s");
}

void buf_size(struct buf *b, uint64_t bytes)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    size_t u = 0;
    while (u + 1 < sizeof units / sizeof *units && bytes && bytes % 1024 == 0) {
        bytes /= 1024;
        u++;
    }
    buf_u64(b, bytes);
    buf_str(b, units[u]);
}

void buf_time(struct buf *b, uint64_t wall_ns)
{
    struct tm tm;
    char text[32];
    time_t seconds = (time_t)(wall_ns / 1000000000);
    gmtime_r(&seconds, &tm);
    strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &tm);
    buf_printf(b, "%s.%03" PRIu64 "Z", text, wall_ns / 1000000 % 1000);
}
