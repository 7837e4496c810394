/* SPDX-License-Identifier: Apache-2.0 */
#include "librato.h"

#include "pattern.h"
#include "transport_http.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { LIBRATO_PAGES_MOST = 10000 };

const struct librato_kind librato_space = {"space", "spaces", "/v1/spaces", true};
const struct librato_kind librato_alert = {"alert", "alerts", "/v1/alerts", true};
const struct librato_kind librato_a_service = {"service", "services", "/v1/services", false};
const struct librato_kind librato_metric = {"metric", "metrics", "/v1/metrics", true};

/* --- The service --- */

/* Basic authentication; AppOptics has a token and no user. */
static int librato_sign(struct talk *t, struct payload *request)
{
    const char *user = settings_text(&t->settings, "user"), *token = settings_text(&t->settings, "token");
    http_auth_basic(request, *user ? user : token, *user ? token : "");
    return CLI_OK;
}

/* Errors are a text, a list, or an object of either: "params: name: is taken". */
static void librato_flatten(const json_t *errors, const char *before, struct buf *why)
{
    const char *key;
    json_t *one;
    size_t i;
    if (json_is_string(errors))
        buf_printf(why, "%s%s%s", why->len ? ", " : "", before, json_string_value(errors));
    json_array_foreach((json_t *)(uintptr_t)errors, i, one) librato_flatten(one, before, why);
    json_object_foreach((json_t *)(uintptr_t)errors, key, one)
    {
        struct buf inner = {0};
        buf_printf(&inner, "%s%s: ", before, key);
        if (inner.len < 200) librato_flatten(one, buf_text(&inner), why);
        buf_free(&inner);
    }
}

static void librato_reason(const json_t *answer, struct buf *why)
{
    static const char *const members[] = {"error", "message", "errors"};
    for (size_t i = 0; i < sizeof members / sizeof *members && !why->len; i++)
        librato_flatten(json_object_get(answer, members[i]), "", why);
}

/* The limit of a rate is a 403, too. */
static bool librato_later(int status, const json_t *answer)
{
    return status == 403 && json_object_get(answer, "request_time");
}

const struct talk_service librato_service = {
    .backend = "librato", .sign = librato_sign, .reason = librato_reason, .later = librato_later};

/* --- Lists --- */

bool librato_is_id(const char *text)
{
    return *text && !text[strspn(text, "0123456789")];
}

const char *librato_id(const json_t *object, char room[24])
{
    snprintf(room, 24, "%lld", (long long)json_integer_value(json_object_get(object, "id")));
    return room;
}

int librato_check_id(struct talk *t, const json_t *object)
{
    if (json_is_integer(json_object_get(object, "id"))) return CLI_OK;
    return cli_fail(t->cli, CLI_SEGMENT, "the answer is not one of Librato's: there is no id");
}

static void librato_page(struct payload *request, const char *path, json_int_t offset)
{
    char number[24];
    request->method = "GET";
    buf_str(&request->path, path);
    snprintf(number, sizeof number, "%lld", (long long)offset);
    field_query(&request->path, "offset", number);
    snprintf(number, sizeof number, "%d", LIBRATO_PAGE);
    field_query(&request->path, "length", number);
}

/* Adds a page to the list. The offset of the next one; 0 after the last. */
static json_int_t librato_next(const json_t *answer, const char *member, json_int_t offset, json_t *list)
{
    json_int_t length = json_integer_value(table_at(answer, "query.length"));
    json_int_t total = json_integer_value(table_at(answer, "query.total"));
    json_array_extend(list, json_object_get(answer, member));
    return length <= 0 || offset + length >= total ? 0 : offset + length;
}

int librato_list(struct talk *t, const char *path, const char *member, json_t **list)
{
    int code = CLI_OK;
    json_int_t offset = 0;
    *list = json_array();
    for (int page = 0; code == CLI_OK && page < LIBRATO_PAGES_MOST && (!page || offset); page++) {
        struct payload request = {.points = 0};
        json_t *answer;
        librato_page(&request, path, offset);
        code = talk_look(t, &request, &answer);
        offset = code == CLI_OK ? librato_next(answer, member, offset, *list) : 0;
        json_decref(answer);
    }
    return code;
}

/* How well an object fits: 3 by its name, 2 by its id, 1 by its name in other letters. */
static int librato_fits(const json_t *one, const char *name)
{
    char number[24];
    const char *other = json_string_value(json_object_get(one, "name"));
    if (!other) other = json_string_value(json_object_get(one, "title"));
    if (other && !strcmp(other, name)) return 3;
    if (librato_is_id(name) && !strcmp(librato_id(one, number), name)) return 2;
    return other && !strcasecmp(other, name);
}

json_t *librato_among(const json_t *list, const char *name)
{
    json_t *one, *best = NULL;
    size_t i;
    int most = 0;
    json_array_foreach((json_t *)(uintptr_t)list, i, one)
    {
        int fits = librato_fits(one, name);
        if (fits > most) best = one, most = fits;
    }
    return best;
}

int librato_find(struct talk *t, const struct librato_kind *kind, const char *name, json_t **found)
{
    struct buf path = {0};
    json_t *list;
    buf_str(&path, kind->path);
    if (kind->search && !librato_is_id(name)) field_query(&path, "name", name);
    int code = librato_list(t, buf_text(&path), kind->list, &list);
    *found = code == CLI_OK ? json_incref(librato_among(list, name)) : NULL;
    if (code == CLI_OK && !*found) code = cli_fail(t->cli, CLI_NO, "there is no %s \"%s\"", kind->one, name);
    if (code == CLI_OK) code = librato_check_id(t, *found);
    json_decref(list);
    buf_free(&path);
    return code;
}

/* --- The list as a call --- */

static bool librato_wanted(const struct job *job, const json_t *one)
{
    const char *name = json_string_value(json_object_get(one, "name"));
    for (int i = 0; i < job->n; i++)
        if (name && pattern_match(job->args[i], name)) return true;
    return job->n == 0;
}

static void librato_print_list(struct job *job, const char *member, const json_t *list)
{
    json_t *wanted = json_array(), *one;
    size_t i;
    json_array_foreach((json_t *)(uintptr_t)list, i, one) if (librato_wanted(job, one))
        json_array_append(wanted, one);
    if (job->cli->json) {
        json_t *whole = json_pack("{s:O}", member, wanted);
        talk_json(&job->talk, whole);
        json_decref(whole);
    } else {
        job_print(job, wanted, job->call->columns);
    }
    json_decref(wanted);
}

int librato_run_list(struct job *job)
{
    struct payload request = {.points = 0};
    const char *member = strrchr(job->call->path, '/') + 1;
    json_t *list = NULL;
    struct buf path = {0};
    int code;
    buf_str(&path, job->call->path);
    fields_query(job->call->fields, job->given, &path);
    if (settings_options.dry) {
        librato_page(&request, buf_text(&path), 0);
        code = talk_do(&job->talk, &request, &list);
    } else {
        code = librato_list(&job->talk, buf_text(&path), member, &list);
        if (code == CLI_OK) librato_print_list(job, member, list);
    }
    json_decref(list);
    buf_free(&path);
    return code;
}
