/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wavefront_line.c - the grammar of the lines, and the checks after it. As in a proxy, a line that cannot be parsed is
 * checked no further, and of several faults the one that is looked for first counts.
 */
#include "wavefront_line.h"

#include "quantity.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

const char *const wavefront_formats[] = {"auto",     "metric", "histogram", "trace",
                                         "spanLogs", "event",  "sourceTag", NULL};
const struct wavefront_lengths wavefront_tenant = {256, 256, 128, 20, 64, 255};
const struct wavefront_lengths wavefront_fallback = {1023, 1023, 1023, 100, 253, 255};
static const struct wavefront_lengths span_lengths = {128, 128, 128, 20, 128, 128};

enum {
    LINE_METRIC_MOST = 32768,
    LINE_HISTOGRAM_MOST = 65536,
    LINE_TRACE_MOST = 1 << 20,
    LINE_PAIR_MOST = 255
};
#define DAY (UINT64_C(86400) * 1000000000)

/* --- Tokens --- */

struct parse {
    const struct wavefront_check *check;
    const char *line, *at, *end;
    const char *begin; /* of the last token */
    bool quoted;       /* it was in quotes */
    struct buf text;   /* of the last token, without quotes */
    struct wavefront_fault *fault;
};

static void place(struct parse *p, const char *at, int code, const char *why)
{
    buf_reset(&p->fault->why);
    p->fault->code = code;
    p->fault->column = 1;
    for (const char *c = p->line; c < at; c++) p->fault->column += ((unsigned char)*c & 0xc0) != 0x80;
    buf_str(&p->fault->why, why);
}

/* The line cannot be parsed, from this place on: whatever else is wrong is not looked at. */
static bool wrong(struct parse *p, const char *at, const char *why)
{
    if (p->fault->code != 300) place(p, at, 300, why);
    return false;
}

/* Which check comes first in the receiver: time, source, name, number of tags, each tag, value. */
static int rank(int code)
{
    static const int order[] = {402, 406, 426, 407, 427, 408, 409, 428, 400, 410, 430};
    for (int i = 0; i < (int)(sizeof order / sizeof *order); i++)
        if (order[i] == code) return i;
    return code == 404 || code == 405 ? 100 : 50;
}

/* The line is parsed to its end, and would be refused then. Of several such faults, the receiver's first check counts. */
static bool refuse(struct parse *p, const char *at, int code, const char *why)
{
    if (!p->fault->code || (p->fault->code != 300 && rank(code) < rank(p->fault->code)))
        place(p, at, code, why);
    return true;
}

static void skip_blanks(struct parse *p)
{
    while (p->at < p->end && (*p->at == ' ' || *p->at == '\t')) p->at++;
}

static bool is_end(struct parse *p)
{
    skip_blanks(p);
    return p->at == p->end;
}

/* Up to the next such quote that is not preceded by a backslash. */
static bool quoted_token(struct parse *p)
{
    char quote = *p->at++;
    for (; p->at < p->end && !(*p->at == quote && p->at[-1] != '\\'); p->at++) {
        if (*p->at == '\\' && p->at + 1 < p->end && p->at[1] == quote) continue;
        buf_char(&p->text, *p->at);
    }
    if (p->at == p->end) return wrong(p, p->begin, "this quote has no end");
    p->at++;
    return true;
}

/* The next token; false at the end, or after a fault. */
static bool token(struct parse *p)
{
    if (is_end(p)) return false;
    buf_reset(&p->text);
    p->begin = p->at;
    p->quoted = *p->at == '"' || *p->at == '\'';
    if (p->quoted) return quoted_token(p);
    if (strchr("=#", *p->at)) {
        buf_char(&p->text, *p->at++);
        return true;
    }
    while (p->at < p->end && !strchr(" \t=#\"", *p->at)) buf_char(&p->text, *p->at++);
    return true;
}

static const char *text(const struct parse *p)
{
    return buf_text(&p->text);
}

/* True if the next token is that character, which is taken. */
static bool takes(struct parse *p, char c)
{
    skip_blanks(p);
    if (p->at == p->end || *p->at != c) return false;
    p->at++;
    return true;
}

/* --- Checks of a token --- */

