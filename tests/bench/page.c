/* SPDX-License-Identifier: Apache-2.0 */
/* page.c - what a page of the scrape endpoint takes over a
 * loopback socket: time per line, memory at its peak. */
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

#include <mtx/metrics.h>

#include "bench.h"

enum { PAGE_SERIES = 100000, PAGE_AGAIN = 3, PAGE_ROUNDS = 11 };

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

/* A page as it came, if it is wanted, chunks and all. */
struct page_bytes {
    char *data;
    size_t n, room;
};

static void keep(struct page_bytes *page, const char *data, size_t n)
{
    if (page->n + n > page->room) {
        page->room = (page->n + n) * 2;
        page->data = realloc(page->data, page->room);
        if (!page->data) exit(1);
    }
    memcpy(page->data + page->n, data, n);
    page->n += n;
}

/* The lines of one page; 0 if there was none. `page` may be NULL. */
static long fetch(int port, struct page_bytes *page)
{
    static const char request[] = "GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    static char buf[1 << 20];
    int s = dial(port);
    long lines = 0;
    if (s < 0) return 0;
    if (write(s, request, sizeof request - 1) > 0)
        for (ssize_t n; (n = read(s, buf, sizeof buf)) > 0;) {
            for (char *p = buf; (p = memchr(p, '\n', (size_t)(buf + n - p))); p++) lines++;
            if (page) keep(page, buf, (size_t)n);
        }
    close(s);
    return lines;
}

/* Starts the exporter on the segment, listening on port; -1 if it cannot be. */
static pid_t start_exporter(const char *exporter, const char *segment, const char *interval, int port,
                            char config[80])
{
    snprintf(config, 80, "/tmp/mtx-bench-%d.yaml", (int)getpid());
    FILE *f = fopen(config, "w");
    if (!f) return -1;
    fprintf(f,
            "segment: %s\ninterval: %s\nverbosity: warn\nhttp:\n  listen: 127.0.0.1:%d\nbackends:\n  - type: "
            "prometheus\n",
            segment, interval, port);
    fclose(f);
    pid_t pid = fork();
    if (pid == 0) {
        execl(exporter, exporter, "--config", config, "--log", "memory", (char *)NULL);
        _exit(127);
    }
    return pid;
}

static void stop_exporter(pid_t pid, const char *config)
{
    kill(pid, SIGTERM);
    waitpid(pid, NULL, 0);
    unlink(config);
}

/* Waits until there is a page with at least that many lines; its lines, or 0. */
static long first_page(int port, long least)
{
    long lines = 0;
    for (int i = 0; i < 100 && lines < least; i++) {
        pause_ms(100);
        lines = fetch(port, NULL);
    }
    return lines;
}

/* Fetches a page again and again, fresh each time; prints the time per line. */
static void measure_page(const char *op, int port, int rounds)
{
    static struct bench_sample sample;
    long lines = 0;
    sample.n = 0;
    for (int r = 0; r < rounds; r++) {
        pause_ms(260); /* numbers are shared for 250 ms */
        bench_yardsticks_t y = bench_yardsticks();
        double took = -bench_ns();
        lines = fetch(port, NULL);
        bench_sample_add(&sample, took + bench_ns(), y);
    }
    if (lines) bench_sample_print(&sample, op, 1, (double)lines);
}

/* --- What the socket alone takes --- */

