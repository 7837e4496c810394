/* SPDX-License-Identifier: Apache-2.0 */
/*
 * anodot_objects.c - mtxctl anodot: the two keys, watermarks, topology. The first API has the data collection key in
 * the query; the second one a bearer, for which the access key is exchanged.
 */
#include "anodot_objects.h"

#include "anodot.h"
#include "expand.h"
#include "printable.h"

#include <stdlib.h>
#include <string.h>

enum { TOPOLOGY_MOST = 64 << 20 };

static const char *anodot_key(const struct talk *t, const char *option)
{
    return settings_text(&t->settings, option);
}

static int anodot_needs(const struct talk *t, const char *option, const char *variable)
{
    if (*anodot_key(t, option)) return CLI_OK;
    return cli_usage(t->cli, "%s is missing (--set %s_file=... or $%s)", option, option, variable);
}

/* --- Login --- */

/* The token of an answer, which is a text, or an object with one. */
static const char *login_token(const json_t *answer)
{
    const char *token = json_string_value(answer);
    return token ? token : json_string_value(json_object_get(answer, "token"));
}

static int login_exchange(struct talk *t)
{
    struct payload request = {.points = 0};
    json_t *body = json_pack("{s:s}", "refreshToken", anodot_key(t, "access_key")), *answer;
    struct buf wrong = {0};
    buf_str(&request.path, "/api/v2/access-token");
    talk_body(&request, body);
    json_decref(body);
    int code = talk_plain(t, &request, &answer);
    const char *token = login_token(answer);
    if (code == CLI_OK && token && *token && printable_check(token, &wrong))
        t->bearer = strdup(token);
    else if (code == CLI_OK)
        code = cli_fail(t->cli, CLI_REFUSED, "the login's answer contains no valid token");
    buf_free(&wrong);
    json_decref(answer);
    return code;
}

static int anodot_sign(struct talk *t, struct payload *request)
{
    if (!strncmp(buf_text(&request->path), "/api/v1/", 8)) {
        int code = anodot_needs(t, "token", "ANODOT_TOKEN");
        buf_str(&request->secret, "?token=");
        http_escape(&request->secret, anodot_key(t, "token"));
        buf_char(&request->secret, '\n');
        return code;
    }
    int code = anodot_needs(t, "access_key", "ANODOT_ACCESS_KEY");
    bool asked = !settings_options.dry || t->looking;
    if (code == CLI_OK && !t->bearer && asked) code = login_exchange(t);
    if (code == CLI_OK) http_auth_bearer(request, t->bearer ? t->bearer : "dry-run");
    return code;
}

/* The errors of the first API, as "2001 token inactive". */
static void anodot_errors(const json_t *errors, struct buf *why)
{
    json_t *one;
    size_t i;
    json_array_foreach((json_t *)(uintptr_t)errors, i, one)
    {
        const char *description = json_string_value(json_object_get(one, "description"));
        buf_str(why, why->len ? "; " : "");
        table_value(json_object_get(one, "error"), why);
        buf_printf(why, " %s", description ? description : "");
    }
}

static void anodot_reason(const json_t *answer, struct buf *why)
{
    const char *message = json_string_value(json_object_get(answer, "message"));
    const char *name = json_string_value(json_object_get(answer, "name"));
    anodot_errors(json_object_get(answer, "errors"), why);
    if (!why->len && message) buf_printf(why, "%s%s%s", name ? name : "", name ? ": " : "", message);
}

static const char *const anodot_optional[] = {"token", "access_key", NULL};
const struct talk_service anodot_service = {.backend = "anodot30",
                                            .settings = {.optional = anodot_optional},
                                            .sign = anodot_sign,
                                            .reason = anodot_reason};

/* A 200 of the first API may hold errors. */
static int anodot_accepted(struct job *job, const json_t *answer)
{
    struct buf why = {0};
    int code = CLI_OK;
    anodot_errors(json_object_get(answer, "errors"), &why);
    printable_buf(&why);
    if (why.len) code = cli_fail(job->cli, CLI_NO, "%s", buf_text(&why));
    buf_free(&why);
    return code;
}

