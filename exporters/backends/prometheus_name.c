/* SPDX-License-Identifier: Apache-2.0 */
#include "prometheus_name.h"

#include "digits.h"
#include "json.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Every name of a unit that is known, with its base unit. */
static const struct prometheus_spelling {
    const char *name, *base;
    double times, per;
} prometheus_spellings[] = {
    {"seconds", "seconds", 1, 1},
    {"second", "seconds", 1, 1},
    {"s", "seconds", 1, 1},
    {"milliseconds", "seconds", 1, 1e3},
    {"ms", "seconds", 1, 1e3},
    {"microseconds", "seconds", 1, 1e6},
    {"us", "seconds", 1, 1e6},
    {"nanoseconds", "seconds", 1, 1e9},
    {"ns", "seconds", 1, 1e9},
    {"minutes", "seconds", 60, 1},
    {"hours", "seconds", 3600, 1},
    {"days", "seconds", 86400, 1},
    {"bytes", "bytes", 1, 1},
    {"byte", "bytes", 1, 1},
    {"By", "bytes", 1, 1},
    {"kilobytes", "bytes", 1e3, 1},
    {"kibibytes", "bytes", 1024, 1},
    {"KiB", "bytes", 1024, 1},
    {"megabytes", "bytes", 1e6, 1},
    {"mebibytes", "bytes", 1048576, 1},
    {"MiB", "bytes", 1048576, 1},
    {"gigabytes", "bytes", 1e9, 1},
    {"gibibytes", "bytes", 1073741824, 1},
    {"GiB", "bytes", 1073741824, 1},
    {"bits", "bytes", 1, 8},
    {"ratio", "ratio", 1, 1},
    {"percent", "ratio", 1, 100},
    {"%", "ratio", 1, 100},
    {"celsius", "celsius", 1, 1},
    {"meters", "meters", 1, 1},
    {"grams", "grams", 1, 1},
    {"joules", "joules", 1, 1},
    {"volts", "volts", 1, 1},
    {"amperes", "amperes", 1, 1},
    {"watts", "watts", 1, 1},
    {"hertz", "hertz", 1, 1},
};

static const struct prometheus_spelling *prometheus_spelling(const char *unit)
{
    if (!*unit) return NULL;
    for (size_t i = 0; i < sizeof prometheus_spellings / sizeof *prometheus_spellings; i++)
        if (!strcmp(prometheus_spellings[i].name, unit)) return &prometheus_spellings[i];
    return NULL;
}

unsigned char prometheus_unit_number(const char *unit)
{
    const struct prometheus_spelling *s = prometheus_spelling(unit);
    return s ? (unsigned char)(s - prometheus_spellings + 1) : 0;
}

struct prometheus_unit prometheus_unit_numbered(unsigned char number)
{
    if (!number) return (struct prometheus_unit){"", 1, 1};
    const struct prometheus_spelling *s = &prometheus_spellings[number - 1];
    return (struct prometheus_unit){s->base, s->times, s->per};
}

struct prometheus_unit prometheus_unit(const char *unit)
{
    return prometheus_unit_numbered(prometheus_unit_number(unit));
}

/* Letters, digits and underscores, no two of them in a row, no digit first. */
static void prometheus_word(const char *name, struct buf *out)
{
    size_t from = out->len;
    if (isdigit((unsigned char)*name)) buf_char(out, '_');
    for (; *name; name++) {
        bool good = isascii((unsigned char)*name) && isalnum((unsigned char)*name);
        if (good)
            buf_char(out, *name);
        else if (out->len == from || out->data[out->len - 1] != '_')
            buf_char(out, '_');
    }
    if (out->len == from) buf_char(out, '_');
}

/* Cuts "_word" from the end, unless nothing would be left before it. */
static bool prometheus_cut(struct buf *out, size_t from, const char *word)
{
    size_t n = strlen(word), len = out->len - from;
    if (!n || len < n + 2 || strcmp(out->data + out->len - n, word) || out->data[out->len - n - 1] != '_')
        return false;
    buf_cut(out, out->len - n - 1);
    return true;
}

