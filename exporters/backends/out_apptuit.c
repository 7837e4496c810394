/* SPDX-License-Identifier: Apache-2.0 */
/*
 * out_apptuit.c - Apptuit: OpenTSDB-like points in a deflated JSON array, each series as the sub-series that
 * Coda Hale's metrics have there.
 *
 *     POST /api/put?details
 *     [{"metric": "requests_count", "timestamp": 1700000010, "value": 4.0, "tags": {"host": "web-7"}}]
 *
 * docs/backends/apptuit.md has the mapping, the options and the limits.
 */
#include "attribute.h"
#include "host.h"
#include "json.h"
#include "points_event.h"
#include "transport_http.h"

#include <ctype.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unictype.h>
#include <unistr.h>

enum { APPTUIT_TAGS = 25, APPTUIT_POINTS = 50000 };
enum sanitizer { SANITIZE_PROMETHEUS, SANITIZE_APPTUIT, SANITIZE_NONE };

struct apptuit_settings {
    struct http_settings http;
    char *token, *default_tags, *host;
    int sanitizer;
    bool disable_host_tag;
};

static const char *const sanitizers[] = {"prometheus", "apptuit", "none", NULL};

/* --- Default tags --- */

/* What the service accepts: letters and digits of any alphabet, that is all of Unicode's categories L and N
 * (like `\w` in the vendor's client, which leaves out combining marks), and four signs. */
static bool is_plain(ucs4_t c)
{
    if (c < 0x80) return isalnum((int)c) || (c && strchr("_-./", (int)c));
    return uc_is_general_category_withtable(c, UC_CATEGORY_MASK_L | UC_CATEGORY_MASK_N);
}

/* The length of the character at `at`; bytes that are not UTF-8 count as U+FFFD, which is not a letter. */
static size_t next_character(const char *at, const char *end, ucs4_t *c)
{
    return (size_t)u8_mbtouc(c, (const uint8_t *)at, (size_t)(end - at));
}

static bool is_plain_key(const char *key, size_t n)
{
    const char *end = key + n;
    ucs4_t c;
    bool plain = n > 0;
    while (plain && key < end) {
        key += next_character(key, end, &c);
        plain = is_plain(c);
    }
    return plain;
}

/* The next item of "k: v, k: v", blanks cut; false at the end or, with a reason, at a mistake. */
struct tag_text {
    const char *key, *value;
    size_t key_n, value_n;
};
static size_t trim(const char **text, size_t n)
{
    while (n && isspace((unsigned char)**text)) ++*text, n--;
    while (n && isspace((unsigned char)(*text)[n - 1])) n--;
    return n;
}
static bool next_tag(const char **at, struct tag_text *tag, struct buf *why)
{
    for (size_t n; **at; *at += n + ((*at)[n] == ',')) {
        const char *item = *at;
        n = strcspn(item, ",");
        size_t used = trim(&item, n);
        if (!used) continue;
        const char *colon = memchr(item, ':', used);
        if (!colon || memchr(colon + 1, ':', used - (size_t)(colon + 1 - item))) {
            buf_printf(why, "\"%.*s\" is not one \"key: value\"", (int)used, item);
            return false;
        }
        *tag = (struct tag_text){.key = item, .value = colon + 1};
        tag->key_n = trim(&tag->key, (size_t)(colon - item));
        tag->value_n = trim(&tag->value, used - (size_t)(colon + 1 - item));
        bool plain = is_plain_key(tag->key, tag->key_n);
        if (!plain) buf_printf(why, "\"%.*s\" is not a tag key", (int)tag->key_n, tag->key);
        *at += n + ((*at)[n] == ',');
        return plain;
    }
    return false;
}

static bool check_default_tags(const char *text, struct buf *why)
{
    struct tag_text tag;
    size_t before = why->len;
    while (next_tag(&text, &tag, why)) {
    }
    return why->len == before;
}

/* --- Options --- */

