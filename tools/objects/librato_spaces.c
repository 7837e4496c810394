/* SPDX-License-Identifier: Apache-2.0 */
/* librato_spaces.c - mtxctl librato spaces, charts: pages of charts, and the streams that a chart draws. */
#include "librato.h"
#include "member.h"

#include "quantity.h"

#include <stdlib.h>
#include <string.h>

const char *const librato_chart_types[] = {"line", "stacked", "bignumber", NULL};

/* --- Streams --- */

static const struct member stream_members[] = {
    {.name = "metric", .type = MEMBER_TEXT, .most = 255},
    {.name = "source", .type = MEMBER_TEXT, .most = 255},
    {.name = "composite", .type = MEMBER_TEXT},
    {.name = "name", .type = MEMBER_TEXT, .most = 255},
    {.name = "type", .type = MEMBER_TEXT, .most = 64},
    {.name = "id", .type = MEMBER_ANY},
    {.name = "group_function", .type = MEMBER_TEXT, .most = 64},
    {.name = "summary_function", .type = MEMBER_TEXT, .most = 64},
    {.name = "transform_function", .type = MEMBER_TEXT, .most = 1000},
    {.name = "downsample_function", .type = MEMBER_TEXT, .most = 64},
    {.name = "period", .type = MEMBER_NUMBER},
    {.name = "split_axis", .type = MEMBER_BOOL},
    {.name = "min", .type = MEMBER_NUMBER},
    {.name = "max", .type = MEMBER_NUMBER},
    {.name = "units_short", .type = MEMBER_TEXT, .most = 64},
    {.name = "units_long", .type = MEMBER_TEXT, .most = 255},
    {.name = "tags", .type = MEMBER_ANY},
    {.name = NULL}};
static const char *const stream_numbers[] = {"period", "min", "max", NULL};

static bool is_one_of(const char *word, const char *const *words)
{
    while (*words && strcmp(*words, word)) words++;
    return *words != NULL;
}

bool librato_sound_stream(json_t *stream, struct buf *why)
{
    const char *metric = json_string_value(json_object_get(stream, "metric"));
    const char *composite = json_string_value(json_object_get(stream, "composite"));
    if (!json_is_object(stream)) buf_str(why, "a stream is a map");
    if (why->len || !member_check(stream, "a stream's", stream_members, why)) return false;
    if (!metric == !composite) {
        buf_str(why, "a stream has either a metric or a composite");
        return false;
    }
    if (composite)
        json_object_del(stream, "source");
    else if (!json_object_get(stream, "source") && !json_object_get(stream, "tags"))
        json_object_set_new(stream, "source", json_string("*"));
    return !metric || field_text("a stream's metric", metric, LIBRATO_NAME, why);
}

static bool stream_member(json_t *stream, const char *key, const char *text, struct buf *why)
{
    double number;
    json_t *value = NULL;
    if (!is_one_of(key, stream_numbers))
        value = !strcmp(key, "split_axis") ? json_boolean(!strcmp(text, "true")) : json_string(text);
    else if (quantity_float(text, &number))
        value = number == (double)(json_int_t)number ? json_integer((json_int_t)number) : json_real(number);
    else
        buf_printf(why, "a stream's %s is a number, not \"%.40s\"", key, text);
    if (value) json_object_set_new(stream, key, value);
    if (!value && !why->len) buf_printf(why, "a stream's %s is not UTF-8", key);
    return value != NULL;
}

/* One word; *rest is what follows. An expression goes on to the end. */
static bool stream_word(json_t *stream, char *word, char **rest, struct buf *why)
{
    char *equals = strchr(word, '=');
    if (!equals) {
        return json_object_set_new(stream, "metric", json_string(word)) == 0 ||
               stream_member(stream, "metric", word, why);
    }
    *equals = '\0';
    if (!strcmp(word, "composite") && *rest) {
        (*rest)[-1] = ' ';
        *rest = NULL;
    }
    return stream_member(stream, word, equals + 1, why);
}

json_t *librato_read_stream(const char *text, struct buf *why)
{
    json_t *stream = json_object();
    char *words = strdup(text), *rest = words, *word;
    bool good = words != NULL;
    while (good && (word = strsep(&rest, " ")))
        if (*word) good = stream_word(stream, word, &rest, why);
    good = good && librato_sound_stream(stream, why);
    free(words);
    if (good) return stream;
    json_decref(stream);
    return NULL;
}

/* --- A chart --- */

