/* SPDX-License-Identifier: Apache-2.0 */
/*
 * out_librato.c - Librato and AppOptics: tagged measurements, or the older metrics with a source.
 *
 *     POST /v1/measurements
 *     {"measurements": [{"name": "orders", "sum": 12, "count": 1, "tags": {"city": "nyc"},
 *                       "time": 1700000010}]}
 *
 *     POST /v1/metrics
 *     {"gauges": [{"name": "load", "value": 0.5, "source": "web-7", "measure_time": 1700000010}],
 *      "counters": [...]}
 *
 * docs/backends/librato.md has the mapping, the options and the limits.
 */
#include "attribute.h"
#include "host.h"
#include "json.h"
#include "points_event.h"
#include "transport_http.h"

#include <ctype.h>
#include <jansson.h>
#include <math.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

enum { LIBRATO_POINTS = 300, LIBRATO_NAME = 255, LIBRATO_TAG_KEY = 64, LIBRATO_TAG_VALUE = 255 };
enum mode { MODE_MEASUREMENTS, MODE_METRICS };
enum { METRICS, MEASUREMENTS }; /* which payload */

struct librato_settings {
    struct http_settings http;
    char *user, *token, *source;
    int mode;
    uint64_t period;
    bool sanitize, descriptions;
};

static const char *const modes[] = {"measurements", "metrics", NULL};

#define LIBRATO(MEMBER) OPTION_FIELD(struct librato_settings, MEMBER)
static const struct option librato_options[] = {
    HTTP_URL("https://metrics-api.librato.com"),
    {.name = "user",
     .type = OPTION_STRING,
     LIBRATO(user),
     .env = "LIBRATO_USER",
     .help = "the account's e-mail address; empty for AppOptics, which uses only a token"},
    {.name = "token",
     .type = OPTION_SECRET,
     LIBRATO(token),
     .env = "LIBRATO_TOKEN",
     .required = true,
     .help = "the API token"},
    {.name = "mode",
     .type = OPTION_CHOICE,
     LIBRATO(mode),
     .def = "measurements",
     .choices = modes,
     .help = "measurements with tags, or metrics with a source, for accounts without tags"},
    {.name = "source",
     .type = OPTION_STRING,
     LIBRATO(source),
     .help = "source of metrics; by default the host's name, none if empty"},
    {.name = "period",
     .type = OPTION_DURATION,
     LIBRATO(period),
     .def = "0s",
     .max = 86400e9,
     .help = "round times down to multiples of this, which is also sent to the service; 0s = do not round"},
    {.name = "sanitize",
     .type = OPTION_BOOL,
     LIBRATO(sanitize),
     .def = "true",
     .help = "replace characters in names and tags that the service does not accept"},
    {.name = "descriptions",
     .type = OPTION_BOOL,
     LIBRATO(descriptions),
     .def = "true",
     .help = "send help texts and units once for each metric"},
    BACKEND_ATTRIBUTES("sum, sum_squares, min, max, p50, p95, p99, rates"),
    {.name = NULL},
};

/* --- Names --- */

static bool is_taken(unsigned char c, const char *also)
{
    bool letter = (unsigned)((c | 0x20) - 'a') < 26, digit = (unsigned)(c - '0') < 10;
    return letter || digit || strchr(also, c);
}

/* True for a text that can be sent as it is; nearly all can. */
static bool is_clean(const char *text, const char *also, size_t most)
{
    size_t n = 0;
    while (text[n] && n <= most && is_taken((unsigned char)text[n], also)) n++;
    return !text[n] && n <= most;
}

/* The text, in which each run of what the service does not accept becomes one dash. */
static const char *clean(struct points *out, const char *text, const char *also, size_t most)
{
    struct buf b = {0};
    bool run = false;
    if (is_clean(text, also, most)) return text;
    for (const char *c = text; *c && b.len < most; c++) {
        bool good = is_taken((unsigned char)*c, also);
        if (good || !run) buf_char(&b, good ? *c : '-');
        run = !good;
    }
    const char *copy = points_text(out, "%s", buf_text(&b));
    buf_free(&b);
    return copy;
}

