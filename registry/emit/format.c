/* SPDX-License-Identifier: Apache-2.0 */
/*
 * format.c - printf's conversions, for a signal handler: no locale, no allocation, errno as it was. libc's may take a
 * lock or memory.
 */
#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "decimal.h"
#include "event.h"

enum { DIGITS_MOST = 24 }; /* of an integer in octal, and some */

struct conversion {
    bool left, zero, plus, space, other; /* - 0 + blank # */
    int width, precision;                /* precision < 0: none */
    int size;                            /* bytes of an integer; 0: that of int */
    char what;
};

static void repeat(struct metrics__out *o, char c, long n)
{
    char run[32];
    memset(run, c, sizeof run);
    for (; n > 0; n -= (long)sizeof run)
        metrics__out_add(o, run, n < (long)sizeof run ? (size_t)n : sizeof run);
}

/* A text, or a number that is one already, in its width. */
static void put_text(struct metrics__out *o, const struct conversion *c, const char *text, size_t n)
{
    long blanks = c->width - (long)n;
    if (!c->left) repeat(o, ' ', blanks);
    metrics__out_add(o, text, n);
    if (c->left) repeat(o, ' ', blanks);
}

/* Sign or prefix, zeros, digits, in the width. */
static void put_number(struct metrics__out *o, const struct conversion *c, const char *prefix, long zeros,
                       const char *digits, size_t n)
{
    long blanks = c->width - (long)strlen(prefix) - (zeros > 0 ? zeros : 0) - (long)n;
    if (c->zero && !c->left && blanks > 0) zeros = (zeros > 0 ? zeros : 0) + blanks, blanks = 0;
    if (!c->left) repeat(o, ' ', blanks);
    metrics__out_add(o, prefix, strlen(prefix));
    repeat(o, '0', zeros);
    metrics__out_add(o, digits, n);
    if (c->left) repeat(o, ' ', blanks);
}

/* --- Integers --- */

/* Into the end of buf; returns where they begin. No digits of 0 if nothing asks for them, as in printf. */
static char *write_digits(char *end, uint64_t n, unsigned base, bool upper)
{
    const char *digits = upper ? "0123456789ABCDEF" : "0123456789abcdef";
    for (; n; n /= base) *--end = digits[n % base];
    return end;
}

static void put_integer(struct metrics__out *o, struct conversion *c, uint64_t n, const char *prefix,
                        unsigned base)
{
    char buf[DIGITS_MOST], *end = buf + sizeof buf, *from = write_digits(end, n, base, c->what == 'X');
    long have = end - from, least = c->precision < 0 ? 1 : c->precision;
    if (c->what == 'o' && c->other && least <= have) least = have + 1;
    if (c->precision >= 0) c->zero = false;
    put_number(o, c, prefix, least - have, from, (size_t)have);
}

static const char *sign_of(const struct conversion *c, bool negative)
{
    return negative ? "-" : c->plus ? "+" : c->space ? " " : "";
}

static void put_signed(struct metrics__out *o, struct conversion *c, va_list *list)
{
    int64_t n = c->size == 8 ? va_arg(*list, int64_t) : va_arg(*list, int);
    if (c->size == 1) n = (int8_t)n;
    if (c->size == 2) n = (int16_t)n;
    put_integer(o, c, n < 0 ? -(uint64_t)n : (uint64_t)n, sign_of(c, n < 0), 10);
}

static void put_unsigned(struct metrics__out *o, struct conversion *c, va_list *list)
{
    uint64_t n = c->size == 8 ? va_arg(*list, uint64_t) : va_arg(*list, unsigned);
    if (c->size == 1) n = (uint8_t)n;
    if (c->size == 2) n = (uint16_t)n;
    bool hex = c->what == 'x' || c->what == 'X';
    const char *prefix = hex && c->other && n ? (c->what == 'x' ? "0x" : "0X") : "";
    put_integer(o, c, n, prefix, hex ? 16 : c->what == 'o' ? 8 : 10);
}

