/* SPDX-License-Identifier: Apache-2.0 */
/* librato_metrics.c - mtxctl librato metrics, composites: what is measured, its attributes, its values. */
#include "librato.h"

#include "pattern.h"

#include <string.h>

static const char *const types[] = {"gauge", "counter", "composite", NULL};
static const char *const sorts[] = {"asc", "desc", NULL};

static const struct field list_fields[] = {
    {.name = "name", .type = FIELD_TEXT, .help = "only names that contain this"},
    {.name = "orderby", .type = FIELD_TEXT, .help = "what the service sorts by, such as name"},
    {.name = "sort", .type = FIELD_CHOICE, .choices = sorts, .help = "the direction"},
    {.name = NULL},
};

static const struct column metric_columns[] = {
    {"NAME", "name", COLUMN_VALUE},
    {"TYPE", "type", COLUMN_VALUE},
    {"PERIOD", "period", COLUMN_NUMBER},
    {"DISPLAY NAME", "display_name", COLUMN_VALUE},
    {"DESCRIPTION", "description", COLUMN_VALUE},
    {.title = NULL},
};

/* --- Values --- */

static const struct field show_fields[] = {
    {.name = "count",
     .type = FIELD_INTEGER,
     .least = 1,
     .top = 1000000,
     .help = "how many values, the latest ones"},
    {.name = "resolution", .type = FIELD_INTEGER, .least = 1, .top = 86400, .help = "seconds for each value"},
    {.name = "start", .key = "start_time", .type = FIELD_TIME, .help = "the first time, such as -1h"},
    {.name = "end", .key = "end_time", .type = FIELD_TIME, .help = "the last time"},
    {.name = "duration",
     .type = FIELD_INTEGER,
     .least = 1,
     .top = 1000000000,
     .help = "seconds back from the end, or from now"},
    {.name = "source",
     .key = "sources",
     .type = FIELD_WORDS,
     .help = "only these sources (metrics without tags)"},
    {.name = "summarize_sources",
     .type = FIELD_BOOL,
     .help = "one series of all sources (metrics without tags)"},
    {.name = "summarize_time",
     .type = FIELD_BOOL,
     .help = "one value for the whole time (metrics without tags)"},
    {.name = "tags", .type = FIELD_MAP, .help = "only series with this tag"},
    {.name = "tags_search", .type = FIELD_TEXT, .help = "only series that match this search for tags"},
    {.name = "group_by", .type = FIELD_TEXT, .help = "one series for each value of this tag"},
    {.name = "group_by_function", .type = FIELD_TEXT, .help = "how the series of a group are combined"},
    {.name = "summary_function", .type = FIELD_TEXT, .help = "which statistic of the values"},
    {.name = NULL},
};

static const char *const tagged[] = {
    "tags", "tags_search", "group_by", "group_by_function", "summary_function", "duration"};
static const char *const untagged[] = {"count", "source", "summarize_sources", "summarize_time"};

static bool any_of(const struct job *job, const char *const *names, size_t n, const char **which)
{
    for (size_t i = 0; i < n; i++)
        if (job_field(job, names[i])) {
            *which = names[i];
            return true;
        }
    return false;
}
#define ANY_OF(JOB, NAMES, WHICH) any_of(JOB, NAMES, sizeof(NAMES) / sizeof *(NAMES), WHICH)

static bool show_is_tagged(const struct job *job)
{
    const char *which;
    return ANY_OF(job, tagged, &which);
}

static bool show_sound(const struct job *job, struct buf *why)
{
    const char *a, *b;
    if (ANY_OF(job, tagged, &a) && ANY_OF(job, untagged, &b))
        buf_printf(why, "%s is for metrics with tags, %s for metrics without: choose one of them", a, b);
    else if (show_is_tagged(job) && !job_field(job, "start") && !job_field(job, "duration"))
        buf_str(why, "a series with tags needs a time: start=... or duration=...");
    else if (job_field(job, "start") && job_field(job, "end") && job_field(job, "duration"))
        buf_str(why, "start, end and duration do not go together: leave one of them out");
    else
        return true;
    return false;
}

