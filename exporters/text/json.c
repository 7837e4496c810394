/* SPDX-License-Identifier: Apache-2.0 */
#include "json.h"

#include <math.h>
#include <string.h>

static const char jsonw_replacement[] = "\xef\xbf\xbd";

/* The length in bytes of the well-formed UTF-8 sequence at `s`, or 0 if there is none. Unicode table 3-7: no
 * overlong form, no surrogate, nothing above U+10FFFF. */
static size_t jsonw_sequence(const unsigned char *s, size_t n)
{
    unsigned char low = 0x80, high = 0xbf;
    size_t len;
    if (s[0] < 0x80) return 1;
    if (s[0] >= 0xc2 && s[0] <= 0xdf)
        len = 2;
    else if (s[0] >= 0xe0 && s[0] <= 0xef)
        len = 3;
    else if (s[0] >= 0xf0 && s[0] <= 0xf4)
        len = 4;
    else
        return 0;
    if (s[0] == 0xe0) low = 0xa0;
    if (s[0] == 0xed) high = 0x9f;
    if (s[0] == 0xf0) low = 0x90;
    if (s[0] == 0xf4) high = 0x8f;
    if (n < len || s[1] < low || s[1] > high) return 0;
    for (size_t i = 2; i < len; i++)
        if (s[i] < 0x80 || s[i] > 0xbf) return 0;
    return len;
}

void jsonw_utf8(struct buf *out, const char *s, size_t n)
{
    size_t from = 0, at = 0;
    while (at < n) {
        size_t len = jsonw_sequence((const unsigned char *)s + at, n - at);
        if (!len) {
            buf_mem(out, s + from, at - from);
            buf_str(out, jsonw_replacement);
            from = at + 1;
        }
        at += len ? len : 1;
    }
    buf_mem(out, s + from, n - from);
}

/* The escape of a byte that a JSON string must not contain as it is; NULL for all other bytes. */
static const char *jsonw_escape_of(unsigned char c, char text[7])
{
    static const char hex[] = "0123456789abcdef";
    switch (c) {
    case '"': return "\\\"";
    case '\\': return "\\\\";
    case '\n': return "\\n";
    case '\r': return "\\r";
    case '\t': return "\\t";
    }
    if (c >= 0x20 && c != 0x7f) return NULL;
    memcpy(text, "\\u00", 4);
    text[4] = hex[c >> 4];
    text[5] = hex[c & 15];
    text[6] = '\0';
    return text;
}

static bool jsonw_plain(unsigned char c)
{
    return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
}

/* The same for eight bytes at once: the top bit of each byte of `bad` is set if that byte is not plain. See
 * "Bit Twiddling Hacks", determine if a word has a zero byte: it may also set the bit of a byte above a right
 * one, which does no harm here. */
static bool jsonw_plain_word(const char *s)
{
    const uint64_t ones = UINT64_C(0x0101010101010101), tops = ones << 7;
    uint64_t w;
    memcpy(&w, s, sizeof w);
    uint64_t quote = w ^ ones * '"', slash = w ^ ones * '\\', del = w ^ ones * 0x7f;
    uint64_t bad = ((w - ones * 0x20) & ~w) | ((quote - ones) & ~quote) | ((slash - ones) & ~slash) |
                   ((del - ones) & ~del) | w;
    return !(bad & tops);
}

/* How many bytes at `s` are plain. */
static size_t jsonw_run(const char *s, size_t n)
{
    size_t at = 0;
    while (n - at >= 8 && jsonw_plain_word(s + at)) at += 8;
    while (at < n && jsonw_plain((unsigned char)s[at])) at++;
    return at;
}

void jsonw_escape(struct buf *out, const char *s, size_t n)
{
    size_t from = 0, at = 0;
    while (at < n) {
        char text[7];
        at += jsonw_run(s + at, n - at);
        if (at == n) break;
        const char *instead = jsonw_escape_of((unsigned char)s[at], text);
        size_t len = jsonw_sequence((const unsigned char *)s + at, n - at);
        if (!len) instead = jsonw_replacement;
        if (instead) {
            buf_mem(out, s + from, at - from);
            buf_str(out, instead);
            from = at + 1;
        }
        at += len ? len : 1;
    }
    buf_mem(out, s + from, n - from);
}