static void put_pointer(struct metrics__out *o, struct conversion *c, const void *p)
{
    if (!p) {
        put_text(o, c, "(nil)", 5);
        return;
    }
    c->precision = -1;
    put_integer(o, c, (uintptr_t)p, "0x", 16);
}

/* --- Doubles --- */

/* n digits from `at` on of a number's digits; what is beyond them is zeros. */
static void put_places(struct metrics__out *o, const struct metrics__decimal *d, int at, int n)
{
    int have = METRICS__DECIMAL_DIGITS - at;
    if (at < 0) {
        int zeros = -at < n ? -at : n;
        repeat(o, '0', zeros);
        put_places(o, d, 0, n - zeros);
        return;
    }
    if (have < 0) have = 0;
    if (n <= 0) return;
    if (have) metrics__out_add(o, d->digits + at, (size_t)(n < have ? n : have));
    repeat(o, '0', n - have);
}

/* Digits before the point, after it, and the exponent's text, if it has one. */
static void put_decimal(struct metrics__out *o, const struct conversion *c, const struct metrics__decimal *d,
                        const char *sign, int before, int after, const char *exponent)
{
    int shown = before > 0 ? before : 1;
    bool point = after > 0 || c->other;
    long n = (long)strlen(sign) + shown + point + after + (long)strlen(exponent), blanks = c->width - n;
    if (!c->left && !c->zero) repeat(o, ' ', blanks);
    metrics__out_add(o, sign, strlen(sign));
    if (!c->left && c->zero) repeat(o, '0', blanks);
    if (before > 0)
        put_places(o, d, 0, before);
    else
        repeat(o, '0', 1);
    if (point) metrics__out_add(o, ".", 1);
    put_places(o, d, before, after);
    metrics__out_add(o, exponent, strlen(exponent));
    if (c->left) repeat(o, ' ', blanks);
}

static void put_fixed(struct metrics__out *o, const struct conversion *c, const struct metrics__decimal *d,
                      const char *sign, int after)
{
    put_decimal(o, c, d, sign, d->exponent + 1, after, "");
}

static void put_exponential(struct metrics__out *o, const struct conversion *c,
                            const struct metrics__decimal *d, const char *sign, int after)
{
    char text[8], *end = text + sizeof text - 1, *from;
    unsigned size = (unsigned)(d->exponent < 0 ? -d->exponent : d->exponent);
    *end = 0;
    from = write_digits(end, size, 10, false);
    while (end - from < 2) *--from = '0';
    *--from = d->exponent < 0 ? '-' : '+';
    *--from = c->what == 'E' || c->what == 'G' ? 'E' : 'e';
    put_decimal(o, c, d, sign, 1, after, from);
}

/* The shorter of the two, without zeros at the end unless # asks for them. */
static void put_general(struct metrics__out *o, const struct conversion *c, struct metrics__decimal *d,
                        const char *sign, int places)
{
    if (places == 0) places = 1;
    metrics__decimal_round(d, places);
    int shown = c->other ? places : metrics__decimal_places(d, places);
    if (d->exponent < -4 || d->exponent >= places)
        put_exponential(o, c, d, sign, shown - 1);
    else
        put_fixed(o, c, d, sign, shown > d->exponent + 1 ? shown - 1 - d->exponent : 0);
}

static void put_double(struct metrics__out *o, struct conversion *c, double x)
{
    struct metrics__decimal d;
    const char *sign = sign_of(c, __builtin_signbit(x));
    int precision = c->precision < 0 ? 6 : c->precision;
    if (!__builtin_isfinite(x)) {
        bool upper = c->what < 'a';
        c->zero = false;
        put_number(o, c, sign, 0, __builtin_isnan(x) ? (upper ? "NAN" : "nan") : upper ? "INF" : "inf", 3);
        return;
    }
    metrics__decimal_of(&d, __builtin_fabs(x));
    switch (c->what) {
    case 'f':
    case 'F':
        metrics__decimal_round(&d, d.exponent + 1 + precision);
        put_fixed(o, c, &d, sign, precision);
        break;
    case 'e':
    case 'E':
        metrics__decimal_round(&d, 1 + precision);
        put_exponential(o, c, &d, sign, precision);
        break;
    case 'a':
    case 'A': precision = METRICS__DECIMAL_DIGITS; /* fall through */
    default: put_general(o, c, &d, sign, precision);
    }
}

