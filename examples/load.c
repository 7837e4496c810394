/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Puts a bounded load on the example server and records the outcome of every request:
 *   completed  requests whose response was read completely
 *   broken     requests that were sent, at least in part, but whose connection died before the response was
 *              complete
 *   refused    connections that could not be opened (tried again after 10 ms)
 * The server may or may not have counted a broken request; it must have counted every completed one.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { CONNECTIONS_MAX = 256, STATUS_MAX = 600, ANSWER_TIMEOUT_S = 10 };

static struct {
    int port, connections, clients;
    double seconds;
    long requests, pause_us;
} options = {.connections = 16, .clients = 40, .seconds = 10, .pause_us = 2000};

static const char usage[] =
    "usage: load --port N [options]\n"
    "Sends requests to the example server on 127.0.0.1 for a while, then prints their outcome as JSON.\n"
    "  --port N         the server's port\n"
    "  --connections N  concurrent clients, 1 to 256; default 16\n"
    "  --seconds S      how long, 0.1 to 3600; default 10\n"
    "  --requests N     stop early, after about N requests; 0 (default) = no limit\n"
    "  --clients N      distinct client ids in X-Client-Id, 1 to 1000000; default 40\n"
    "  --pause-us N     pause between the requests of a connection; default 2000\n";

struct tally {
    long completed, broken, refused, bytes;
    long status[STATUS_MAX];
};

struct client {
    pthread_t thread;
    unsigned seed;
    int fd; /* -1 = not connected */
    struct tally tally;
};

static double deadline;

