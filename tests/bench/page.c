/* SPDX-License-Identifier: Apache-2.0 */
/* page.c - how long the scrape endpoint takes for a page, per line, over a loopback socket. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"

static void pause_ms(long ms)
{
    nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000}, NULL);
}

/* A port that was free a moment ago. */
static int free_port(void)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof a;
    int s = socket(AF_INET, SOCK_STREAM, 0);
    if (bind(s, (struct sockaddr *)&a, n) || getsockname(s, (struct sockaddr *)&a, &n)) return 0;
    close(s);
    return ntohs(a.sin_port);
}

static int dial(int port)
{
    struct sockaddr_in a = {.sin_family = AF_INET,
                            .sin_port = htons((unsigned short)port),
                            .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int s = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(s, (struct sockaddr *)&a, sizeof a) == 0) return s;
    close(s);
    return -1;
}

/* The lines of one page; 0 if there was none. */
static long fetch(int port)
{
    static const char request[] = "GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    static char buf[1 << 20];
    int s = dial(port);
    long lines = 0;
    if (s < 0) return 0;
    if (write(s, request, sizeof request - 1) > 0)
        for (ssize_t n; (n = read(s, buf, sizeof buf)) > 0;)
            for (char *p = buf; (p = memchr(p, '\n', (size_t)(buf + n - p))); p++) lines++;
    close(s);
    return lines;
}

void bench_page(const char *exporter, const char *segment, int rounds)
{
    char config[80], text[256];
    int port = free_port();
    snprintf(config, sizeof config, "/tmp/mtx-bench-%d.yaml", (int)getpid());
    snprintf(text, sizeof text,
             "segment: %s\ninterval: 60s\nhttp:\n  listen: 127.0.0.1:%d\nbackends:\n  - type: prometheus\n",
             segment, port);
    FILE *f = fopen(config, "w");
    if (!f) return;
    fputs(text, f);
    fclose(f);
    pid_t pid = fork();
    if (pid == 0) {
        execl(exporter, exporter, "--config", config, (char *)NULL);
        _exit(127);
    }
    long lines = 0;
    for (int i = 0; i < 100 && lines < 1000; i++) {
        pause_ms(100);
        lines = fetch(port);
    }
    double took[256];
    for (int r = 0; lines && r < rounds; r++) {
        pause_ms(260); /* pages are shared for 250 ms */
        took[r] = -bench_ns();
        lines = fetch(port);
        took[r] += bench_ns();
    }
    if (lines)
        bench_print("page_line", 1, bench_median(took, rounds) / (double)lines);
    else
        fprintf(stderr, "bench: no page from %s\n", exporter);
    kill(pid, SIGTERM);
    waitpid(pid, NULL, 0);
    unlink(config);
}
