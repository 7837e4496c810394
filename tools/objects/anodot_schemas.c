/* SPDX-License-Identifier: Apache-2.0 */
/* anodot_schemas.c - mtxctl anodot schema: what dimensions and measurements the samples of protocol 3.0 have. */
#include "anodot30.h"
#include "anodot_objects.h"
#include "asking.h"
#include "input.h"
#include "pattern.h"
#include "printable.h"

#include <stdlib.h>
#include <string.h>

#define LIST "/api/v2/stream-schemas/schemas?excludeCubes=True"

/* --- The list --- */

/* The schemas of the answer, out of their wrappers: a new reference. */
static json_t *list_schemas(const json_t *answer)
{
    json_t *schemas = json_array(), *one;
    size_t i;
    json_array_foreach((json_t *)(uintptr_t)answer, i, one)
    {
        json_t *schema = table_at(one, "streamSchemaWrapper.schema");
        if (schema && !json_object_get(schema, "version"))
            json_object_set_new(schema, "version", json_integer(1));
        if (schema) json_array_append(schemas, schema);
    }
    return schemas;
}

static int list_ask(struct job *job, json_t **schemas)
{
    struct payload request = {.method = "GET"};
    json_t *answer;
    buf_str(&request.path, LIST);
    int code = talk_look(&job->talk, &request, &answer);
    *schemas = list_schemas(answer);
    json_decref(answer);
    return code;
}

int anodot_find(struct job *job, const char *name, json_t **schema)
{
    json_t *schemas, *one;
    size_t i;
    int code = list_ask(job, &schemas);
    *schema = NULL;
    json_array_foreach(schemas, i, one)
    {
        const char *other = json_string_value(json_object_get(one, "name")),
                   *id = json_string_value(json_object_get(one, "id"));
        if (!*schema && ((other && !strcmp(other, name)) || (id && !strcmp(id, name))))
            *schema = json_incref(one);
    }
    if (code == CLI_OK && !*schema) code = cli_fail(job->cli, CLI_NO, "there is no schema \"%s\"", name);
    const char *found = json_string_value(json_object_get(*schema, "id"));
    if (code == CLI_OK && (!found || !*found))
        code = cli_fail(job->cli, CLI_SEGMENT, "the answer is not one of Anodot's: there is no id");
    json_decref(schemas);
    return code;
}

static const struct column schema_columns[] = {{"ID", "id", COLUMN_VALUE},
                                               {"NAME", "name", COLUMN_VALUE},
                                               {"VERSION", "version", COLUMN_NUMBER},
                                               {"DIMENSIONS", "dimensions", COLUMN_COUNT},
                                               {"MEASUREMENTS", "measurements", COLUMN_COUNT},
                                               {.title = NULL}};

static void list_print(struct job *job, const json_t *schemas)
{
    json_t *wanted = json_array(), *one;
    size_t i;
    json_array_foreach((json_t *)(uintptr_t)schemas, i, one)
    {
        const char *name = json_string_value(json_object_get(one, "name"));
        bool is = job->n == 0;
        for (int a = 0; a < job->n; a++) is = is || (name && pattern_match(job->args[a], name));
        if (is) json_array_append(wanted, one);
    }
    json_t *whole = json_pack("{s:O}", "schemas", wanted);
    job_print(job, job->cli->json ? whole : wanted, schema_columns);
    json_decref(whole);
    json_decref(wanted);
}

static int list_run(struct job *job)
{
    struct payload request = {.method = "GET"};
    json_t *answer;
    buf_str(&request.path, LIST);
    int code = talk_do(&job->talk, &request, &answer);
    json_t *schemas = list_schemas(answer);
    if (answer) list_print(job, schemas);
    json_decref(schemas);
    json_decref(answer);
    return code;
}

static int show_run(struct job *job)
{
    json_t *schema;
    int code = anodot_find(job, job->args[0], &schema);
    if (code == CLI_OK) job_print(job, schema, NULL);
    json_decref(schema);
    return code;
}

static int delete_run(struct job *job)
{
    struct payload request = {.method = "DELETE"};
    json_t *schema;
    int code = anodot_find(job, job->args[0], &schema);
    const char *id = json_string_value(json_object_get(schema, "id"));
    if (code == CLI_OK) talk_path(&request, "/api/v2/stream-schemas/{}", &id);
    json_decref(schema);
    return code == CLI_OK ? job_do(job, &request) : code;
}

