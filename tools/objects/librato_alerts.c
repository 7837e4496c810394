/* SPDX-License-Identifier: Apache-2.0 */
/* librato_alerts.c - mtxctl librato alerts, services: what is watched, and who is notified. */
#include "librato.h"
#include "member.h"

#include "quantity.h"

#include <stdlib.h>
#include <string.h>

static const char *const condition_types[] = {"above", "below", "absent", NULL};
static const struct member condition_members[] = {
    {.name = "type", .type = MEMBER_TEXT},
    {.name = "metric_name", .type = MEMBER_TEXT, .most = LIBRATO_NAME},
    {.name = "source", .type = MEMBER_TEXT, .most = 255},
    {.name = "tags", .type = MEMBER_TAGS},
    {.name = "duration", .type = MEMBER_WHOLE, .least = 1},
    {.name = "threshold", .type = MEMBER_NUMBER},
    {.name = "summary_function", .type = MEMBER_TEXT, .most = 64},
    {.name = NULL}};
static const struct member alert_members[] = {{.name = "name", .type = MEMBER_TEXT, .most = LIBRATO_NAME},
                                              {.name = "md", .type = MEMBER_BOOL},
                                              {.name = "attributes", .type = MEMBER_MAP},
                                              {.name = "version", .type = MEMBER_WHOLE, .least = 1},
                                              {.name = "description", .type = MEMBER_TEXT},
                                              {.name = "rearm_seconds", .type = MEMBER_WHOLE, .least = 1},
                                              {.name = "active", .type = MEMBER_BOOL},
                                              {.name = "services", .type = MEMBER_LIST},
                                              {.name = "conditions", .type = MEMBER_LIST},
                                              {.name = NULL}};

/* --- Conditions --- */

static void default_to(json_t *object, const char *key, json_t *value)
{
    if (json_object_get(object, key))
        json_decref(value);
    else
        json_object_set_new(object, key, value);
}

static bool condition_numbers(const json_t *c, bool absent, struct buf *why)
{
    const json_t *threshold = json_object_get(c, "threshold"), *duration = json_object_get(c, "duration");
    if (!absent && !json_is_number(threshold))
        buf_str(why, "a condition above or below needs a threshold, a number");
    else if (absent && threshold)
        buf_str(why, "a condition absent has no threshold");
    else if (absent && !json_is_integer(duration))
        buf_str(why, "a condition absent needs a duration in seconds");
    return !why->len;
}

bool librato_sound_condition(json_t *c, struct buf *why)
{
    const char *type = json_string_value(json_object_get(c, "type"));
    const char *metric = json_string_value(json_object_get(c, "metric_name"));
    if (!json_is_object(c)) buf_str(why, "a condition is a map");
    if (why->len || !member_check(c, "a condition's", condition_members, why)) return false;
    if (!field_choice("a condition's type", type ? type : "", condition_types, why)) return false;
    if (!field_text("a condition's metric_name", metric ? metric : "", LIBRATO_NAME, why)) return false;
    bool absent = !strcmp(type, "absent");
    if (!condition_numbers(c, absent, why)) return false;
    default_to(c, "source", json_string("*"));
    default_to(c, "tags", json_object());
    default_to(c, "duration", json_null());
    default_to(c, "summary_function", absent ? json_null() : json_string("average"));
    return true;
}

/* A member given as KEY=VALUE. */
static bool condition_member(json_t *c, char *word, struct buf *why)
{
    char *equals = strchr(word, '=');
    if (!equals) {
        buf_printf(why, "\"%.100s\" in a condition is not KEY=VALUE", word);
        return false;
    }
    *equals = '\0';
    int64_t whole;
    if (!strncmp(word, "tags.", 5)) {
        default_to(c, "tags", json_object());
        json_object_set_new(json_object_get(c, "tags"), word + 5, json_string(equals + 1));
    } else if (!strcmp(word, "duration") && !quantity_integer(equals + 1, &whole)) {
        buf_printf(why, "a condition's duration is a number of seconds, not \"%.40s\"", equals + 1);
        return false;
    } else {
        json_object_set_new(c, word,
                            !strcmp(word, "duration") ? json_integer(whole) : json_string(equals + 1));
    }
    return true;
}

/* The third word may be the threshold. */
static bool condition_word(json_t *c, char *word, int at, struct buf *why)
{
    static const char *const first[] = {"type", "metric_name"};
    double number;
    if (at < 2) {
        json_object_set_new(c, first[at], json_string(word));
        return true;
    }
    if (!strncmp(word, "threshold=", 10)) word += 10;
    if (strchr(word, '=')) return condition_member(c, word, why);
    if (!quantity_float(word, &number)) {
        buf_printf(why, "a threshold is a number, not \"%.40s\"", word);
        return false;
    }
    json_object_set_new(c, "threshold", json_real(number));
    return true;
}