#define APPTUIT(MEMBER) OPTION_FIELD(struct apptuit_settings, MEMBER)
static const struct option apptuit_options[] = {
    HTTP_URL("https://api.apptuit.ai"),
    {.name = "token",
     .type = OPTION_SECRET,
     APPTUIT(token),
     .env = "APPTUIT_API_TOKEN APPTUIT_PY_TOKEN",
     .required = true,
     .help = "the API token"},
    {.name = "default_tags",
     .type = OPTION_STRING,
     APPTUIT(default_tags),
     .env = "APPTUIT_TAGS APPTUIT_PY_TAGS",
     .check = check_default_tags,
     .help = "tags for every series, as \"key: value, key: value\"; all other tags override them"},
    {.name = "sanitize",
     .type = OPTION_CHOICE,
     APPTUIT(sanitizer),
     .def = "prometheus",
     .choices = sanitizers,
     .help = "how to sanitize names and tag keys: only letters, digits and _ (prometheus); also - . / and "
             "other alphabets (apptuit); or leave out points with other characters (none)"},
    {.name = "disable_host_tag",
     .type = OPTION_BOOL,
     APPTUIT(disable_host_tag),
     .env = "APPTUIT_DISABLE_HOST_TAG",
     .def = "false",
     .help = "do not add the tag host to series without it"},
    {.name = "host",
     .type = OPTION_STRING,
     APPTUIT(host),
     .help = "value of the tag host; by default the host's name"},
    BACKEND_ATTRIBUTES("sum, min, max, mean, stddev, p50, p75, p95, p99, p999, rates"),
    HTTP_COMPRESSION("deflate"),
    {.name = NULL},
};

/* --- Session: what every point has --- */

struct apptuit {
    struct option_tags tags; /* the default ones and host; weaker than a point's own */
};

static void set_tag(struct option_tags *tags, const char *key, size_t key_n, const char *value,
                    size_t value_n)
{
    struct option_tag *t = tags->items, *end = tags->items + tags->n;
    while (t < end && (strncmp(t->key, key, key_n) || t->key[key_n])) t++;
    if (t == end) {
        *t = (struct option_tag){.key = strndup(key, key_n)};
        tags->n++;
    }
    free(t->value);
    t->value = strndup(value, value_n);
}

static void close_session(void **session)
{
    struct apptuit *s = *session;
    for (size_t i = 0; i < s->tags.n; i++) {
        free(s->tags.items[i].key);
        free(s->tags.items[i].value);
    }
    free(s->tags.items);
    free(s);
    *session = NULL;
}

static void *open_session(const void *settings, struct buf *why)
{
    const struct apptuit_settings *a = settings;
    const char *text = a->default_tags ? a->default_tags : "";
    char host[HOST_NAME];
    struct tag_text tag;
    struct apptuit *s = calloc(1, sizeof *s);
    if (s) s->tags.items = calloc(strlen(text) / 2 + 2, sizeof *s->tags.items);
    if (!s || !s->tags.items) {
        free(s);
        buf_str(why, "out of memory");
        return NULL;
    }
    while (next_tag(&text, &tag, why)) set_tag(&s->tags, tag.key, tag.key_n, tag.value, tag.value_n);
    if (!a->disable_host_tag && !option_tag_value(&s->tags, "host")) {
        host_name(host);
        const char *name = backend_given(a->host) ? a->host : host;
        set_tag(&s->tags, "host", 4, name, strlen(name));
    }
    return s;
}

/* --- Names --- */

static bool is_allowed(int sanitizer, ucs4_t c)
{
    return sanitizer == SANITIZE_PROMETHEUS ? c < 0x80 && (isalnum((int)c) || c == '_') : is_plain(c);
}

/* How many bytes at `at` are ASCII that every mode leaves as it is. */
static size_t plain_run(const char *at)
{
    size_t n = 0;
    while ((unsigned)((at[n] | 0x20) - 'a') < 26 || (unsigned)(at[n] - '0') < 10) n++;
    return n;
}

/* Appends a name, in which each run of characters that the mode does not allow becomes one underscore. False,
 * with the reason, in mode none for a name that would have to change. */