static const struct member chart_members[] = {{.name = "name", .type = MEMBER_TEXT, .most = 255},
                                              {.name = "type", .type = MEMBER_TEXT, .most = 64},
                                              {.name = "streams", .type = MEMBER_LIST},
                                              {.name = "min", .type = MEMBER_NUMBER},
                                              {.name = "max", .type = MEMBER_NUMBER},
                                              {.name = "label", .type = MEMBER_TEXT, .most = 255},
                                              {.name = "use_log_yaxis", .type = MEMBER_BOOL},
                                              {.name = "use_last_value", .type = MEMBER_BOOL},
                                              {.name = "related_space", .type = MEMBER_WHOLE},
                                              {.name = NULL}};

/* A big number is one number: of one stream, summed up. */
static bool chart_bignumber(json_t *chart, struct buf *why)
{
    static const char *const functions[] = {"group_function", "summary_function"};
    json_t *streams = json_object_get(chart, "streams"), *one = json_array_get(streams, 0);
    if (json_array_size(streams) > 1) {
        buf_str(why, "a bignumber chart has one stream");
        return false;
    }
    for (size_t i = 0; one && i < 2; i++)
        if (!json_object_get(one, functions[i]))
            json_object_set_new(one, functions[i], json_string("average"));
    if (!json_object_get(chart, "use_last_value")) json_object_set_new(chart, "use_last_value", json_true());
    return true;
}

bool librato_sound_chart(json_t *chart, struct buf *why)
{
    const char *name = json_string_value(json_object_get(chart, "name"));
    if (!member_check(chart, "a chart's", chart_members, why)) return false;
    if (!json_object_get(chart, "type")) json_object_set_new(chart, "type", json_string("line"));
    if (!json_object_get(chart, "streams")) json_object_set_new(chart, "streams", json_array());
    const char *type = json_string_value(json_object_get(chart, "type"));
    json_t *one;
    size_t i;
    if (!field_text("a chart's name", name ? name : "", LIBRATO_NAME, why)) return false;
    if (!field_choice("the chart's type", type ? type : "", librato_chart_types, why)) return false;
    json_array_foreach(json_object_get(chart, "streams"), i,
                       one) if (!librato_sound_stream(one, why)) return false;
    return strcmp(type, "bignumber") != 0 || chart_bignumber(chart, why);
}

/* --- Spaces --- */

static const struct column space_columns[] = {{"ID", "id", COLUMN_NUMBER},
                                              {"NAME", "name", COLUMN_VALUE},
                                              {"TAGS", "tags", COLUMN_VALUE},
                                              {.title = NULL}};
static const struct field space_fields[] = {
    {.name = "tags", .type = FIELD_BOOL, .help = "true: its charts are of metrics with tags"},
    {.name = NULL}};
static const struct column chart_columns[] = {{"ID", "id", COLUMN_NUMBER},
                                              {"NAME", "name", COLUMN_VALUE},
                                              {"TYPE", "type", COLUMN_VALUE},
                                              {"STREAMS", "streams", COLUMN_COUNT},
                                              {.title = NULL}};

static bool space_sound(const struct job *job, struct buf *why)
{
    for (int i = 0; i < job->n; i++)
        if (!field_text("a name", job->args[i], LIBRATO_NAME, why)) return false;
    return true;
}

static int space_create(struct job *job)
{
    struct payload request = {.method = "POST"};
    json_t *body = json_pack("{s:s}", "name", job->args[0]);
    fields_put(space_fields, job->given, body);
    buf_str(&request.path, "/v1/spaces");
    talk_body(&request, body);
    json_decref(body);
    return job_do(job, &request);
}

/* The id of the space that the first argument names: a text for paths. */
static int space_find(struct job *job, char room[24])
{
    json_t *space;
    if (librato_is_id(job->args[0]) && strlen(job->args[0]) < 20) {
        strcpy(room, job->args[0]);
        return CLI_OK;
    }
    int code = librato_find(&job->talk, &librato_space, job->args[0], &space);
    if (code == CLI_OK) librato_id(space, room);
    json_decref(space);
    return code;
}

/* GET or DELETE of the space itself. */
static int space_do(struct job *job, const char *method, const json_t *body)
{
    struct payload request = {.method = method};
    char room[24];
    const char *id = room;
    int code = space_find(job, room);
    if (code != CLI_OK) return code;
    talk_path(&request, "/v1/spaces/{}", &id);
    if (body) talk_body(&request, body);
    return job_do(job, &request);
}

static int space_show(struct job *job)
{
    return space_do(job, "GET", NULL);
}

static int space_delete(struct job *job)
{
    return space_do(job, "DELETE", NULL);
}

static int space_rename(struct job *job)
{
    json_t *body = json_pack("{s:s}", "name", job->args[1]);
    int code = space_do(job, "PUT", body);
    json_decref(body);
    return code;
}

/* --- Charts --- */

