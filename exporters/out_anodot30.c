/* SPDX-License-Identifier: Apache-2.0 */
/*
 * out_anodot30.c - Anodot, protocol 3.0: a sample has all numbers of a series, and a schema that says what
 * they are. There is one schema for each name; it is looked up, or made, before its first sample.
 *
 *     POST /api/v1/metrics?token=...&protocol=anodot30
 *     [{"schemaId": "S1", "timestamp": 1700000000, "dimensions": {"dc": "eu_1"}, "measurements":
 * {"hits": 12.0}}]
 */
#include "anodot.h"
#include "attribute.h"
#include "clock.h"

#include <jansson.h>
#include <math.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

#define BEARER_LIFE (UINT64_C(23) * 3600 * CLOCK_SECOND) /* the service's own is 24 h */

struct anodot30_settings {
    struct anodot_settings anodot;
    char *access_key, *fill;
    int missing;
    bool watermark;
};

static const char *const policies[] = {"fill", "fail", "ignore", NULL};

#define ANODOT30(MEMBER) OPTION_FIELD(struct anodot30_settings, MEMBER)
static const struct option anodot30_options[] = {
    ANODOT_OPTIONS,
    {.name = "access_key",
     .type = OPTION_SECRET,
     ANODOT30(access_key),
     .env = "ANODOT_ACCESS_KEY",
     .required = true,
     .help = "the access key, for schemas"},
    {.name = "missing_dimension",
     .type = OPTION_CHOICE,
     ANODOT30(missing),
     .def = "fill",
     .choices = policies,
     .help = "what the service does with a sample that lacks a dimension of its schema"},
    {.name = "fill", .type = OPTION_STRING, ANODOT30(fill), .def = "unknown", .help = "text to fill in"},
    {.name = "watermark",
     .type = OPTION_BOOL,
     ANODOT30(watermark),
     .def = "true",
     .help = "after each interval, tell that all before it has been sent"},
    {.name = NULL},
};

/* --- Schemas -----------------------------------------------------------------------------------------------
 */

struct schema {
    struct schema *next;
    char *name, *id;
    int64_t version;
    json_t *dimensions, *measurements; /* array of names; object of settings */
};

/* By hand: the newest time that was sent of a schema. */
struct mark {
    struct mark *next;
    char *id;
    uint64_t time_ns;
};

struct anodot30 {
    const struct anodot30_settings *settings;
    struct schema *schemas;
    void *newest;       /* tree of them by name */
    struct mark *marks; /* by hand: watermarks that are due */
    bool listed;
    char *bearer;
    uint64_t login_at;
};

static void schema_free(struct schema *s)
{
    free(s->name);
    free(s->id);
    json_decref(s->dimensions);
    json_decref(s->measurements);
    free(s);
}

static int schema_order(const void *a, const void *b)
{
    return strcmp(((const struct schema *)a)->name, ((const struct schema *)b)->name);
}

static void leave(void *schema)
{
    (void)schema; /* it is the list's */
}

static void forget_schemas(struct anodot30 *a)
{
    for (struct schema *s = a->schemas, *next; s; s = next) {
        next = s->next;
        schema_free(s);
    }
    if (a->newest) tdestroy(a->newest, leave);
    a->schemas = NULL;
    a->newest = NULL;
    a->listed = false;
}

/* The newest of that name. */
static struct schema *find_schema(const struct anodot30 *a, const char *name)
{
    const struct schema like = {.name = (char *)(uintptr_t)name};
    struct schema *const *found = tfind(&like, &a->newest, schema_order);
    return found ? *found : NULL;
}

static struct schema *add_schema(struct anodot30 *a, const char *name, const char *id, int64_t version,
                                 json_t *dimensions, json_t *measurements)
{
    struct schema *s = calloc(1, sizeof *s);
    if (s) s->name = strdup(name);
    if (s) s->id = strdup(id);
    if (!s || !s->name || !s->id) {
        if (s) schema_free(s);
        return NULL;
    }
    s->version = version;
    s->dimensions = json_incref(dimensions);
    s->measurements = json_incref(measurements);
    s->next = a->schemas;
    a->schemas = s;
    struct schema **newest = tsearch(s, &a->newest, schema_order);
    if (!newest) return NULL; /* it stays in the list, and is made again */
    if ((*newest)->version < version) *newest = s;
    return s;
}