/* --- Making one --- */

static const char *const aggregations[] = {"average", "sum", NULL};
static const char *const policies[] = {"fill", "fail", "ignore", NULL};

/* "NAME [average|sum [UNITS]]". */
static json_t *read_measurement(const char *text, struct buf *why)
{
    char *words = strdup(text), *rest = words;
    const char *name = strsep(&rest, " "), *aggregation = rest ? strsep(&rest, " ") : "average";
    json_t *one = NULL;
    if (field_text("a measurement's name", name, ANODOT_KEY, why) &&
        field_choice("a measurement's aggregation", aggregation, aggregations, why))
        one = json_pack("{s:s, s:s}", "name", name, "aggregation", aggregation);
    if (one && rest) json_object_set_new(one, "units", json_string(rest));
    free(words);
    return one;
}

static const struct field create_fields[] = {
    {.name = "dimensions", .type = FIELD_WORDS, .most = ANODOT_KEY, .help = "names, in their order"},
    {.name = "measurement",
     .type = FIELD_OWN,
     .read = read_measurement,
     .required = true,
     .arg = "\"NAME [average|sum [UNITS]]\"",
     .help = "a measurement; may be given again"},
    {.name = "version", .type = FIELD_INTEGER, .least = 1, .top = 1000000000, .help = "1 if not given"},
    {.name = "missing",
     .type = FIELD_CHOICE,
     .choices = policies,
     .help = "what the service does with a sample that lacks a dimension; fill if not given"},
    {.name = "fill",
     .type = FIELD_TEXT,
     .most = ANODOT_VALUE,
     .help = "what is filled in for a dimension; unknown if not given"},
    {.name = NULL}};

static json_t *clean(const struct anodot_settings *s, const char *name)
{
    struct buf text = {0};
    anodot_text(s, name, &text);
    json_t *copy = json_string(buf_text(&text));
    buf_free(&text);
    return copy;
}

static json_t *create_measurements(const struct job *job, const struct anodot_settings *s)
{
    json_t *map = json_object(), *one;
    size_t i;
    json_array_foreach((json_t *)(uintptr_t)job_field(job, "measurement"), i, one)
    {
        json_t *name = clean(s, json_string_value(json_object_get(one, "name")));
        json_t *m =
            json_pack("{s:O, s:s}", "aggregation", json_object_get(one, "aggregation"), "countBy", "none");
        if (json_object_get(one, "units")) json_object_set(m, "units", json_object_get(one, "units"));
        json_object_set_new(map, json_string_value(name), m);
        json_decref(name);
    }
    return map;
}

static json_t *create_policy(const struct job *job)
{
    const char *action = *job_text(job, "missing") ? job_text(job, "missing") : "fill";
    json_t *policy = json_pack("{s:s}", "action", action);
    if (!strcmp(action, "fill"))
        json_object_set_new(policy, "fill",
                            json_string(*job_text(job, "fill") ? job_text(job, "fill") : "unknown"));
    return policy;
}

static bool create_sound(const struct job *job, struct buf *why)
{
    const char *missing = job_text(job, "missing");
    if (job_field(job, "fill") && *missing && strcmp(missing, "fill"))
        buf_printf(why, "fill goes with missing=fill, not with missing=%s", missing);
    return !why->len && field_text("the schema's name", job->args[0], ANODOT_VALUE, why);
}

static int create_run(struct job *job)
{
    const struct anodot_settings *s = (const void *)job->talk.settings.common;
    struct payload request = {.points = 0};
    json_t *dimensions = json_array(), *one;
    const json_t *version = job_field(job, "version");
    size_t i;
    json_array_foreach((json_t *)(uintptr_t)job_field(job, "dimensions"), i, one)
        json_array_append_new(dimensions, clean(s, json_string_value(one)));
    json_t *body =
        json_pack("{s:n, s:I, s:s, s:o, s:o, s:o}", "id", "version",
                  version ? json_integer_value(version) : 1, "name", job->args[0], "dimensions", dimensions,
                  "measurements", create_measurements(job, s), "missingDimPolicy", create_policy(job));
    buf_str(&request.path, "/api/v2/stream-schemas");
    talk_body(&request, body);
    json_decref(body);
    return job_do(job, &request);
}

/* --- From a segment --- */