static bool put_name(int mode, const char *name, struct buf *out, struct buf *why)
{
    size_t from = out->len, n;
    ucs4_t c;
    if (mode == SANITIZE_PROMETHEUS && isdigit((unsigned char)name[0])) buf_char(out, '_');
    for (const char *at = name, *end = name + strlen(name); at < end; at += n) {
        n = plain_run(at);
        buf_mem(out, at, n);
        if (n) continue;
        n = next_character(at, end, &c);
        bool good = is_allowed(mode, c);
        if (!good && mode == SANITIZE_NONE) {
            buf_printf(why,
                       "\"%s\" contains characters that Apptuit does not accept (see the option sanitize)",
                       name);
            return false;
        }
        bool run = out->len > from && out->data[out->len - 1] == '_';
        if (good && (c != '_' || mode == SANITIZE_NONE))
            buf_mem(out, at, n);
        else if (!run)
            buf_char(out, '_');
    }
    return true;
}

/* --- Readings to points --- */

/* Coda Hale's sub-series in the order of the wire. */
static const struct sub_series {
    enum metrics_attribute attribute;
    const char *suffix;
} sub_series[] = {
    {METRICS_VALUE, "value"},
    {METRICS_MEAN, "avg"},
    {METRICS_SUM, "sum"},
    {METRICS_COUNT, "count"},
    {METRICS_MAX, "max"},
    {METRICS_MIN, "min"},
    {METRICS_STDDEV, "std_dev"},
    {METRICS_M15_RATE, "15m_rate"},
    {METRICS_M5_RATE, "5m_rate"},
    {METRICS_M1_RATE, "1m_rate"},
    {METRICS_MEAN_RATE, "mean_rate"},
    {METRICS_PERCENTILE, "_percentile"},
    {METRICS_SUM_SQUARES, "sum_squares"},
};

/* A level that is counted up and down is what Coda Hale calls a counter. */
static const char *suffix_of(struct points *out, const struct sub_series *sub, const metrics_row_t *row)
{
    char text[64];
    if (sub->attribute == METRICS_PERCENTILE)
        return points_text(out, "%s%s", metrics_row_suffix(row, text, sizeof text) + 1, sub->suffix);
    return sub->attribute == METRICS_VALUE && row->type == METRICS_I64 ? "count" : sub->suffix;
}

/* A histogram usually has percentiles above the median only, and no sum; a timer has both. */
static bool is_left_out(const metrics_row_t *row, bool histogram)
{
    return histogram &&
           (row->attribute == METRICS_SUM || (row->attribute == METRICS_PERCENTILE && row->parameter == 0.5));
}

