/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Promise: for the same points, what we send is what the vendor's own client sends: method, path and query,
 * headers, and the body structure by structure.
 *
 *     tests/golden/vendors/<backend>.json    points, and the requests that the vendor's client made of them,
 *                                            captured from it on a loopback socket
 *
 * The order of an object's members is not compared (no service looks at it), nor how a query is escaped; all
 * else is: the order of arrays, whole numbers and fractions, each line's every character. What is done
 * differently on purpose is described in docs/backends/ and left out of the files.
 */
#include "unit.h"

#include "../fixture.h"
#include "../session.h"
#include "config_load.h"
#include "json.h"
#include "points_line.h"
#include "transport_http.h"
#include "view.h"

#include <ctype.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>

#define VENDORS_DIR MTX_TESTS_DIR "/golden/vendors/"

static const char *no_env(const char *name)
{
    (void)name;
    return NULL;
}

/* --- What was sent, as JSON --- */

/* Decodes the escapes of a query: a blank may be written in several ways. */
static char *unescaped(const char *text)
{
    char *out = strdup(text), *to = out;
    REQUIRE(out);
    for (const char *c = text; *c; c++) {
        char hex[3] = {c[0] == '%' ? c[1] : 0, c[0] == '%' && c[1] ? c[2] : 0, 0};
        *to++ = hex[0] ? (char)strtol(hex, NULL, 16) : *c == '+' ? ' ' : *c;
        if (hex[0]) c += 2;
    }
    *to = 0;
    return out;
}

/* As the transport puts them together: a secret comes first in the query. */
static json_t *path_of(const struct payload *p)
{
    const char *path = buf_text(&p->path), *secret = buf_text(&p->secret);
    size_t n = strcspn(path, "?");
    struct buf whole = {0};
    buf_mem(&whole, path, n);
    if (*secret == '?') buf_mem(&whole, secret, strcspn(secret, "\n"));
    if (path[n]) buf_printf(&whole, "%c%s", *secret == '?' ? '&' : '?', path + n + 1);
    char *plain = unescaped(buf_text(&whole));
    json_t *text = json_string(plain);
    free(plain);
    buf_free(&whole);
    return text;
}

static void add_headers(json_t *headers, const char *lines)
{
    for (size_t n; *lines; lines += n + (lines[n] == '\n')) {
        size_t key = strcspn(lines, ":");
        char name[64];
        n = strcspn(lines, "\n");
        if (*lines == '?' || key >= n || key >= sizeof name) continue;
        for (size_t i = 0; i < key; i++) name[i] = (char)tolower((unsigned char)lines[i]);
        name[key] = 0;
        json_object_set_new(headers, name, json_stringn(lines + key + 2, n - key - 2));
    }
}

static json_t *lines_of(const struct buf *body)
{
    json_t *lines = json_array();
    for (const char *c = buf_text(body), *end; (end = strchr(c, '\n')); c = end + 1)
        json_array_append_new(lines, json_stringn(c, (size_t)(end - c)));
    return lines;
}

/* Redis' commands: an array for each. */
static json_t *commands_of(const struct buf *body)
{
    json_t *commands = json_array();
    const char *c = buf_text(body);
    while (*c == '*') {
        json_t *one = json_array();
        long words = strtol(c + 1, (char **)(uintptr_t)&c, 10);
        for (c += 2; words > 0 && *c == '$'; words--) {
            long n = strtol(c + 1, (char **)(uintptr_t)&c, 10);
            json_array_append_new(one, json_stringn(c + 2, (size_t)n));
            c += 2 + n + 2;
        }
        json_array_append_new(commands, one);
    }
    return commands;
}

static json_t *request_of(const struct payload *p, const json_t *want)
{
    json_t *request = json_object(), *headers = json_object();
    if (json_object_get(want, "path")) {
        json_object_set_new(request, "method", json_string(p->method ? p->method : "POST"));
        json_object_set_new(request, "path", path_of(p));
        if (p->content_type) json_object_set_new(headers, "content-type", json_string(p->content_type));
        add_headers(headers, buf_text(&p->headers));
        add_headers(headers, buf_text(&p->secret));
        json_object_set(request, "headers", headers);
    }
    if (json_object_get(want, "lines"))
        json_object_set_new(request, "lines", lines_of(&p->body));
    else
        json_object_set_new(request, "body", json_loadb(buf_text(&p->body), p->body.len, 0, NULL));
    json_decref(headers);
    return request;
}