void jsonw_begin(struct json *j, struct buf *out)
{
    *j = (struct json){.out = out, .first = true};
}

static bool jsonw_in_object(const struct json *j)
{
    return j->depth && (j->object >> (j->depth - 1) & 1);
}

/* Each value begins here: writes the comma, and checks that a value is allowed at this place. */
static void jsonw_value(struct json *j)
{
    if (jsonw_in_object(j) && !j->named) j->out->failed = true;
    if (!j->named && !j->first && j->depth) buf_char(j->out, ',');
    j->first = j->named = false;
}

static void jsonw_open(struct json *j, char bracket)
{
    jsonw_value(j);
    if (j->depth == JSON_DEPTH) {
        j->out->failed = true;
        return;
    }
    uint32_t bit = UINT32_C(1) << j->depth++;
    j->object = bracket == '{' ? j->object | bit : j->object & ~bit;
    j->first = true;
    buf_char(j->out, bracket);
}

static void jsonw_close(struct json *j, char bracket)
{
    if (!j->depth || j->named || jsonw_in_object(j) != (bracket == '}')) {
        j->out->failed = true;
        return;
    }
    j->depth--;
    j->first = false;
    buf_char(j->out, bracket);
}

void jsonw_object(struct json *j)
{
    jsonw_open(j, '{');
}

void jsonw_object_end(struct json *j)
{
    jsonw_close(j, '}');
}

void jsonw_array(struct json *j)
{
    jsonw_open(j, '[');
}

void jsonw_array_end(struct json *j)
{
    jsonw_close(j, ']');
}

void jsonw_key(struct json *j, const char *key)
{
    if (!jsonw_in_object(j) || j->named) j->out->failed = true;
    if (!j->first) buf_char(j->out, ',');
    j->first = false;
    j->named = true;
    buf_char(j->out, '"');
    jsonw_escape(j->out, key, strlen(key));
    buf_str(j->out, "\":");
}

void jsonw_mem(struct json *j, const char *s, size_t n)
{
    jsonw_value(j);
    buf_char(j->out, '"');
    jsonw_escape(j->out, s, n);
    buf_char(j->out, '"');
}

void jsonw_str(struct json *j, const char *s)
{
    jsonw_mem(j, s, strlen(s));
}

void jsonw_u64(struct json *j, uint64_t v)
{
    jsonw_value(j);
    buf_u64(j->out, v);
}

void jsonw_i64(struct json *j, int64_t v)
{
    jsonw_value(j);
    buf_i64(j->out, v);
}

void jsonw_f64(struct json *j, double v)
{
    jsonw_value(j);
    if (isfinite(v))
        buf_f64(j->out, v);
    else
        buf_str(j->out, "null");
}

void jsonw_float(struct json *j, double v)
{
    jsonw_value(j);
    if (isfinite(v))
        buf_float(j->out, v);
    else
        buf_str(j->out, "null");
}

void jsonw_bool(struct json *j, bool v)
{
    jsonw_value(j);
    buf_str(j->out, v ? "true" : "false");
}

void jsonw_null(struct json *j)
{
    jsonw_value(j);
    buf_str(j->out, "null");
}

void jsonw_key_str(struct json *j, const char *key, const char *s)
{
    jsonw_key(j, key);
    jsonw_str(j, s);
}

void jsonw_key_u64(struct json *j, const char *key, uint64_t v)
{
    jsonw_key(j, key);
    jsonw_u64(j, v);
}

void jsonw_key_f64(struct json *j, const char *key, double v)
{
    jsonw_key(j, key);
    jsonw_f64(j, v);
}

void jsonw_key_raw(struct json *j, const char *key, const char *json)
{
    jsonw_key(j, key);
    jsonw_value(j);
    buf_str(j->out, json);
}

bool jsonw_complete(const struct json *j)
{
    return !j->depth && !j->named && !j->first && buf_ok(j->out);
}