static bool has_dimension(json_t *dimensions, const char *name)
{
    json_t *one;
    size_t i;
    json_array_foreach(dimensions, i,
                       one) if (json_is_string(one) && !strcmp(json_string_value(one), name)) return true;
    return false;
}

/* Whether it covers what is needed; if not, what is needed grows by what it has. */
static bool covers(const struct schema *s, json_t *dimensions, json_t *measurements)
{
    json_t *one;
    size_t i;
    const char *key;
    bool all = true;
    json_array_foreach(dimensions, i, one) all = all && has_dimension(s->dimensions, json_string_value(one));
    json_object_foreach(measurements, key, one) all = all && json_object_get(s->measurements, key);
    if (all) return true;
    json_array_foreach(s->dimensions, i,
                       one) if (json_is_string(one) && !has_dimension(dimensions, json_string_value(one)))
        json_array_append(dimensions, one);
    json_object_update_missing(measurements, s->measurements);
    return false;
}

/* --- The second API ----------------------------------------------------------------------------------------
 */

/* Sends a request; the answer's JSON, or NULL with *answer to be handed on. 401 asks for a login. */
static json_t *exchange(struct anodot30 *a, void *link, struct payload *request, struct answer *answer)
{
    json_t *root = NULL;
    if (a->bearer) buf_printf(&request->secret, "Authorization: Bearer %s\n", a->bearer);
    if (request->body.len) request->content_type = "application/json";
    transport_http.send(link, request, answer);
    if (answer->response.status == 401 && a->bearer) answer->outcome = OUTCOME_LOGIN;
    if (answer->outcome == OUTCOME_SENT) {
        root = json_loadb(buf_text(&answer->response.body), answer->response.body.len, JSON_DECODE_ANY, NULL);
        if (!root) {
            answer->outcome = OUTCOME_RETRY;
            buf_printf(&answer->why, "%s: the answer is not JSON", buf_text(&request->path));
        }
    }
    /* A schema or a login that is refused cannot be split: it is tried again, and told. */
    if (answer->outcome == OUTCOME_BAD || answer->outcome == OUTCOME_SPLIT) answer->outcome = OUTCOME_RETRY;
    return root;
}

static bool begin_login(struct anodot30 *a, void *link, struct answer *answer)
{
    struct payload request = {.points = 0};
    struct json j;
    jsonw_begin(&j, &request.body);
    jsonw_object(&j);
    jsonw_key_str(&j, "refreshToken", a->settings->access_key ? a->settings->access_key : "");
    jsonw_object_end(&j);
    buf_str(&request.path, "/api/v2/access-token");
    json_t *root = exchange(a, link, &request, answer);
    const char *token = json_string_value(root);
    if (!token) token = json_string_value(json_object_get(root, "token"));
    if (token && *token) {
        a->bearer = strdup(token);
        a->login_at = clock_mono(&clock_system);
    } else if (root) {
        answer->outcome = OUTCOME_RETRY;
        buf_str(&answer->why, "the login's answer holds no token");
    }
    json_decref(root);
    payload_free(&request);
    return a->bearer != NULL;
}

static bool list_schemas(struct anodot30 *a, void *link, struct answer *answer)
{
    struct payload request = {.method = "GET"};
    json_t *one;
    size_t i;
    buf_str(&request.path, "/api/v2/stream-schemas/schemas?excludeCubes=True");
    json_t *root = exchange(a, link, &request, answer);
    json_array_foreach(root, i, one)
    {
        json_t *s = json_object_get(json_object_get(one, "streamSchemaWrapper"), "schema");
        const char *name = json_string_value(json_object_get(s, "name"));
        const char *id = json_string_value(json_object_get(s, "id"));
        json_t *version = json_object_get(s, "version");
        if (name && id)
            add_schema(a, name, id, json_is_integer(version) ? json_integer_value(version) : 1,
                       json_object_get(s, "dimensions"), json_object_get(s, "measurements"));
    }
    a->listed = root != NULL;
    json_decref(root);
    payload_free(&request);
    return a->listed;
}

