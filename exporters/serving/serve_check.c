/* SPDX-License-Identifier: Apache-2.0 */
/* serve_check.c - whether an address can be listened on, and who does if not. */
#include "address.h"
#include "serve.h"

#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

/* What is at the beginning of the list of routes. */
static bool check_ask(int fd)
{
    static const char request[] = "GET / HTTP/1.0\r\n\r\n";
    char said[4096];
    size_t n = 0;
    if (send(fd, request, sizeof request - 1, MSG_NOSIGNAL) < 0) return false;
    for (ssize_t got; n < sizeof said - 1 && (got = recv(fd, said + n, sizeof said - 1 - n, 0)) > 0;)
        n += (size_t)got;
    said[n] = '\0';
    return strstr(said, "\r\n\r\nmtx-exporter\n") != NULL;
}

static bool check_connect(const struct addrinfo *a)
{
    struct timeval most = {.tv_sec = 1};
    int fd = socket(a->ai_family, a->ai_socktype | SOCK_CLOEXEC, a->ai_protocol);
    if (fd < 0) return false;
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &most, sizeof most);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &most, sizeof most); /* also of connect() */
    bool is = !connect(fd, a->ai_addr, a->ai_addrlen) && check_ask(fd);
    close(fd);
    return is;
}

static bool check_is_exporter(const char *listen)
{
    struct address address;
    char port[8];
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found;
    if (!address_parse(listen, &address)) return false;
    snprintf(port, sizeof port, "%d", address.port);
    if (getaddrinfo(address.host, port, &hints, &found)) return false;
    bool is = false;
    for (struct addrinfo *a = found; a && !is; a = a->ai_next) is = check_connect(a);
    freeaddrinfo(found);
    return is;
}

enum serve_found serve_check(const char *listen, struct buf *why)
{
    static const struct serve_route routes[] = {{NULL, NULL, NULL, NULL}};
    size_t from = why->len;
    struct serve *serve = serve_start(listen, routes, why);
    if (serve) {
        serve_stop(&serve);
        return SERVE_FREE;
    }
    if (!check_is_exporter(listen)) return SERVE_TAKEN;
    buf_cut(why, from);
    return SERVE_EXPORTER;
}