/* --- Comparing --- */

static void left_out(void *arg, const struct point *p, const char *why)
{
    json_t *const *refused = arg;
    (void)why;
    json_array_append_new(*refused, json_string(p->name));
}

static void compare(const char *what, json_t *got, json_t *want)
{
    if (json_equal(got, want)) return;
    char *g = json_dumps(got, JSON_ENCODE_ANY | JSON_SORT_KEYS),
         *w = json_dumps(want, JSON_ENCODE_ANY | JSON_SORT_KEYS);
    UNIT_FAIL("%s:\nthe vendor's client sends %s\nwe send %s\n", what, w, g);
    free(g);
    free(w);
}

/* MULTI, ZADD, HSET, EXEC; each record as the client's, in any order: the agent goes by scores. */
static void compare_records(const char *what, const struct payload *p, json_t *want)
{
    json_t *commands = commands_of(&p->body), *zadd = json_array_get(commands, 1),
           *hset = json_array_get(commands, 2), *record;
    size_t i, found = 0, n = json_array_size(want);
    CHECK_EQ_U64(json_array_size(commands), 4);
    CHECK_STR(json_string_value(json_array_get(json_array_get(commands, 0), 0)), "MULTI");
    CHECK_STR(json_string_value(json_array_get(zadd, 0)), "ZADD");
    CHECK_STR(json_string_value(json_array_get(zadd, 1)), "chouette:metrics:raw.keys");
    CHECK_STR(json_string_value(json_array_get(hset, 0)), "HSET");
    CHECK_STR(json_string_value(json_array_get(hset, 1)), "chouette:metrics:raw.values");
    CHECK_EQ_U64(json_array_size(zadd), 2 + 2 * n);
    CHECK_EQ_U64(json_array_size(hset), 2 + 2 * n);
    for (size_t k = 0; k < n; k++) {
        json_t *ours = json_loads(json_string_value(json_array_get(hset, 3 + 2 * k)), 0, NULL);
        bool same = false;
        CHECK(json_equal(json_array_get(zadd, 3 + 2 * k), json_array_get(hset, 2 + 2 * k)));
        json_array_foreach(want, i, record) same = same || json_equal(ours, record);
        if (!same) compare(what, ours, want);
        found += same;
        json_decref(ours);
    }
    CHECK_EQ_U64(found, n);
    json_decref(commands);
}

/* The way of points by hand. */
static void read_point(struct point_lines *lines, const struct backend_points *backend, json_t *line,
                       size_t i)
{
    struct point_reader reader = {.backend = backend, .prefix = "", .next_item = i};
    struct buf why = {0};
    char *text = json_dumps(line, 0);
    REQUIRE(text);
    if (!point_lines_add(lines, &reader, text, strlen(text), i + 1, &why))
        UNIT_FAIL("%s: %s\n", text, buf_text(&why));
    buf_free(&why);
    free(text);
}

static void run_case(const struct config_backend *b, json_t *one)
{
    const char *name = json_string_value(json_object_get(one, "case"));
    json_t *want = json_object_get(one, "requests"), *records = json_object_get(one, "records"), *line;
    json_t *refused = json_array(), *known = json_object_get(one, "left out");
    struct payload payloads[PAYLOADS] = {{.points = 0}};
    struct point_lines lines = {.root_count = 0};
    signed char where[64];
    struct buf why = {0};
    size_t i, requests = 0;
    void *session = b->type->session ? b->type->session->open(b->settings, &why) : NULL;
    json_array_foreach(json_object_get(one, "points"), i, line) read_point(&lines, b->type->points, line, i);
    const struct points points = lines.points;
    REQUIRE(points.n <= sizeof where);
    for (size_t from = 0; from < points.n;) {
        for (int k = 0; k < PAYLOADS; k++) payload_reset(&payloads[k]);
        from += points_write(b->type->points, &points.at[from], points.n - from, b->settings, session,
                             payloads, where, left_out, &refused);
        for (int k = 0; k < PAYLOADS; k++) {
            if (!payloads[k].body.len) continue;
            if (records) {
                compare_records(name, &payloads[k], records);
                continue;
            }
            json_t *expected = json_array_get(want, requests++);
            json_t *got = request_of(&payloads[k], expected);
            compare(name, got, expected);
            json_decref(got);
        }
    }
    if (!records && requests != json_array_size(want))
        UNIT_FAIL("%s: %zu requests, the vendor's client makes %zu\n", name, requests, json_array_size(want));
    if (known || json_array_size(refused)) compare(name, refused, known);
    for (int k = 0; k < PAYLOADS; k++) payload_free(&payloads[k]);
    if (session) b->type->session->close(&session);
    point_lines_free(&lines);
    buf_free(&why);
    json_decref(refused);
}