static json_t *schema_json(const struct anodot30_settings *s, const char *name, int64_t version,
                           json_t *dimensions, json_t *measurements)
{
    static const char *const actions[] = {"fill", "fail", "ignore"};
    json_t *policy = json_pack("{s:s}", "action", actions[s->missing]);
    if (s->missing == 0) json_object_set_new(policy, "fill", json_string(s->fill ? s->fill : ""));
    return json_pack("{s:n, s:I, s:s, s:O, s:O, s:o}", "id", "version", (json_int_t)version, "name", name,
                     "dimensions", dimensions, "measurements", measurements, "missingDimPolicy", policy);
}

static bool create_schema(struct anodot30 *a, void *link, const char *name, int64_t version,
                          json_t *dimensions, json_t *measurements, struct answer *answer)
{
    struct payload request = {.points = 0};
    json_t *body = schema_json(a->settings, name, version, dimensions, measurements);
    char *text = body ? json_dumps(body, JSON_COMPACT | JSON_ENSURE_ASCII) : NULL;
    bool good = false;
    buf_str(&request.body, text ? text : "");
    buf_str(&request.path, "/api/v2/stream-schemas");
    json_t *root = exchange(a, link, &request, answer);
    const char *id = json_string_value(json_object_get(json_object_get(root, "schema"), "id"));
    if (id) good = add_schema(a, name, id, version, dimensions, measurements) != NULL;
    if (root && !good) {
        answer->outcome = OUTCOME_RETRY;
        buf_printf(&answer->why, "the schema of %s got no id", name);
    }
    json_decref(root);
    json_decref(body);
    free(text);
    payload_free(&request);
    return good;
}

/* --- What the registry needs -------------------------------------------------------------------------------
 */

/* What a series needs of its schema: the keys of its tags and its statistics. Nearly all series of a family
 * need the same, so each need is looked at once. */
enum { NEEDS = 64 };
struct needs {
    uint64_t seen[NEEDS];
    size_t n;
};

/* FNV-1a, http://www.isthe.com/chongo/tech/comp/fnv/ */
static uint64_t mix(uint64_t hash, const void *data, size_t n)
{
    const unsigned char *c = data;
    while (n--) hash = (hash ^ *c++) * UINT64_C(0x100000001b3);
    return hash;
}

static bool is_new_need(struct needs *needs, const struct item *item, const struct rows *rows)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < item->tag_count; i++)
        hash = mix(hash, item->tags[i].key, strlen(item->tags[i].key) + 1);
    for (size_t i = 0; i < rows->n; i++) {
        const metrics_row_t *row = &rows->at[i];
        const uint32_t what[] = {row->attribute, row->nature, row->worker >= 0, item->rebased};
        hash = mix(hash, what, sizeof what);
        hash = mix(hash, &row->parameter, sizeof row->parameter);
    }
    for (size_t i = 0; i < needs->n; i++)
        if (needs->seen[i] == hash) return false;
    if (needs->n < NEEDS) needs->seen[needs->n++] = hash;
    return true;
}

static void need_dimensions(const struct anodot30_settings *s, const struct item *item, json_t *dimensions)
{
    for (size_t i = 0; i < item->tag_count; i++) {
        struct buf key = {0};
        anodot_text(&s->anodot, item->tags[i].key, &key);
        if (!has_dimension(dimensions, buf_text(&key)))
            json_array_append_new(dimensions, json_string(buf_text(&key)));
        buf_free(&key);
    }
}