static double now_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static bool client_connect(struct client *client)
{
    const struct timeval timeout = {.tv_sec = ANSWER_TIMEOUT_S};
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)options.port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    client->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (client->fd >= 0 && connect(client->fd, (struct sockaddr *)&address, sizeof address) == 0) {
        setsockopt(client->fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
        setsockopt(client->fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
        setsockopt(client->fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout);
        return true;
    }
    if (client->fd >= 0) close(client->fd);
    client->fd = -1;
    return false;
}

static void client_disconnect(struct client *client)
{
    close(client->fd);
    client->fd = -1;
}

static bool request_send(struct client *client)
{
    static const char *const paths[] = {"/",       "/",      "/",    "/cart",   "/cart",
                                        "/search", "/image", "/pay", "/nowhere"};
    char text[256];
    int n =
        snprintf(text, sizeof text, "GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Client-Id: client-%d\r\n\r\n",
                 paths[(size_t)rand_r(&client->seed) % (sizeof paths / sizeof *paths)],
                 rand_r(&client->seed) % options.clients);
    for (int sent = 0; sent < n;) {
        ssize_t m = send(client->fd, text + sent, (size_t)(n - sent), MSG_NOSIGNAL);
        if (m < 0 && errno == EINTR) continue;
        if (m <= 0) return false;
        sent += (int)m;
    }
    return true;
}

/* Reads more of the response; 0 = the connection died. */
static size_t answer_more(struct client *client, char *buf, size_t size)
{
    ssize_t n;
    do n = recv(client->fd, buf, size, 0);
    while (n < 0 && errno == EINTR);
    return n > 0 ? (size_t)n : 0;
}

/* The number in a header, or -1. */
static long header_number(const char *head, const char *name)
{
    const char *at = strcasestr(head, name);
    return at ? strtol(at + strlen(name), NULL, 10) : -1;
}

/* Reads a whole response: 1 = the connection stays open, 0 = it must be closed, -1 = it died before the
 * response was complete. */
static int answer_read(struct client *client)
{
    char buf[16384];
    char *end = NULL;
    size_t used = 0;
    while (!end) {
        size_t n = answer_more(client, buf + used, sizeof buf - 1 - used);
        if (n == 0) return -1;
        used += n;
        buf[used] = '\0';
        end = strstr(buf, "\r\n\r\n");
    }
    end[2] = '\0';
    long status = strtol(buf + strcspn(buf, " "), NULL, 10), size = header_number(buf, "\r\nContent-Length:");
    bool close = strcasestr(buf, "\r\nConnection: close\r\n") != NULL;
    if (status < 100 || status >= STATUS_MAX || size < 0) return -1;
    long left = size - (long)(used - (size_t)(end + 4 - buf));
    while (left > 0) {
        size_t n = answer_more(client, buf, sizeof buf);
        if (n == 0) return -1;
        left -= (long)n;
    }
    client->tally.completed++;
    client->tally.status[status]++;
    client->tally.bytes += size;
    return !close;
}

static void *client_run(void *arg)
{
    struct client *client = arg;
    long share = options.requests ? options.requests / options.connections + 1 : 0;
    for (long sent = 0; now_s() < deadline && (!share || sent < share); sent++) {
        if (client->fd < 0 && !client_connect(client)) {
            client->tally.refused++;
            usleep(10000);
            continue;
        }
        int alive = request_send(client) ? answer_read(client) : -1;
        if (alive < 0) client->tally.broken++;
        if (alive <= 0) client_disconnect(client);
        if (options.pause_us > 0) usleep((useconds_t)(1 + rand_r(&client->seed) % (2 * options.pause_us)));
    }
    if (client->fd >= 0) client_disconnect(client);
    return NULL;
}

static void tally_add(struct tally *all, const struct tally *one)
{
    all->completed += one->completed;
    all->broken += one->broken;
    all->refused += one->refused;
    all->bytes += one->bytes;
    for (int i = 0; i < STATUS_MAX; i++) all->status[i] += one->status[i];
}

static void tally_print(const struct tally *tally, double seconds)
{
    printf(
        "{\"completed\":%ld,\"broken\":%ld,\"refused\":%ld,\"body_bytes\":%ld,\"seconds\":%.3f,\"status\":{",
        tally->completed, tally->broken, tally->refused, tally->bytes, seconds);
    const char *comma = "";
    for (int i = 0; i < STATUS_MAX; i++) {
        if (!tally->status[i]) continue;
        printf("%s\"%d\":%ld", comma, i, tally->status[i]);
        comma = ",";
    }
    puts("}}");
}

/* A number from low to high; exits if the text is anything else. */
static double number(const char *option, const char *text, double low, double high)
{
    char *end;
    double n = strtod(text, &end);
    if (end == text || *end || !(n >= low && n <= high)) {
        fprintf(stderr, "load: --%s %s: expected a number from %g to %g\n", option, text, low, high);
        exit(2);
    }
    return n;
}

static void options_read(int argc, char **argv)
{
    static const struct option known[] = {{"port", 1, NULL, 'p'},    {"connections", 1, NULL, 'c'},
                                          {"seconds", 1, NULL, 's'}, {"requests", 1, NULL, 'r'},
                                          {"clients", 1, NULL, 'i'}, {"pause-us", 1, NULL, 'u'},
                                          {"help", 0, NULL, 'h'},    {NULL, 0, NULL, 0}};
    for (int c; (c = getopt_long(argc, argv, "p:c:s:r:i:u:h", known, NULL)) != -1;) {
        switch (c) {
        case 'p': options.port = (int)number("port", optarg, 1, 65535); break;
        case 'c': options.connections = (int)number("connections", optarg, 1, CONNECTIONS_MAX); break;
        case 's': options.seconds = number("seconds", optarg, 0.1, 3600); break;
        case 'r': options.requests = (long)number("requests", optarg, 0, 1e9); break;
        case 'i': options.clients = (int)number("clients", optarg, 1, 1e6); break;
        case 'u': options.pause_us = (long)number("pause-us", optarg, 0, 400000); break;
        case 'h': fputs(usage, stdout); exit(0);
        default: fputs(usage, stderr); exit(2);
        }
    }
    if (optind < argc || !options.port) {
        fprintf(stderr, "load: %s\n%s", optind < argc ? "unexpected argument" : "--port is missing", usage);
        exit(2);
    }
}

int main(int argc, char **argv)
{
    static struct client clients[CONNECTIONS_MAX];
    struct tally all = {0};
    options_read(argc, argv);
    double start = now_s();
    deadline = start + options.seconds;
    int started = 0;
    for (; started < options.connections; started++) {
        clients[started].fd = -1;
        clients[started].seed = (unsigned)getpid() * 1000 + (unsigned)started;
        if (pthread_create(&clients[started].thread, NULL, client_run, &clients[started]) != 0) break;
    }
    for (int i = 0; i < started; i++) {
        pthread_join(clients[i].thread, NULL);
        tally_add(&all, &clients[i].tally);
    }
    tally_print(&all, now_s() - start);
    return started == options.connections ? 0 : 1;
}