/* The case's options as a configuration: JSON is YAML. */
static struct config *config_of(const struct backend *backend, const json_t *one)
{
    struct buf mistakes = {0};
    json_t *options = json_deep_copy(json_object_get(one, "options"));
    json_object_set_new(options, "type", json_string(backend->name));
    json_t *whole = json_pack("{s:[o]}", "backends", options);
    char *text = json_dumps(whole, 0);
    struct config *config = config_parse("case", text, strlen(text), no_env, &mistakes);
    if (!config) UNIT_FAIL("%s: %s\n%s\n", backend->name, text, buf_text(&mistakes));
    free(text);
    json_decref(whole);
    buf_free(&mistakes);
    return config;
}

/* A query may be escaped in several ways. */
static void unescape_paths(json_t *one)
{
    json_t *request;
    size_t i;
    json_array_foreach(json_object_get(one, "requests"), i, request)
    {
        const char *path = json_string_value(json_object_get(request, "path"));
        char *plain = path ? unescaped(path) : NULL;
        if (plain) json_object_set_new(request, "path", json_string(plain));
        free(plain);
    }
}

static void run_file(const struct backend *backend)
{
    char path[512];
    json_error_t error;
    json_t *one;
    size_t i;
    snprintf(path, sizeof path, VENDORS_DIR "%s.json", backend->name);
    json_t *file = json_load_file(path, 0, &error), *cases = json_object_get(file, "cases");
    if (!file) UNIT_FAIL("%s:%d: %s\n", path, error.line, error.text);
    CHECK(json_array_size(cases) > 0);
    json_array_foreach(cases, i, one)
    {
        struct config *config = config_of(backend, one);
        unescape_paths(one);
        if (config) run_case(config->backends, one);
        config_free(&config);
    }
    json_decref(file);
}

/* Every backend that takes points by hand has its captured
 * requests, and makes the same of the same points. */
UNIT(vendors, same_requests)
{
    for (const struct backend *const *b = backends; *b; b++)
        if ((*b)->points) run_file(*b);
}

/* --- Chunks --- */

static const struct chunks {
    const char *backend, *options;
    size_t plain, tagged; /* points without a tag, then points with one */
    size_t sizes[6];      /* of the requests, in their order */
} chunks[] = {
    {"librato", "user: me, token: t", 650, 301, {300, 300, 50, 300, 1}},
    {"librato", "user: me, token: t", 300, 0, {300}},
    {"anodot20", "token: t", 0, 2500, {1000, 1000, 500}},
    {"anodot20", "token: t", 0, 1000, {1000}},
    {"apptuit", "token: t", 0, 50001, {50000, 1}},
    {"wavefront", "url: 'http://127.0.0.1:1', token: t", 0, 20001, {10000, 10000, 1}},
};

/* One request's share of the points; how many it took. */
static size_t write_chunk(const struct config_backend *b, const struct points *points, size_t from,
                          void *session, size_t **size)
{
    struct payload payloads[PAYLOADS] = {{.points = 0}};
    json_t *refused = json_array();
    signed char *where = malloc(points->n);
    REQUIRE(where);
    size_t taken = points_write(b->type->points, &points->at[from], points->n - from, b->settings, session,
                                payloads, where, left_out, &refused);
    free(where);
    for (int k = 0; k < PAYLOADS; k++) {
        if (payloads[k].body.len) *(*size)++ = payloads[k].points;
        payload_free(&payloads[k]);
    }
    CHECK_EQ_U64(json_array_size(refused), 0);
    json_decref(refused);
    return taken;
}