/* One row for each value: the series it is of, its time, its statistics. */
static void show_rows(const json_t *series, const char *name, json_t *rows)
{
    json_t *one;
    size_t i;
    json_array_foreach((json_t *)(uintptr_t)series, i, one)
    {
        json_t *time = json_object_get(one, "measure_time");
        json_array_append_new(rows, json_pack("{s:s, s:O?, s:O?, s:O?}", "series", name, "time",
                                              time ? time : json_object_get(one, "time"), "value",
                                              json_object_get(one, "value"), "count",
                                              json_object_get(one, "count")));
    }
}

static void show_tagged_rows(const json_t *answer, json_t *rows)
{
    json_t *one;
    size_t i;
    json_array_foreach(json_object_get(answer, "series"), i, one)
    {
        struct buf name = {0};
        json_t *tags = json_object_get(one, "tags");
        table_value(json_object_size(tags) ? tags : json_object_get(one, "name"), &name);
        show_rows(json_object_get(one, "measurements"), buf_text(&name), rows);
        buf_free(&name);
    }
}

/* A composite's series are a list; a metric's measurements are an object by source. */
static void show_untagged_rows(json_t *measurements, json_t *rows)
{
    const char *source;
    json_t *one;
    size_t i;
    json_object_foreach(measurements, source, one) show_rows(one, source, rows);
    json_array_foreach(measurements, i, one)
    {
        const char *name = json_string_value(table_at(one, "source.name"));
        show_rows(json_object_get(one, "series"), name ? name : "*", rows);
    }
}

static const struct column value_columns[] = {{"SERIES", "series", COLUMN_VALUE},
                                              {"TIME", "time", COLUMN_TIME},
                                              {"VALUE", "value", COLUMN_NUMBER},
                                              {"COUNT", "count", COLUMN_NUMBER},
                                              {.title = NULL}};

static void show_print(struct job *job, json_t *answer)
{
    json_t *rows = json_array();
    if (job->cli->json) {
        talk_json(&job->talk, answer);
    } else {
        show_untagged_rows(json_object_get(answer, "measurements"), rows);
        show_tagged_rows(answer, rows);
        json_object_del(answer, "measurements");
        json_object_del(answer, "series");
        if (json_object_size(answer)) table_object(answer, &job->cli->out);
        if (json_object_size(answer) && json_array_size(rows)) buf_char(&job->cli->out, '\n');
        if (json_array_size(rows)) table_list(rows, value_columns, &job->cli->out);
    }
    json_decref(rows);
}

static int show_ask(struct job *job, struct payload *request)
{
    json_t *answer;
    int code = talk_do(&job->talk, request, &answer);
    if (answer) show_print(job, answer);
    json_decref(answer);
    return code;
}

static int show_run(struct job *job)
{
    struct payload request = {.method = "GET"};
    bool tags = show_is_tagged(job);
    talk_path(&request, tags ? "/v1/measurements/{}" : "/v1/metrics/{}", (const char *const *)job->args);
    if (tags && !job_field(job, "resolution")) json_object_set_new(job->given, "resolution", json_integer(1));
    fields_query(show_fields, job->given, &request.path);
    return show_ask(job, &request);
}

/* --- Attributes --- */

static const struct field update_fields[] = {
    {.name = "type", .type = FIELD_CHOICE, .choices = types, .help = "needed if the metric is new"},
    {.name = "display_name", .type = FIELD_TEXT, .most = 255, .help = "the name that charts show"},
    {.name = "description", .type = FIELD_TEXT, .help = "what it measures"},
    {.name = "period", .type = FIELD_INTEGER, .least = 1, .top = 86400, .help = "seconds between two values"},
    {.name = "attributes",
     .type = FIELD_MAP,
     .most = 1000,
     .help = "color, display_max, display_min, display_units_long, "
             "display_units_short, display_stacked, aggregate, ..."},
    {.name = NULL},
};

