/* SPDX-License-Identifier: Apache-2.0 */
/* apptuit_query.c - mtxctl apptuit query: series of the service as a table, CSV, JSON or a chart. */
#include "apptuit_chart.h"
#include "apptuit_objects.h"
#include "clock.h"
#include "printable.h"
#include "transport_http.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

struct apptuit_options apptuit_options;

/* --- The service --- */

static int apptuit_sign(struct talk *t, struct payload *request)
{
    http_auth_bearer(request, settings_text(&t->settings, "token"));
    return CLI_OK;
}

static void apptuit_reason(const json_t *answer, struct buf *why)
{
    static const char *const paths[] = {"error", "message", "error.message", "error.details"};
    for (size_t i = 0; i < sizeof paths / sizeof *paths && !why->len; i++) {
        const char *text = json_string_value(table_at(answer, paths[i]));
        if (text) buf_str(why, text);
    }
}

const struct talk_service apptuit_service = {
    .backend = "apptuit", .sign = apptuit_sign, .reason = apptuit_reason};

/* --- The request --- */

/* The times of the query in seconds; `end` is now if it was not given. */
static bool query_times(uint64_t *start, uint64_t *end, struct buf *why)
{
    uint64_t from = 0, to = clock_wall(&clock_system);
    struct buf wrong = {0};
    const char *which = "--start";
    bool good = apptuit_options.start && field_time(apptuit_options.start, &from, &wrong);
    if (good && apptuit_options.end) {
        which = "--end";
        good = field_time(apptuit_options.end, &to, &wrong);
    }
    if (!apptuit_options.start)
        buf_str(why, "a query needs its beginning: --start TIME, such as -1h");
    else if (!good)
        buf_printf(why, "%s: %s", which, buf_text(&wrong));
    else if (to < from)
        buf_str(why, "--end is before --start");
    buf_free(&wrong);
    *start = from / 1000000000;
    *end = to / 1000000000;
    return !why->len;
}

static bool query_sound(const struct job *job, struct buf *why)
{
    uint64_t start, end;
    if (job->cli->json + apptuit_options.csv + apptuit_options.chart > 1)
        buf_str(why, "--json, --csv and --chart exclude each other");
    return !why->len && query_times(&start, &end, why);
}

/* --- The answer --- */

static bool is_inside(const json_t *point, uint64_t start, uint64_t end)
{
    double time = json_number_value(json_array_get(point, 0));
    return time >= (double)start && time <= (double)end;
}

/* Outputs without a result are left out, and points outside of the time. */
static json_t *query_outputs(const json_t *answer, uint64_t start, uint64_t end)
{
    json_t *kept = json_array(), *output, *series, *point;
    size_t i, s, p;
    json_array_foreach(json_object_get(answer, "outputs"), i, output)
    {
        json_t *result = json_object_get(output, "result");
        json_array_foreach(result, s, series)
        {
            json_t *inside = json_array();
            json_array_foreach(json_object_get(series, "dps"), p, point) if (is_inside(point, start, end))
                json_array_append(inside, point);
            json_object_set_new(series, "dps", inside);
        }
        if (json_array_size(result)) json_array_append(kept, output);
    }
    return kept;
}

/* --- As text --- */

struct shown {
    struct job *job;
    uint64_t start, end;
    size_t series;
    json_t *rows;
};
typedef void series_fn(struct shown *s, const char *id, json_t *series);

static void shown_each(struct shown *s, const json_t *outputs, series_fn *each)
{
    json_t *output, *series;
    size_t i, n;
    json_array_foreach((json_t *)(uintptr_t)outputs, i, output)
        json_array_foreach(json_object_get(output, "result"), n, series)
    {
        const char *id = json_string_value(json_object_get(output, "id"));
        each(s, id ? id : "", series);
        s->series++;
    }
}

static void shown_row(struct shown *s, const char *id, json_t *series)
{
    json_t *point;
    size_t i;
    json_array_foreach(json_object_get(series, "dps"), i, point) json_array_append_new(
        s->rows, json_pack("{s:s, s:O?, s:O?, s:O?, s:O?}", "output", id, "metric",
                           json_object_get(series, "metric"), "tags", json_object_get(series, "tags"), "time",
                           json_array_get(point, 0), "value", json_array_get(point, 1)));
}

/* A field of CSV, RFC 4180. */
static void csv_field(struct buf *out, const json_t *value, char end)
{
    struct buf text = {0};
    table_value(value, &text);
    bool quoted = strpbrk(buf_text(&text), ",\"\n\r") != NULL;
    if (quoted) buf_char(out, '"');
    for (const char *c = buf_text(&text); *c; c++) {
        if (*c == '"') buf_char(out, '"');
        buf_char(out, *c);
    }
    if (quoted) buf_char(out, '"');
    buf_char(out, end);
    buf_free(&text);
}

static void shown_csv(struct shown *s)
{
    static const char *const columns[] = {"output", "metric", "tags", "time", "value"};
    struct buf *out = &s->job->cli->out;
    json_t *row;
    size_t i;
    buf_str(out, "output,metric,tags,time,value\n");
    json_array_foreach(s->rows, i, row) for (size_t c = 0; c < 5; c++)
        csv_field(out, json_object_get(row, columns[c]), c < 4 ? ',' : '\n');
}

/* The width of the terminal, or 80. */
static size_t shown_width(void)
{
    const char *columns = getenv("COLUMNS");
    struct winsize size = {.ws_col = 0};
    size_t n = columns ? strtoul(columns, NULL, 10) : 0;
    if (!n && !ioctl(STDOUT_FILENO, TIOCGWINSZ, &size)) n = size.ws_col;
    return n >= 20 && n <= 1000 ? n : 80;
}