/* In UTF-16 units. */
static size_t length(const char *s)
{
    size_t n = 0;
    for (; *s; s++) n += ((unsigned char)*s & 0xc0) != 0x80 ? (unsigned char)*s >= 0xf0 ? 2 : 1 : 0;
    return n;
}

static bool is_blank(const char *s)
{
    return !s[strspn(s, " \t\r\n")];
}

/* How many bytes the sign of a delta counter has. */
static size_t delta_sign(const char *name)
{
    return !strncmp(name, "\xe2\x88\x86", 3) ? 3 : !strncmp(name, "\xce\x94", 2) ? 2 : 0;
}

static bool is_legal(const char *name)
{
    static const char legal[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789,-._/";
    name += delta_sign(name);
    name += *name == '~';
    return *name && !name[strspn(name, legal)];
}

/* A number as Java reads it. */
static bool is_number(const char *s, double *value)
{
    char *end;
    const char *digits = s + (*s == '-' || *s == '+');
    *value = strtod(s, &end);
    if (!strcmp(digits, "NaN") || !strcmp(digits, "Infinity")) return true;
    if (!(*digits >= '0' && *digits <= '9') && *digits != '.') return false;
    if (end != s && *end && strchr("fFdD", *end)) end++;
    return end != s && !*end;
}

/* A count since 1970, in the unit that its size says. */
static uint64_t instant(double v)
{
    return (uint64_t)(v < 1e12 ? v * 1e9 : v < 1e13 ? v * 1e6 : v < 1e16 ? v * 1e3 : v < 1.8e19 ? v : 1.8e19);
}

static bool check_time(struct parse *p, double v, bool past)
{
    uint64_t t = v < 1e12 && v > 1e10 ? UINT64_MAX : instant(v), now = p->check->now_ns;
    if (t > now + DAY) return refuse(p, p->begin, 402, "this time is more than 24 hours ahead");
    if (past && t + 365 * DAY < now) return refuse(p, p->begin, 402, "this time is more than a year ago");
    return true;
}

/* --- Source and tags --- */

/* What the pairs after a metric, a distribution or a span say. */
struct pairs {
    const struct wavefront_lengths *lengths;
    bool span;
    size_t tags;
    bool trace_id, span_id;
    struct buf keys; /* of a metric's tags, each ended by a NUL: the last value of a key wins there */
};

static bool check_source(struct parse *p, const struct pairs *pairs)
{
    if (is_blank(text(p))) return refuse(p, p->begin, pairs->span ? 426 : 406, "the source is blank");
    if (length(text(p)) <= pairs->lengths->source) return true;
    return refuse(p, p->begin, pairs->span ? 427 : 407, "the source is too long");
}

static bool check_tag(struct parse *p, const struct pairs *pairs, const char *key_at, const char *key)
{
    const struct wavefront_lengths *most = pairs->lengths;
    if (!pairs->span && length(key) + length(text(p)) >= LINE_PAIR_MOST)
        return refuse(p, key_at, 411, "key and value of this tag are too long together");
    if (length(key) > most->key)
        return refuse(p, key_at, pairs->span ? 432 : 412, "the key of this tag is too long");
    if (!is_legal(key))
        return refuse(p, key_at, pairs->span ? 416 : 401, "the key of this tag has an illegal character");
    if (is_blank(text(p)))
        return refuse(p, p->begin, pairs->span ? 434 : 414, "the value of this tag is blank");
    if (!pairs->span && length(text(p)) > most->value)
        return refuse(p, p->begin, 413, "the value of this tag is too long");
    return true;
}

static bool is_reference(const char *key)
{
    return !strcmp(key, "parent") || !strcmp(key, "followsFrom");
}

/* Counts a tag; a key of a metric that comes again counts once. */
static void count_tag(struct parse *p, struct pairs *pairs, const char *key_at, const char *key)
{
    const char *known = buf_text(&pairs->keys);
    for (size_t at = 0; at < pairs->keys.len && !pairs->span; at += strlen(known + at) + 1)
        if (!strcmp(known + at, key)) return;
    if (!pairs->span) buf_mem(&pairs->keys, key, strlen(key) + 1);
    if (++pairs->tags > pairs->lengths->tags)
        refuse(p, key_at, pairs->span ? 430 : 410, "there are too many tags");
}

/* The pair whose key was the last token. */
static bool pair(struct parse *p, struct pairs *pairs)
{
    const char *key_at = p->begin;
    char *key = strdup(text(p));
    bool good = key && (takes(p, '=') || wrong(p, p->at, "a = is expected here"));
    if (good && !token(p)) good = wrong(p, p->at, "a value is expected here");
    if (good && (!strcmp(key, "source") || !strcmp(key, "host"))) {
        check_source(p, pairs);
    } else if (good && pairs->span && (!strcmp(key, "traceId") || !strcmp(key, "spanId"))) {
        *(key[0] == 't' ? &pairs->trace_id : &pairs->span_id) = true;
    } else if (good && !(pairs->span && is_reference(key))) {
        check_tag(p, pairs, key_at, key);
        count_tag(p, pairs, key_at, key);
    }
    free(key);
    return good;
}

static bool all_pairs(struct parse *p, struct pairs *pairs)
{
    bool good = true;
    while (good && !is_end(p)) good = token(p) && pair(p, pairs);
    buf_free(&pairs->keys);
    return good;
}

/* --- Metrics and distributions --- */

static bool check_name(struct parse *p, size_t most, int code)
{
    if (is_blank(text(p))) return wrong(p, p->begin, "the name is blank");
    if (length(text(p)) > most) return refuse(p, p->begin, code, "the name is too long");
    return is_legal(text(p)) || refuse(p, p->begin, 400, "the name has an illegal character");
}

/* A time may follow: what begins with a digit, in quotes or not. */
static bool optional_time(struct parse *p)
{
    double v;
    skip_blanks(p);
    if (p->at == p->end || !(*p->at >= '0' && *p->at <= '9')) return true;
    if (!token(p)) return false;
    if (!is_number(text(p), &v)) return wrong(p, p->begin, "this is not a time");
    return check_time(p, v, true);
}

static bool metric(struct parse *p)
{
    struct pairs pairs = {.lengths = p->check->lengths};
    double value;
    if (!token(p) || !check_name(p, pairs.lengths->name, 408)) return false;
    bool delta = delta_sign(text(p)) > 0;
    if (!token(p)) return wrong(p, p->at, "a value is expected here");
    const char *value_at = p->begin;
    if (!is_number(text(p), &value))
        return wrong(p, p->begin, "this is not a number (NaN and Infinity are written so)");
    if (!optional_time(p) || !all_pairs(p, &pairs)) return false;
    return !delta || value > 0 || refuse(p, value_at, 404, "a delta counter's value is greater than 0");
}

/* "#count mean", as often as it comes. */
static bool centroids(struct parse *p, size_t *counted)
{
    int64_t count;
    double mean;
    while (takes(p, '#')) {
        if (!token(p) || !quantity_integer(text(p), &count) || count != (int32_t)count)
            return wrong(p, p->begin, "a count is a whole number of 32 bits");
        if (!token(p) || !is_number(text(p), &mean)) return wrong(p, p->at, "a mean is expected here");
        *counted += count != 0;
    }
    return true;
}

static bool histogram(struct parse *p)
{
    struct pairs pairs = {.lengths = p->check->lengths};
    size_t counted = 0;
    if (!token(p) || text(p)[0] != '!' || !strchr("MHD", text(p)[1]) || p->text.len != 2)
        return wrong(p, p->line, "a distribution begins with !M, !H or !D");
    if (!optional_time(p)) return false;
    skip_blanks(p);
    const char *at = p->at;
    if (at == p->end || *at != '#') return wrong(p, at, "a centroid is expected here: #count mean");
    if (!centroids(p, &counted)) return false;
    if (!token(p)) return wrong(p, p->at, "a name is expected here");
    if (!check_name(p, pairs.lengths->distribution, 409) || !all_pairs(p, &pairs)) return false;
    return counted > 0 || refuse(p, at, 405, "the distribution is empty");
}

/* --- Spans --- */

static bool is_digits(const char *s)
{
    return *s && !s[strspn(s, "0123456789")];
}

/* The pairs end where a token of digits is. */
static bool span_pairs(struct parse *p, struct pairs *pairs)
{
    while (token(p)) {
        if (is_digits(text(p)) && !p->quoted) return true;
        if (!pair(p, pairs)) return false;
    }
    return wrong(p, p->at, "the start and the duration are expected here, in whole milliseconds");
}

static bool span(struct parse *p)
{
    struct pairs pairs = {.lengths = &span_lengths, .span = true};
    if (!token(p) || is_blank(text(p))) return wrong(p, p->line, "a span begins with its name");
    if (length(text(p)) > span_lengths.name) refuse(p, p->begin, 428, "the name is too long");
    if (!span_pairs(p, &pairs) || !check_time(p, strtod(text(p), NULL), false)) return false;
    if (takes(p, '=')) return wrong(p, p->begin, "a key of digits ends the tags");
    bool more = !is_end(p) && token(p);
    if (!more || !is_digits(text(p)))
        return wrong(p, more ? p->begin : p->at, "the duration is expected here, in whole milliseconds");
    if (!is_end(p)) return wrong(p, p->at, "nothing may follow the duration");
    if (!pairs.trace_id) return wrong(p, p->line, "there is no traceId");
    return pairs.span_id || wrong(p, p->line, "there is no spanId");
}

static bool span_log_entries(struct parse *p, const json_t *logs)
{
    json_t *one, *value;
    const char *key;
    size_t i;
    json_array_foreach((json_t *)(uintptr_t)logs, i, one)
    {
        if (!json_is_integer(json_object_get(one, "timestamp")))
            return wrong(p, p->line, "a log's timestamp is a whole number of microseconds");
        json_object_foreach(json_object_get(one, "fields"), key,
                            value) if (!json_is_string(value)) return wrong(p, p->line,
                                                                            "the fields of a log are texts");
    }
    return true;
}

static bool span_logs(struct parse *p)
{
    json_error_t error;
    json_t *root = json_loadb(p->line, (size_t)(p->end - p->line), 0, &error);
    const json_t *logs = json_object_get(root, "logs");
    bool good = true;
    if (!root)
        good = wrong(p, p->line + (error.position > 0 ? error.position - 1 : 0), error.text);
    else if (!json_is_string(json_object_get(root, "traceId")) ||
             !json_is_string(json_object_get(root, "spanId")))
        good = wrong(p, p->line, "traceId and spanId are texts");
    else if (!json_is_array(logs))
        good = wrong(p, p->line, "logs is a list");
    else
        good = span_log_entries(p, logs);
    json_decref(root);
    return good;
}

/* --- Events, tags of sources --- */

static bool event(struct parse *p)
{
    double start, end;
    if (!token(p) || strcmp(text(p), "@Event")) return wrong(p, p->line, "an event begins with @Event");
    if (!token(p) || !is_number(text(p), &start) || start <= 0)
        return wrong(p, p->begin, "the start is a time");
    if (!token(p)) return wrong(p, p->at, "a name is expected here");
    if (!p->quoted && is_number(text(p), &end) && !token(p))
        return wrong(p, p->at, "a name is expected here");
    if (is_blank(text(p))) return wrong(p, p->begin, "the name is blank");
    while (!is_end(p)) {
        if (!token(p) || !is_legal(text(p))) return wrong(p, p->begin, "a key is expected here");
        if (!takes(p, '=')) return wrong(p, p->at, "a = is expected here");
        if (!token(p)) return wrong(p, p->at, "a value is expected here");
        if (is_blank(text(p))) return wrong(p, p->begin, "this value is blank");
    }
    return true;
}

/* "action=add"; the value is in the last token. */
static bool given(struct parse *p, const char *key)
{
    if (!token(p) || strcmp(text(p), key))
        return wrong(p, p->begin, "action=... and source=... are expected here");
    return (takes(p, '=') && token(p)) || wrong(p, p->at, "a value is expected here");
}

static bool source_tag(struct parse *p)
{
    if (!token(p) || (strcmp(text(p), "@SourceTag") && strcmp(text(p), "@SourceDescription")))
        return wrong(p, p->line, "this line begins with @SourceTag or @SourceDescription");
    bool tags = !strcmp(text(p), "@SourceTag");
    if (!given(p, "action")) return false;
    bool add = !strcmp(text(p), "add"), save = !strcmp(text(p), "save"), removes = !strcmp(text(p), "delete");
    if (!save && !removes && !(add && tags))
        return wrong(p, p->begin, "the action is add, save or delete; of a description save or delete");
    if (!given(p, "source")) return false;
    if (is_blank(text(p))) return wrong(p, p->begin, "the source is blank");
    size_t words = 0;
    for (; token(p); words++) continue;
    if (p->fault->code) return false;
    if (tags) return words > 0 || wrong(p, p->at, "a tag is expected here");
    return words == (save ? 1u : 0u) || wrong(p, p->at, "one text is expected after save, none after delete");
}

/* --- A line --- */

static enum wavefront_format format_of(const char *line, size_t n)
{
    static const struct {
        const char *begin;
        enum wavefront_format format;
    } known[] = {{"@Event", WAVEFRONT_EVENT},
                 {"@SourceTag", WAVEFRONT_SOURCE_TAG},
                 {"@SourceDescription", WAVEFRONT_SOURCE_TAG},
                 {"!M ", WAVEFRONT_HISTOGRAM},
                 {"!H ", WAVEFRONT_HISTOGRAM},
                 {"!D ", WAVEFRONT_HISTOGRAM}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (n > strlen(known[i].begin) && !strncmp(line, known[i].begin, strlen(known[i].begin)))
            return known[i].format;
    return n > 1 && line[0] == '{' && line[n - 1] == '}' ? WAVEFRONT_SPAN_LOGS : WAVEFRONT_METRIC;
}

static const size_t most_bytes[] = {
    [WAVEFRONT_METRIC] = LINE_METRIC_MOST, [WAVEFRONT_HISTOGRAM] = LINE_HISTOGRAM_MOST,
    [WAVEFRONT_TRACE] = LINE_TRACE_MOST,   [WAVEFRONT_SPAN_LOGS] = LINE_METRIC_MOST,
    [WAVEFRONT_EVENT] = LINE_METRIC_MOST,  [WAVEFRONT_SOURCE_TAG] = LINE_METRIC_MOST};

static bool check_bytes(struct parse *p, enum wavefront_format format)
{
    size_t n = (size_t)(p->end - p->line);
    json_t *utf8 = n <= most_bytes[format] ? json_stringn(p->line, n) : NULL;
    const char *stop = memchr(p->line, 4, n), *nul = memchr(p->line, 0, n);
    json_decref(utf8);
    if (n > most_bytes[format]) {
        wrong(p, p->line, "the line is too long: ");
        buf_printf(&p->fault->why, "it has %zu bytes, at most %zu are read", n, most_bytes[format]);
    } else if (!utf8)
        wrong(p, p->line, "the line is not UTF-8");
    else if (stop || nul)
        wrong(p, stop ? stop : nul, "this control character ends the line");
    return !p->fault->code;
}

bool wavefront_line(const struct wavefront_check *check, const char *line, size_t n,
                    struct wavefront_fault *fault)
{
    static bool (*const readers[])(struct parse *) = {
        [WAVEFRONT_METRIC] = metric, [WAVEFRONT_HISTOGRAM] = histogram,
        [WAVEFRONT_TRACE] = span,    [WAVEFRONT_SPAN_LOGS] = span_logs,
        [WAVEFRONT_EVENT] = event,   [WAVEFRONT_SOURCE_TAG] = source_tag};
    *fault = (struct wavefront_fault){.code = 0};
    if (n && line[n - 1] == '\r') n--;
    enum wavefront_format format = check->format ? check->format : format_of(line, n);
    struct parse p = {
        .check = check, .line = line, .at = line, .end = line + n, .begin = line, .fault = fault};
    if (!check_bytes(&p, format)) return false;
    bool good = is_end(&p) || readers[format](&p);
    good = good && !fault->code;
    if (!good && !fault->code) wrong(&p, p.at, "the line ends here too early");
    if (!good && !check->format && format == WAVEFRONT_METRIC && memmem(line, n, "traceId=", 8))
        buf_str(&fault->why, "; a span needs format=trace, and a port for traces");
    buf_free(&p.text);
    return good;
}

void wavefront_quote(struct buf *out, const char *words)
{
    size_t n = strlen(words);
    while (n && strchr(" \t\r\n", *words)) words++, n--;
    while (n && strchr(" \t\r\n", words[n - 1])) n--;
    buf_char(out, '"');
    for (size_t i = 0; i < n; i++) {
        if (words[i] == '"' || words[i] == '\n') buf_char(out, '\\');
        buf_char(out, words[i] == '\n' ? 'n' : words[i]);
    }
    if (n && words[n - 1] == '\\') buf_char(out, ' '); /* it would escape the quote */
    buf_char(out, '"');
}
