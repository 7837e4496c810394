/* SPDX-License-Identifier: Apache-2.0 */
#include "http.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

bool http_read(struct http_connection *c)
{
    for (;;) {
        if (c->room < c->n + 65536) {
            c->room = c->n + 131072;
            c->bytes = realloc(c->bytes, c->room);
            if (!c->bytes) abort();
        }
        ssize_t got = recv(c->fd, c->bytes + c->n, c->room - c->n - 1, MSG_DONTWAIT);
        if (got == 0) return false;
        if (got < 0) return true;
        c->n += (size_t)got;
        c->bytes[c->n] = '\0';
    }
}

static size_t body_length(const char *head, const char *end)
{
    static const char name[] = "\r\nContent-Length:";
    for (const char *at = head; at < end; at++)
        if (!strncasecmp(at, name, sizeof name - 1)) return strtoul(at + sizeof name - 1, NULL, 10);
    return 0;
}

bool http_request(struct http_connection *c, struct http_request *request)
{
    char *end = c->n ? strstr(c->bytes, "\r\n\r\n") : NULL;
    if (!end) return false;
    size_t head = (size_t)(end - c->bytes) + 4, n = body_length(c->bytes, end);
    if (c->n < head + n) return false;
    *request = (struct http_request){.method = c->bytes, .body = c->bytes + head, .n = n, .whole = head + n};
    char *blank = strchr(c->bytes, ' ');
    if (!blank || blank > end) return false;
    *blank = '\0';
    request->path = blank + 1;
    blank = strchr(blank + 1, ' ');
    if (blank && blank < end) *blank = '\0';
    return true;
}

void http_taken(struct http_connection *c, const struct http_request *request)
{
    c->requests++;
    c->n -= request->whole;
    memmove(c->bytes, c->bytes + request->whole, c->n + 1);
}

void http_answer(struct http_connection *c, int status, const char *body, bool half)
{
    char text[2048];
    int n =
        snprintf(text, sizeof text,
                 "HTTP/1.1 %d Something\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
                 status, strlen(body), body);
    if (status == 204) n = snprintf(text, sizeof text, "HTTP/1.1 204 No Content\r\n\r\n");
    if (half) n -= (int)strlen(body) / 2;
    if (send(c->fd, text, (size_t)n, MSG_NOSIGNAL) < 0) return;
}

void http_answer_later(struct http_connection *c, int status, unsigned seconds)
{
    char text[256];
    int n =
        snprintf(text, sizeof text, "HTTP/1.1 %d Something\r\nRetry-After: %u\r\nContent-Length: 2\r\n\r\n{}",
                 status, seconds);
    if (send(c->fd, text, (size_t)n, MSG_NOSIGNAL) < 0) return;
}

void http_close(struct http_connection *c)
{
    close(c->fd);
    free(c->bytes);
    *c = (struct http_connection){.fd = -1};
}