static void shown_chart(struct shown *s, const char *id, json_t *series)
{
    struct buf *out = &s->job->cli->out;
    buf_printf(out, "%s", s->series ? "\n" : "");
    printable(out, id, strlen(id));
    buf_char(out, ' ');
    table_value(json_object_get(series, "metric"), out);
    buf_char(out, ' ');
    table_value(json_object_get(series, "tags"), out);
    buf_char(out, '\n');
    apptuit_chart(json_object_get(series, "dps"), (double)s->start, (double)s->end, shown_width(), out);
}

static const struct column row_columns[] = {
    {"OUTPUT", "output", COLUMN_VALUE}, {"METRIC", "metric", COLUMN_VALUE}, {"TAGS", "tags", COLUMN_VALUE},
    {"TIME", "time", COLUMN_TIME},      {"VALUE", "value", COLUMN_NUMBER},  {.title = NULL}};

static int shown_print(struct shown *s, const json_t *outputs)
{
    struct job *job = s->job;
    s->rows = json_array();
    if (job->cli->json) {
        json_t *whole = json_pack("{s:O}", "outputs", outputs);
        talk_json(&job->talk, whole);
        json_decref(whole);
    } else if (apptuit_options.chart) {
        shown_each(s, outputs, shown_chart);
    } else {
        shown_each(s, outputs, shown_row);
        if (apptuit_options.csv)
            shown_csv(s);
        else if (json_array_size(s->rows))
            table_list(s->rows, row_columns, &job->cli->out);
    }
    json_decref(s->rows);
    if (json_array_size(outputs)) return CLI_OK;
    return cli_fail(job->cli, CLI_NO, "the query has no result");
}

static int query_run(struct job *job)
{
    struct payload request = {.method = "GET"};
    struct shown s = {.job = job};
    struct buf why = {0};
    char number[24];
    json_t *answer;
    query_times(&s.start, &s.end, &why);
    buf_str(&request.path, "/api/query");
    snprintf(number, sizeof number, "%llu", (unsigned long long)s.start);
    field_query(&request.path, "start", number);
    snprintf(number, sizeof number, "%llu", (unsigned long long)s.end);
    if (apptuit_options.end) field_query(&request.path, "end", number);
    field_query(&request.path, "q", job->args[0]);
    int code = talk_do(&job->talk, &request, &answer);
    json_t *outputs = query_outputs(answer, s.start, s.end);
    if (answer && !json_is_object(answer))
        code = cli_fail(job->cli, CLI_SEGMENT, "the answer is not one of Apptuit's");
    else if (answer)
        code = shown_print(&s, outputs);
    json_decref(outputs);
    json_decref(answer);
    buf_free(&why);
    return code;
}

/* --- Keys --- */

static bool encode_tags(const struct job *job, json_t *tags, struct buf *why)
{
    for (int i = 0; i < job->n && !why->len; i++)
        field_text(i ? "a tag" : "the name", job->args[i], FIELD_MOST, why);
    if (!why->len && strchr(job->args[0], '{'))
        buf_printf(why, "a name with { cannot be decoded: \"%.100s\"", job->args[0]);
    for (int i = 1; i < job->n && !why->len; i++) {
        const char *equals = strchr(job->args[i], '=');
        char *key = strndup(job->args[i], equals ? (size_t)(equals - job->args[i]) : 0);
        if (!equals || !key || !*key)
            buf_printf(why, "a tag is KEY=VALUE, not \"%.100s\"", job->args[i]);
        else
            json_object_set_new(tags, key, json_string(equals + 1));
        free(key);
    }
    return !why->len;
}

static bool encode_sound(const struct job *job, struct buf *why)
{
    json_t *tags = json_object();
    bool good = encode_tags(job, tags, why);
    json_decref(tags);
    return good;
}

static int encode_run(struct job *job)
{
    struct buf why = {0};
    json_t *tags = json_object();
    encode_tags(job, tags, &why);
    char *key = apptuit_encode(job->args[0], tags);
    json_t *result = json_pack("{s:s?}", "key", key);
    job_print(job, job->cli->json ? result : json_object_get(result, "key"), NULL);
    json_decref(result);
    json_decref(tags);
    free(key);
    buf_free(&why);
    return CLI_OK;
}

static bool decode_sound(const struct job *job, struct buf *why)
{
    char *name = NULL;
    json_t *tags = NULL;
    bool good = apptuit_decode(job->args[0], &name, &tags, why) &&
                (!*name || field_text("the name", name, FIELD_MOST, why));
    json_decref(tags);
    free(name);
    return good;
}

static int decode_run(struct job *job)
{
    struct buf why = {0};
    char *name = NULL;
    json_t *tags = NULL;
    apptuit_decode(job->args[0], &name, &tags, &why);
    json_t *result = json_pack("{s:s?, s:O?}", "name", name, "tags", tags);
    job_print(job, result, NULL);
    json_decref(result);
    json_decref(tags);
    free(name);
    buf_free(&why);
    return CLI_OK;
}

const struct call apptuit_calls_table[] = {
    {.words = "query",
     .args = "EXPRESSION",
     .least = 1,
     .most = 1,
     .sound = query_sound,
     .run = query_run,
     .help = "ask for series between --start and --end: a table, --csv, --json or --chart"},
    {.words = "encode",
     .args = "NAME [KEY=VALUE...]",
     .least = 1,
     .most = -1,
     .offline = true,
     .sound = encode_sound,
     .run = encode_run,
     .help = "print the key under which the service's client keeps a metric with these tags"},
    {.words = "decode",
     .args = "KEY",
     .least = 1,
     .most = 1,
     .offline = true,
     .sound = decode_sound,
     .run = decode_run,
     .help = "print the name and the tags in such a key"},
    {.words = NULL},
};