static bool update_sound(const struct job *job, struct buf *why)
{
    if (!json_object_size(job->given))
        buf_str(why, "nothing to change was given: FIELD=VALUE, such as description=...");
    return !why->len;
}

/* A text that is a number, or true or false, is sent as one. */
static json_t *update_value(const json_t *text)
{
    json_t *value = json_loads(json_string_value(text), JSON_DECODE_ANY, NULL);
    if (json_is_number(value) || json_is_boolean(value)) return value;
    json_decref(value);
    return json_incref((json_t *)(uintptr_t)text);
}

static int update_run(struct job *job)
{
    struct payload request = {.points = 0};
    json_t *attributes = json_object_get(job->given, "attributes"), *value;
    const char *key;
    void *next;
    json_object_foreach_safe(attributes, next, key, value)
        json_object_set_new(attributes, key, update_value(value));
    job_request(job, &request);
    return job_do(job, &request);
}

/* --- Deleting --- */

static bool is_pattern(const char *name)
{
    return name[strcspn(name, "*?[")] != '\0';
}

static bool delete_sound(const struct job *job, struct buf *why)
{
    for (int i = 0; i < job->n; i++) {
        const char *fault = pattern_fault(job->args[i]);
        if (fault) {
            buf_printf(why, "\"%.100s\" %s", job->args[i], fault);
            return false;
        }
    }
    return true;
}

static int delete_names(struct job *job, json_t *names)
{
    struct payload request = {.method = "DELETE"};
    json_t *body = json_pack("{s:O}", "names", names), *answer;
    size_t n = json_array_size(names);
    const char *one = json_string_value(json_array_get(names, 0));
    talk_path(&request, n == 1 ? "/v1/metrics/{}" : "/v1/metrics", &one);
    if (n > 1) talk_body(&request, body);
    int code = talk_do(&job->talk, &request, &answer);
    if (code == CLI_OK) job_done(job, "deleted %zu metric%s", n, n == 1 ? "" : "s");
    json_decref(answer);
    json_decref(body);
    return code;
}

/* Adds the names that the patterns among the arguments match. */
static int delete_matching(struct job *job, json_t *names)
{
    json_t *list, *one;
    size_t i;
    int code = librato_list(&job->talk, "/v1/metrics", "metrics", &list);
    json_array_foreach(list, i, one)
    {
        json_t *name = json_object_get(one, "name");
        for (int a = 0; a < job->n && json_is_string(name); a++)
            if (is_pattern(job->args[a]) && pattern_match(job->args[a], json_string_value(name))) {
                json_array_append(names, name);
                break;
            }
    }
    json_decref(list);
    return code;
}

static int delete_asked(struct job *job, json_t *names)
{
    json_t *one;
    size_t i;
    struct buf question = {0};
    if (!json_array_size(names)) return cli_fail(job->cli, CLI_NO, "no metric matches");
    if (!job->cli->json) json_array_foreach(names, i, one)
        {
            table_value(one, &job->cli->out);
            buf_char(&job->cli->out, '\n');
        }
    buf_printf(&question, "Delete these %zu metrics, and all that was measured?", json_array_size(names));
    bool yes = job_confirm(job, buf_text(&question));
    buf_free(&question);
    return yes ? delete_names(job, names) : CLI_USAGE;
}

static int delete_run(struct job *job)
{
    json_t *names = json_array();
    bool patterns = false;
    int code = CLI_OK;
    for (int i = 0; i < job->n; i++) {
        if (is_pattern(job->args[i]))
            patterns = true;
        else
            json_array_append_new(names, json_string(job->args[i]));
    }
    if (patterns) code = delete_matching(job, names);
    if (code == CLI_OK) code = patterns ? delete_asked(job, names) : delete_names(job, names);
    json_decref(names);
    return code;
}

