/* SPDX-License-Identifier: Apache-2.0 */
#include "serve.h"

#include "accept.h"
#include "address.h"
#include "clients.h"
#include "clock.h"
#include "gzip.h"

#include <errno.h>
#include <microhttpd.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* A scraper needs one connection; some people and probes need more. Each has a thread, so that a page never delays
 * an answer about health; those that are being cut come on top. */
#define SERVE_CONNECTIONS 64
#define SERVE_CUT         64
#define SERVE_IDLE_S      15
#define SERVE_STACK       (512 * 1024)
#define SERVE_WORTH_GZIP  1024
/* Memory of a connection: for the headers of the request, and half of it for a piece of a body. */
#define SERVE_MEMORY (64 * 1024)
#define SERVE_PIECE  (32 * 1024)
/* How much of a body the kernel may hold if the client does
 * not read: by default up to 4 MiB per connection. */
#define SERVE_UNSENT (256 * 1024)

struct serve {
    struct MHD_Daemon *daemon;
    struct clients *clients;
    const struct serve_route *routes;
    char address[300];
};

static const struct serve_route *serve_find(const struct serve_route *routes, const char *path)
{
    while (routes->path && strcmp(routes->path, path)) routes++;
    return routes->path ? routes : NULL;
}

static void serve_index(const struct serve_route *routes, struct buf *out)
{
    buf_str(out, "mtx-exporter\n\n");
    for (; routes->path; routes++)
        if (routes->help) buf_printf(out, "%-20s %s\n", routes->path, routes->help);
}

static void serve_release_text(void *owner)
{
    free(owner);
}

void serve_text(struct serve_answer *answer, const struct serve_request *request, const char *type,
                struct buf *text)
{
    struct buf packed = {0};
    answer->type = type;
    if (text->len >= SERVE_WORTH_GZIP && accept_coding(request->accept_encoding, "gzip") &&
        gzip_pack(text->data, text->len, 1, GZIP_GZIP, &packed)) {
        answer->coding = "gzip";
        buf_free(text);
        *text = packed;
    }
    answer->n = text->len;
    answer->owner = buf_take(text);
    answer->body = answer->owner;
    answer->release = serve_release_text;
    if (!answer->owner) *answer = (struct serve_answer){.status = MHD_HTTP_INTERNAL_SERVER_ERROR};
}

/* The answer of the route, the list of routes, or an error. */
static void serve_answer(struct serve *serve, const struct serve_request *request, bool readable,
                         struct serve_answer *answer)
{
    static const char text[] = "text/plain; charset=utf-8";
    const struct serve_route *route = serve_find(serve->routes, request->path);
    struct buf out = {0};
    if (!readable) {
        answer->status = MHD_HTTP_METHOD_NOT_ALLOWED;
        buf_str(&out, "only GET and HEAD are answered here\n");
        serve_text(answer, request, text, &out);
    } else if (route) {
        route->answer(route->arg, request, answer);
    } else {
        bool root = !strcmp(request->path, "/");
        if (!root) buf_str(&out, "there is nothing at this path; the known paths are:\n\n");
        answer->status = root ? MHD_HTTP_OK : MHD_HTTP_NOT_FOUND;
        serve_index(serve->routes, &out);
        serve_text(answer, request, text, &out);
    }
    if (!answer->status) answer->status = MHD_HTTP_OK;
}

/* --- Bodies in pieces --- */

static ssize_t serve_piece(void *arg, uint64_t position, char *to, size_t n)
{
    struct serve_answer *answer = arg;
    (void)position;
    size_t got = n ? answer->more(answer->owner, to, n) : 0;
    if (got == SERVE_BROKEN) return MHD_CONTENT_READER_END_WITH_ERROR;
    return got ? (ssize_t)got : MHD_CONTENT_READER_END_OF_STREAM;
}

static void serve_piece_free(void *arg)
{
    struct serve_answer *answer = arg;
    answer->release(answer->owner);
    free(answer);
}