/* True for the names below apptuit.reporter.send. that users of the vendor's client know. */
static bool is_reporters(const char *name)
{
    static const char *const names[] = {"total", "successful", "failed", "time"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (!strcmp(names[i], name)) return true;
    return false;
}

/* What the exporter reports about this backend gets these names. */
static void rename_own(struct points *out, struct point *p, const struct item *item, const void *settings)
{
    static const char own[] = "mtx.exporter.send.";
    const struct apptuit_settings *a = settings;
    metrics_tag_t *rest;
    bool ours = false;
    if (strncmp(item->own_name, own, sizeof own - 1) || !is_reporters(item->own_name + sizeof own - 1))
        return;
    for (size_t i = 0; i < p->tag_count; i++)
        ours = ours || (!strcmp(p->tags[i].key, "backend") && !strcmp(p->tags[i].value, a->http.common.name));
    rest = ours ? region_alloc(&out->region, p->tag_count * sizeof *rest) : NULL;
    if (!rest) return;
    size_t n = 0;
    for (size_t i = 0; i < p->tag_count; i++)
        if (strcmp(p->tags[i].key, "backend") && strcmp(p->tags[i].key, "signal")) rest[n++] = p->tags[i];
    const char *prefix = a->http.common.prefix ? a->http.common.prefix : "";
    p->name = points_text(out, "%sapptuit.reporter.send.%s", prefix, item->own_name + sizeof own - 1);
    p->tags = rest;
    p->tag_count = n;
}

static void map_row(struct points *out, const struct view *view, const struct item *item,
                    const metrics_row_t *row, const struct sub_series *sub, const void *settings)
{
    struct point *p = points_of_row(out, view, item, row);
    rename_own(out, p, item, settings);
    p->name = points_text(out, "%s.%s", p->name, suffix_of(out, sub, row));
}

static void apptuit_map(struct points *out, const struct view *view, const struct item *item,
                        const struct rows *rows, const void *settings, const void *session)
{
    (void)session;
    bool histogram = item_is_distribution(item) && !item_has_rates(item);
    for (size_t s = 0; s < sizeof sub_series / sizeof *sub_series; s++)
        for (size_t i = 0; i < rows->n; i++) {
            const metrics_row_t *row = &rows->at[i];
            if (row->attribute == sub_series[s].attribute && !is_left_out(row, histogram))
                map_row(out, view, item, row, &sub_series[s], settings);
        }
}

/* --- Points to JSON --- */

static const char *weaker_value(const struct apptuit *session, const struct point *p, size_t i)
{
    const struct option_tag *t = &session->tags.items[i];
    for (size_t k = 0; k < p->tag_count; k++)
        if (!strcmp(p->tags[k].key, t->key)) return NULL;
    return t->value;
}

/* By hand a tag may be a number, true, false or null, and is sent as such. */
static const json_t *given_tag(const struct point *p, const char *key)
{
    return p->extra ? json_object_get(json_object_get(p->extra, "tags"), key) : NULL;
}

static void put_tag(struct json *j, const char *key, const char *value, const json_t *given)
{
    if (given && !json_is_string(given))
        jsonw_key_raw(j, key, value);
    else
        jsonw_key_str(j, key, value);
}

/* Of two keys that become one the last wins, as for a reader of the object. */
static bool put_tags(struct json *j, const struct point *p, const struct apptuit_settings *a,
                     const struct apptuit *session, struct buf *why)
{
    struct buf key = {0};
    size_t n = 0;
    bool good = true;
    jsonw_key(j, "tags");
    jsonw_object(j);
    for (size_t i = 0; i < session->tags.n + p->tag_count && good; i++) {
        bool own = i >= session->tags.n;
        const char *k = own ? p->tags[i - session->tags.n].key : session->tags.items[i].key;
        const char *value = own ? p->tags[i - session->tags.n].value : weaker_value(session, p, i);
        if (!value) continue;
        buf_reset(&key);
        good = put_name(a->sanitizer, k, &key, why);
        if (good) put_tag(j, buf_text(&key), value, own ? given_tag(p, k) : NULL);
        n++;
    }
    jsonw_object_end(j);
    buf_free(&key);
    if (good && (n == 0 || n > APPTUIT_TAGS)) {
        buf_printf(why, "it has %zu tags; Apptuit accepts 1 to %d", n, APPTUIT_TAGS);
        good = false;
    }
    return good;
}

/* Whole seconds, the nearest, halves to the even one. */
static uint64_t seconds_of(uint64_t ns)
{
    uint64_t s = ns / 1000000000, rest = ns % 1000000000;
    return s + (rest > 500000000 || (rest == 500000000 && s % 2));
}

static bool apptuit_add(struct payload *payloads, const struct point *p, const void *settings,
                        const void *session, struct buf *why)
{
    const struct apptuit_settings *a = settings;
    struct payload *out = &payloads[0];
    struct buf name = {0};
    struct json j;
    buf_str(&out->body, out->points ? ",\n" : "[");
    jsonw_begin(&j, &out->body);
    jsonw_object(&j);
    bool good = put_name(a->sanitizer, p->name, &name, why);
    jsonw_key_str(&j, "metric", buf_text(&name));
    if (p->time_ns) jsonw_key_u64(&j, "timestamp", seconds_of(p->time_ns));
    jsonw_key(&j, "value");
    jsonw_float(&j, point_number(p));
    good = good && put_tags(&j, p, a, session, why);
    jsonw_object_end(&j);
    buf_free(&name);
    out->points += good;
    return good;
}

static void apptuit_end(struct payload *payloads, const void *settings, const void *session)
{
    const struct apptuit_settings *a = settings;
    struct payload *out = &payloads[0];
    (void)session;
    if (!out->points) return;
    buf_char(&out->body, ']');
    buf_str(&out->path, "/api/put?details");
    http_auth_bearer(out, a->token ? a->token : "");
    out->content_type = "application/json";
}

/* --- Answers --- */

/* {"success": 98, "failed": 2, "errors": [{"datapoint": {...}, "error": "text"}]}, with 400 and with 200. */
static void apptuit_judge(const struct payload *payload, struct answer *answer)
{
    const struct response *r = &answer->response;
    if (r->status != 400 && r->status != 200) return;
    json_t *root = json_loadb(buf_text(&r->body), r->body.len, 0, NULL);
    json_t *failed = json_object_get(root, "failed"), *error;
    size_t i;
    if (json_is_integer(failed) && json_integer_value(failed) >= 0) {
        answer->outcome = OUTCOME_SENT;
        answer->refused = (size_t)json_integer_value(failed);
        if (answer->refused > payload->points) answer->refused = payload->points;
        buf_reset(&answer->why);
        json_array_foreach(json_object_get(root, "errors"), i, error)
        {
            const char *text = json_string_value(json_object_get(error, "error"));
            const char *metric =
                json_string_value(json_object_get(json_object_get(error, "datapoint"), "metric"));
            if (i < 5 && text)
                buf_printf(&answer->why, "%s%s: %s", i ? "; " : "", metric ? metric : "?", text);
        }
    }
    json_decref(root);
}

/* --- By hand --- */

static const struct point_word apptuit_words[] = {
    {"point", POINT_GAUGE, 0, POINT_NUMBER, NULL, "a value at a time"},
    {"series", POINT_GAUGE, 0, 0, "points", "some values of one series, each at its time"},
    {"gauge", POINT_GAUGE, 0, POINT_NUMBER, NULL, "another word for point"},
    {"counter", POINT_TOTAL, 0, POINT_NUMBER, NULL, "another word for point: a total that grows"},
    {.word = NULL}};
static const struct point_own apptuit_own[] = {
    {"points", POINT_PAIRS, NULL, "series", "time and value of each"}, {.name = NULL}};
/* Only the exporter speaks for its host. */
static const char *const apptuit_defaults[] = {"disable_host_tag=true", NULL};
static const char *const apptuit_constants[] = {"true", "false", "null"};
static const struct points_by_hand apptuit_hand = {
    .defaults = apptuit_defaults, .timed = true, .constants = apptuit_constants};

static const struct backend_points apptuit_points = {.map = apptuit_map,
                                                     .add = apptuit_add,
                                                     .end = apptuit_end,
                                                     .most = APPTUIT_POINTS,
                                                     .words = apptuit_words,
                                                     .own = apptuit_own,
                                                     .hand = &apptuit_hand};

static const struct backend_session apptuit_session = {.open = open_session, .close = close_session};

static const struct backend_events apptuit_events = {.types = EVENT_BIT(METRICS_EVENT_POINT),
                                                     .encode = points_encode_events};

const struct backend backend_apptuit = {
    .name = "apptuit",
    .summary = "Apptuit, as the sub-series of Coda Hale's metrics",
    .options = apptuit_options,
    .settings_size = sizeof(struct apptuit_settings),
    .wants = {.resolution_ns = 1000000000,
              .rounded = true,
              .totals = METRICS_LIFETIME,
              .sampled = METRICS_RECENT},
    .transport = &transport_http,
    .session = &apptuit_session,
    .judge = apptuit_judge,
    .encode = points_encode,
    .points = &apptuit_points,
    .events = &apptuit_events,
};
