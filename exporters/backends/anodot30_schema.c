/* SPDX-License-Identifier: Apache-2.0 */
/*
 * anodot30_schema.c - Anodot, protocol 3.0: the schemas of a session, the second API, which lists and makes
 * them, and which schema a point has.
 */
#include "anodot30.h"

#include "clock.h"
#include "printable.h"

#include <search.h>
#include <stdlib.h>
#include <string.h>

#define BEARER_LIFE (UINT64_C(23) * 3600 * CLOCK_SECOND) /* the service's own is 24 h */

/* --- Schemas --- */

static void schema_free(struct anodot30_schema *s)
{
    free(s->name);
    free(s->id);
    json_decref(s->dimensions);
    json_decref(s->measurements);
    free(s);
}

static int schema_order(const void *a, const void *b)
{
    return strcmp(((const struct anodot30_schema *)a)->name, ((const struct anodot30_schema *)b)->name);
}

static void leave(void *schema)
{
    (void)schema; /* it is the list's */
}

void anodot30_forget(struct anodot30 *a)
{
    for (struct anodot30_schema *s = a->schemas, *next; s; s = next) {
        next = s->next;
        schema_free(s);
    }
    if (a->newest) tdestroy(a->newest, leave);
    a->schemas = NULL;
    a->newest = NULL;
    a->listed = false;
}

struct anodot30_schema *anodot30_find(const struct anodot30 *a, const char *name)
{
    const struct anodot30_schema like = {.name = (char *)(uintptr_t)name};
    struct anodot30_schema *const *found = tfind(&like, &a->newest, schema_order);
    return found ? *found : NULL;
}

static struct anodot30_schema *add_schema(struct anodot30 *a, const char *name, const char *id,
                                          int64_t version, json_t *dimensions, json_t *measurements)
{
    struct anodot30_schema *s = calloc(1, sizeof *s);
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
    struct anodot30_schema **newest = tsearch(s, &a->newest, schema_order);
    if (!newest) return NULL; /* it stays in the list, and is made again */
    if ((*newest)->version < version) *newest = s;
    return s;
}

bool anodot30_has_dimension(json_t *dimensions, const char *name)
{
    json_t *one;
    size_t i;
    json_array_foreach(dimensions, i,
                       one) if (json_is_string(one) && !strcmp(json_string_value(one), name)) return true;
    return false;
}

bool anodot30_covers(const struct anodot30_schema *s, json_t *dimensions, json_t *measurements)
{
    json_t *one;
    size_t i;
    const char *key;
    bool all = true;
    json_array_foreach(dimensions, i, one) all =
        all && anodot30_has_dimension(s->dimensions, json_string_value(one));
    json_object_foreach(measurements, key, one) all = all && json_object_get(s->measurements, key);
    if (all) return true;
    json_array_foreach(s->dimensions, i, one) if (json_is_string(one) &&
                                                  !anodot30_has_dimension(dimensions, json_string_value(one)))
        json_array_append(dimensions, one);
    json_object_update_missing(measurements, s->measurements);
    return false;
}

/* --- The second API --- */

/* Sends a request. Returns the answer's JSON, or NULL with the answer to return; 401 asks for a login. */
static json_t *exchange(const struct anodot30_talk *t, struct payload *request)
{
    const char *bearer = t->session->bearer;
    struct answer *answer = t->answer;
    json_t *root = NULL;
    if (bearer) http_auth_bearer(request, bearer);
    if (request->body.len) request->content_type = "application/json";
    transport_http.send(t->link, request, answer);
    if (answer->response.status == 401 && bearer) answer->outcome = OUTCOME_LOGIN;
    if (answer->outcome == OUTCOME_SENT) {
        root = json_loadb(buf_text(&answer->response.body), answer->response.body.len, JSON_DECODE_ANY, NULL);
        if (!root) {
            answer->outcome = OUTCOME_RETRY;
            buf_printf(&answer->why, "%s: the answer is not JSON", buf_text(&request->path));
        }
    }
    /* A schema or a login that is refused cannot be split: it is reported and tried again. */
    if (answer->outcome == OUTCOME_BAD || answer->outcome == OUTCOME_SPLIT) answer->outcome = OUTCOME_RETRY;
    return root;
}