json_t *librato_read_condition(const char *text, struct buf *why)
{
    json_t *c = json_object();
    char *words = strdup(text), *rest = words, *word;
    bool good = words != NULL;
    int at = 0;
    while (good && (word = strsep(&rest, " ")))
        if (*word) good = condition_word(c, word, at++, why);
    good = good && librato_sound_condition(c, why);
    free(words);
    if (good) return c;
    json_decref(c);
    return NULL;
}

/* --- An alert --- */

static bool alert_texts(json_t *alert, struct buf *why)
{
    const char *name = json_string_value(json_object_get(alert, "name"));
    json_t *conditions = json_object_get(alert, "conditions"), *one;
    size_t i;
    if (!field_text("an alert's name", name ? name : "", LIBRATO_NAME, why)) return false;
    if (!json_array_size(conditions)) {
        buf_printf(why, "the alert \"%s\" has no condition", name);
        return false;
    }
    json_array_foreach(conditions, i, one) if (!librato_sound_condition(one, why)) return false;
    return true;
}

/* Titles or ids. */
static bool alert_services(const json_t *services, struct buf *why)
{
    json_t *one;
    size_t i;
    json_array_foreach((json_t *)(uintptr_t)services, i, one)
    {
        const char *title = json_string_value(one);
        if (!json_is_integer(one) && !field_text("a service", title ? title : "", 255, why)) return false;
    }
    return true;
}

bool librato_sound_alert(json_t *alert, struct buf *why)
{
    if (!member_check(alert, "an alert's", alert_members, why)) return false;
    if (!alert_services(json_object_get(alert, "services"), why)) return false;
    if (!alert_texts(alert, why)) return false;
    default_to(alert, "md", json_false());
    default_to(alert, "attributes", json_object());
    default_to(alert, "version", json_integer(2));
    default_to(alert, "description", json_null());
    default_to(alert, "rearm_seconds", json_null());
    default_to(alert, "active", json_true());
    default_to(alert, "services", json_array());
    return true;
}

/* --- Services of an alert --- */

int librato_services(struct talk *t, json_t *alert)
{
    json_t *services = json_object_get(alert, "services"), *one, *known = NULL;
    size_t i;
    int code = CLI_OK;
    json_array_foreach(services, i, one)
    {
        const char *title = json_string_value(one);
        if (!title) continue;
        if (!known && !librato_is_id(title))
            code = librato_list(t, librato_a_service.path, "services", &known);
        json_t *found = librato_among(known, title);
        if (code == CLI_OK && !found && !librato_is_id(title))
            code = cli_fail(t->cli, CLI_NO, "there is no service \"%s\"", title);
        if (code != CLI_OK) break;
        json_int_t id = found ? json_integer_value(json_object_get(found, "id")) : atoll(title);
        json_array_set_new(services, i, json_integer(id));
    }
    json_decref(known);
    return code;
}

/* --- Calls --- */

#define ALERT_FIELDS(REQUIRED)                                                                            \
    {.name = "condition",                                                                                 \
     .key = "conditions",                                                                                 \
     .type = FIELD_OWN,                                                                                   \
     .read = librato_read_condition,                                                                      \
     .required = (REQUIRED),                                                                              \
     .arg = "\"TYPE METRIC [THRESHOLD] [KEY=VALUE...]\"",                                                 \
     .help =                                                                                              \
         "TYPE is above, below or absent; the keys are duration (in seconds), summary_function, source, " \
         "tags.KEY; may be given again"},                                                                 \
        {.name = "description", .type = FIELD_TEXT, .help = "what it means"},                             \
        {.name = "rearm_seconds",                                                                         \
         .type = FIELD_INTEGER,                                                                           \
         .least = 1,                                                                                      \
         .top = 100000000,                                                                                \
         .help = "how long it is quiet after it fired"},                                                  \
        {.name = "active", .type = FIELD_BOOL, .help = "false: it is kept, and does nothing"},            \
        {.name = "services", .type = FIELD_WORDS, .help = "who is notified: titles or ids of services"},  \
        {.name = "md", .type = FIELD_BOOL, .help = "true: it is about metrics with tags"},                \
    {                                                                                                     \
        .name = "runbook_url", .key = "attributes.runbook_url", .type = FIELD_TEXT, .most = 1000,         \
        .help = "what to do then"                                                                         \
    }

static const struct field create_fields[] = {ALERT_FIELDS(true), {.name = NULL}};
static const struct field update_fields[] = {
    {.name = "name", .type = FIELD_TEXT, .most = LIBRATO_NAME, .help = "a new name"},
    ALERT_FIELDS(false),
    {.name = NULL}};

static const struct column alert_columns[] = {{"ID", "id", COLUMN_NUMBER},
                                              {"NAME", "name", COLUMN_VALUE},
                                              {"ACTIVE", "active", COLUMN_VALUE},
                                              {"CONDITIONS", "conditions", COLUMN_COUNT},
                                              {"SERVICES", "services", COLUMN_COUNT},
                                              {"DESCRIPTION", "description", COLUMN_VALUE},
                                              {.title = NULL}};