static struct MHD_Response *serve_pieces(const struct serve_answer *answer)
{
    struct serve_answer *copy = malloc(sizeof *copy);
    if (!copy) return NULL;
    *copy = *answer;
    struct MHD_Response *response =
        MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, SERVE_PIECE, serve_piece, copy, serve_piece_free);
    if (!response) free(copy);
    return response;
}

static struct MHD_Response *serve_response(const struct serve_answer *answer)
{
    struct MHD_Response *response = answer->more
                                        ? serve_pieces(answer)
                                        : MHD_create_response_from_buffer_with_free_callback_cls(
                                              answer->n, (void *)(uintptr_t)(answer->n ? answer->body : ""),
                                              answer->release ? answer->release : NULL, answer->owner);
    if (!response && answer->release) answer->release(answer->owner);
    return response;
}

static enum MHD_Result serve_send(struct MHD_Connection *connection, const struct serve_answer *answer)
{
    struct MHD_Response *response = serve_response(answer);
    if (!response) return MHD_NO;
    if (answer->type) MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, answer->type);
    if (answer->coding) MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_ENCODING, answer->coding);
    MHD_add_response_header(response, MHD_HTTP_HEADER_VARY, "Accept, Accept-Encoding");
    if (answer->status == MHD_HTTP_METHOD_NOT_ALLOWED)
        MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
    enum MHD_Result sent = MHD_queue_response(connection, answer->status, response);
    MHD_destroy_response(response);
    return sent;
}

/* --- Clients --- */

static struct client *serve_client(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return info ? info->socket_context : NULL;
}

static void serve_noticed(void *arg, struct MHD_Connection *connection, void **client,
                          enum MHD_ConnectionNotificationCode what)
{
    struct serve *serve = arg;
    if (what == MHD_CONNECTION_NOTIFY_CLOSED) {
        client_end(serve->clients, *client);
        return;
    }
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    *client = info ? client_begin(serve->clients, info->connect_fd) : NULL;
}

static void serve_completed(void *arg, struct MHD_Connection *connection, void **state,
                            enum MHD_RequestTerminationCode how)
{
    struct serve *serve = arg;
    (void)state, (void)how;
    client_answered(serve->clients, serve_client(connection));
}

/* --- Requests --- */

/* All lines of a header as one: "a list" may come in several. */
struct serve_lines {
    const char *name;
    struct buf text;
};

static enum MHD_Result serve_line(void *arg, enum MHD_ValueKind kind, const char *name, const char *value)
{
    struct serve_lines *lines = arg;
    (void)kind;
    if (!strcasecmp(name, lines->name) && value)
        buf_printf(&lines->text, "%s%s", lines->text.len ? ", " : "", value);
    return MHD_YES;
}

static const char *serve_header(struct MHD_Connection *connection, struct serve_lines *lines)
{
    MHD_get_connection_values(connection, MHD_HEADER_KIND, serve_line, lines);
    return lines->text.len ? buf_text(&lines->text) : NULL;
}

/* The path of "http://host/path", as clients of proxies send it; it must be understood. */
static const char *serve_path(const char *target)
{
    const char *authority = target[0] == '/' ? NULL : strstr(target, "://");
    if (!authority) return target;
    const char *path = strchr(authority + 3, '/');
    return path ? path : "/";
}

/* The library calls first with the headers, then for each piece of the request's body, then at its end. */
static enum MHD_Result serve_handle(void *arg, struct MHD_Connection *connection, const char *path,
                                    const char *method, const char *version, const char *upload,
                                    size_t *upload_n, void **state)
{
    static int seen;
    struct serve *serve = arg;
    struct serve_answer answer = {0};
    bool readable = !strcmp(method, MHD_HTTP_METHOD_GET) || !strcmp(method, MHD_HTTP_METHOD_HEAD);
    (void)version, (void)upload;
    if (!*state && readable) {
        *state = &seen;
        return MHD_YES;
    }
    if (*upload_n) {
        *upload_n = 0;
        return MHD_YES;
    }
    struct serve_lines accept = {.name = MHD_HTTP_HEADER_ACCEPT},
                       coding = {.name = MHD_HTTP_HEADER_ACCEPT_ENCODING};
    struct serve_request request = {serve_path(path), serve_header(connection, &accept),
                                    serve_header(connection, &coding)};
    client_answering(serve->clients, serve_client(connection));
    serve_answer(serve, &request, readable, &answer);
    buf_free(&accept.text);
    buf_free(&coding.text);
    return serve_send(connection, &answer);
}