static void need_measurements(struct anodot30 *a, const struct view *view, const struct item *item,
                              const struct rows *rows, json_t *dimensions, json_t *measurements)
{
    struct points points = {0};
    anodot_map(&points, view, item, rows, &a->settings->anodot, NULL);
    for (size_t i = 0; i < points.n; i++) {
        const struct point *p = &points.at[i];
        struct buf name = {0};
        anodot_text(&a->settings->anodot, p->name, &name);
        json_t *m = json_pack("{s:s, s:s}", "aggregation", p->type == POINT_DELTA ? "sum" : "average",
                              "countBy", "none");
        if (p->unit && *p->unit) json_object_set_new(m, "units", json_string(p->unit));
        json_object_set_new(measurements, buf_text(&name), m);
        for (size_t t = item->tag_count; t < p->tag_count + 1 && p->tag_count > item->tag_count; t++)
            if (!has_dimension(dimensions, "worker"))
                json_array_append_new(dimensions, json_string("worker"));
        buf_free(&name);
    }
    points_free(&points);
}

/* Items [from, to) have one name. */
static bool prepare_family(struct anodot30 *a, void *link, const struct view *view, size_t from, size_t to,
                           struct answer *answer)
{
    json_t *dimensions = json_array(), *measurements = json_object();
    struct needs needs = {.n = 0};
    struct rows rows = {0};
    for (size_t i = from; i < to; i++) {
        const struct item *item = &view->items[i];
        if (!item_rows(view, item, METRICS_INTERVAL, &rows) || !is_new_need(&needs, item, &rows)) continue;
        need_dimensions(a->settings, item, dimensions);
        need_measurements(a, view, item, &rows, dimensions, measurements);
    }
    rows_free(&rows);
    struct schema *s = find_schema(a, view->items[from].name);
    bool there = !json_object_size(measurements) || (s && covers(s, dimensions, measurements));
    if (!there)
        there =
            create_schema(a, link, view->items[from].name, s ? s->version + 1 : a->settings->anodot.version,
                          dimensions, measurements, answer);
    json_decref(dimensions);
    json_decref(measurements);
    return there;
}

static size_t family_end(const struct view *view, size_t from)
{
    size_t to = from + 1;
    while (to < view->n && !strcmp(view->items[to].name, view->items[from].name)) to++;
    return to;
}

/* A bearer that is not too old, and the list of schemas. False, with the answer to be handed on. */
static bool know_schemas(struct anodot30 *a, void *link, struct answer *answer)
{
    if (a->bearer && clock_mono(&clock_system) - a->login_at > BEARER_LIFE) {
        free(a->bearer);
        a->bearer = NULL;
    }
    if (!a->bearer && !begin_login(a, link, answer)) return false;
    answer_free(answer);
    return a->listed || list_schemas(a, link, answer);
}

static void prepare_session(void *session, void *link, const struct view *view, struct answer *answer)
{
    struct anodot30 *a = session;
    if (!know_schemas(a, link, answer)) return;
    for (size_t from = 0, to; from < view->n; from = to) {
        to = family_end(view, from);
        answer_free(answer);
        if (!prepare_family(a, link, view, from, to, answer)) return;
    }
    answer_free(answer);
    answer->outcome = OUTCOME_SENT;
}

static void send_watermark(struct anodot30 *a, void *link, const char *id, uint64_t time_ns,
                           struct answer *answer)
{
    struct payload request = {.points = 0};
    struct json j;
    jsonw_begin(&j, &request.body);
    jsonw_object(&j);
    jsonw_key_str(&j, "schemaId", id);
    jsonw_key_u64(&j, "watermark", time_ns / 1000000000);
    jsonw_object_end(&j);
    anodot_request(&request, &a->settings->anodot, "/api/v1/metrics/watermark", "anodot30");
    answer_free(answer);
    transport_http.send(link, &request, answer);
    payload_free(&request);
}

static void tell_watermark(void *session, void *link, const struct view *view, struct answer *answer)
{
    struct anodot30 *a = session;
    answer->outcome = OUTCOME_SENT;
    for (size_t from = 0; from < view->n && a->settings->watermark; from = family_end(view, from)) {
        const struct schema *s = find_schema(a, view->items[from].name);
        if (!s) continue;
        send_watermark(a, link, s->id, view->wall_ns, answer);
        if (answer->outcome != OUTCOME_SENT) break;
    }
    if (answer->outcome == OUTCOME_BAD || answer->outcome == OUTCOME_SPLIT) answer->outcome = OUTCOME_DROP;
}