static const char *metric_name(struct points *out, const struct librato_settings *s, const char *name)
{
    return s->sanitize ? clean(out, name, ".:-_", LIBRATO_NAME) : name;
}

/* Without tags, they are part of the name: name.key.value. */
static const char *flat_name(struct points *out, const struct point *p)
{
    struct buf b = {0};
    buf_str(&b, p->name);
    for (size_t i = 0; i < p->tag_count; i++) buf_printf(&b, ".%s.%s", p->tags[i].key, p->tags[i].value);
    const char *copy = points_text(out, "%s", buf_text(&b));
    buf_free(&b);
    return copy;
}

/* --- Readings to points --- */

/* In mode metrics the tags become part of the name. */
static void finish(struct points *out, struct point *p, const struct librato_settings *s)
{
    if (s->mode == MODE_MEASUREMENTS) return;
    p->name = flat_name(out, p);
    p->tag_count = 0;
}

static double number_or_nan(const struct rows *rows, enum metrics_attribute a)
{
    const metrics_row_t *row = rows_find(rows, a);
    return row ? metrics_row_number(row) : NAN;
}

/* Count, sum and extremes of the interval as one sample of many; nothing if nothing happened. */
static void map_summary(struct points *out, const struct view *view, const struct item *item,
                        const struct rows *rows, const struct librato_settings *s)
{
    const metrics_row_t *count = rows_find(rows, METRICS_COUNT);
    if (item->rebased || !count->value.u) return;
    struct point *p = points_of_row(out, view, item, count);
    p->type = POINT_SUMMARY;
    p->summary = (struct point_summary){.count = count->value.u,
                                        .sum = number_or_nan(rows, METRICS_SUM),
                                        .min = number_or_nan(rows, METRICS_MIN),
                                        .max = number_or_nan(rows, METRICS_MAX),
                                        .sum_squares = number_or_nan(rows, METRICS_SUM_SQUARES)};
    finish(out, p, s);
}

/* Metrics take the growing total and find the rate themselves. */
static void map_total(struct points *out, const struct view *view, const struct item *item,
                      const metrics_row_t *row, const struct librato_settings *s)
{
    struct rows lifetime = {0};
    const metrics_row_t *total = row;
    if (s->mode == MODE_METRICS && item_rows(view, item, METRICS_LIFETIME, &lifetime))
        total = rows_find(&lifetime, METRICS_COUNT);
    if (total && (total != row || !item->rebased)) finish(out, points_of_row(out, view, item, total), s);
    rows_free(&lifetime);
}

static void map_level(struct points *out, const struct view *view, const struct item *item,
                      const metrics_row_t *row, const struct librato_settings *s)
{
    struct point *p = points_of_row(out, view, item, row);
    if (row->attribute != METRICS_VALUE) p->name = points_suffixed(out, p->name, ".", row);
    finish(out, p, s);
}

static void librato_map(struct points *out, const struct view *view, const struct item *item,
                        const struct rows *rows, const void *settings, const void *session)
{
    const struct librato_settings *s = settings;
    const metrics_row_t *count = rows_find(rows, METRICS_COUNT);
    bool distribution = count && item_is_distribution(item);
    (void)session;
    if (distribution)
        map_summary(out, view, item, rows, s);
    else if (count)
        map_total(out, view, item, count, s);
    for (size_t i = 0; i < rows->n; i++) {
        const metrics_row_t *row = &rows->at[i];
        bool extreme = row->attribute == METRICS_MIN || row->attribute == METRICS_MAX;
        bool level = row->nature == METRICS_LEVEL || row->nature == METRICS_RATE ||
                     row->nature == METRICS_QUANTILE || row->nature == METRICS_FACT ||
                     (row->nature == METRICS_STATISTIC && !extreme);
        if (level && row->attribute != METRICS_SUM_SQUARES) map_level(out, view, item, row, s);
    }
}