static void run_chunks(const struct chunks *c)
{
    static const metrics_tag_t tag = {"k", "v"};
    size_t sizes[16] = {0}, *size = sizes;
    struct points points = {0};
    struct buf text = {0}, why = {0};
    buf_printf(&text, "backends: [{type: %s, %s}]", c->backend, c->options);
    struct config *config = config_parse("chunks", text.data, text.len, no_env, &why);
    REQUIRE(config);
    const struct config_backend *b = config->backends;
    void *session = b->type->session ? b->type->session->open(b->settings, &why) : NULL;
    for (size_t i = 0; i < c->plain + c->tagged; i++)
        points_add(&points, &(struct point){.name = "n",
                                            .tags = &tag,
                                            .tag_count = i >= c->plain,
                                            .time_ns = UINT64_C(1700000000000000000),
                                            .extra = json_object(),
                                            .value_type = METRICS_I64});
    for (size_t from = 0; from < points.n && size < sizes + 14;)
        from += write_chunk(b, &points, from, session, &size);
    for (size_t i = 0; i < 6; i++) CHECK_EQ_U64(sizes[i], c->sizes[i]);
    for (size_t i = 0; i < points.n; i++) json_decref((json_t *)(uintptr_t)points.at[i].extra);
    if (session) b->type->session->close(&session);
    config_free(&config);
    points_free(&points);
    buf_free(&text);
    buf_free(&why);
}

/* Requests are as large as the vendor's client makes them, and no larger. */
UNIT(vendors, chunks)
{
    for (size_t i = 0; i < sizeof chunks / sizeof *chunks; i++) run_chunks(&chunks[i]);
}

/* --- Coda Hale's sub-series --- */

/* What the reporter's registry held when its report was captured. */
static void fill(metrics_registry_t *r)
{
    metrics_counter_add(metrics_counter(r, "carts.open", "zone", "b-2"), 4);
    metrics_gauge_set(metrics_gauge(r, "temp"), 22.5);
    for (int i = 1; i <= 10; i++) metrics_histogram_update(metrics_histogram(r, "size"), i);
    metrics_meter_mark(metrics_meter(r, "mails"), 10);
    for (uint64_t ms = 100; ms <= 400; ms *= 2) metrics_timer_update(metrics_timer(r, "wait"), ms * 1000000);
}

static json_t *report(const struct config *config, const metrics_snapshot_t *s)
{
    const struct config_backend *b = config->backends;
    struct payload payloads[PAYLOADS] = {{.points = 0}};
    struct selection sel;
    struct view view;
    struct buf why = {0};
    void *session = b->type->session->open(b->settings, &why);
    REQUIRE(selection_compile(&sel, b->type, b->settings, &config->tags));
    view_begin(&view, &sel, metrics_snapshot_header(s)->wall_ns, UINT64_C(10000000000));
    CHECK(view_add(&view, s, NULL));
    b->type->encode(&(struct batch){.view = &view, .to = view.n, .settings = b->settings, .session = session},
                    payloads);
    json_t *points = json_loadb(payloads[0].body.data, payloads[0].body.len, 0, NULL);
    for (int k = 0; k < PAYLOADS; k++) payload_free(&payloads[k]);
    b->type->session->close(&session);
    view_free(&view);
    selection_free(&sel);
    return points;
}

/* The same series and value; rates may differ, because their clocks do not tick at the same time. */
static bool same_point(json_t *a, json_t *b)
{
    const char *name = json_string_value(json_object_get(a, "metric"));
    double x = json_number_value(json_object_get(a, "value")),
           y = json_number_value(json_object_get(b, "value"));
    return json_equal(json_object_get(a, "metric"), json_object_get(b, "metric")) &&
           json_equal(json_object_get(a, "tags"), json_object_get(b, "tags")) &&
           (strstr(name, "_rate") || fabs(x - y) <= 1e-9 * fabs(x));
}

/* A registry's report has the series, the tags and the
 * numbers that the vendor's reporter makes of the same. */
UNIT(vendors, apptuit_reporter)
{
    static const char yaml[] =
        "tags: {svc: shop}\nbackends: [{type: apptuit, token: t, host: web-7, exclude: ['mtx.*']}]";
    struct fixture f;
    struct buf mistakes = {0};
    json_error_t error;
    json_t *file = json_load_file(VENDORS_DIR "apptuit.json", 0, &error), *one, *other;
    json_t *want = json_object_get(file, "reporter");
    size_t i, k;
    fixture_open(&f);
    fill(f.registry);
    metrics_snapshot_t *s = fixture_sample(&f, 10);
    struct config *config = config_parse("reporter", yaml, sizeof yaml - 1, no_env, &mistakes);
    REQUIRE(config);
    json_t *got = report(config, s);
    CHECK_EQ_U64(json_array_size(want), 31);
    CHECK_EQ_U64(json_array_size(got), json_array_size(want));
    json_array_foreach(want, i, one)
    {
        bool found = false;
        json_array_foreach(got, k, other) found = found || same_point(one, other);
        if (!found) compare("missing", got, one);
    }
    json_decref(got);
    json_decref(file);
    config_free(&config);
    metrics_snapshot_release(&s);
    fixture_close(&f);
}

