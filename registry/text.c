/* SPDX-License-Identifier: Apache-2.0 */
#include "text.h"

#include <stdint.h>
#include <string.h>

#include <mtx/metrics.h>

/* The length of the sequence that begins at s, or 0. */
static size_t utf8_length(const unsigned char *s, size_t left)
{
    if (s[0] < 0x80) return 1;
    size_t n = s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : 2;
    if (s[0] < 0xc2 || s[0] > 0xf4 || n > left) return 0;
    for (size_t i = 1; i < n; i++)
        if ((s[i] & 0xc0) != 0x80) return 0;
    if (s[0] == 0xe0 && s[1] < 0xa0) return 0;
    if (s[0] == 0xed && s[1] > 0x9f) return 0;
    if (s[0] == 0xf0 && s[1] < 0x90) return 0;
    if (s[0] == 0xf4 && s[1] > 0x8f) return 0;
    return n;
}

bool metrics__is_utf8(const char *text, size_t n)
{
    const unsigned char *s = (const unsigned char *)text;
    for (size_t i = 0, step; i < n; i += step) {
        uint64_t word;
        if (n - i >= sizeof word &&
            (memcpy(&word, s + i, sizeof word), !(word & UINT64_C(0x8080808080808080))))
            step = sizeof word;
        else if (!(step = utf8_length(s + i, n - i)))
            return false;
    }
    return true;
}

void metrics__text_repair(char *text, size_t n)
{
    if (metrics__is_utf8(text, n)) return;
    for (size_t i = 0, step; i < n; i += step) {
        step = utf8_length((const unsigned char *)text + i, n - i);
        if (!step) text[i] = '?', step = 1;
    }
}

const char *metrics__text_wrong(const char *text, size_t n, bool value)
{
    if (n == 0 && !value) return "a name or tag key is empty";
    if (n > (value ? METRICS_VALUE_MAX : METRICS_NAME_MAX))
        return value ? "a tag value is longer than 1023 bytes" : "a name or key is longer than 255 bytes";
    if (!metrics__is_utf8(text, n)) return "a name or tag is not valid UTF-8";
    /* Tag values may be any text; names and keys have no control characters. */
    for (size_t i = 0; i < n && !value; i++)
        if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f) return "a name or key has a control character";
    return NULL;
}

size_t metrics__text_cut(const char *text, size_t most)
{
    size_t n = strnlen(text, most + 1);
    if (n <= most) return n;
    for (n = most; n && ((unsigned char)text[n] & 0xc0) == 0x80;) n--;
    return n;
}
