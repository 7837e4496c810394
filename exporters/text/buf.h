/* SPDX-License-Identifier: Apache-2.0 */
/*
 * buf.h - a text buffer that grows, whose error is sticky, and the number formats that every encoder shares.
 *
 * Nothing that appends returns a result: a buffer that could not grow (memory, or its own limit) remembers
 * it, ignores what comes after, and says so once, when the caller asks with buf_ok(). So an encoder is a row
 * of appends and one check.
 *
 * A struct buf set to all zeros is an empty buffer. One buffer belongs to one thread at a time.
 */
#ifndef EXPORTERS_BUF_H
#define EXPORTERS_BUF_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct buf {
    char *data;   /* NUL after the last byte once anything was appended; NULL before */
    size_t len;   /* bytes in use, the NUL not counted */
    size_t cap;   /* bytes allocated */
    size_t limit; /* most bytes that it may hold; 0 = no limit */
    bool failed;  /* an append was refused; what is in the buffer is a prefix of what was meant */
};

/* Frees the memory and makes it an empty buffer again; the limit is forgotten. */
void buf_free(struct buf *b);

/* Forgets the contents and the error, keeps memory and limit: for a buffer that is filled again and again. */
void buf_reset(struct buf *b);

/* Cuts back to `len` bytes, an earlier value of b->len: undoes what was appended since. Keeps the error. */
void buf_cut(struct buf *b, size_t len);

/* True if every append so far arrived whole. */
bool buf_ok(const struct buf *b);

/* The contents as a C string, "" for a buffer never written to. Valid until the next append. */
const char *buf_text(const struct buf *b);

/* Hands the contents over as a string that the caller frees; the buffer is empty afterwards. NULL if
 * failed. */
char *buf_take(struct buf *b);

/* Makes room for `n` more bytes and returns where they begin; NULL if refused. The caller writes at most n
 * bytes there and adds what it wrote to b->len itself (for read(2), deflate and their like). */
char *buf_room(struct buf *b, size_t n);

/* Encoders append a few bytes at a time, so what nearly always happens is inline. */
void buf_mem_slowly(struct buf *b, const void *data, size_t n);
static inline void buf_mem(struct buf *b, const void *data, size_t n)
{
    if (!n || b->cap - b->len <= n || b->failed || b->limit) {
        buf_mem_slowly(b, data, n);
        return;
    }
    memcpy(b->data + b->len, data, n);
    b->len += n;
    b->data[b->len] = '\0';
}
static inline void buf_str(struct buf *b, const char *s)
{
    buf_mem(b, s, strlen(s));
}
static inline void buf_char(struct buf *b, char c)
{
    buf_mem(b, &c, 1);
}
void buf_fill(struct buf *b, char c, size_t n);
void buf_printf(struct buf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
void buf_vprintf(struct buf *b, const char *format, va_list ap) __attribute__((format(printf, 2, 0)));

void buf_u64(struct buf *b, uint64_t v);
void buf_i64(struct buf *b, int64_t v);

/* The shortest decimal that reads back as the same double, whatever the locale: 0.1, 42, 1e+16, 1e-05, -0.
 * Not a number and the infinities come out as NaN, +Inf, -Inf; a format that has no such words must ask
 * first. */
void buf_f64(struct buf *b, double v);

/* The same, always with a point or an exponent: 42.0. */
void buf_float(struct buf *b, double v);

/* For people: at most `digits` significant digits, no exponent between 1e-4 and 1e15: 1234.57, 0.00123. */
void buf_f64_short(struct buf *b, double v, int digits);

/* A length of time in the largest unit that keeps it short: 250ns, 1.5ms, 10s, 2m, 24h. */
void buf_duration(struct buf *b, uint64_t ns);

/* A number of bytes in the largest binary unit that divides it: 512B, 16MiB. */
void buf_size(struct buf *b, uint64_t bytes);

/* Wall time as 2026-01-31T23:59:58.123Z (UTC, milliseconds). */
void buf_time(struct buf *b, uint64_t wall_ns);

#endif