/* --- Keys --- */

static int check_data_key(struct job *job)
{
    struct payload request = {.points = 0};
    json_t *answer, *nothing = json_array();
    buf_str(&request.path, "/api/v1/metrics?protocol=anodot30");
    talk_body(&request, nothing);
    json_decref(nothing);
    int code = talk_look(&job->talk, &request, &answer);
    if (code == CLI_OK) code = anodot_accepted(job, answer);
    json_decref(answer);
    return code == CLI_NO ? CLI_REFUSED : code;
}

static int check_run(struct job *job)
{
    struct talk *t = &job->talk;
    bool data = *anodot_key(t, "token"), access = *anodot_key(t, "access_key");
    int first = CLI_OK, second = CLI_OK;
    if (!data && !access)
        return cli_usage(
            job->cli, "there is no key to check: token ($ANODOT_TOKEN) or access_key ($ANODOT_ACCESS_KEY)");
    if (data) first = check_data_key(job);
    if (access) second = login_exchange(t);
    json_t *result = json_object();
    if (data)
        json_object_set_new(result, "data collection key",
                            json_string(first == CLI_OK ? "accepted" : "not accepted"));
    if (access)
        json_object_set_new(result, "access key",
                            json_string(second == CLI_OK ? "accepted" : "not accepted"));
    job_print(job, result, NULL);
    json_decref(result);
    return first != CLI_OK ? first : second;
}

/* --- Watermarks --- */

static const struct field watermark_fields[] = {
    {.name = "time", .type = FIELD_TIME, .required = true, .help = "everything before it has been sent"},
    {.name = NULL}};

static int watermark_send(struct job *job, const char *id)
{
    struct payload request = {.points = 0};
    json_t *body = json_pack("{s:s, s:O}", "schemaId", id, "watermark", job_field(job, "time")), *answer;
    buf_str(&request.path, "/api/v1/metrics/watermark?protocol=anodot30");
    talk_body(&request, body);
    json_decref(body);
    int code = talk_do(&job->talk, &request, &answer);
    if (code == CLI_OK) code = anodot_accepted(job, answer);
    if (code == CLI_OK) job_done(job, "watermark sent");
    json_decref(answer);
    return code;
}

/* Without an access key, the argument is an id. */
static int watermark_run(struct job *job)
{
    json_t *schema = NULL;
    int code = CLI_OK;
    if (*anodot_key(&job->talk, "access_key")) code = anodot_find(job, job->args[0], &schema);
    const char *id = schema ? json_string_value(json_object_get(schema, "id")) : job->args[0];
    if (code == CLI_OK) code = watermark_send(job, id ? id : "");
    json_decref(schema);
    return code;
}

/* --- Topology --- */

static int topology_run(struct job *job)
{
    struct payload request = {.points = 0};
    struct buf why = {0};
    int code = CLI_OK;
    buf_str(&request.path, "/api/v2/topology/data");
    field_query(&request.path, "type", job->args[0]);
    if (!expand_read(job->args[1], TOPOLOGY_MOST, &request.body, &why)) {
        code = cli_usage(job->cli, "%s", buf_text(&why));
        payload_free(&request);
    } else {
        code = job_do(job, &request);
    }
    buf_free(&why);
    return code;
}

const struct call anodot_calls_table[] = {
    {.words = "token check",
     .args = "",
     .run = check_run,
     .help = "ask the service whether it accepts the keys that are set"},
    {.words = "watermark",
     .args = "SCHEMA",
     .least = 1,
     .most = 1,
     .fields = watermark_fields,
     .run = watermark_run,
     .help =
         "say that everything of a schema before a time has been sent; SCHEMA is an id, or with an access key also a name"},
    {.words = "topology upload",
     .args = "TYPE FILE",
     .least = 2,
     .most = 2,
     .run = topology_run,
     .help = "upload a file of topology data as it is"},
    {.words = NULL},
};