/* --- The address --- */

static int serve_socket(const struct addrinfo *a)
{
    int yes = 1, unsent = SERVE_UNSENT;
    int fd = socket(a->ai_family, a->ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, a->ai_protocol);
    if (fd < 0) return -1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &unsent, sizeof unsent); /* its connections inherit it */
    if (!bind(fd, a->ai_addr, a->ai_addrlen) && !listen(fd, SERVE_CONNECTIONS)) return fd;
    int error = errno;
    close(fd);
    errno = error;
    return -1;
}

static int serve_listen(const char *text, struct buf *why)
{
    struct address address;
    char port[8];
    struct addrinfo hints = {.ai_flags = AI_PASSIVE, .ai_socktype = SOCK_STREAM}, *found;
    if (!address_parse(text, &address)) {
        address_check_listen(text, why);
        return -1;
    }
    snprintf(port, sizeof port, "%d", address.port);
    int error = getaddrinfo(address.host, port, &hints, &found);
    if (error) {
        buf_printf(why, "cannot resolve %s: %s", address.host, gai_strerror(error));
        return -1;
    }
    int fd = -1;
    for (struct addrinfo *a = found; a && fd < 0; a = a->ai_next) fd = serve_socket(a);
    if (fd < 0) buf_printf(why, "cannot listen on %s: %s", text, strerror(errno));
    freeaddrinfo(found);
    return fd;
}

static void serve_name(int fd, char address[300])
{
    struct sockaddr_storage a;
    socklen_t n = sizeof a;
    char host[256] = "?", port[8] = "?";
    if (getsockname(fd, (struct sockaddr *)&a, &n)) return;
    getnameinfo((struct sockaddr *)&a, n, host, sizeof host, port, sizeof port,
                NI_NUMERICHOST | NI_NUMERICSERV);
    struct buf text = {.limit = 299};
    buf_printf(&text, a.ss_family == AF_INET6 ? "[%s]:%s" : "%s:%s", host, port);
    strcpy(address, buf_text(&text));
    buf_free(&text);
}

static struct MHD_Daemon *serve_daemon(struct serve *serve, int fd)
{
    return MHD_start_daemon(
        MHD_USE_AUTO | MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_THREAD_PER_CONNECTION | MHD_USE_ITC, 0, NULL,
        NULL, serve_handle, serve, MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT,
        (unsigned)(SERVE_CONNECTIONS + SERVE_CUT), MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)SERVE_IDLE_S,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)SERVE_MEMORY, MHD_OPTION_THREAD_STACK_SIZE,
        (size_t)SERVE_STACK, MHD_OPTION_NOTIFY_CONNECTION, serve_noticed, serve, MHD_OPTION_NOTIFY_COMPLETED,
        serve_completed, serve, MHD_OPTION_END);
}

struct serve *serve_start(const char *listen, const struct serve_route *routes, struct buf *why)
{
    int fd = serve_listen(listen, why);
    if (fd < 0) return NULL;
    struct serve *serve = calloc(1, sizeof *serve);
    if (serve) {
        serve->routes = routes;
        serve_name(fd, serve->address);
        serve->clients = clients_new(SERVE_CONNECTIONS, SERVE_IDLE_S * CLOCK_SECOND);
    }
    if (serve && serve->clients) serve->daemon = serve_daemon(serve, fd);
    if (serve && serve->daemon) return serve;
    buf_printf(why, "cannot start the server on %s: %s", listen, strerror(errno));
    if (serve) clients_free(&serve->clients);
    free(serve);
    close(fd);
    return NULL;
}

const char *serve_address(const struct serve *serve)
{
    return serve->address;
}

void serve_stop(struct serve **serve)
{
    if (!*serve) return;
    MHD_stop_daemon((*serve)->daemon);
    clients_free(&(*serve)->clients);
    free(*serve);
    *serve = NULL;
}