/* --- Points to JSON --- */

static void put_number(struct json *j, const char *key, const struct point *p)
{
    jsonw_key(j, key);
    point_json_value(p, j);
}

static void put_optional(struct json *j, const char *key, double v)
{
    if (isfinite(v)) jsonw_key_f64(j, key, v);
}

static void put_summary(struct json *j, const struct point_summary *s)
{
    jsonw_key_u64(j, "count", s->count);
    put_optional(j, "sum", s->sum);
    put_optional(j, "min", s->min);
    put_optional(j, "max", s->max);
    put_optional(j, "sum_squares", s->sum_squares);
}

/* By hand, fields for the service alone are sent as they came. */
static void put_extra(struct json *j, const json_t *extra)
{
    static const char *const passed[] = {"description", "period", "attributes", "display_name"};
    for (size_t i = 0; extra && i < sizeof passed / sizeof *passed; i++) {
        const json_t *value = json_object_get(extra, passed[i]);
        char *text = value ? json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT) : NULL;
        if (text) jsonw_key_raw(j, passed[i], text);
        free(text);
    }
}

static uint64_t floored(const struct point *p, const struct librato_settings *s)
{
    uint64_t t = p->time_ns / 1000000000, period = s->period / 1000000000;
    return period ? t - t % period : t;
}

static void put_tags(struct json *j, struct points *scratch, const struct point *p,
                     const struct librato_settings *s)
{
    jsonw_key(j, "tags");
    jsonw_object(j);
    for (size_t i = 0; i < p->tag_count; i++) {
        const char *key = p->tags[i].key, *value = p->tags[i].value;
        if (!*value) continue; /* the service accepts 1 to 255 characters */
        if (s->sanitize) {
            key = clean(scratch, key, ".:-_", LIBRATO_TAG_KEY);
            value = clean(scratch, value, ".:-_ ", LIBRATO_TAG_VALUE);
        }
        jsonw_key_str(j, key, value);
    }
    jsonw_object_end(j);
}

static void put_measurement(struct payload *out, struct points *scratch, const struct point *p,
                            const struct librato_settings *s)
{
    struct json j;
    buf_str(&out->body, out->points++ ? ",\n" : "{\"measurements\":[");
    jsonw_begin(&j, &out->body);
    jsonw_object(&j);
    jsonw_key_str(&j, "name", metric_name(scratch, s, p->name));
    if (p->type == POINT_SUMMARY) {
        put_summary(&j, &p->summary);
    } else if (p->type == POINT_DELTA || p->type == POINT_TOTAL) {
        put_number(&j, "sum", p);
        jsonw_key_u64(&j, "count", 1);
    } else {
        put_number(&j, "value", p);
    }
    put_tags(&j, scratch, p, s);
    if (p->time_ns) jsonw_key_u64(&j, "time", floored(p, s));
    put_extra(&j, p->extra);
    jsonw_object_end(&j);
}

static const char *source_of(const struct point *p, const struct librato_settings *s, const char *host)
{
    return p->source ? p->source : s->source ? s->source : host;
}

/* Gauges go into the body at once, counters into the scratch, which end() appends. */
static void put_metric(struct payload *out, struct points *scratch, const struct point *p,
                       const struct librato_settings *s, const char *host)
{
    struct json j;
    bool counter = p->type == POINT_TOTAL;
    struct buf *to = counter ? &out->scratch : &out->body;
    if (!out->points++) buf_str(&out->body, "{\"gauges\":[");
    if (counter ? to->len > 0 : to->data[to->len - 1] != '[') buf_str(to, ",\n");
    jsonw_begin(&j, to);
    jsonw_object(&j);
    jsonw_key_str(&j, "name", metric_name(scratch, s, p->name));
    if (p->type == POINT_SUMMARY)
        put_summary(&j, &p->summary);
    else
        put_number(&j, "value", p);
    const char *source = source_of(p, s, host);
    if (*source) jsonw_key_str(&j, "source", source);
    if (p->time_ns) jsonw_key_u64(&j, "measure_time", floored(p, s));
    put_extra(&j, p->extra);
    jsonw_object_end(&j);
}

