/* SPDX-License-Identifier: Apache-2.0 */
/* The minimum of HTTP/1.1 that a demonstration needs: GET without a body, keep-alive, Content-Length. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "server.h"

/* Copies the value of a header into value (size bytes); false if it is absent or does not fit. */
static bool header_get(const char *head, const char *name, char *value, size_t size)
{
    size_t length = strlen(name);
    for (const char *line = strstr(head, "\r\n"); line; line = strstr(line, "\r\n")) {
        line += 2;
        if (strncasecmp(line, name, length) != 0 || line[length] != ':') continue;
        const char *text = line + length + 1 + strspn(line + length + 1, " \t");
        size_t n = strcspn(text, "\r");
        if (n >= size) return false;
        memcpy(value, text, n);
        value[n] = '\0';
        return true;
    }
    return false;
}

/* head is everything up to the empty line, NUL-terminated. */
static bool request_parse(const char *head, struct http_request *request)
{
    char text[32];
    const char *line_end = strstr(head, "\r\n");
    *request = (struct http_request){.close = false};
    if (line_end - head < 9 || memcmp(line_end - 9, " HTTP/1.1", 9) != 0) return false;
    if (sscanf(head, "%7[A-Z] %255[^ ?\r]", request->method, request->path) != 2) return false;
    if (strcmp(request->method, "GET") != 0) return false;
    if (header_get(head, "Content-Length", text, sizeof text) && strcmp(text, "0") != 0) return false;
    if (header_get(head, "Transfer-Encoding", text, sizeof text)) return false;
    header_get(head, "X-Client-Id", request->client, sizeof request->client);
    request->close = header_get(head, "Connection", text, sizeof text) && strcasecmp(text, "close") == 0;
    return true;
}

/* Reads the available input. False if the client has disconnected. */
static bool connection_fill(struct connection *connection)
{
    size_t room = sizeof connection->in - 1 - connection->used;
    ssize_t n;
    do n = recv(connection->fd, connection->in + connection->used, room, MSG_DONTWAIT);
    while (n < 0 && errno == EINTR);
    if (n > 0) connection->used += (size_t)n;
    return n > 0 || (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK));
}

static char *head_end(struct connection *connection)
{
    connection->in[connection->used] = '\0';
    return strstr(connection->in, "\r\n\r\n");
}

enum http_next http_next(struct connection *connection, struct http_request *request)
{
    char *end = head_end(connection);
    if (!end) {
        if (!connection_fill(connection)) return HTTP_GONE;
        if (!(end = head_end(connection)))
            return connection->used == sizeof connection->in - 1 ? HTTP_BAD : HTTP_LATER;
    }
    end[2] = '\0';
    bool understood = request_parse(connection->in, request);
    size_t taken = (size_t)(end + 4 - connection->in);
    connection->used -= taken;
    memmove(connection->in, end + 4, connection->used);
    return understood ? HTTP_REQUEST : HTTP_BAD;
}

static const char *reason(int status)
{
    switch (status) {
    case 200: return "OK";
    case 400: return "Bad Request";
    case 404: return "Not Found";
    default: return "Internal Server Error";
    }
}

/* Calls sendmsg() until everything is sent. */
static bool send_all(int fd, struct iovec *part, size_t parts)
{
    while (parts > 0) {
        struct msghdr message = {.msg_iov = part, .msg_iovlen = parts};
        ssize_t n = sendmsg(fd, &message, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return false;
        for (; parts > 0 && (size_t)n >= part->iov_len; part++, parts--) n -= (ssize_t)part->iov_len;
        if (parts == 0) return true;
        part->iov_base = (char *)part->iov_base + n;
        part->iov_len -= (size_t)n;
    }
    return true;
}

bool http_send(int fd, const struct http_response *response, bool close)
{
    char head[256];
    int n = snprintf(head, sizeof head,
                     "HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\nConnection: %s\r\n\r\n",
                     response->status, reason(response->status), response->type, response->size,
                     close ? "close" : "keep-alive");
    struct iovec parts[] = {{head, (size_t)n}, {(char *)(uintptr_t)response->body, response->size}};
    return send_all(fd, parts, 2);
}