/* A process that sends the same bytes to each client; -1 if it cannot be started. */
static pid_t start_sender(const struct page_bytes *page, int port)
{
    struct sockaddr_in a = {.sin_family = AF_INET,
                            .sin_port = htons((unsigned short)port),
                            .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    char request[512];
    int s = socket(AF_INET, SOCK_STREAM, 0);
    if (bind(s, (struct sockaddr *)&a, sizeof a) || listen(s, 8)) return -1;
    pid_t pid = fork();
    while (pid == 0) {
        int c = accept(s, NULL, NULL);
        if (c < 0 || read(c, request, sizeof request) <= 0) _exit(0);
        for (size_t at = 0; at < page->n;) {
            size_t left = page->n - at, piece = left < 65536 ? left : 65536;
            ssize_t n = send(c, page->data + at, piece, MSG_NOSIGNAL);
            if (n <= 0) break;
            at += (size_t)n;
        }
        close(c);
    }
    close(s);
    return pid;
}

static void measure_socket(struct page_bytes *page, int rounds)
{
    int port = free_port();
    pid_t pid = start_sender(page, port);
    if (pid < 0) return;
    measure_page("page_socket", port, rounds);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    free(page->data);
}

void bench_page(const char *exporter, const char *segment, int rounds)
{
    struct page_bytes page = {NULL, 0, 0};
    char config[80];
    int port = free_port();
    pid_t pid = start_exporter(exporter, segment, "60s", port, config);
    if (pid < 0) return;
    long lines = first_page(port, 1000);
    if (lines)
        measure_page("page_line", port, rounds);
    else
        fprintf(stderr, "bench: no page from %s\n", exporter);
    if (lines) fetch(port, &page);
    stop_exporter(pid, config);
    if (page.n) measure_socket(&page, rounds);
}

/* --- Memory --- */

static double memory_mib(pid_t pid, const char *field)
{
    char path[64], line[128];
    double kib = 0;
    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    FILE *f = fopen(path, "re");
    while (f && fgets(line, sizeof line, f))
        if (!strncmp(line, field, strlen(field))) kib = atof(line + strlen(field));
    if (f) fclose(f);
    return kib / 1024;
}

/* From now on VmHWM is the peak since now. */
static void forget_peak(pid_t pid)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/clear_refs", (int)pid);
    FILE *f = fopen(path, "we");
    if (!f) return;
    fputs("5\n", f);
    fclose(f);
}

static void print_memory(double started, double idle, double peak)
{
    if (bench_json)
        printf("{\"op\":\"page_rss\",\"procs\":1,\"mib\":%.1f,\"idle_mib\":%.1f,\"started_mib\":%.1f}\n",
               peak - idle, idle, started);
    else
        printf("page of %d series: %.1f MiB above the %.1f MiB of an idle exporter that reads each second "
               "(%.1f MiB before it read anything)\n",
               PAGE_SERIES, peak - idle, idle, started);
}

void bench_page_memory(const char *exporter, const char *path)
{
    char segment[80], config[80], number[16];
    snprintf(segment, sizeof segment, "%s.page", path);
    metrics_options_t options = {.size = sizeof options,
                                 .path = segment,
                                 .segment_bytes = 256u << 20,
                                 .family_series = PAGE_SERIES + 1};
    metrics_registry_t *r = metrics_open(&options, NULL);
    int port = free_port();
    pid_t pid = start_exporter(exporter, segment, "1s", port, config);
    if (pid < 0) return;
    pause_ms(500);
    double started = memory_mib(pid, "VmRSS:");
    for (int i = 0; i < PAGE_SERIES; i++) {
        snprintf(number, sizeof number, "%06d", i);
        metrics_counter_inc(metrics_counter(r, "bench.requests", "client", number));
    }
    pause_ms(4000);
    double idle = memory_mib(pid, "VmRSS:");
    forget_peak(pid);
    long lines = first_page(port, PAGE_SERIES);
    if (lines) {
        /* The first page is planned; the next one may be, too, as it has the exporter's own new series. */
        for (int i = 0; i < PAGE_AGAIN; i++, pause_ms(1100)) fetch(port, NULL);
        print_memory(started, idle, memory_mib(pid, "VmHWM:"));
        measure_page("page_line_labels", port, PAGE_ROUNDS);
    } else
        fprintf(stderr, "bench: no page from %s\n", exporter);
    stop_exporter(pid, config);
    metrics_close(&r);
    unlink(segment);
}
