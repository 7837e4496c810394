/* SPDX-License-Identifier: Apache-2.0 */
#include "sink.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench.h"

enum { SINK_BUFFER = 1 << 18 };

struct input {
    int fd;
    size_t from, to;
    char bytes[SINK_BUFFER];
};

/* More bytes behind those that are there; false at the end. */
static int more(struct input *in)
{
    if (in->from == in->to) in->from = in->to = 0;
    if (in->to == sizeof in->bytes) {
        memmove(in->bytes, in->bytes + in->from, in->to - in->from);
        in->to -= in->from;
        in->from = 0;
    }
    ssize_t n = in->to < sizeof in->bytes ? read(in->fd, in->bytes + in->to, sizeof in->bytes - in->to) : 0;
    if (n > 0) in->to += (size_t)n;
    return n > 0;
}

static int skip(struct input *in, size_t n)
{
    while (in->to - in->from < n) {
        n -= in->to - in->from;
        in->from = in->to;
        if (!more(in)) return 0;
    }
    in->from += n;
    return 1;
}

/* The next line, its end (two bytes) cut off; valid until the next call. NULL at the end. */
static char *line(struct input *in)
{
    char *end;
    while (!(end = memchr(in->bytes + in->from, '\n', in->to - in->from)))
        if (!more(in)) return NULL;
    char *text = in->bytes + in->from;
    in->from = (size_t)(end + 1 - in->bytes);
    end[end > text && end[-1] == '\r' ? -1 : 0] = '\0';
    return text;
}

static void say(int fd, const char *text)
{
    size_t n = strlen(text);
    if (write(fd, text, n) != (ssize_t)n) pthread_exit(NULL);
}

/* --- HTTP --- */

static void answer_http(int fd, int get)
{
    static const char *const bodies[] = {"{\"errors\":[],\"token\":\"T\",\"schema\":{\"id\":\"S\"}}", "[]"};
    char text[256];
    snprintf(text, sizeof text,
             "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
             strlen(bodies[get]), bodies[get]);
    say(fd, text);
}

static void serve_http(struct input *in)
{
    char *text;
    while ((text = line(in))) {
        int get = !strncmp(text, "GET", 3);
        size_t length = 0;
        while ((text = line(in)) && *text)
            if (!strncasecmp(text, "content-length:", 15)) length = strtoul(text + 15, NULL, 10);
        if (!text || !skip(in, length)) return;
        answer_http(in->fd, get);
    }
}

/* --- Redis --- */

/* What a command is answered; inside a transaction all but its end are put off. */
static const char *redis_answer(const char *word, int *inside)
{
    if (!strcmp(word, "EXEC")) {
        *inside = 0;
        return "*2\r\n:1\r\n:1\r\n";
    }
    if (*inside) return "+QUEUED\r\n";
    *inside = !strcmp(word, "MULTI");
    return !strcmp(word, "ZCARD") ? ":0\r\n" : "+OK\r\n";
}

static void serve_redis(struct input *in)
{
    int inside = 0;
    char word[16], *text;
    while ((text = line(in)) && *text == '*') {
        long words = strtol(text + 1, NULL, 10);
        for (long i = 0; i < words; i++) {
            if (!(text = line(in)) || *text != '$') return;
            size_t n = strtoul(text + 1, NULL, 10);
            if (i == 0 && n < sizeof word) {
                if (!(text = line(in))) return;
                snprintf(word, sizeof word, "%s", text);
            } else if (!skip(in, n + 2)) {
                return;
            }
        }
        say(in->fd, redis_answer(word, &inside));
    }
}

/* --- The process --- */

static void *serve(void *arg)
{
    struct input *in = arg;
    if (more(in)) {
        if (in->bytes[0] == '*')
            serve_redis(in);
        else if (in->bytes[0] == 'P' || in->bytes[0] == 'G')
            serve_http(in);
        else
            while (skip(in, SINK_BUFFER)) continue;
    }
    close(in->fd);
    free(in);
    return NULL;
}

static void accept_all(int listener)
{
    for (;;) {
        pthread_t thread;
        struct input *in = calloc(1, sizeof *in);
        if (!in) _exit(1);
        in->fd = accept(listener, NULL, NULL);
        if (in->fd < 0) _exit(0);
        setsockopt(in->fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
        if (pthread_create(&thread, NULL, serve, in)) _exit(1);
        pthread_detach(thread);
    }
}

int sink_start(int cpu)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof a;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(listener, (struct sockaddr *)&a, n) || getsockname(listener, (struct sockaddr *)&a, &n) ||
        listen(listener, 16)) {
        perror("bench: sink");
        exit(1);
    }
    if (fork() == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        signal(SIGPIPE, SIG_IGN);
        bench_pin(cpu);
        accept_all(listener);
    }
    close(listener);
    return ntohs(a.sin_port);
}
