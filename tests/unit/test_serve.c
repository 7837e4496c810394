/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Promises: each request is answered by its route, whole or recognisably broken off; slow, silent and many
 * clients delay nobody; wrong addresses are refused with a reason.
 */
#include "unit.h"

#include "address.h"
#include "serve.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>
#include <zlib.h>

static void hello(void *arg, const struct serve_request *request, struct serve_answer *answer)
{
    struct buf text = {0};
    buf_printf(&text, "%s accept=%s\n", (const char *)arg, request->accept ? request->accept : "-");
    serve_text(answer, request, "text/plain", &text);
}

static void big(void *arg, const struct serve_request *request, struct serve_answer *answer)
{
    struct buf text = {0};
    (void)arg;
    for (int i = 0; i < 10000; i++) buf_printf(&text, "line %d\n", i);
    serve_text(answer, request, "text/plain", &text);
}

/* A body in pieces: `lines` lines, and then its end, or, if `broken`, none. */
struct pieces {
    int lines, at;
    bool broken;
};
static int pieces_alive;

static size_t pieces_more(void *owner, char *to, size_t n)
{
    struct pieces *p = owner;
    size_t got = 0;
    while (p->at < p->lines && n - got > 16) got += (size_t)sprintf(to + got, "line %d\n", p->at++);
    return got ? got : p->broken ? SERVE_BROKEN : 0;
}

static void pieces_release(void *owner)
{
    __atomic_fetch_sub(&pieces_alive, 1, __ATOMIC_RELAXED);
    free(owner);
}

static void in_pieces(void *arg, const struct serve_request *request, struct serve_answer *answer)
{
    struct pieces *p = malloc(sizeof *p);
    (void)request;
    *p = (struct pieces){.lines = 100000, .broken = arg != NULL};
    __atomic_fetch_add(&pieces_alive, 1, __ATOMIC_RELAXED);
    *answer = (struct serve_answer){
        .type = "text/plain", .more = pieces_more, .release = pieces_release, .owner = p};
}

static const struct serve_route routes[] = {{"/hello", hello, "hi", "says hi"},
                                            {"/big", big, NULL, NULL},
                                            {"/pieces", in_pieces, NULL, NULL},
                                            {"/broken", in_pieces, "broken", NULL},
                                            {NULL, NULL, NULL, NULL}};

static struct serve *start(void)
{
    struct buf why = {0};
    struct serve *serve = serve_start("127.0.0.1:0", routes, &why);
    if (!serve) UNIT_FAIL("%s\n", buf_text(&why));
    REQUIRE(serve);
    buf_free(&why);
    return serve;
}

static struct sockaddr_in peer(const char *address)
{
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)atoi(strrchr(address, ':') + 1))};
    inet_pton(AF_INET, "127.0.0.1", &to.sin_addr);
    return to;
}

/* Sends the request unchanged and reads until the server closes; at most n bytes. */
static size_t ask(const char *address, const char *request, char *out, size_t n)
{
    struct sockaddr_in to = peer(address);
    struct timeval most = {.tv_sec = 10};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &most, sizeof most);
    size_t got = 0;
    if (!connect(fd, (struct sockaddr *)&to, sizeof to) &&
        send(fd, request, strlen(request), MSG_NOSIGNAL) > 0)
        for (ssize_t r; got < n && (r = recv(fd, out + got, n - got, 0)) > 0;) got += (size_t)r;
    close(fd);
    return got;
}

#define END " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"

/* A route answers with its headers; an unknown path, another method and the root get their own answers. */
UNIT(serve, routes)
{
    static const struct {
        const char *request, *status, *says;
    } cases[] = {
        {"GET /hello" END "Accept: text/html\r\n\r\n", "HTTP/1.1 200", "hi accept=text/html\n"},
        {"GET /hello" END "\r\n", "HTTP/1.1 200", "hi accept=-\n"},
        {"HEAD /hello" END "\r\n", "HTTP/1.1 200", "Content-Type: text/plain"},
        {"GET /nope" END "\r\n", "HTTP/1.1 404", "/hello"},
        {"GET /" END "\r\n", "HTTP/1.1 200", "says hi"},
        {"POST /hello" END "Content-Length: 3\r\n\r\nabc", "HTTP/1.1 405", "Allow: GET, HEAD"},
        {"DELETE /hello" END "\r\n", "HTTP/1.1 405", "only GET"},
        {"rubbish\r\n\r\n", "", ""},
    };
    struct serve *serve = start();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char out[4096];
        out[ask(serve_address(serve), cases[i].request, out, sizeof out - 1)] = '\0';
        if (strncmp(out, cases[i].status, strlen(cases[i].status)) || !strstr(out, cases[i].says))
            UNIT_FAIL("expected %s with \"%s\", got:\n%s\n", cases[i].status, cases[i].says, out);
    }
    serve_stop(&serve);
    CHECK(serve == NULL);
}