#define CHART_FIELDS                                                                                            \
    {.name = "type",                                                                                            \
     .type = FIELD_CHOICE,                                                                                      \
     .choices = librato_chart_types,                                                                            \
     .help = "how it is drawn; line if not given"},                                                             \
        {.name = "stream",                                                                                      \
         .key = "streams",                                                                                      \
         .type = FIELD_OWN,                                                                                     \
         .read = librato_read_stream,                                                                           \
         .arg = "\"METRIC [KEY=VALUE...]\"",                                                                    \
         .help =                                                                                                \
             "what it shows: a metric, or composite=EXPRESSION; the keys are source, name, group_function, "    \
             "summary_function, transform_function, period, units_short, units_long, ...; may be given again"}, \
        {.name = "min", .type = FIELD_NUMBER, .help = "the least value of the axis"},                           \
        {.name = "max", .type = FIELD_NUMBER, .help = "the greatest"},                                          \
        {.name = "label", .type = FIELD_TEXT, .most = 255, .help = "of the axis"},                              \
        {.name = "use_log_yaxis", .type = FIELD_BOOL, .help = "true: a logarithmic axis"},                      \
        {.name = "use_last_value", .type = FIELD_BOOL, .help = "true: a big number is the last value"},         \
    {                                                                                                           \
        .name = "related_space", .type = FIELD_INTEGER, .help = "id of the space that a click leads to"         \
    }

static const struct field create_fields[] = {CHART_FIELDS, {.name = NULL}};
static const struct field update_fields[] = {
    {.name = "name", .type = FIELD_TEXT, .most = LIBRATO_NAME, .help = "a new name"},
    CHART_FIELDS,
    {.name = NULL}};

/* The charts of a space, an array. */
static int chart_list(struct job *job, const char *space, json_t **list)
{
    struct payload request = {.method = "GET"};
    talk_path(&request, "/v1/spaces/{}/charts", &space);
    return talk_look(&job->talk, &request, list);
}

static int chart_run_list(struct job *job)
{
    struct payload request = {.method = "GET"};
    char room[24];
    const char *id = room;
    int code = space_find(job, room);
    if (code != CLI_OK) return code;
    talk_path(&request, "/v1/spaces/{}/charts", &id);
    return job_do(job, &request);
}

static bool chart_given(const struct job *job, json_t *chart, struct buf *why)
{
    json_object_set_new(chart, "name", json_string(job->args[1]));
    fields_put(create_fields, job->given, chart);
    return librato_sound_chart(chart, why);
}

static bool create_sound(const struct job *job, struct buf *why)
{
    json_t *chart = json_object();
    bool good = space_sound(job, why) && chart_given(job, chart, why);
    json_decref(chart);
    return good;
}

static int chart_send(struct job *job, const char *method, const char *path, const char *const *ids,
                      const json_t *chart)
{
    struct payload request = {.method = method};
    talk_path(&request, path, ids);
    if (chart) talk_body(&request, chart);
    return job_do(job, &request);
}

static int create_run(struct job *job)
{
    char room[24];
    const char *id = room;
    struct buf why = {0};
    json_t *chart = json_object();
    chart_given(job, chart, &why);
    int code = space_find(job, room);
    if (code == CLI_OK) code = chart_send(job, "POST", "/v1/spaces/{}/charts", &id, chart);
    json_decref(chart);
    buf_free(&why);
    return code;
}

/* The chart that the first two arguments name, with the ids of both. */
static int chart_find(struct job *job, char space[24], char id[24], json_t **chart)
{
    json_t *list = NULL;
    *chart = NULL;
    int code = space_find(job, space);
    if (code == CLI_OK) code = chart_list(job, space, &list);
    if (code == CLI_OK) *chart = json_incref(librato_among(list, job->args[1]));
    if (code == CLI_OK && !*chart)
        code = cli_fail(job->cli, CLI_NO, "the space \"%s\" has no chart \"%s\"", job->args[0], job->args[1]);
    if (code == CLI_OK) code = librato_check_id(&job->talk, *chart);
    if (code == CLI_OK) librato_id(*chart, id);
    json_decref(list);
    return code;
}

/* Members of a chart that a PUT sends: it replaces the chart. */
json_t *librato_chart_body(const json_t *chart)
{
    json_t *body = json_object();
    for (const struct member *m = chart_members; m->name; m++) {
        json_t *value = json_object_get(chart, m->name);
        if (value && !json_is_null(value)) json_object_set(body, m->name, value);
    }
    return body;
}

static int chart_change(struct job *job, void (*change)(struct job *, json_t *body))
{
    char space[24], id[24];
    const char *const ids[] = {space, id};
    json_t *chart;
    int code = chart_find(job, space, id, &chart);
    json_t *body = librato_chart_body(chart);
    if (code == CLI_OK) {
        change(job, body);
        code = chart_send(job, "PUT", "/v1/spaces/{}/charts/{}", ids, body);
    }
    json_decref(body);
    json_decref(chart);
    return code;
}

