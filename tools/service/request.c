/* SPDX-License-Identifier: Apache-2.0 */
#include "request.h"

#include "json.h"
#include "transport_http.h"

#include <stdlib.h>
#include <string.h>

/* --- Secrets in a body --- */

/* Replaces the secret with *** wherever it appears between `before` and one of `after`, or the end. */
static void request_hide(struct buf *text, const char *secret, char before, const char *after)
{
    struct buf out = {0};
    const char *begin = buf_text(text), *at = begin;
    size_t n = strlen(secret);
    for (const char *found = at; n && (found = strstr(found, secret)); found = found + n) {
        if (found == begin || found[-1] != before || !strchr(after, found[n])) continue;
        buf_mem(&out, at, (size_t)(found - at));
        buf_str(&out, "***");
        at = found + n;
    }
    buf_str(&out, at);
    buf_free(text);
    *text = out;
}

/* A login has secrets in its body, in JSON or in a form; points have none. */
static void request_hide_all(const struct requests *r, struct buf *text)
{
    for (const struct option *row = backend_options(r->backend); row->name; row++) {
        const char *secret =
            row->type == OPTION_SECRET ? *(char *const *)((const char *)r->settings + row->offset) : NULL;
        struct buf json = {0}, form = {0};
        if (!secret) continue;
        jsonw_escape(&json, secret, strlen(secret));
        http_escape(&form, secret);
        request_hide(text, buf_text(&json), '"', "\"");
        request_hide(text, buf_text(&form), '=', "&");
        buf_free(&json);
        buf_free(&form);
    }
}

static void request_body(const struct requests *r, const struct payload *p, bool own, struct buf *out)
{
    buf_mem(out, buf_text(&p->body), p->body.len);
    if (own && !r->secrets) request_hide_all(r, out);
}

/* --- Redis' commands --- */

/* The number in "*3\r\n" or "$5\r\n"; *at moves behind it. */
static size_t request_number(const char **at)
{
    size_t n = strtoul(*at + 1, NULL, 10);
    *at += strcspn(*at, "\n");
    *at += **at == '\n';
    return n;
}

typedef void request_word_fn(void *arg, size_t at, size_t of, const char *word, size_t n);

static void request_commands(const struct buf *body, request_word_fn *each, void *arg)
{
    const char *at = buf_text(body), *end = at + body->len;
    while (at < end && *at == '*') {
        size_t of = request_number(&at);
        for (size_t i = 0; i < of && at < end; i++) {
            size_t n = request_number(&at);
            each(arg, i, of, at, n);
            at += n + 2;
        }
    }
}

/* One line for the command and its key, then one for each pair. */
static void request_word_text(void *arg, size_t at, size_t of, const char *word, size_t n)
{
    struct buf *out = arg;
    buf_str(out, at == 0 ? "" : at == 1 || at % 2 ? " " : "\n    ");
    buf_mem(out, word, n);
    if (at + 1 == of) buf_char(out, '\n');
}

static void request_word_json(void *arg, size_t at, size_t of, const char *word, size_t n)
{
    struct json *j = arg;
    if (at == 0) jsonw_array(j);
    jsonw_mem(j, word, n);
    if (at + 1 == of) jsonw_array_end(j);
}

/* --- As text --- */

static void request_text(struct requests *r, const struct payload *p, const struct route *route,
                         const struct buf *body)
{
    struct buf *out = &r->cli->out;
    if (route->method)
        buf_printf(out, "%s %s\n%s", route->method, buf_text(&route->path), buf_text(&route->headers));
    else
        buf_printf(out, "%s %s\n", route->way, buf_text(&route->address));
    if (body->len) buf_char(out, '\n');
    if (route->commands)
        request_commands(&p->body, request_word_text, out);
    else
        buf_mem(out, buf_text(body), body->len);
    if (body->len && out->data[out->len - 1] != '\n') buf_char(out, '\n');
    buf_char(out, '\n');
    cli_flow(r->cli);
}

/* --- As JSON --- */

/* "Name: value" lines as members. */
static void request_json_headers(struct json *j, const struct buf *lines)
{
    jsonw_key(j, "headers");
    jsonw_object(j);
    for (const char *line = buf_text(lines); *line;) {
        char key[64];
        size_t whole = strcspn(line, "\n"), name = strcspn(line, ":\n"), value = name;
        snprintf(key, sizeof key, "%.*s", (int)name, line);
        while (value < whole && strchr(": ", line[value])) value++;
        jsonw_key(j, key);
        jsonw_mem(j, line + value, whole - value);
        line += whole + (line[whole] == '\n');
    }
    jsonw_object_end(j);
}

static void request_json_route(struct json *j, const struct route *route)
{
    if (!route->method) {
        jsonw_key_str(j, route->way, buf_text(&route->address));
        return;
    }
    jsonw_key_str(j, "method", route->method);
    jsonw_key_str(j, "path", buf_text(&route->path));
    request_json_headers(j, &route->headers);
}

static void request_json(struct requests *r, const struct payload *p, const struct route *route,
                         const struct buf *body)
{
    struct json j;
    if (r->json.len) buf_char(&r->json, ',');
    jsonw_begin(&j, &r->json);
    jsonw_object(&j);
    request_json_route(&j, route);
    jsonw_key(&j, route->commands ? "commands" : "body");
    if (route->commands) {
        jsonw_array(&j);
        request_commands(&p->body, request_word_json, &j);
        jsonw_array_end(&j);
    } else {
        jsonw_mem(&j, buf_text(body), body->len);
    }
    jsonw_object_end(&j);
}

/* --- Printing --- */

/* own: a request of the session itself, which may go to another host than the points. */
static void request_show(struct requests *r, const struct payload *p, bool own)
{
    const struct transport *transport = own ? &transport_http : r->backend->transport;
    struct route route = {.way = transport->name};
    struct buf body = {0};
    if (r->silent) return;
    if (transport->describe) transport->describe(own ? NULL : r->settings, p, r->secrets, &route);
    request_body(r, p, own, &body);
    if (r->cli->json)
        request_json(r, p, &route, &body);
    else
        request_text(r, p, &route, &body);
    buf_free(&body);
    route_free(&route);
}

void request_print(struct requests *r, const struct payload *payload)
{
    request_show(r, payload, false);
}

/* --- What a session asks --- */

static struct requests *request_for;
static int request_ids;

/* Answers as a service without schemas: each new schema gets an id, every login is accepted. */
static void request_sink(const struct payload *request, struct answer *answer)
{
    request_show(request_for, request, true);
    if (!request_for->silent) request_for->asked++;
    answer->response.status = 200;
    if (request->method && !strcmp(request->method, "GET"))
        buf_str(&answer->response.body, "[]");
    else
        buf_printf(&answer->response.body,
                   "{\"schema\":{\"id\":\"dry-run-%d\"},\"errors\":[],\"token\":\"dry-run\","
                   "\"access_token\":\"dry-run\",\"expires_in\":86400}",
                   ++request_ids);
}

void request_begin(struct requests *r)
{
    request_for = r;
    request_ids = 0;
    http_send_to(request_sink);
}
