/* SPDX-License-Identifier: Apache-2.0 */
/*
 * buf.h - a text buffer that grows and whose error is sticky, and the number formats that all encoders share.
 *
 * Functions that append return nothing. A buffer that could not grow (no memory, or its own limit) remembers
 * that and ignores all later appends; buf_ok() reports it. So an encoder is a sequence of appends and one
 * check.
 *
 * All zeros is an empty buffer. Whoever declares one frees it with buf_free() or takes its text with
 * buf_take(). A parameter `struct buf *why` receives the reason of a failure as text, without a newline.
 *
 * Not thread-safe: one buffer belongs to one thread at a time.
 */
#ifndef EXPORTERS_BUF_H
#define EXPORTERS_BUF_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct buf {
    char *data;   /* ends in a NUL; NULL until the first append */
    size_t len;   /* bytes in use, without the NUL */
    size_t cap;   /* bytes allocated */
    size_t limit; /* the most bytes that it may hold; 0 = no limit */
    bool failed;  /* an append was refused; the contents are a prefix of what was appended */
};

/* Frees the memory and sets the buffer to all zeros. */
void buf_free(struct buf *b);

/* Clears the contents and the error, keeps memory and limit: for a buffer that is filled again and again. */
void buf_reset(struct buf *b);

/* Cuts the contents to `len` bytes, an earlier value of b->len: undoes later appends. Keeps the error. */
void buf_cut(struct buf *b, size_t len);

/* True unless an append was refused. */
bool buf_ok(const struct buf *b);

/* The contents as a C string; "" before the first append. It
 * belongs to the buffer and is valid until the next change. */
const char *buf_text(const struct buf *b);

/* Hands over the contents as a string, which the caller frees; the
 * buffer is all zeros afterwards. NULL if an append was refused. */
char *buf_take(struct buf *b);

/* Makes room for `n` more bytes and returns where they begin; NULL if
 * refused. The caller writes at most n bytes there and adds their number to
 * b->len itself: for read(2), deflate() and others that fill a memory area. */
char *buf_room(struct buf *b, size_t n);

/* Appends `n` bytes, a string, a character. Encoders append a few bytes at a time, so the common case is
 * inline; buf_mem_slowly() is for buf_mem() only. */
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

/* Appends the same character `n` times. */
void buf_fill(struct buf *b, char c, size_t n);

/* Appends what printf would write, in the current locale. */
void buf_printf(struct buf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
void buf_vprintf(struct buf *b, const char *format, va_list ap) __attribute__((format(printf, 2, 0)));

/* Appends an integer in decimal. */
void buf_u64(struct buf *b, uint64_t v);
void buf_i64(struct buf *b, int64_t v);

/* Appends the shortest decimal that reads back as the same double, the same
 * in every locale: 0.1, 42, 1e+16, 1e-05, -0. Not a number and the infinities
 * are written NaN, +Inf, -Inf; encoders of formats without them check first. */
void buf_f64(struct buf *b, double v);

/* The same, but a finite number always has a point or an exponent: 42.0. */
void buf_float(struct buf *b, double v);

/* For people: at most `digits` significant digits (but the whole part is never rounded to tens), no exponent
 * between 1e-4 and 1e15: 1234.57, 0.00123. */
void buf_f64_short(struct buf *b, double v, int digits);

/* Appends a duration in the largest unit that keeps it short: 250ns, 1.5ms, 10s, 2m, 24h. */
void buf_duration(struct buf *b, uint64_t ns);

/* Appends a number of bytes in the largest binary unit that divides it: 512B, 16MiB. */
void buf_size(struct buf *b, uint64_t bytes);

/* Appends nanoseconds since 1970 as 2026-01-31T23:59:58.123Z (UTC, milliseconds). */
void buf_time(struct buf *b, uint64_t wall_ns);

#endif
