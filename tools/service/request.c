/* SPDX-License-Identifier: Apache-2.0 */
#include "request.h"

#include "json.h"
#include "transport_http.h"

#include <stdlib.h>
#include <string.h>

/* --- Where it goes --- */

/* A text among the backend's options, or "". */
static const char *request_option(const struct requests *r, const char *name)
{
    bool file;
    const struct option *row = option_find(backend_options(r->backend), name, &file);
    if (!row || file || row->type != OPTION_STRING) return "";
    const char *text = *(char *const *)((const char *)r->settings + row->offset);
    return text ? text : "";
}

/* Lines on a socket instead of HTTP: where to; "" = none. */
static const char *request_stream(const struct requests *r, int which)
{
    const char *other = request_option(r, "tcp_distributions");
    return which == 1 && *other ? other : request_option(r, "tcp");
}

static void request_redis(const struct requests *r, struct buf *out)
{
    bool file;
    const struct option *row = option_find(backend_options(r->backend), "port", &file);
    const char *socket = request_option(r, "unix_socket");
    buf_str(out, *socket ? socket : request_option(r, "host"));
    if (!*socket && row)
        buf_printf(out, ":%lld", *(const long long *)((const char *)r->settings + row->offset));
}

static void request_host(const struct requests *r, struct buf *out)
{
    const char *url = request_option(r, "url"), *host = strstr(url, "://");
    if (host) buf_mem(out, host + 3, strcspn(host + 3, "/?"));
}

/* --- Headers --- */

/* One "Name: value" line, or a secret's name alone. */
typedef void request_header_fn(void *arg, const char *name, size_t n, const char *value, size_t m);

static void request_header_lines(const struct buf *lines, bool hide, request_header_fn *each, void *arg)
{
    for (const char *line = buf_text(lines); *line;) {
        size_t whole = strcspn(line, "\n"), name = strcspn(line, ":\n");
        const char *value = line + name + (name < whole);
        while (*value == ' ') value++;
        if (line[0] != '?')
            each(arg, line, name, hide ? "***" : value, hide ? 3 : (size_t)(line + whole - value));
        line += whole + (line[whole] == '\n');
    }
}

static void request_headers(const struct requests *r, const struct payload *p, int which,
                            request_header_fn *each, void *arg)
{
    bool file;
    const struct option *row = option_find(backend_options(r->backend), "compression", &file);
    int packed = row ? *(const int *)((const char *)r->settings + row->offset) : 0;
    struct buf host = {0};
    if (which >= 0) request_host(r, &host);
    if (host.len) each(arg, "Host", 4, host.data, host.len);
    if (p->content_type) each(arg, "Content-Type", 12, p->content_type, strlen(p->content_type));
    if (packed && p->body.len && which >= 0)
        each(arg, "Content-Encoding", 16, row->choices[packed], strlen(row->choices[packed]));
    request_header_lines(&p->headers, false, each, arg);
    request_header_lines(&p->secret, !r->secrets, each, arg);
    buf_free(&host);
}

/* The path with its query, in which a secret comes first. */
static void request_path(const struct requests *r, const struct payload *p, struct buf *out)
{
    const char *path = p->path.len ? buf_text(&p->path) : "/", *secret = buf_text(&p->secret);
    size_t query = strcspn(path, "?"), n = strcspn(secret, "\n");
    buf_mem(out, path, query);
    if (*secret != '?') {
        buf_str(out, path + query);
        return;
    }
    if (r->secrets)
        buf_mem(out, secret, n);
    else
        buf_printf(out, "%.*s=***", (int)strcspn(secret, "=\n"), secret);
    if (path[query]) buf_printf(out, "&%s", path + query + 1);
}

/* --- Secrets in a body --- */

/* Wherever it stands between `before` and one of `after`, or the end. */
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

/* A login has them there, in JSON or in a form. Points have none. */
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

static void request_body(const struct requests *r, const struct payload *p, int which, struct buf *out)
{
    buf_mem(out, buf_text(&p->body), p->body.len);
    if (which < 0 && !r->secrets) request_hide_all(r, out);
}

/* --- Redis' commands --- */

/* "*3\r\n" or "$5\r\n": the number; moves on behind it. */
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

/* A line for the command and its key, then one for each pair. */
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

/* --- Printing --- */

static void request_header_text(void *arg, const char *name, size_t n, const char *value, size_t m)
{
    buf_printf(arg, "%.*s: %.*s\n", (int)n, name, (int)m, value);
}

static void request_text(struct requests *r, const struct payload *p, int which)
{
    struct buf *out = &r->cli->out;
    if (which >= 0 && *request_stream(r, which)) {
        buf_printf(out, "tcp %s\n\n", request_stream(r, which));
        buf_mem(out, buf_text(&p->body), p->body.len);
    } else if (!p->path.len) {
        buf_str(out, "redis ");
        request_redis(r, out);
        buf_str(out, "\n\n");
        request_commands(&p->body, request_word_text, out);
    } else {
        buf_printf(out, "%s ", p->method ? p->method : "POST");
        request_path(r, p, out);
        buf_char(out, '\n');
        request_headers(r, p, which, request_header_text, out);
        struct buf body = {0};
        request_body(r, p, which, &body);
        if (body.len) buf_printf(out, "\n%s%s", body.data, body.data[body.len - 1] == '\n' ? "" : "\n");
        buf_free(&body);
    }
    buf_char(out, '\n');
    cli_flow(r->cli);
}

static void request_header_json(void *arg, const char *name, size_t n, const char *value, size_t m)
{
    char key[64];
    snprintf(key, sizeof key, "%.*s", (int)n, name);
    jsonw_key(arg, key);
    jsonw_mem(arg, value, m);
}

static void request_http_json(struct requests *r, struct json *j, const struct payload *p, int which)
{
    struct buf path = {0};
    request_path(r, p, &path);
    jsonw_key_str(j, "method", p->method ? p->method : "POST");
    jsonw_key_str(j, "path", buf_text(&path));
    jsonw_key(j, "headers");
    jsonw_object(j);
    request_headers(r, p, which, request_header_json, j);
    jsonw_object_end(j);
    buf_free(&path);
}

static void request_json(struct requests *r, const struct payload *p, int which)
{
    struct json j;
    struct buf address = {0};
    if (r->json.len) buf_char(&r->json, ',');
    jsonw_begin(&j, &r->json);
    jsonw_object(&j);
    if (!p->path.len) {
        request_redis(r, &address);
        jsonw_key_str(&j, "redis", buf_text(&address));
        jsonw_key(&j, "commands");
        jsonw_array(&j);
        request_commands(&p->body, request_word_json, &j);
        jsonw_array_end(&j);
    } else {
        if (which >= 0 && *request_stream(r, which))
            jsonw_key_str(&j, "tcp", request_stream(r, which));
        else
            request_http_json(r, &j, p, which);
        struct buf body = {0};
        request_body(r, p, which, &body);
        jsonw_key(&j, "body");
        jsonw_mem(&j, buf_text(&body), body.len);
        buf_free(&body);
    }
    jsonw_object_end(&j);
    buf_free(&address);
}

void request_print(struct requests *r, const struct payload *payload, int which)
{
    if (r->silent) return;
    if (r->cli->json)
        request_json(r, payload, which);
    else
        request_text(r, payload, which);
}

/* --- What a session asks --- */

static struct requests *request_for;
static int request_ids;

/* No schema is there, each one that is made gets an id, every login is good. */
static void request_sink(const struct payload *request, struct answer *answer)
{
    request_print(request_for, request, -1);
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
