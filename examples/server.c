/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The parent process of the example server (see server.h). It opens the segment once, forks the workers, and
 * replaces each worker that ends, whether it has served its share of requests or was killed.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "server.h"

enum { WORKERS_MAX = 64 };

struct server {
    struct worker_options worker;
    int port, workers;
    pid_t pids[WORKERS_MAX];
};

static const char usage[] =
    "usage: server [--port N] [--workers N] [--threads N] [--requests N]\n"
    "A pre-fork HTTP server on 127.0.0.1 that records what it does in the segment $MTX_SEGMENT.\n"
    "  --port N      TCP port, printed on the first line; 0 (default) = any free one\n"
    "  --workers N   number of worker processes, 1 to 64; default 4\n"
    "  --threads N   threads per worker, 1 to 64; default 4\n"
    "  --requests N  a worker ends after N requests and is replaced; 0 (default) = never\n"
    "Routes: / /cart /search /image /pay. On SIGTERM it answers the pending requests, then exits.\n";

/* A number from low to high; exits if the text is anything else. */
static long number(const char *option, const char *text, long low, long high)
{
    char *end;
    errno = 0;
    long n = strtol(text, &end, 10);
    if (errno || end == text || *end || n < low || n > high) {
        fprintf(stderr, "server: --%s %s: expected a number from %ld to %ld\n", option, text, low, high);
        exit(2);
    }
    return n;
}

static void options_read(struct server *server, int argc, char **argv)
{
    static const struct option options[] = {{"port", 1, NULL, 'p'},    {"workers", 1, NULL, 'w'},
                                            {"threads", 1, NULL, 't'}, {"requests", 1, NULL, 'r'},
                                            {"help", 0, NULL, 'h'},    {NULL, 0, NULL, 0}};
    for (int c; (c = getopt_long(argc, argv, "p:w:t:r:h", options, NULL)) != -1;) {
        switch (c) {
        case 'p': server->port = (int)number("port", optarg, 0, 65535); break;
        case 'w': server->workers = (int)number("workers", optarg, 1, WORKERS_MAX); break;
        case 't': server->worker.threads = (int)number("threads", optarg, 1, 64); break;
        case 'r': server->worker.requests = number("requests", optarg, 0, 1000000000); break;
        case 'h': fputs(usage, stdout); exit(0);
        default: fputs(usage, stderr); exit(2);
        }
    }
    if (optind < argc) {
        fprintf(stderr, "server: unexpected argument \"%s\"\n%s", argv[optind], usage);
        exit(2);
    }
}

/* Listens on the loopback address; *port is the port wanted, and becomes the one in use. */
static int listen_on(int *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)*port)};
    socklen_t length = sizeof address;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd >= 0) setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, length) != 0 || listen(fd, 512) != 0 ||
        getsockname(fd, (struct sockaddr *)&address, &length) != 0) {
        fprintf(stderr, "server: cannot listen on 127.0.0.1:%d: %s\n", *port, strerror(errno));
        exit(1);
    }
    *port = ntohs(address.sin_port);
    return fd;
}

static void worker_start(struct server *server, int i)
{
    pid_t parent = getpid(), pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGTERM); /* a worker does not outlive its parent */
        exit(getppid() == parent ? worker_run(&server->worker) : EXIT_FAILURE);
    }
    if (pid < 0) {
        perror("server: fork");
        usleep(100000);
    }
    server->pids[i] = pid;
}

/* The one-line macros take only literals: each call site looks up its series once. */
static void worker_ended(int status)
{
    if (WIFSIGNALED(status)) {
        METRICS_INC("http.workers.replaced", "why", "killed");
    } else if (WEXITSTATUS(status) == 0) {
        METRICS_INC("http.workers.replaced", "why", "recycled");
    } else {
        METRICS_INC("http.workers.replaced", "why", "failed");
        usleep(100000); /* the next one may fail immediately, too */
    }
}

static void workers_replace(struct server *server)
{
    int status;
    for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;) {
        for (int i = 0; i < server->workers; i++) {
            if (server->pids[i] != pid) continue;
            worker_ended(status);
            worker_start(server, i);
        }
    }
    for (int i = 0; i < server->workers; i++)
        if (server->pids[i] < 0) worker_start(server, i);
}

static void workers_end(struct server *server)
{
    for (int i = 0; i < server->workers; i++)
        if (server->pids[i] > 0) kill(server->pids[i], SIGTERM);
    while (waitpid(-1, NULL, 0) > 0) continue;
}

int main(int argc, char **argv)
{
    struct server server = {.workers = 4, .worker = {.threads = 4}};
    options_read(&server, argc, argv);
    server.worker.listener = listen_on(&server.port);
    server.worker.registry = app_open();

    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigprocmask(SIG_BLOCK, &set, NULL);
    for (int i = 0; i < server.workers; i++) worker_start(&server, i);
    printf("listening on 127.0.0.1:%d with %d workers of %d threads\n", server.port, server.workers,
           server.worker.threads);
    fflush(stdout);

    for (;;) {
        const struct timespec second = {.tv_sec = 1};
        int signal = sigtimedwait(&set, NULL, &second);
        if (signal == SIGTERM || signal == SIGINT) break;
        workers_replace(&server);
    }
    workers_end(&server);
    return 0;
}