void prometheus_family_name(const char *name, const char *unit, const char *part, struct buf *out)
{
    size_t from = out->len;
    const struct prometheus_spelling *s = prometheus_spelling(unit);
    prometheus_word(name, out);
    if (out->failed) return;
    prometheus_cut(out, from, "total");
    if (s && !prometheus_cut(out, from, s->base)) prometheus_cut(out, from, s->name);
    /* A name that consists of its unit alone has it once. */
    bool whole = s && !strcmp(out->data + from, s->base);
    if (*part) buf_printf(out, "_%s", part);
    if (s && (*part || !whole)) buf_printf(out, "_%s", s->base);
}

void prometheus_label_name(const char *key, struct buf *out)
{
    static const char *const taken[] = {"le", "quantile", "mtx_name", NULL};
    size_t from = out->len;
    prometheus_word(key, out);
    if (out->failed) return;
    bool reserved = !strncmp(key, "__", 2);
    for (int i = 0; taken[i]; i++) reserved |= !strcmp(out->data + from, taken[i]);
    if (!reserved) return;
    char *word = strdup(out->data + from);
    buf_cut(out, from);
    buf_printf(out, "tag%s%s", word && *word == '_' ? "" : "_", word ? word : "");
    if (!word) out->failed = true;
    free(word);
}

static void prometheus_escape(const char *text, const char *what, struct buf *out)
{
    struct buf valid = {0};
    jsonw_utf8(&valid, text, strlen(text));
    if (!buf_ok(&valid)) out->failed = true;
    for (const char *c = buf_text(&valid); *c; c++) {
        if (strchr(what, *c)) {
            buf_char(out, '\\');
            buf_char(out, *c == '\n' ? 'n' : *c);
        } else {
            buf_char(out, *c);
        }
    }
    buf_free(&valid);
}

bool prometheus_is_plain(const char *text)
{
    for (; *text; text++)
        if (*text < ' ' || *text > '~' || *text == '"' || *text == '\\') return false;
    return true;
}

void prometheus_label_value(const char *value, struct buf *out)
{
    if (prometheus_is_plain(value))
        buf_str(out, value); /* nearly all of them */
    else
        prometheus_escape(value, "\\\"\n", out);
}

void prometheus_help(const char *help, bool openmetrics, struct buf *out)
{
    prometheus_escape(help, openmetrics ? "\\\"\n" : "\\\n", out);
}

/* n digits with a point after the first, and an exponent of two digits or more. */
static void prometheus_exponent(const char *digits, int n, int exponent, struct buf *out)
{
    buf_char(out, digits[0]);
    if (n > 1) {
        buf_char(out, '.');
        buf_mem(out, digits + 1, (size_t)n - 1);
    }
    buf_char(out, 'e');
    buf_char(out, exponent < 0 ? '-' : '+');
    if (abs(exponent) < 10) buf_char(out, '0');
    buf_u64(out, (uint64_t)abs(exponent));
}

void prometheus_number(double v, struct buf *out)
{
    char digits[DIGITS_MOST];
    if (!isfinite(v) || v == 0) {
        if (v == 0)
            buf_str(out, "0.0");
        else
            buf_f64(out, v);
        return;
    }
    struct digits d = digits_shortest(fabs(v));
    int n = (int)(digits_u64(digits, d.digits) - digits), point = d.exponent + n;
    if (v < 0) buf_char(out, '-');
    if (point - 1 < -4 || point > 6) {
        prometheus_exponent(digits, n, point - 1, out);
    } else if (point <= 0) {
        buf_mem(out, "0.0000", 2 + (size_t)-point);
        buf_mem(out, digits, (size_t)n);
    } else if (n <= point) {
        buf_mem(out, digits, (size_t)n);
        buf_fill(out, '0', (size_t)(point - n));
        buf_mem(out, ".0", 2);
    } else {
        buf_mem(out, digits, (size_t)point);
        buf_char(out, '.');
        buf_mem(out, digits + point, (size_t)(n - point));
    }
}