static void change_fields(struct job *job, json_t *body)
{
    fields_put(update_fields, job->given, body);
}

static void change_name(struct job *job, json_t *body)
{
    json_object_set_new(body, "name", json_string(job->args[2]));
}

static void change_streams(struct job *job, json_t *body)
{
    if (!json_object_get(body, "streams")) json_object_set_new(body, "streams", json_array());
    json_array_extend(json_object_get(body, "streams"), (json_t *)(uintptr_t)job_field(job, "stream"));
}

static bool update_sound(const struct job *job, struct buf *why)
{
    if (!json_object_size(job->given)) buf_str(why, "nothing to change was given: FIELD=VALUE");
    return !why->len && space_sound(job, why);
}

static int chart_update(struct job *job)
{
    return chart_change(job, change_fields);
}

static int chart_rename(struct job *job)
{
    return chart_change(job, change_name);
}

static int chart_add_stream(struct job *job)
{
    return chart_change(job, change_streams);
}

static int chart_show(struct job *job)
{
    char space[24], id[24];
    const char *const ids[] = {space, id};
    json_t *chart;
    int code = chart_find(job, space, id, &chart);
    json_decref(chart);
    return code == CLI_OK ? chart_send(job, "GET", "/v1/spaces/{}/charts/{}", ids, NULL) : code;
}

static int chart_delete(struct job *job)
{
    char space[24], id[24];
    const char *const ids[] = {space, id};
    json_t *chart;
    int code = chart_find(job, space, id, &chart);
    json_decref(chart);
    return code == CLI_OK ? chart_send(job, "DELETE", "/v1/spaces/{}/charts/{}", ids, NULL) : code;
}

static const struct field stream_fields[] = {{.name = "stream",
                                              .type = FIELD_OWN,
                                              .read = librato_read_stream,
                                              .required = true,
                                              .arg = "\"METRIC [KEY=VALUE...]\"",
                                              .help = "as in charts create"},
                                             {.name = NULL}};

const struct call librato_spaces_calls[] = {
    {.words = "spaces list",
     .args = "[GLOB...]",
     .most = 16,
     .method = "GET",
     .path = "/v1/spaces",
     .columns = space_columns,
     .run = librato_run_list,
     .help = "list the spaces"},
    {.words = "spaces show",
     .args = "SPACE",
     .least = 1,
     .most = 1,
     .sound = space_sound,
     .run = space_show,
     .help = "show a space; SPACE is a name or an id"},
    {.words = "spaces create",
     .args = "NAME",
     .least = 1,
     .most = 1,
     .fields = space_fields,
     .sound = space_sound,
     .run = space_create,
     .help = "make a space"},
    {.words = "spaces rename",
     .args = "SPACE NAME",
     .least = 2,
     .most = 2,
     .sound = space_sound,
     .run = space_rename,
     .help = "give a space another name"},
    {.words = "spaces delete",
     .args = "SPACE",
     .least = 1,
     .most = 1,
     .sound = space_sound,
     .run = space_delete,
     .help = "delete a space with its charts"},
    {.words = "charts list",
     .args = "SPACE",
     .least = 1,
     .most = 1,
     .columns = chart_columns,
     .sound = space_sound,
     .run = chart_run_list,
     .help = "list the charts of a space"},
    {.words = "charts show",
     .args = "SPACE CHART",
     .least = 2,
     .most = 2,
     .sound = space_sound,
     .run = chart_show,
     .help = "show a chart; CHART is a name or an id"},
    {.words = "charts create",
     .args = "SPACE NAME",
     .least = 2,
     .most = 2,
     .fields = create_fields,
     .sound = create_sound,
     .run = create_run,
     .help = "make a chart in a space"},
    {.words = "charts update",
     .args = "SPACE CHART",
     .least = 2,
     .most = 2,
     .fields = update_fields,
     .sound = update_sound,
     .run = chart_update,
     .help = "change what is given of a chart, and keep the rest"},
    {.words = "charts rename",
     .args = "SPACE CHART NAME",
     .least = 3,
     .most = 3,
     .sound = space_sound,
     .run = chart_rename,
     .help = "give a chart another name"},
    {.words = "charts add-stream",
     .args = "SPACE CHART",
     .least = 2,
     .most = 2,
     .fields = stream_fields,
     .sound = space_sound,
     .run = chart_add_stream,
     .help = "add a stream to a chart"},
    {.words = "charts delete",
     .args = "SPACE CHART",
     .least = 2,
     .most = 2,
     .sound = space_sound,
     .run = chart_delete,
     .help = "delete a chart"},
    {.words = NULL},
};