static void *open_session(const void *settings, struct buf *why)
{
    struct anodot30 *a = calloc(1, sizeof *a);
    if (a)
        a->settings = settings;
    else
        buf_str(why, "out of memory");
    return a;
}

static void expire_session(void *session)
{
    struct anodot30 *a = session;
    free(a->bearer);
    a->bearer = NULL;
    forget_schemas(a); /* somebody may have deleted one */
}

static void close_session(void **session)
{
    struct anodot30 *a = *session;
    for (struct mark *m = a->marks, *next; m; m = next) {
        next = m->next;
        free(m->id);
        free(m);
    }
    expire_session(*session);
    free(*session);
    *session = NULL;
}

/* --- Samples -----------------------------------------------------------------------------------------------
 */

/* One point with all its numbers; a level that is not merged makes one for each worker. */
static void anodot30_map(struct points *out, const struct view *view, const struct item *item,
                         const struct rows *rows, const void *settings, const void *session)
{
    struct points numbers = {0};
    struct point *sample = NULL;
    struct point_field *fields = NULL;
    anodot_map(&numbers, view, item, rows, settings, session);
    for (size_t i = 0; i < numbers.n; i++) {
        const struct point *p = &numbers.at[i];
        bool worker = p->tag_count > item->tag_count;
        if (!sample || worker) {
            sample = points_of_row(out, view, item, &rows->at[worker ? i : 0]);
            sample->type = POINT_FIELDS;
            fields = region_alloc(&out->region, numbers.n * sizeof *fields);
            sample->fields = fields;
            if (!fields) break;
        }
        fields[sample->field_count++] =
            (struct point_field){points_text(out, "%s", p->name), point_number(p), p->type == POINT_DELTA};
    }
    if (numbers.failed) out->failed = true;
    points_free(&numbers);
}

/* The numbers of a point; one that has a value has it under its own name, as the registry's have. */
static const struct point_field *fields_of(const struct point *p, struct point_field *one, size_t *n)
{
    *n = p->field_count;
    if (p->type == POINT_FIELDS) return p->fields;
    *one = (struct point_field){p->name, point_number(p), p->type == POINT_DELTA};
    *n = 1;
    return one;
}

static size_t put_measurements(struct json *j, const struct point *p, const struct anodot_settings *s,
                               struct buf *scratch)
{
    struct point_field one;
    size_t n = 0, count;
    const struct point_field *fields = fields_of(p, &one, &count);
    jsonw_key(j, "measurements");
    jsonw_object(j);
    for (size_t i = 0; i < count; i++) {
        if (!isfinite(fields[i].value)) continue;
        buf_reset(scratch);
        anodot_text(s, fields[i].name, scratch);
        jsonw_key(j, buf_text(scratch));
        jsonw_float(j, fields[i].value);
        n++;
    }
    jsonw_object_end(j);
    return n;
}

static const char *given_id(const struct point *p)
{
    return p->extra ? json_string_value(json_object_get(p->extra, "schemaId")) : NULL;
}

static const char *schema_of(const struct point *p, const struct anodot30 *a)
{
    const char *given = given_id(p);
    const struct schema *s = given ? NULL : find_schema(a, p->name);
    return given ? given : s ? s->id : NULL;
}