/* --- Texts --- */

static void put_string(struct metrics__out *o, const struct conversion *c, const char *text)
{
    if (!text) text = "(null)";
    put_text(o, c, text, c->precision < 0 ? strlen(text) : strnlen(text, (size_t)c->precision));
}

/* glibc 2.32 and later; it returns constants. Elsewhere the number has to do. */
extern const char *strerrordesc_np(int error) __attribute__((weak));

static void put_error(struct metrics__out *o, struct conversion *c, int error)
{
    const char *text = strerrordesc_np ? strerrordesc_np(error) : NULL;
    if (text) {
        put_string(o, c, text);
        return;
    }
    metrics__out_add(o, "error ", 6);
    put_integer(o, c, (unsigned)error, "", 10);
}

/* --- The format --- */

static const char *read_number(const char *at, int *n, va_list *list)
{
    if (*at == '*') {
        *n = va_arg(*list, int);
        return at + 1;
    }
    for (*n = 0; *at >= '0' && *at <= '9'; at++)
        if (*n < 100000) *n = *n * 10 + (*at - '0');
    return at;
}

static const char *read_flags(const char *at, struct conversion *c)
{
    for (;; at++) switch (*at) {
        case '-': c->left = true; break;
        case '0': c->zero = true; break;
        case '+': c->plus = true; break;
        case ' ': c->space = true; break;
        case '#': c->other = true; break;
        default: return at;
        }
}

static const char *read_size(const char *at, struct conversion *c)
{
    for (;; at++) switch (*at) {
        case 'h': c->size = c->size == 2 ? 1 : 2; break;
        case 'l':
        case 'j':
        case 'z':
        case 't':
        case 'q': c->size = 8; break;
        case 'L': c->size = 16; break;
        default: return at;
        }
}

static const char *read_conversion(const char *at, struct conversion *c, va_list *list)
{
    *c = (struct conversion){.precision = -1};
    at = read_number(read_flags(at, c), &c->width, list);
    if (c->width < 0) c->left = true, c->width = c->width == INT32_MIN ? 0 : -c->width;
    if (*at == '.') at = read_number(at + 1, &c->precision, list);
    at = read_size(at, c);
    c->what = *at;
    return *at ? at + 1 : at;
}

static void convert(struct metrics__out *o, struct conversion *c, va_list *list, int error)
{
    char one;
    switch (c->what) {
    case 'd':
    case 'i': put_signed(o, c, list); break;
    case 'u':
    case 'o':
    case 'x':
    case 'X': put_unsigned(o, c, list); break;
    case 'a':
    case 'A':
    case 'e':
    case 'E':
    case 'f':
    case 'F':
    case 'g':
    case 'G':
        put_double(o, c, c->size == 16 ? (double)va_arg(*list, long double) : va_arg(*list, double));
        break;
    case 'c':
        one = (char)va_arg(*list, int);
        put_text(o, c, &one, 1);
        break;
    case 's': put_string(o, c, va_arg(*list, const char *)); break;
    case 'p': put_pointer(o, c, va_arg(*list, void *)); break;
    case 'n': (void)va_arg(*list, void *); break;
    case 'm': put_error(o, c, error); break;
    case '%': metrics__out_add(o, "%", 1); break;
    default: metrics__out_add(o, "?", 1);
    }
}

void metrics__format(struct metrics__out *o, const char *format, va_list *list)
{
    struct conversion c;
    int error = errno;
    for (const char *at = format; *at;) {
        const char *percent = strchr(at, '%');
        metrics__out_add(o, at, percent ? (size_t)(percent - at) : strlen(at));
        if (!percent) return;
        at = read_conversion(percent + 1, &c, list);
        convert(o, &c, list, error);
    }
}