struct librato {
    char host[HOST_NAME];
    void *described; /* tree of the names whose descriptions were sent */
};

/* By hand, a point with tags is a measurement, and one without is a metric; from the registry the mode
 * decides. */
static bool librato_add(struct payload *payloads, const struct point *p, const void *settings,
                        const void *session, struct buf *why)
{
    const struct librato_settings *s = settings;
    const struct librato *l = session;
    struct points scratch = {0};
    bool measurement =
        p->extra ? p->tag_count || json_object_get(p->extra, "tags") : s->mode == MODE_MEASUREMENTS;
    (void)why;
    if (measurement)
        put_measurement(&payloads[MEASUREMENTS], &scratch, p, s);
    else
        put_metric(&payloads[METRICS], &scratch, p, s, l->host);
    if (scratch.failed) payloads[0].body.failed = true;
    points_free(&scratch);
    return true;
}

static void put_auth(struct payload *out, const struct librato_settings *s)
{
    bool user = backend_given(s->user);
    http_auth_basic(out, user ? s->user : s->token, user ? s->token : "");
    out->content_type = "application/json";
}

static void librato_end(struct payload *payloads, const void *settings, const void *session)
{
    (void)session;
    struct payload *m = &payloads[METRICS], *t = &payloads[MEASUREMENTS];
    if (m->points) {
        buf_str(&m->body, "],\"counters\":[");
        buf_mem(&m->body, buf_text(&m->scratch), m->scratch.len);
        buf_str(&m->body, "]}");
        buf_str(&m->path, "/v1/metrics");
        put_auth(m, settings);
    }
    if (t->points) {
        buf_str(&t->body, "]}");
        buf_str(&t->path, "/v1/measurements");
        put_auth(t, settings);
    }
}

/* --- Session: descriptions, once for each metric --- */

enum { DESCRIBED_AT_ONCE = 20 }; /* so that a thousand requests do not delay an interval */

static void *open_session(const void *settings, struct buf *why)
{
    struct librato *l = backend_alloc(sizeof *l, why);
    (void)settings;
    if (l) host_name(l->host);
    return l;
}

static void close_session(void **session)
{
    struct librato *l = *session;
    tdestroy(l->described, free);
    backend_free(session);
}

static int name_order(const void *a, const void *b)
{
    return strcmp(a, b);
}

/* PUT /v1/metrics/NAME creates the metric or changes it. */
static bool describe(void *link, const struct item *item, const char *name, const struct view *view,
                     const struct librato_settings *s)
{
    struct payload put = {.method = "PUT"};
    struct answer answer = {.outcome = OUTCOME_RETRY};
    struct json j;
    const char *unit = item_unit(view, item);
    jsonw_begin(&j, &put.body);
    jsonw_object(&j);
    jsonw_key_str(&j, "type", "gauge");
    if (*item->help) jsonw_key_str(&j, "description", item->help);
    if (s->period) jsonw_key_u64(&j, "period", s->period / 1000000000);
    if (*unit) {
        jsonw_key(&j, "attributes");
        jsonw_object(&j);
        jsonw_key_str(&j, "display_units_long", unit);
        jsonw_key_str(&j, "display_units_short", unit);
        jsonw_object_end(&j);
    }
    jsonw_object_end(&j);
    buf_printf(&put.path, "/v1/metrics/%s", name);
    put_auth(&put, s);
    transport_http.send(link, &put, &answer);
    bool good = answer.outcome == OUTCOME_SENT;
    answer_free(&answer);
    payload_free(&put);
    return good;
}

