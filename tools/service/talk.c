/* SPDX-License-Identifier: Apache-2.0 */
#include "talk.h"

#include "printable.h"
#include "transport_http.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

enum { TALK_ANSWER_MOST = 64 << 20, TALK_QUOTE = 300 };

/* --- Begin and end --- */

int talk_open(struct talk *t, struct cli *cli, const struct talk_service *service)
{
    struct buf why = {0};
    *t = (struct talk){.cli = cli, .service = service};
    signal(SIGPIPE, SIG_IGN); /* when a service hangs up, a request has failed */
    int code = settings_choose(&t->settings, cli, service->backend, false);
    if (code == CLI_OK) code = settings_fill(&t->settings, &service->settings);
    if (code != CLI_OK) return code;
    t->shown = (struct requests){.cli = cli,
                                 .backend = t->settings.backend,
                                 .settings = t->settings.common,
                                 .secrets = settings_options.secrets};
    if (!service->sign) return CLI_OK;
    t->link = t->settings.backend->transport->open(t->settings.common, &why);
    if (!t->link) code = cli_fail(cli, CLI_FAILED, "%s", buf_text(&why));
    buf_free(&why);
    return code;
}

void talk_close(struct talk *t)
{
    if (t->link) t->settings.backend->transport->close(&t->link);
    settings_close(&t->settings);
    buf_free(&t->shown.json);
    free(t->bearer);
    *t = (struct talk){.cli = NULL};
}

/* --- A request --- */

void talk_path(struct payload *request, const char *path, const char *const *words)
{
    for (const char *hole; (hole = strstr(path, "{}")); path = hole + 2) {
        buf_mem(&request->path, path, (size_t)(hole - path));
        http_escape(&request->path, *words++);
    }
    buf_str(&request->path, path);
}

void talk_body(struct payload *request, const json_t *body)
{
    char *text = json_dumps(body, JSON_COMPACT | JSON_ENCODE_ANY);
    if (text)
        buf_str(&request->body, text);
    else
        request->body.failed = true;
    request->content_type = "application/json";
    free(text);
}

/* --- An answer --- */

static const char *talk_name(const struct talk *t)
{
    return t->settings.common->name;
}

static json_t *talk_parse(const struct answer *answer)
{
    const struct buf *body = &answer->response.body;
    if (!body->len) return json_null();
    json_t *root = json_loadb(body->data, body->len, JSON_DECODE_ANY, NULL);
    return root ? root : json_stringn_nocheck(body->data, body->len);
}

/* What a status means to somebody who waits for the answer. */
static int talk_code(const struct talk *t, const json_t *root)
{
    int status = t->status;
    if (status >= 200 && status < 300) return CLI_OK;
    if (!status || status == 408 || status == 425 || status == 429 || status >= 500) return CLI_SEGMENT;
    if (t->service->later && t->service->later(status, root)) return CLI_SEGMENT;
    if (status == 401 || status == 403 || status == 405 || status == 407 || status < 400) return CLI_REFUSED;
    return CLI_NO;
}

static int talk_failed(struct talk *t, int code, const struct answer *answer, const json_t *root)
{
    struct buf why = {0};
    if (!t->status)
        buf_str(&why, buf_text(&answer->why));
    else if (t->service->reason)
        t->service->reason(root, &why);
    if (!why.len && json_is_string(root)) buf_printf(&why, "%.*s", TALK_QUOTE, json_string_value(root));
    if (!why.len) buf_str(&why, t->status ? "it gives no reason" : "no answer");
    printable_buf(&why);
    if (t->status)
        cli_fail(t->cli, code, "%s: HTTP %d: %s", talk_name(t), t->status, buf_text(&why));
    else
        cli_fail(t->cli, code, "%s cannot be reached: %s", talk_name(t), buf_text(&why));
    buf_free(&why);
    return code;
}

/* Sends a request that is complete. */
static int talk_exchange(struct talk *t, struct payload *request, json_t **result)
{
    struct answer answer = {.outcome = OUTCOME_SENT, .response.body.limit = TALK_ANSWER_MOST};
    t->settings.backend->transport->send(t->link, request, &answer);
    t->status = answer.response.status;
    json_t *root = talk_parse(&answer);
    bool silent = !t->status && answer.outcome == OUTCOME_SENT; /* lines on a socket are not answered */
    int code = silent ? CLI_OK : talk_code(t, root);
    if (code != CLI_OK) talk_failed(t, code, &answer, root);
    answer_free(&answer);
    *result = code == CLI_OK ? root : NULL;
    if (code != CLI_OK) json_decref(root);
    return code;
}

static int talk_sign(struct talk *t, struct payload *request)
{
    int code = t->service->sign ? t->service->sign(t, request) : CLI_OK;
    if (code == CLI_OK && !payload_ok(request)) code = cli_fail(t->cli, CLI_FAILED, "out of memory");
    return code;
}

int talk_plain(struct talk *t, struct payload *request, json_t **answer)
{
    int code = talk_exchange(t, request, answer);
    payload_free(request);
    return code;
}

int talk_look(struct talk *t, struct payload *request, json_t **answer)
{
    *answer = NULL;
    t->looking = true;
    int code = talk_sign(t, request);
    t->looking = false;
    if (code == CLI_OK) code = talk_exchange(t, request, answer);
    payload_free(request);
    return code;
}

int talk_do(struct talk *t, struct payload *request, json_t **answer)
{
    *answer = NULL;
    int code = talk_sign(t, request);
    if (code == CLI_OK) t->changes++;
    if (code == CLI_OK && settings_options.dry)
        request_print(&t->shown, request);
    else if (code == CLI_OK)
        code = talk_exchange(t, request, answer);
    payload_free(request);
    return code;
}

/* --- Output --- */

void talk_json(struct talk *t, const json_t *value)
{
    char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
    buf_str(&t->cli->out, text ? text : "null");
    buf_char(&t->cli->out, '\n');
    free(text);
}
