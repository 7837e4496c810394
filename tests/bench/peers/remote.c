/* SPDX-License-Identifier: Apache-2.0 */
/*
 * remote.c - peers in other languages. Each is a program that says "ready" and then answers each line
 * "OPERATION TIMES THREADS" with the nanoseconds that it took by its own clock. So they take their turns in
 * the same rounds, and the pipe between us is not measured. A program that does not start is left out.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "peers.h"

struct remote {
    pid_t pid;
    FILE *to, *from;
};
static struct remote python, multiprocess, java;
static char multiprocess_dir[64];

static void stop(struct remote *r)
{
    if (!r->to || !r->from) return;
    fclose(r->to);
    fclose(r->from);
    kill(r->pid, SIGTERM);
    waitpid(r->pid, NULL, 0);
    *r = (struct remote){0};
}

static int start(struct remote *r, const char *const *argv, const char *dir)
{
    int down[2], up[2];
    char line[256];
    if (pipe2(down, O_CLOEXEC) || pipe2(up, O_CLOEXEC)) return -1;
    r->pid = fork();
    if (r->pid == 0) {
        dup2(down[0], 0);
        dup2(up[1], 1);
        if (dir) setenv("PROMETHEUS_MULTIPROC_DIR", dir, 1);
        execvp(argv[0], (char *const *)argv);
        _exit(127);
    }
    close(down[0]);
    close(up[1]);
    r->to = fdopen(down[1], "w");
    r->from = fdopen(up[0], "r");
    if (r->pid > 0 && r->to && r->from && fgets(line, sizeof line, r->from) && !strcmp(line, "ready\n"))
        return 0;
    stop(r);
    return -1;
}

static double ask(struct remote *r, const char *operation, uint64_t n, int threads)
{
    char line[64];
    fprintf(r->to, "%s %llu %d\n", operation, (unsigned long long)n, threads);
    fflush(r->to);
    if (fgets(line, sizeof line, r->from)) return atof(line);
    fprintf(stderr, "bench: a peer ended at \"%s\"\n", operation);
    exit(1);
}

/* --- Python: in one process, and in its multiprocess mode (a file per process) --- */

static const char *const python_argv[] = {"/usr/bin/python3", BENCH_PEERS_DIR "/peers.py", NULL};

static int open_python(void)
{
    return start(&python, python_argv, NULL);
}
static void close_python(void)
{
    stop(&python);
}
static int open_multiprocess(void)
{
    if (!python.from) return -1;
    snprintf(multiprocess_dir, sizeof multiprocess_dir, "/dev/shm/mtx-bench-python-XXXXXX");
    return mkdtemp(multiprocess_dir) ? 0 : -1;
}
/* Each process that measures has a program of its own, as each worker of a server has. */
static void prepare_multiprocess(void)
{
    if (start(&multiprocess, python_argv, multiprocess_dir)) exit(1);
}
static void close_multiprocess(void)
{
    char command[128];
    stop(&multiprocess);
    snprintf(command, sizeof command, "rm -rf %s", multiprocess_dir);
    if (system(command)) fprintf(stderr, "bench: %s remains\n", multiprocess_dir);
}

#define REMOTE(FUNCTION, WHERE, OPERATION)         \
    static double FUNCTION(uint64_t n, int procs)  \
    {                                              \
        return ask(&(WHERE), OPERATION, n, procs); \
    }
REMOTE(python_inc, python, "inc")
REMOTE(python_set, python, "set")
REMOTE(python_observe, python, "observe")
REMOTE(python_labels, python, "labels")
REMOTE(multiprocess_inc, multiprocess, "inc")
REMOTE(multiprocess_set, multiprocess, "set")
REMOTE(multiprocess_observe, multiprocess, "observe")
REMOTE(multiprocess_labels, multiprocess, "labels")