/* Best effort: after a failure the next interval tries again, and no number waits for it. */
static void prepare_session(void *session, const void *settings, void *link, const struct view *view,
                            struct answer *answer)
{
    struct librato *l = session;
    const struct librato_settings *s = settings;
    int described = 0;
    answer->outcome = OUTCOME_SENT;
    if (!s->descriptions || s->mode == MODE_METRICS) return;
    for (size_t i = 0; i < view->n && described < DESCRIBED_AT_ONCE; i++) {
        const struct item *item = &view->items[i];
        struct points scratch = {0};
        const char *name = clean(&scratch, item->name, ".:-_", LIBRATO_NAME);
        bool due = (*item->help || *item->unit) && !tfind(name, &l->described, name_order);
        bool good = !due || describe(link, item, name, view, s);
        if (due && good) {
            char *copy = strdup(name);
            if (copy) tsearch(copy, &l->described, name_order);
            described++;
        }
        points_free(&scratch);
        if (!good) return;
    }
}

/* --- Events: an annotation is a request of its own --- */

static void put_links(struct json *j, const metrics_event_t *e)
{
    size_t n = 0;
    for (size_t i = 0; i < e->field_count; i++) {
        const metrics_event_field_t *f = &e->fields[i];
        if (f->type != METRICS_EVENT_LINK) continue;
        if (!n++) {
            jsonw_key(j, "links");
            jsonw_array(j);
        }
        jsonw_object(j);
        jsonw_key_str(j, "rel", f->key);
        jsonw_key_str(j, "href", f->text);
        jsonw_object_end(j);
    }
    if (n) jsonw_array_end(j);
}

static void put_annotation(struct buf *out, const metrics_event_t *e, const char *source)
{
    struct json j;
    jsonw_begin(&j, out);
    jsonw_object(&j);
    jsonw_key_str(&j, "title", e->title);
    if (*source) jsonw_key_str(&j, "source", source);
    if (*e->description) jsonw_key_str(&j, "description", e->description);
    jsonw_key_u64(&j, "start_time", e->wall_ns / 1000000000);
    if (e->end_wall_ns) jsonw_key_u64(&j, "end_time", e->end_wall_ns / 1000000000);
    put_links(&j, e);
    jsonw_object_end(&j);
}

static size_t encode_annotation(const struct event_batch *batch, struct payload *out)
{
    const metrics_event_t *e = event_view_get(batch->view, batch->from);
    const struct librato_settings *s = batch->settings;
    const struct librato *l = batch->session;
    struct points scratch = {0};
    out->items = 1;
    if (!*e->title) {
        if (batch->notes) buf_printf(batch->notes, "%s: an annotation without a title\n", e->name);
        out->left_out = 1;
        return 0;
    }
    put_annotation(&out->body, e, *e->source ? e->source : s->source ? s->source : l->host);
    buf_printf(&out->path, "/v1/annotations/%s", clean(&scratch, e->name, ".:-_", LIBRATO_NAME));
    if (scratch.failed) out->body.failed = true;
    put_auth(out, s);
    points_free(&scratch);
    return 1;
}

static size_t librato_encode_events(const struct event_batch *batch, struct payload *payloads)
{
    return batch->type == METRICS_EVENT_ANNOTATION ? encode_annotation(batch, payloads)
                                                   : points_encode_events(batch, payloads);
}

static const struct backend_events librato_events = {
    .types = EVENT_BIT(METRICS_EVENT_ANNOTATION) | EVENT_BIT(METRICS_EVENT_POINT),
    .additive = EVENT_BIT(METRICS_EVENT_ANNOTATION) | EVENT_BIT(METRICS_EVENT_POINT),
    .encode = librato_encode_events};

/* --- Answers --- */