static const struct column service_columns[] = {{"ID", "id", COLUMN_NUMBER},
                                                {"TYPE", "type", COLUMN_VALUE},
                                                {"TITLE", "title", COLUMN_VALUE},
                                                {.title = NULL}};

static int alert_send(struct job *job, const char *method, const char *id, json_t *alert)
{
    struct payload request = {.method = method};
    int code = librato_services(&job->talk, alert);
    talk_path(&request, id ? "/v1/alerts/{}" : "/v1/alerts", &id);
    talk_body(&request, alert);
    if (code == CLI_OK) return job_do(job, &request);
    payload_free(&request);
    return code;
}

static json_t *alert_given(const struct job *job)
{
    json_t *alert = json_pack("{s:s}", "name", job->args[0]);
    fields_put(create_fields, job->given, alert);
    return alert;
}

static bool create_sound(const struct job *job, struct buf *why)
{
    json_t *alert = alert_given(job);
    bool good = librato_sound_alert(alert, why);
    json_decref(alert);
    return good;
}

static int create_run(struct job *job)
{
    struct buf why = {0};
    json_t *alert = alert_given(job);
    librato_sound_alert(alert, &why);
    int code = alert_send(job, "POST", NULL, alert);
    buf_free(&why);
    json_decref(alert);
    return code;
}

static bool update_sound(const struct job *job, struct buf *why)
{
    if (!json_object_size(job->given)) buf_str(why, "nothing to change was given: FIELD=VALUE");
    return !why->len;
}

/* The members that a PUT replaces, which is all of them: services as ids. */
json_t *librato_alert_body(const json_t *alert)
{
    static const char *const keys[] = {"name",          "md",     "attributes", "version", "description",
                                       "rearm_seconds", "active", "conditions"};
    json_t *body = json_object(), *ids = json_array(), *one;
    size_t i;
    for (i = 0; i < sizeof keys / sizeof *keys; i++) {
        json_t *value = json_object_get(alert, keys[i]);
        json_object_set(body, keys[i], value ? value : json_null());
    }
    json_array_foreach(json_object_get(alert, "services"), i, one)
    {
        json_t *id = json_object_get(one, "id");
        json_array_append(ids, id ? id : one);
    }
    json_object_set_new(body, "services", ids);
    return body;
}

static int update_run(struct job *job)
{
    json_t *alert;
    char id[24];
    int code = librato_find(&job->talk, &librato_alert, job->args[0], &alert);
    if (code != CLI_OK) return code;
    json_t *body = librato_alert_body(alert);
    fields_put(update_fields, job->given, body);
    code = alert_send(job, "PUT", librato_id(alert, id), body);
    json_decref(body);
    json_decref(alert);
    return code;
}

static int show_run(struct job *job)
{
    json_t *alert;
    int code = librato_find(&job->talk, &librato_alert, job->args[0], &alert);
    if (code == CLI_OK) job_print(job, alert, NULL);
    json_decref(alert);
    return code;
}

static int delete_run(struct job *job)
{
    struct payload request = {.method = "DELETE"};
    char room[24];
    json_t *alert;
    int code = librato_find(&job->talk, &librato_alert, job->args[0], &alert);
    if (code != CLI_OK) return code;
    const char *id = librato_id(alert, room);
    talk_path(&request, "/v1/alerts/{}", &id);
    json_decref(alert);
    return job_do(job, &request);
}

const struct call librato_alerts_calls[] = {
    {.words = "alerts list",
     .args = "[GLOB...]",
     .most = 16,
     .method = "GET",
     .path = "/v1/alerts",
     .columns = alert_columns,
     .run = librato_run_list,
     .help = "list the alerts"},
    {.words = "alerts show",
     .args = "NAME|ID",
     .least = 1,
     .most = 1,
     .run = show_run,
     .help = "show an alert"},
    {.words = "alerts create",
     .args = "NAME",
     .least = 1,
     .most = 1,
     .fields = create_fields,
     .sound = create_sound,
     .run = create_run,
     .help = "make an alert"},
    {.words = "alerts update",
     .args = "NAME|ID",
     .least = 1,
     .most = 1,
     .fields = update_fields,
     .sound = update_sound,
     .run = update_run,
     .help = "change what is given of an alert, and keep the rest"},
    {.words = "alerts delete",
     .args = "NAME|ID",
     .least = 1,
     .most = 1,
     .run = delete_run,
     .help = "delete an alert"},
    {.words = "services list",
     .args = "[GLOB...]",
     .most = 16,
     .method = "GET",
     .path = "/v1/services",
     .columns = service_columns,
     .run = librato_run_list,
     .help = "list the services that alerts notify"},
    {.words = NULL},
};
