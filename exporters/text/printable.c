/* SPDX-License-Identifier: Apache-2.0 */
#include "printable.h"

#include "json.h"

#include <string.h>

static bool is_control(unsigned char c)
{
    return c < ' ' || c == 127;
}

/* U+0080 to U+009F: some terminals obey them. */
static bool is_c1(const char *at, const char *end)
{
    return end - at > 1 && (unsigned char)at[0] == 0xc2 && (unsigned char)at[1] < 0xa0;
}

void printable(struct buf *out, const char *text, size_t n)
{
    struct buf valid = {0};
    jsonw_utf8(&valid, text, n);
    const char *at = buf_text(&valid), *end = at + valid.len;
    for (; at < end; at++) {
        bool c1 = is_c1(at, end);
        buf_char(out, c1 || is_control((unsigned char)*at) ? ' ' : *at);
        at += c1;
    }
    if (!buf_ok(&valid)) out->failed = true;
    buf_free(&valid);
}

void printable_lines(struct buf *out, const char *text, size_t n)
{
    for (const char *end = text + n, *newline; text < end; text = newline + 1) {
        newline = memchr(text, '\n', (size_t)(end - text));
        if (!newline) newline = end;
        printable(out, text, (size_t)(newline - text));
        if (newline < end) buf_char(out, '\n');
    }
}

void printable_buf(struct buf *b)
{
    struct buf clean = {0};
    printable(&clean, buf_text(b), b->len);
    buf_free(b);
    *b = clean;
}

bool printable_check(const char *text, struct buf *why)
{
    for (size_t i = 0; text[i]; i++) {
        if (!is_control((unsigned char)text[i])) continue;
        bool newline = text[i] == '\n' || text[i] == '\r';
        buf_printf(why, "byte %zu is a %s (0x%02x), which is not allowed", i + 1,
                   newline ? "newline" : "control character", (unsigned)text[i]);
        return false;
    }
    return true;
}

bool printable_check_utf8(const char *text, struct buf *why)
{
    struct buf clean = {0};
    size_t n = strlen(text);
    if (!printable_check(text, why)) return false;
    printable(&clean, text, n);
    size_t same = 0;
    while (same < n && same < clean.len && clean.data[same] == text[same]) same++;
    bool good = clean.len == n && same == n;
    if (!good)
        buf_printf(why, "byte %zu (0x%02x) is not UTF-8 or is a control character", same + 1,
                   (unsigned char)text[same]);
    buf_free(&clean);
    return good;
}
