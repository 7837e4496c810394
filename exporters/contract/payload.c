/* SPDX-License-Identifier: Apache-2.0 */
#include "transport.h"

#include <string.h>

void payload_reset(struct payload *p)
{
    buf_reset(&p->body);
    buf_reset(&p->path);
    buf_reset(&p->headers);
    buf_reset(&p->secret);
    buf_reset(&p->scratch);
    p->points = p->items = p->left_out = 0;
    p->channel = 0;
    p->method = p->content_type = NULL;
}

void payload_free(struct payload *p)
{
    buf_free(&p->body);
    buf_free(&p->path);
    buf_free(&p->headers);
    buf_free(&p->secret);
    buf_free(&p->scratch);
    *p = (struct payload){.points = 0};
}

bool payload_ok(const struct payload *p)
{
    return buf_ok(&p->body) && buf_ok(&p->path) && buf_ok(&p->headers) && buf_ok(&p->secret) &&
           buf_ok(&p->scratch);
}

/* Names without values: "Authorization: ***", "?token=***". */
static void print_secret(const struct payload *p, struct buf *out)
{
    for (const char *line = buf_text(&p->secret); *line;) {
        size_t whole = strcspn(line, "\n"), name = strcspn(line, line[0] == '?' ? "=\n" : ":\n");
        buf_mem(out, line, name < whole ? name + 1 : whole);
        buf_str(out, line[0] == '?' ? "***\n" : " ***\n");
        line += whole + (line[whole] == '\n');
    }
}

void payload_print(const struct payload *p, struct buf *out)
{
    bool request = p->method || p->path.len || p->content_type;
    if (request) {
        buf_printf(out, "%s %s\n", p->method ? p->method : "POST", p->path.len ? buf_text(&p->path) : "/");
        if (p->content_type) buf_printf(out, "Content-Type: %s\n", p->content_type);
        buf_mem(out, buf_text(&p->headers), p->headers.len);
        print_secret(p, out);
        buf_char(out, '\n');
    }
    buf_mem(out, buf_text(&p->body), p->body.len);
    if (request && (!p->body.len || p->body.data[p->body.len - 1] != '\n')) buf_char(out, '\n');
}

void answer_free(struct answer *answer)
{
    buf_free(&answer->why);
    buf_free(&answer->response.body);
    *answer = (struct answer){.refused = 0};
}

void route_free(struct route *route)
{
    buf_free(&route->address);
    buf_free(&route->path);
    buf_free(&route->headers);
    *route = (struct route){.way = NULL};
}