/* A header may come in several lines; a request may name the host in its target. */
UNIT(serve, forms)
{
    static const struct {
        const char *request, *says;
    } cases[] = {
        {"GET /hello" END "Accept: text/html\r\naccept: text/plain;q=0.5\r\n\r\n",
         "accept=text/html, text/plain;q=0.5\n"},
        {"GET http://x/hello" END "\r\n", "hi accept=-\n"},
        {"GET http://x:9464/hello?a=/b" END "\r\n", "hi accept=-\n"},
        {"GET http://x" END "\r\n", "says hi"},
        {"GET http://x/nowhere" END "\r\n", "404"},
    };
    struct serve *serve = start();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char out[4096] = "";
        ask(serve_address(serve), cases[i].request, out, sizeof out - 1);
        if (!strstr(out, cases[i].says)) UNIT_FAIL("expected \"%s\" in \"%s\"\n", cases[i].says, out);
    }
    serve_stop(&serve);
}

/* A long body is compressed for clients that accept that, for no others, and unpacks to the same text. */
UNIT(serve, gzip)
{
    static char out[200000], text[200000];
    struct serve *serve = start();
    size_t n = ask(serve_address(serve), "GET /big" END "Accept-Encoding: gzip\r\n\r\n", out, sizeof out - 1);
    out[n] = '\0';
    char *body = strstr(out, "\r\n\r\n");
    REQUIRE(body);
    CHECK(strstr(out, "Content-Encoding: gzip") != NULL);
    CHECK(n < 60000);
    z_stream z = {.next_in = (Bytef *)body + 4,
                  .avail_in = (uInt)(n - (size_t)(body + 4 - out)),
                  .next_out = (Bytef *)text,
                  .avail_out = sizeof text};
    REQUIRE(inflateInit2(&z, 15 + 16) == Z_OK);
    CHECK_EQ_I64(inflate(&z, Z_FINISH), Z_STREAM_END);
    CHECK(!strncmp(text, "line 0\nline 1\n", 14));
    CHECK_EQ_U64(z.total_out, 98890);
    inflateEnd(&z);
    n = ask(serve_address(serve), "GET /big" END "Accept-Encoding: gzip;q=0\r\n\r\n", out, sizeof out - 1);
    out[n] = '\0';
    CHECK(strstr(out, "Content-Encoding") == NULL);
    CHECK(strstr(out, "line 9999\n") != NULL);
    serve_stop(&serve);
}

/* A body in pieces arrives whole. Its end is marked in HTTP/1.1 and is that of the connection in HTTP/1.0;
 * one that is broken off has no such end. A client that asks only for the headers, and one that goes away,
 * gets none of it; all bodies are released. */
UNIT(serve, pieces)
{
    static char out[2000000];
    struct serve *serve = start();
    out[ask(serve_address(serve), "GET /pieces" END "\r\n", out, sizeof out - 1)] = '\0';
    CHECK(strstr(out, "Transfer-Encoding: chunked") != NULL);
    CHECK(strstr(out, "line 99999\n") != NULL);
    CHECK(!strcmp(out + strlen(out) - 5, "0\r\n\r\n"));
    size_t n = ask(serve_address(serve), "GET /pieces HTTP/1.0\r\n\r\n", out, sizeof out - 1);
    out[n] = '\0';
    char *body = strstr(out, "\r\n\r\n");
    REQUIRE(body);
    CHECK(!strstr(out, "chunked"));
    CHECK_EQ_U64(strlen(body + 4), 1088890);
    out[ask(serve_address(serve), "GET /broken" END "\r\n", out, sizeof out - 1)] = '\0';
    CHECK(strstr(out, "line 99999\n") != NULL);
    CHECK(strcmp(out + strlen(out) - 5, "0\r\n\r\n") != 0);
    out[ask(serve_address(serve), "HEAD /pieces" END "\r\n", out, sizeof out - 1)] = '\0';
    CHECK(!strstr(out, "line 0"));
    CHECK_EQ_U64(ask(serve_address(serve), "GET /pieces" END "\r\n", out, 1000), 1000);
    serve_stop(&serve);
    CHECK_EQ_I64(pieces_alive, 0);
}

/* One client does not read its long body, another one sends nothing; all others, more of them than there are
 * threads, are answered. When the first one reads on, it gets the rest. */
UNIT(serve, slow_client)
{
    static char out[2000000];
    struct serve *serve = start();
    int slow[8];
    static const char request[] = "GET /pieces" END "\r\n";
    struct sockaddr_in to = peer(serve_address(serve));
    for (int i = 0; i < 8; i++) {
        int little = 4096;
        slow[i] = socket(AF_INET, SOCK_STREAM, 0);
        setsockopt(slow[i], SOL_SOCKET, SO_RCVBUF, &little, sizeof little);
        CHECK(!connect(slow[i], (struct sockaddr *)&to, sizeof to));
        CHECK(send(slow[i], request, sizeof request - 1, MSG_NOSIGNAL) > 0);
    }
    for (int i = 0; i < 20; i++) {
        out[ask(serve_address(serve), "GET /hello" END "\r\n", out, sizeof out - 1)] = '\0';
        CHECK(strstr(out, "hi accept=-\n") != NULL);
    }
    size_t got = 0;
    for (ssize_t r; got < sizeof out - 1 && (r = recv(slow[0], out + got, sizeof out - 1 - got, 0)) > 0;)
        got += (size_t)r;
    out[got] = '\0';
    CHECK(strstr(out, "line 99999\n") != NULL);
    for (int i = 0; i < 8; i++) close(slow[i]);
    serve_stop(&serve);
    CHECK_EQ_I64(pieces_alive, 0);
}