/* --- Composites --- */

static const struct field query_fields[] = {
    {.name = "start",
     .key = "start_time",
     .type = FIELD_TIME,
     .required = true,
     .help = "the first time, such as -1h"},
    {.name = "end", .key = "end_time", .type = FIELD_TIME, .help = "the last time"},
    {.name = "resolution",
     .type = FIELD_INTEGER,
     .least = 1,
     .top = 86400,
     .help = "seconds for each value; 1 if not given"},
    {.name = "tagged", .type = FIELD_BOOL, .help = "true: an expression of metrics with tags"},
    {.name = NULL},
};

static int query_run(struct job *job)
{
    struct payload request = {.method = "GET"};
    bool tags = json_is_true(job_field(job, "tagged"));
    json_object_del(job->given, "tagged");
    if (!job_field(job, "resolution")) json_object_set_new(job->given, "resolution", json_integer(1));
    buf_str(&request.path, tags ? "/v1/measurements" : "/v1/metrics");
    field_query(&request.path, "compose", job->args[0]);
    fields_query(query_fields, job->given, &request.path);
    return show_ask(job, &request);
}

static const struct field save_fields[] = {
    {.name = "composite",
     .type = FIELD_TEXT,
     .required = true,
     .help = "the expression, such as s(\"cpu.*\",\"web-*\")"},
    {.name = "display_name", .type = FIELD_TEXT, .most = 255, .help = "the name that charts show"},
    {.name = "description", .type = FIELD_TEXT, .help = "what it computes"},
    {.name = "period", .type = FIELD_INTEGER, .least = 1, .top = 86400, .help = "seconds between two values"},
    {.name = NULL},
};

static int save_run(struct job *job)
{
    struct payload request = {.method = "PUT"};
    json_t *body = json_pack("{s:s}", "type", "composite");
    fields_put(save_fields, job->given, body);
    talk_path(&request, "/v1/metrics/{}", (const char *const *)job->args);
    talk_body(&request, body);
    json_decref(body);
    return job_do(job, &request);
}

static bool name_sound(const struct job *job, struct buf *why)
{
    return field_text("the metric's name", job->args[0], LIBRATO_NAME, why);
}

const struct call librato_metrics_calls[] = {
    {.words = "metrics list",
     .args = "[GLOB...]",
     .most = 16,
     .fields = list_fields,
     .columns = metric_columns,
     .method = "GET",
     .path = "/v1/metrics",
     .run = librato_run_list,
     .help = "list the metrics, those that match a GLOB"},
    {.words = "metrics show",
     .args = "NAME",
     .least = 1,
     .most = 1,
     .fields = show_fields,
     .sound = show_sound,
     .run = show_run,
     .help = "show a metric's attributes, and its values if a time or a count is given"},
    {.words = "metrics update",
     .args = "NAME",
     .least = 1,
     .most = 1,
     .fields = update_fields,
     .sound = update_sound,
     .method = "PUT",
     .path = "/v1/metrics/{}",
     .run = update_run,
     .help = "change a metric's attributes, or make the metric"},
    {.words = "metrics delete",
     .args = "NAME|GLOB...",
     .least = 1,
     .most = -1,
     .sound = delete_sound,
     .run = delete_run,
     .help = "delete metrics; those that match a GLOB are listed first, and you are asked"},
    {.words = "composites query",
     .args = "EXPRESSION",
     .least = 1,
     .most = 1,
     .fields = query_fields,
     .run = query_run,
     .help = "compute an expression of metrics"},
    {.words = "composites save",
     .args = "NAME",
     .least = 1,
     .most = 1,
     .fields = save_fields,
     .sound = name_sound,
     .run = save_run,
     .help = "save an expression as a metric"},
    {.words = NULL},
};
