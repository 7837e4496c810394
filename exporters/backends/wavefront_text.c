/* SPDX-License-Identifier: Apache-2.0 */
/* wavefront_text.c - names and texts of lines, made so that every receiver reads them as one word. */
#include "wavefront.h"

#include <ctype.h>
#include <string.h>
#include <unictype.h>
#include <unistr.h>

size_t wavefront_sign(const char *name)
{
    return !strncmp(name, "\xe2\x88\x86", 3) ? 3 : !strncmp(name, "\xce\x94", 2) ? 2 : 0;
}

static bool is_plain(unsigned char c)
{
    return c && c < 128 && (isalnum(c) || strchr(",-._", c));
}

/* Letters, digits, comma, dash, point, underscore; any other character becomes a dash, but for a leading ~ or
 * delta sign, and a ~ after that. */
void wavefront_put_name(struct buf *out, const char *name, bool delta)
{
    size_t sign = wavefront_sign(name);
    buf_char(out, '"');
    if (sign)
        buf_mem(out, name, sign);
    else if (delta)
        buf_str(out, "\xe2\x88\x86");
    name += sign;
    if (*name == '~') buf_char(out, *name++);
    while (*name) {
        size_t plain = 0;
        while (is_plain((unsigned char)name[plain])) plain++;
        buf_mem(out, name, plain);
        name += plain;
        if (!*name) break;
        /* One dash for a character, however many bytes it has. */
        if (((unsigned char)*name++ & 0xc0) != 0x80) buf_char(out, '-');
    }
    buf_char(out, '"');
}

/* The bytes of the blank at the beginning of a text, 0 if it begins with anything else. Receivers cut these off:
 * Unicode's blanks, the separators 28 to 31, and 4, which ends a line for them. */
static size_t blank_at(const char *text)
{
    ucs4_t c;
    int n = u8_strmbtouc(&c, (const uint8_t *)text);
    return n > 0 && (uc_is_property_white_space(c) || (c >= 28 && c <= 31) || c == 4) ? (size_t)n : 0;
}

/* A text without the blanks at both ends. */
const char *wavefront_trim(const char *text, size_t *n)
{
    for (size_t blank; (blank = blank_at(text));) text += blank;
    *n = 0;
    for (size_t at = 0, blank; text[at]; at += blank ? blank : 1)
        if (!(blank = blank_at(text + at))) *n = at + 1;
    return text;
}

bool wavefront_is_blank(const char *text)
{
    size_t n;
    wavefront_trim(text, &n);
    return n == 0;
}

/* Quotes and newlines are escaped. A backslash at the end would escape the closing quote. */
size_t wavefront_put_text(struct buf *out, const char *text, size_t most)
{
    size_t n;
    text = wavefront_trim(text, &n);
    if (n > most) n = most;
    buf_char(out, '"');
    for (size_t i = 0; i < n; i++) {
        size_t plain = strcspn(text + i, "\"\n\4");
        if (plain > n - i) plain = n - i;
        buf_mem(out, text + i, plain);
        i += plain;
        if (i == n) break;
        /* For a receiver, 4 ends a line. */
        buf_str(out, text[i] == '"' ? "\\\"" : text[i] == '\n' ? "\\n" : " ");
    }
    if (n && text[n - 1] == '\\') buf_char(out, ' ');
    buf_char(out, '"');
    return n;
}