/* --- What is said beside the points --- */

static json_t *said;

/* An answer that satisfies all backends. */
static void record(const struct payload *request, struct answer *answer)
{
    json_t *like = json_pack("{s:s}", "path", "");
    json_array_append_new(said, request_of(request, like));
    json_decref(like);
    answer->response.status = 200;
    if (request->method && !strcmp(request->method, "GET"))
        buf_str(&answer->response.body, "[]");
    else
        buf_str(&answer->response.body, "{\"schema\":{\"id\":\"S1\"},\"errors\":[],\"token\":\"BEARER\"}");
}

/* All requests of one interval, in their order, into `said`. */
static void deliver(const struct config_backend *b, const metrics_snapshot_t *s, uint64_t wall_ns)
{
    static const struct option_tags none;
    struct payload payloads[PAYLOADS] = {{.points = 0}};
    struct selection sel;
    struct view view;
    struct buf why = {0};
    void *session = b->type->session->open(b->settings, &why);
    REQUIRE(selection_compile(&sel, b->type, b->settings, &none));
    view_begin(&view, &sel, wall_ns, UINT64_C(10000000000));
    CHECK(view_add(&view, s, NULL));
    session_talk(b->type->session->prepare, session, &view);
    b->type->encode(&(struct batch){.view = &view, .to = view.n, .settings = b->settings, .session = session},
                    payloads);
    for (int k = 0; k < PAYLOADS; k++) {
        struct answer answer = {.outcome = OUTCOME_SENT};
        if (payloads[k].body.len) record(&payloads[k], &answer);
        answer_free(&answer);
        payload_free(&payloads[k]);
    }
    session_talk(b->type->session->done, session, &view);
    b->type->session->close(&session);
    view_free(&view);
    selection_free(&sel);
}

static void run_session(const struct backend *backend, json_t *one, const metrics_snapshot_t *s,
                        const char *include)
{
    json_t *options = json_object_get(one, "options");
    json_object_set_new(options, "include", json_pack("[s]", include));
    struct config *config = config_of(backend, one);
    REQUIRE(config);
    unescape_paths(one);
    said = json_array();
    deliver(config->backends, s, UINT64_C(1700000000000000000));
    compare(backend->name, said, json_object_get(one, "requests"));
    json_decref(said);
    config_free(&config);
}

/* Logins, schemas, descriptions and watermarks are the vendor's client's, and come in its order. */
UNIT(vendors, sessions)
{
    static const struct {
        const char *backend, *series;
    } sessions[] = {{"librato", "disk.free"}, {"anodot30", "web hits"}};
    const size_t size = sizeof(metrics_family_t);
    struct fixture f;
    fixture_open(&f);
    metrics_describe(f.registry, "disk.free",
                     &(metrics_family_t){.size = size, .unit = "gigabytes", .help = "free space"}, NULL);
    metrics_describe(f.registry, "web hits", &(metrics_family_t){.size = size, .unit = "req"}, NULL);
    metrics_gauge_set(metrics_gauge(f.registry, "disk.free", "city", "nyc"), 81.25);
    metrics_counter_add(metrics_counter(f.registry, "web hits", "data center", "eu.1"), 12);
    metrics_snapshot_t *s = fixture_sample(&f, 10);
    http_send_to(record);
    for (size_t i = 0; i < sizeof sessions / sizeof *sessions; i++) {
        char path[512];
        snprintf(path, sizeof path, VENDORS_DIR "%s.json", sessions[i].backend);
        json_t *file = json_load_file(path, 0, NULL);
        run_session(backend_find(sessions[i].backend), json_object_get(file, "session"), s,
                    sessions[i].series);
        json_decref(file);
    }
    http_send_to(NULL);
    metrics_snapshot_release(&s);
    fixture_close(&f);
}