/* AppOptics: {"measurements": {"summary": {"total": 6, "accepted": 5, "failed": 1}}, "errors": [...]}. */
static void librato_judge(const struct payload *payload, struct answer *answer)
{
    const struct response *r = &answer->response;
    if (r->status < 200 || r->status > 299 || !r->body.len) return;
    json_t *root = json_loadb(r->body.data, r->body.len, 0, NULL);
    json_t *summary = json_object_get(json_object_get(root, "measurements"), "summary");
    json_t *failed = json_object_get(summary, "failed");
    if (json_is_integer(failed) && json_integer_value(failed) > 0) {
        answer->refused = (size_t)json_integer_value(failed);
        if (answer->refused > payload->points) answer->refused = payload->points;
        buf_printf(&answer->why, "%zu of %zu: %.*s", answer->refused, payload->points,
                   (int)(r->body.len < 300 ? r->body.len : 300), r->body.data);
    }
    json_decref(root);
}

/* --- By hand --- */

/* {"error": "... [measure:raw_rate] ...", "request_time": ...} is the rate limit; other 403s do not go
 * away. */
static bool librato_passes(const struct answer *answer)
{
    return answer->response.status == 403 && strstr(buf_text(&answer->response.body), "raw_rate");
}

static const struct point_word librato_words[] = {
    {"gauge", POINT_GAUGE, 0, POINT_NUMBER | POINT_NUMBERS, "count",
     "a value, or some values at once as their count and sum"},
    {"counter", POINT_TOTAL, 0, POINT_NUMBER, NULL,
     "a total that only grows; with tags, where the service has no counters, what was added"},
    {"summary", POINT_SUMMARY, 0, POINT_NUMBERS, "count", "some values at once"},
    {.word = NULL}};
static const struct point_own librato_own[] = {
    {"source", POINT_TEXT, NULL, NULL, "where it was measured, for a point without tags"},
    {"inherit_tags", POINT_YES_NO, NULL, NULL, "false: only the point's own tags, none of --tag"},
    {"count", POINT_WHOLE, NULL, "gauge summary", "how many values"},
    {"sum", POINT_ANY_NUMBER, NULL, "gauge summary", "their sum"},
    {"min", POINT_ANY_NUMBER, NULL, "gauge summary", "the smallest"},
    {"max", POINT_ANY_NUMBER, NULL, "gauge summary", "the largest"},
    {"sum_squares", POINT_ANY_NUMBER, NULL, "gauge summary", "the sum of their squares"},
    {"description", POINT_TEXT, NULL, NULL, "of the metric; passed on as it is"},
    {"display_name", POINT_TEXT, NULL, NULL, "of the metric; passed on as it is"},
    {"period", POINT_WHOLE, NULL, NULL, "of the metric, seconds; passed on as it is"},
    {"attributes", POINT_OBJECT, NULL, NULL, "of the metric; passed on as they are"},
    {.name = NULL}};
/* By hand there is no source by default: a point may be about another host. */
static const char *const librato_defaults[] = {"source=", NULL};
static const struct points_by_hand librato_hand = {.defaults = librato_defaults, .passes = librato_passes};

static const struct backend_points librato_points = {.map = librato_map,
                                                     .add = librato_add,
                                                     .end = librato_end,
                                                     .most = LIBRATO_POINTS,
                                                     .words = librato_words,
                                                     .own = librato_own,
                                                     .hand = &librato_hand};

static const struct backend_session librato_session = {
    .open = open_session, .prepare = prepare_session, .close = close_session};

const struct backend backend_librato = {
    .name = "librato",
    .summary = "Librato and AppOptics: tagged measurements, or metrics with a source",
    .options = librato_options,
    .settings_size = sizeof(struct librato_settings),
    .wants = {.resolution_ns = 1000000000,
              .totals = METRICS_INTERVAL,
              .sampled = METRICS_INTERVAL,
              .additive = true},
    .transport = &transport_http,
    .session = &librato_session,
    .judge = librato_judge,
    .encode = points_encode,
    .points = &librato_points,
    .events = &librato_events,
};