static bool anodot30_add(struct payload *payloads, const struct point *p, const void *settings,
                         const void *session, struct buf *why)
{
    static const char *const none[] = {NULL};
    const struct anodot30_settings *s = settings;
    struct buf *body = &payloads[0].body;
    size_t before = body->len;
    const char *id = schema_of(p, session);
    struct json j;
    if (!id) {
        buf_str(why, "there is no schema for it");
        return false;
    }
    buf_str(body, payloads[0].points ? ",\n" : "[");
    jsonw_begin(&j, body);
    jsonw_object(&j);
    jsonw_key_str(&j, "schemaId", id);
    if (p->time_ns) jsonw_key_u64(&j, "timestamp", p->time_ns / 1000000000);
    jsonw_key(&j, "dimensions");
    jsonw_object(&j);
    bool good = anodot_dimensions(&j, p, &s->anodot, none, ANODOT_PROPERTIES, &payloads[0].scratch, why);
    jsonw_object_end(&j);
    if (!put_measurements(&j, p, &s->anodot, &payloads[0].scratch) && good) {
        buf_str(why, "it has no finite number");
        good = false;
    }
    anodot_labels(&j, p, &s->anodot);
    jsonw_object_end(&j);
    if (good)
        payloads[0].points++;
    else
        buf_cut(body, before);
    return good;
}

static void anodot30_end(struct payload *payloads, const void *settings, const void *session)
{
    (void)session;
    if (!payloads[0].points) return;
    buf_char(&payloads[0].body, ']');
    anodot_request(&payloads[0], settings, "/api/v1/metrics", "anodot30");
}

/* --- By hand -----------------------------------------------------------------------------------------------
 */

/* "units": "req" for all of a line's measurements, or {"hits": "req"}. */
static const char *units_of(const struct point *p, const char *field)
{
    const json_t *units = p->extra ? json_object_get(p->extra, "units") : NULL;
    return json_is_object(units) ? json_string_value(json_object_get(units, field))
                                 : json_string_value(units);
}

/* What a point needs of its schema. */
static void need_point(const struct anodot30 *a, const struct point *p, json_t *dimensions,
                       json_t *measurements)
{
    struct point_field one;
    size_t n;
    const struct point_field *fields = fields_of(p, &one, &n);
    struct buf name = {0};
    for (size_t i = 0; i < p->tag_count; i++) {
        buf_reset(&name);
        anodot_text(&a->settings->anodot, p->tags[i].key, &name);
        if (!has_dimension(dimensions, buf_text(&name)))
            json_array_append_new(dimensions, json_string(buf_text(&name)));
    }
    for (size_t i = 0; i < n; i++) {
        const char *units = units_of(p, fields[i].name);
        json_t *m =
            json_pack("{s:s, s:s}", "aggregation", fields[i].delta ? "sum" : "average", "countBy", "none");
        buf_reset(&name);
        anodot_text(&a->settings->anodot, fields[i].name, &name);
        if (units) json_object_set_new(m, "units", json_string(units));
        json_object_set_new(measurements, buf_text(&name), m);
    }
    buf_free(&name);
}

/* The schema of at[0]'s name, found or made for all points of that name. */
static bool prepare_name(struct anodot30 *a, void *link, const struct point *at, size_t n,
                         struct answer *answer)
{
    json_t *dimensions = json_array(), *measurements = json_object();
    for (size_t i = 0; i < n; i++)
        if (!given_id(&at[i]) && !strcmp(at[i].name, at->name))
            need_point(a, &at[i], dimensions, measurements);
    struct schema *s = find_schema(a, at->name);
    bool there = s && covers(s, dimensions, measurements);
    if (!there)
        there = create_schema(a, link, at->name, s ? s->version + 1 : a->settings->anodot.version, dimensions,
                              measurements, answer);
    json_decref(dimensions);
    json_decref(measurements);
    return there;
}

static bool is_earlier(const struct point *at, size_t i)
{
    for (size_t k = 0; k < i; k++)
        if (!given_id(&at[k]) && !strcmp(at[k].name, at[i].name)) return true;
    return false;
}

static void note_mark(struct anodot30 *a, const char *id, uint64_t time_ns)
{
    struct mark *m = a->marks;
    while (m && strcmp(m->id, id)) m = m->next;
    char *copy = m ? NULL : strdup(id);
    if (copy && (m = calloc(1, sizeof *m))) {
        *m = (struct mark){.next = a->marks, .id = copy};
        a->marks = m;
    } else {
        free(copy);
    }
    if (m && time_ns > m->time_ns) m->time_ns = time_ns;
}