/* A page, as text in memory: one operation of the program; "lines" gives the number of its lines. */
static void report_page(struct remote *r, const char *name, int rounds)
{
    static struct bench_sample sample;
    sample.n = 0;
    double lines = ask(r, "lines", 1, 1);
    for (int i = 0; i < rounds / 8 + 3; i++) {
        bench_yardsticks_t y = bench_yardsticks();
        bench_sample_add(&sample, ask(r, "page", 1, 1), y);
    }
    bench_sample_print(&sample, name, 1, lines);
}
static void report_python(int rounds)
{
    report_page(&python, "python.page_line", rounds);
}
static void report_multiprocess(int rounds)
{
    report_page(&multiprocess, "python_multiprocess.page_line", rounds);
}

static const struct bench_op python_ops[] = {
    {.name = "python.counter_inc", .timed = python_inc},
    {.name = "python.gauge_set", .timed = python_set},
    {.name = "python.histogram_explicit", .timed = python_observe},
    {.name = "python.find", .timed = python_labels},
};
static const struct bench_op multiprocess_ops[] = {
    {.name = "python_multiprocess.counter_inc", .timed = multiprocess_inc, .two = BENCH_PROCESS},
    {.name = "python_multiprocess.gauge_set", .timed = multiprocess_set, .two = BENCH_PROCESS},
    {.name = "python_multiprocess.histogram_explicit", .timed = multiprocess_observe, .two = BENCH_PROCESS},
    {.name = "python_multiprocess.find", .timed = multiprocess_labels, .two = BENCH_PROCESS},
};
#define PYTHON_MISSING "python3 with prometheus_client did not start (Debian: python3-prometheus-client)"
struct peer peer_python = {.name = "Python client",
                           .missing = PYTHON_MISSING,
                           .open = open_python,
                           .ops = python_ops,
                           .count = sizeof python_ops / sizeof *python_ops,
                           .report = report_python,
                           .close = close_python};
struct peer peer_python_multiprocess = {.name = "Python client, multiprocess",
                                        .missing = PYTHON_MISSING,
                                        .open = open_multiprocess,
                                        .prepare = prepare_multiprocess,
                                        .ops = multiprocess_ops,
                                        .count = sizeof multiprocess_ops / sizeof *multiprocess_ops,
                                        .report = report_multiprocess,
                                        .close = close_multiprocess};

/* --- Java: Dropwizard metrics and HdrHistogram, threads of one process --- */

static int open_java(void)
{
    static const char *const argv[] = {
        "java", "-cp",
        "/usr/share/java/metrics-core.jar:/usr/share/java/hdrhistogram.jar:/usr/share/java/slf4j-api.jar",
        BENCH_PEERS_DIR "/Peers.java", NULL};
    return start(&java, argv, NULL);
}
static void close_java(void)
{
    stop(&java);
}
REMOTE(java_inc, java, "inc")
REMOTE(java_mark, java, "mark")
REMOTE(java_update, java, "update")
REMOTE(java_time, java, "time")
REMOTE(java_find, java, "find")
REMOTE(java_hdr, java, "hdr")
static const struct bench_op java_ops[] = {
    {.name = "dropwizard.counter_inc", .timed = java_inc, .two = BENCH_SELF},
    {.name = "dropwizard.meter_mark", .timed = java_mark, .two = BENCH_SELF},
    {.name = "dropwizard.histogram_decaying", .timed = java_update, .two = BENCH_SELF},
    {.name = "dropwizard.timer", .timed = java_time, .two = BENCH_SELF},
    {.name = "dropwizard.find", .timed = java_find, .two = BENCH_SELF},
    {.name = "hdrhistogram_java.histogram_buckets", .timed = java_hdr, .two = BENCH_SELF},
};
struct peer peer_java = {
    .name = "Dropwizard, HdrHistogram (Java)",
    .missing = "java with metrics-core and hdrhistogram did not start (Debian: default-jdk-headless, "
               "libdropwizard-metrics-java, libhdrhistogram-java)",
    .open = open_java,
    .ops = java_ops,
    .count = sizeof java_ops / sizeof *java_ops,
    .close = close_java};