static bool begin_login(const struct anodot30_talk *t)
{
    struct anodot30 *a = t->session;
    const char *key = t->settings->access_key;
    struct payload request = {.points = 0};
    struct json j;
    jsonw_begin(&j, &request.body);
    jsonw_object(&j);
    jsonw_key_str(&j, "refreshToken", key ? key : "");
    jsonw_object_end(&j);
    buf_str(&request.path, "/api/v2/access-token");
    json_t *root = exchange(t, &request);
    const char *token = json_string_value(root);
    if (!token) token = json_string_value(json_object_get(root, "token"));
    struct buf wrong = {0};
    if (token && *token && printable_check(token, &wrong)) { /* it goes into a header */
        a->bearer = strdup(token);
        a->login_at = clock_mono(&clock_system);
    } else if (root) {
        t->answer->outcome = OUTCOME_RETRY;
        buf_str(&t->answer->why, "the login's answer contains no valid token");
    }
    buf_free(&wrong);
    json_decref(root);
    payload_free(&request);
    return a->bearer != NULL;
}

static bool list_schemas(const struct anodot30_talk *t)
{
    struct anodot30 *a = t->session;
    struct payload request = {.method = "GET"};
    json_t *one;
    size_t i;
    buf_str(&request.path, "/api/v2/stream-schemas/schemas?excludeCubes=True");
    json_t *root = exchange(t, &request);
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

bool anodot30_create(const struct anodot30_talk *t, const char *name, int64_t version, json_t *dimensions,
                     json_t *measurements)
{
    struct payload request = {.points = 0};
    json_t *body = schema_json(t->settings, name, version, dimensions, measurements);
    char *text = body ? json_dumps(body, JSON_COMPACT | JSON_ENSURE_ASCII) : NULL;
    bool good = false;
    buf_str(&request.body, text ? text : "");
    buf_str(&request.path, "/api/v2/stream-schemas");
    json_t *root = exchange(t, &request);
    const char *id = json_string_value(json_object_get(json_object_get(root, "schema"), "id"));
    if (id) good = add_schema(t->session, name, id, version, dimensions, measurements) != NULL;
    if (root && !good) {
        t->answer->outcome = OUTCOME_RETRY;
        buf_printf(&t->answer->why, "the schema of %s got no id", name);
    }
    /* It may have been made although the response was lost, or by another exporter: a new list will say. */
    if (!good) anodot30_forget(t->session);
    json_decref(root);
    json_decref(body);
    free(text);
    payload_free(&request);
    return good;
}

bool anodot30_know(const struct anodot30_talk *t)
{
    struct anodot30 *a = t->session;
    if (a->bearer && clock_mono(&clock_system) - a->login_at > BEARER_LIFE) {
        free(a->bearer);
        a->bearer = NULL;
    }
    if (!a->bearer && !begin_login(t)) return false;
    answer_free(t->answer);
    return a->listed || list_schemas(t);
}

/* --- Points and their schemas --- */

const struct point_field *anodot30_fields_of(const struct point *p, struct point_field *one, size_t *n)
{
    *n = p->field_count;
    if (p->type == POINT_FIELDS) return p->fields;
    *one = (struct point_field){p->name, point_number(p), p->type == POINT_DELTA};
    *n = 1;
    return one;
}

const char *anodot30_given_id(const struct point *p)
{
    return p->extra ? json_string_value(json_object_get(p->extra, "schemaId")) : NULL;
}

const char *anodot30_schema_id(const struct point *p, const struct anodot30 *a)
{
    const char *given = anodot30_given_id(p);
    const struct anodot30_schema *s = given ? NULL : anodot30_find(a, p->name);
    return given ? given : s ? s->id : NULL;
}

void anodot30_send_watermark(const struct anodot30_talk *t, const char *id, uint64_t time_ns)
{
    struct payload request = {.points = 0};
    struct json j;
    jsonw_begin(&j, &request.body);
    jsonw_object(&j);
    jsonw_key_str(&j, "schemaId", id);
    jsonw_key_u64(&j, "watermark", time_ns / 1000000000);
    jsonw_object_end(&j);
    anodot_request(&request, &t->settings->anodot, "/api/v1/metrics/watermark", "anodot30");
    answer_free(t->answer);
    transport_http.send(t->link, &request, t->answer);
    anodot_judge_watermark(&request, t->answer);
    payload_free(&request);
}