/* Wrong and taken addresses are refused with a sentence. */
UNIT(serve, addresses)
{
    static const char *const bad[] = {"",           "localhost",          ":80", "1.2.3.4:", "1.2.3.4:99999",
                                      "1.2.3.4:8x", "h:00000000000000080"};
    struct buf why = {0};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        if (address_check_listen(bad[i], &why)) UNIT_FAIL("\"%s\" was taken\n", bad[i]);
        CHECK(serve_start(bad[i], routes, &why) == NULL);
    }
    CHECK(address_check_listen("off", &why));
    CHECK(address_check_listen("[::1]:9464", &why));
    struct serve *first = serve_start("127.0.0.1:0", routes, &why);
    REQUIRE(first);
    buf_reset(&why);
    CHECK(serve_start(serve_address(first), routes, &why) == NULL);
    CHECK(strstr(buf_text(&why), "cannot listen on 127.0.0.1:") != NULL);
    CHECK(strstr(buf_text(&why), "in use") != NULL);
    serve_stop(&first);
    buf_free(&why);
}

struct asking {
    const char *address;
    int good;
};
static void *ask_often(void *arg)
{
    struct asking *a = arg;
    char out[4096];
    for (int i = 0; i < 50; i++) {
        out[ask(a->address, "GET /hello" END "\r\n", out, sizeof out - 1)] = '\0';
        a->good += strstr(out, "hi accept=-\n") != NULL;
    }
    return NULL;
}

/* Eight clients at once, one of them silent and holding its connection, all get their answers. */
UNIT(serve, concurrent)
{
    pthread_t threads[8];
    struct asking asking[8];
    struct serve *serve = start();
    struct sockaddr_in to = peer(serve_address(serve));
    int silent = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(!connect(silent, (struct sockaddr *)&to, sizeof to));
    for (int i = 0; i < 8; i++) {
        asking[i] = (struct asking){serve_address(serve), 0};
        pthread_create(&threads[i], NULL, ask_often, &asking[i]);
    }
    for (int i = 0; i < 8; i++) {
        pthread_join(threads[i], NULL);
        CHECK_EQ_I64(asking[i].good, 50);
    }
    close(silent);
    serve_stop(&serve);
}

/* Hostile clients of one kind: what each sends at first, and then again and again. */
struct drip {
    const char *first, *again;
    bool reads_little;
};

static int drip_open(struct sockaddr_in to, const struct drip *drip)
{
    int little = 2048, fd = socket(AF_INET, SOCK_STREAM, 0);
    if (drip->reads_little) setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &little, sizeof little);
    CHECK(!connect(fd, (struct sockaddr *)&to, sizeof to));
    send(fd, drip->first, strlen(drip->first), MSG_NOSIGNAL);
    return fd;
}

/* Breaks if more clients than there are connections, whose requests or reading never end, keep others from being
 * answered. */
UNIT(serve, dripping_clients)
{
    static const struct drip drips[] = {
        {"", "", false},
        {"GET /hello HTTP/1.1\r\nHost: x\r\n", "X: y\r\n", false},
        {"POST /hello HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n", "z", false},
        {"GET /hello HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n", "z", false},
        {"GET /pieces HTTP/1.1\r\nHost: x\r\n\r\n", "", true},
    };
    enum { CLIENTS = 200 };
    for (size_t i = 0; i < sizeof drips / sizeof *drips; i++) {
        struct serve *serve = start();
        struct sockaddr_in to = peer(serve_address(serve));
        int fds[CLIENTS], answered = 0;
        char out[4096];
        for (int n = 0; n < CLIENTS; n++) fds[n] = drip_open(to, &drips[i]);
        for (int round = 0; round < 5; round++) {
            for (int n = 0; n < CLIENTS; n++)
                send(fds[n], drips[i].again, strlen(drips[i].again), MSG_NOSIGNAL);
            out[ask(serve_address(serve), "GET /hello" END "\r\n", out, sizeof out - 1)] = '\0';
            answered += strstr(out, "hi accept=-\n") != NULL;
        }
        if (answered != 5) UNIT_FAIL("clients of kind %zu: %d of 5 others are answered\n", i, answered);
        for (int n = 0; n < CLIENTS; n++) close(fds[n]);
        serve_stop(&serve);
    }
    CHECK_EQ_I64(pieces_alive, 0);
}