/* The exporter's own session lists the schemas and makes those that the series need. */
static int segment_prepare(struct job *job, struct asking *a)
{
    const struct settings *s = &job->talk.settings;
    struct answer answer = {.outcome = OUTCOME_SENT};
    int code = CLI_OK;
    if (settings_options.dry) request_begin(&job->talk.shown);
    s->backend->session->prepare(a->session, s->common, job->talk.link, &a->view, &answer);
    http_send_to(NULL);
    printable_buf(&answer.why);
    int status = answer.response.status;
    if (answer.outcome != OUTCOME_SENT)
        code = cli_fail(job->cli,
                        !status || status >= 500 || status == 429 ? CLI_SEGMENT
                        : status == 401 || status == 403          ? CLI_REFUSED
                                                                  : CLI_NO,
                        "%s: %s", s->common->name,
                        answer.why.len ? buf_text(&answer.why) : "the login was refused");
    answer_free(&answer);
    return code;
}

static void segment_print(struct job *job, const struct anodot30 *session)
{
    json_t *schemas = json_array();
    for (const struct anodot30_schema *s = session->schemas; s; s = s->next)
        json_array_append_new(schemas, json_pack("{s:s, s:s, s:I, s:O?, s:O?}", "id", s->id, "name", s->name,
                                                 "version", (json_int_t)s->version, "dimensions",
                                                 s->dimensions, "measurements", s->measurements));
    json_t *whole = json_pack("{s:O}", "schemas", schemas);
    if (!settings_options.dry) job_print(job, job->cli->json ? whole : schemas, schema_columns);
    json_decref(whole);
    json_decref(schemas);
}

/* Patterns take the place of the backend's include. */
static void segment_include(struct job *job)
{
    const struct settings *s = &job->talk.settings;
    const struct option *row = option_find(backend_options(s->backend), "include", &(bool){false});
    struct buf why = {0};
    if (job->n) option_clear(row, s->common);
    for (int i = 0; i < job->n; i++) option_parse(row, s->common, job->args[i], &why);
    buf_free(&why);
}

static bool segment_sound(const struct job *job, struct buf *why)
{
    for (int i = 0; i < job->n; i++)
        if (pattern_fault(job->args[i]))
            buf_printf(why, "\"%.100s\" %s", job->args[i], pattern_fault(job->args[i]));
    return !why->len;
}

static int segment_run(struct job *job)
{
    const struct settings *s = &job->talk.settings;
    const struct config_backend backend = {.type = s->backend, .settings = s->common};
    const struct option_tags none = {.n = 0};
    metrics_snapshot_t *now = NULL;
    struct asking_of of = {.now = NULL};
    struct asking a = {.backend = NULL};
    struct buf why = {0};
    if (!*settings_text(s, "access_key"))
        return cli_usage(job->cli, "access_key is missing (--set access_key_file=... or $ANODOT_ACCESS_KEY)");
    segment_include(job);
    int code = input_take(job->cli, NULL, &now);
    of.now = now;
    if (code == CLI_OK && !asking_open(&a, &backend, s->config ? &s->config->tags : &none, &of, &why))
        code = cli_fail(job->cli, CLI_FAILED, "%s", why.len ? buf_text(&why) : "out of memory");
    if (code == CLI_OK) code = segment_prepare(job, &a);
    if (code == CLI_OK) segment_print(job, a.session);
    if (a.backend) asking_close(&a);
    metrics_snapshot_release(&now);
    buf_free(&why);
    return code;
}

const struct call anodot_schema_calls[] = {
    {.words = "schema list", .args = "[GLOB...]", .most = 16, .run = list_run, .help = "list the schemas"},
    {.words = "schema show",
     .args = "NAME|ID",
     .least = 1,
     .most = 1,
     .run = show_run,
     .help = "show a schema"},
    {.words = "schema create",
     .args = "NAME",
     .least = 1,
     .most = 1,
     .fields = create_fields,
     .sound = create_sound,
     .run = create_run,
     .help = "make a schema"},
    {.words = "schema create-from-segment",
     .args = "[GLOB...]",
     .most = 16,
     .sound = segment_sound,
     .run = segment_run,
     .help =
         "make the schemas that the exporter needs for the metrics of the segment, unless they are there; list all of them"},
    {.words = "schema delete",
     .args = "NAME|ID",
     .least = 1,
     .most = 1,
     .run = delete_run,
     .help = "delete a schema"},
    {.words = NULL},
};