/* Points that name their schema need no login: the data collection key is enough for them. */
static void prepare_by_hand(void *session, void *link, const struct point *at, size_t n,
                            struct answer *answer)
{
    struct anodot30 *a = session;
    bool good = true;
    answer->outcome = OUTCOME_SENT;
    for (size_t i = 0; i < n && good; i++) {
        if (given_id(&at[i]) || is_earlier(at, i)) continue;
        if (!a->settings->access_key || !*a->settings->access_key) {
            buf_str(&answer->why, "access_key is missing: it is needed to find or make the schema of a point "
                                  "that has no schemaId");
            answer->outcome = OUTCOME_DROP;
            return;
        }
        answer_free(answer);
        good = know_schemas(a, link, answer);
        if (!good) return;
        answer_free(answer);
        good = prepare_name(a, link, &at[i], n - i, answer);
    }
    for (size_t i = 0; i < n && good; i++) note_mark(a, schema_of(&at[i], a), at[i].time_ns);
    if (!good) return;
    answer_free(answer);
    answer->outcome = OUTCOME_SENT;
}

static void done_by_hand(void *session, void *link, struct answer *answer)
{
    struct anodot30 *a = session;
    answer->outcome = OUTCOME_SENT;
    for (struct mark *m = a->marks; m && a->settings->watermark && answer->outcome == OUTCOME_SENT;
         m = m->next)
        send_watermark(a, link, m->id, m->time_ns, answer);
}

static const struct point_word anodot30_words[] = {
    {"sample", POINT_FIELDS, 0, POINT_NUMBER, "measurements",
     "some numbers of one time, or one under the name of its schema"},
    {"gauge", POINT_GAUGE, 0, POINT_NUMBER, NULL, "one number, aggregated by average"},
    {"counter", POINT_DELTA, 0, POINT_NUMBER, NULL, "one number, aggregated by sum"},
    {.word = NULL}};
static const char *const aggregations[] = {"average", "sum", NULL};
static const struct point_own anodot30_own[] = {
    {"measurements", POINT_NUMBER_MAP, NULL, "sample", "the numbers"},
    {"schemaId", POINT_TEXT, NULL, NULL,
     "the schema; without it, that of the point's name, which is found or made"},
    {"aggregation", POINT_TEXT_OR_MAP, aggregations, "sample",
     "of a schema that is made; average unless given"},
    {"units", POINT_TEXT_OR_MAP, NULL, NULL, "of a schema that is made"},
    {"labels", POINT_LISTS_MAP, NULL, NULL, "Anodot's own tags, no part of the identity"},
    {.name = NULL}};
/* A watermark says that nothing older will come, which nobody knows of points by hand. */
static const char *const anodot30_always[] = {"watermark=false", NULL};
static const struct points_by_hand anodot30_hand = {.always = anodot30_always,
                                                    .optional = "access_key",
                                                    .nameless = "schemaId",
                                                    .timed = true,
                                                    .ascending = true,
                                                    .constants = anodot_constants,
                                                    .prepare = prepare_by_hand,
                                                    .done = done_by_hand,
                                                    .blame = anodot_blame};

static const struct backend_points anodot30_points = {.map = anodot30_map,
                                                      .add = anodot30_add,
                                                      .end = anodot30_end,
                                                      .most = ANODOT_POINTS,
                                                      .words = anodot30_words,
                                                      .own = anodot30_own,
                                                      .hand = &anodot30_hand};

static const struct backend_session anodot30_session = {.open = open_session,
                                                        .prepare = prepare_session,
                                                        .done = tell_watermark,
                                                        .expire = expire_session,
                                                        .close = close_session};

const struct backend backend_anodot30 = {
    .name = "anodot30",
    .summary = "Anodot, protocol 3.0: samples with schemas",
    .options = anodot30_options,
    .settings_size = sizeof(struct anodot30_settings),
    .wants = {.resolution_ns = 1000000000,
              .totals = METRICS_INTERVAL,
              .sampled = METRICS_RECENT,
              .additive = true},
    .transport = &transport_http,
    .session = &anodot30_session,
    .judge = anodot_judge,
    .encode = points_encode,
    .points = &anodot30_points,
};
