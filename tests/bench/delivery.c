/* SPDX-License-Identifier: Apache-2.0 */
/*
 * delivery.c - points per second that each backend encodes, and encodes and delivers to a sink on loopback,
 * by the CPU time of its one thread: one interval of 100,000 series (85,000 counters, 10,000 gauges, 5,000
 * timers). Beside it, in the same rounds: zlib compressing the same bytes, and Python writing and sending the
 * same points (peers/delivery.py), which finds them as objects in memory, while we begin at the snapshot.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <mtx/metrics.h>
#include <mtx/snapshot.h>

#include "bench.h"
#include "config_load.h"
#include "gzip.h"
#include "leader.h"
#include "sink.h"
#include "view.h"

enum { COUNTERS = 85000, GAUGES = 10000, TIMERS = 5000, ROUNDS = 7 };

static char segment[80], dir[80];

/* The thread's own time: neither waiting for the sink nor what else the machine does. */
static double cpu_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* --- The work --- */

static metrics_registry_t *open_registry(void)
{
    metrics_options_t options = {.size = sizeof options,
                                 .path = segment,
                                 .segment_bytes = UINT64_C(1) << 30,
                                 .family_series = COUNTERS + 1};
    metrics_error_t error;
    metrics_registry_t *r = metrics_open(&options, &error);
    if (!metrics_status(r, &error)) return r;
    fprintf(stderr, "bench: %s\n", error.text);
    exit(1);
}

/* One interval's updates: every series changes. */
static void update(metrics_registry_t *r, int round)
{
    char number[16];
    for (int i = 0; i < COUNTERS; i++) {
        snprintf(number, sizeof number, "%05d", i);
        metrics_counter_add(metrics_counter(r, "shop.http.requests", "client", number, "status", "200"),
                            (uint64_t)(i + round) % 1000 + 1);
    }
    for (int i = 0; i < GAUGES; i++) {
        snprintf(number, sizeof number, "%05d", i);
        metrics_gauge_set(metrics_gauge(r, "shop.queue.depth", "queue", number), i * 0.25 + round);
    }
    for (int i = 0; i < TIMERS; i++) {
        snprintf(number, sizeof number, "%05d", i);
        metrics_timer_t *timer = metrics_timer(r, "shop.request.time", "route", number);
        for (int k = 1; k <= 20; k++) metrics_timer_update(timer, (uint64_t)(i % 97 + k * k) * 100000);
    }
}

static metrics_snapshot_t *sample(metrics_leader_t *leader)
{
    metrics_error_t error = {0};
    metrics_leader_tick(leader);
    metrics_snapshot_t *s = metrics_leader_sample(leader, &error);
    if (!s) {
        fprintf(stderr, "bench: %s\n", error.text);
        exit(1);
    }
    metrics_leader_logged(leader, s);
    return s;
}

/* --- One backend --- */

struct run {
    const struct config_backend *backend;
    struct config *config;
    void *link, *session;
    struct selection selection;
    struct view view;
    size_t points, bytes, requests;
};

static void must(bool good, const char *what, const struct buf *why)
{
    if (good) return;
    fprintf(stderr, "bench: %s: %s\n", what, why ? buf_text(why) : "");
    exit(1);
}

static void send_one(struct run *run, const struct payload *payload)
{
    struct answer answer = {.outcome = OUTCOME_RETRY};
    run->backend->type->transport->send(run->link, payload, &answer);
    must(answer.outcome == OUTCOME_SENT, run->backend->type->name, &answer.why);
    answer_free(&answer);
}

static void talk(struct run *run, backend_talk_fn *fn)
{
    struct answer answer = {.outcome = OUTCOME_SENT};
    if (fn) fn(run->session, run->backend->settings, run->link, &run->view, &answer);
    must(answer.outcome == OUTCOME_SENT, run->backend->type->name, &answer.why);
    answer_free(&answer);
}

typedef void payload_fn(struct run *run, const struct payload *payload);

/* The interval as payloads; each goes to fn. The time that it took, in ns. */
static double interval(struct run *run, payload_fn *fn)
{
    static struct payload payloads[PAYLOADS];
    const struct config_backend *b = run->backend;
    struct batch batch = {
        .view = &run->view, .to = run->view.n, .settings = b->settings, .session = run->session};
    double took = -cpu_ns();
    while (batch.from < batch.to) {
        for (int i = 0; i < PAYLOADS; i++) payload_reset(&payloads[i]);
        b->type->encode(&batch, payloads);
        for (int i = 0; i < PAYLOADS; i++)
            if (payloads[i].body.len && fn) fn(run, &payloads[i]);
        batch.from = payloads[0].items ? batch.from + payloads[0].items : batch.to;
    }
    return took + cpu_ns();
}

static double deliver(struct run *run)
{
    const struct backend_session *session = run->backend->type->session;
    double took = -cpu_ns();
    if (session) talk(run, session->prepare);
    interval(run, send_one);
    if (session) talk(run, session->done);
    return took + cpu_ns();
}

/* --- The same bytes for the others --- */

static FILE *bodies;
static double zlib_ns;

/* Each body as a line with its length and place, then the bytes: for Python. */
static void keep(struct run *run, const struct payload *p)
{
    run->points += p->points;
    run->bytes += p->body.len;
    run->requests++;
    fprintf(bodies, "%zu %s\n", p->body.len, p->path.len ? buf_text(&p->path) : "/");
    fwrite(p->body.data, 1, p->body.len, bodies);
}

static void compress_one(struct run *run, const struct payload *p)
{
    static struct buf packed;
    (void)run;
    buf_reset(&packed);
    zlib_ns -= cpu_ns();
    must(gzip_pack(p->body.data, p->body.len, 6, GZIP_ZLIB, &packed), "zlib", NULL);
    zlib_ns += cpu_ns();
}

struct python {
    FILE *to, *from;
    char how[32]; /* what it sends with */
};

static bool start_python(struct python *p, const char *name, int port)
{
    int down[2], up[2];
    char number[16], file[128];
    snprintf(number, sizeof number, "%d", port);
    snprintf(file, sizeof file, "%s/%s", dir, name);
    if (pipe2(down, O_CLOEXEC) || pipe2(up, O_CLOEXEC)) return false;
    if (fork() == 0) {
        dup2(down[0], 0);
        dup2(up[1], 1);
        execl("/usr/bin/python3", "python3", BENCH_PEERS_DIR "/delivery.py", name, file, number,
              (char *)NULL);
        _exit(127);
    }
    close(down[0]);
    close(up[1]);
    p->to = fdopen(down[1], "w");
    p->from = fdopen(up[0], "r");
    return p->to && p->from && fscanf(p->from, "ready %31s", p->how) == 1;
}

static double ask_python(struct python *p)
{
    double ns = 0;
    fputs("go\n", p->to);
    fflush(p->to);
    return fscanf(p->from, "%lf", &ns) == 1 ? ns : 0;
}

/* --- Rounds --- */

static const char *variable(const char *name)
{
    return getenv(name);
}

static void open_run(struct run *run, const char *yaml, int port, const metrics_snapshot_t *now,
                     const metrics_snapshot_t *base)
{
    struct buf why = {0};
    char text[256];
    snprintf(text, sizeof text, yaml, port);
    run->config = config_parse("bench", text, strlen(text), variable, &why);
    must(run->config, "configuration", &why);
    run->backend = run->config->backends;
    const struct backend *type = run->backend->type;
    run->link = type->transport->open(run->backend->settings, &why);
    if (type->session) run->session = type->session->open(run->backend->settings, &why);
    must(run->link && (run->session || !type->session), type->name, &why);
    must(selection_compile(&run->selection, type, run->backend->settings, &run->config->tags), "memory",
         NULL);
    view_begin(&run->view, &run->selection, metrics_snapshot_header(now)->wall_ns, UINT64_C(10000000000));
    must(view_add(&run->view, now, base), "memory", NULL);
}

static void close_run(struct run *run)
{
    const struct backend *type = run->backend->type;
    if (run->session) type->session->close(&run->session);
    type->transport->close(&run->link);
    view_free(&run->view);
    selection_free(&run->selection);
    config_free(&run->config);
}

struct result {
    double encode, sent, wall, zlib,
        python;      /* ns of an interval; `wall` by the clock, the others of the CPU */
    const char *how; /* what Python sends with */
};

static void print_run(const struct run *run, const char *label, const struct result *r)
{
    double points = (double)run->points;
    if (bench_json)
        printf("{\"op\":\"delivery\",\"procs\":1,\"backend\":\"%s\",\"points\":%zu,\"bytes\":%zu,"
               "\"requests\":%zu,"
               "\"encode_ns\":%.0f,\"deliver_ns\":%.0f,\"wall_ns\":%.0f,\"zlib_ns\":%.0f,\"python_ns\":%.0f,"
               "\"python\":\"%s\"}\n",
               label, run->points, run->bytes, run->requests, r->encode, r->sent, r->wall, r->zlib, r->python,
               r->how);
    else
        printf("%-18s %7zu %6.1f %10.0f %11.0f %12.0f %7.2f %8.2f  %s\n", label, run->points,
               (double)run->bytes / 1e6, points / r->encode * 1e9, points / r->sent * 1e9,
               points / r->wall * 1e9, r->sent / r->zlib, r->python / r->sent, r->how);
    fflush(stdout);
}

static void measure(const char *label, const char *yaml, int port, int rounds, const metrics_snapshot_t *now,
                    const metrics_snapshot_t *base)
{
    struct run run = {.points = 0};
    struct python python = {.how = "-"};
    double encode[BENCH_ROUNDS_MAX], sent[BENCH_ROUNDS_MAX], zlib[BENCH_ROUNDS_MAX], other[BENCH_ROUNDS_MAX],
        wall[BENCH_ROUNDS_MAX];
    char file[128];
    open_run(&run, yaml, port, now, base);
    const char *name = run.backend->type->name;
    snprintf(file, sizeof file, "%s/%s", dir, name);
    bodies = fopen(file, "w");
    must(bodies, file, NULL);
    deliver(&run); /* logins, schemas, connections */
    interval(&run, keep);
    fclose(bodies);
    bool asked = start_python(&python, name, port);
    for (int i = 0; i < rounds; i++) {
        zlib_ns = 0;
        encode[i] = interval(&run, NULL);
        wall[i] = -bench_ns();
        sent[i] = deliver(&run);
        wall[i] += bench_ns();
        interval(&run, compress_one);
        zlib[i] = zlib_ns;
        other[i] = asked ? ask_python(&python) : 0;
    }
    print_run(&run, label,
              &(struct result){bench_median(encode, rounds), bench_median(sent, rounds),
                               bench_median(wall, rounds), bench_median(zlib, rounds),
                               bench_median(other, rounds), python.how});
    if (python.to) fclose(python.to); /* it ends */
    if (python.from) fclose(python.from);
    close_run(&run);
    unlink(file);
}

static const struct {
    const char *label, *yaml;
} cases[] = {
    {"librato", "backends: [{type: librato, url: 'http://127.0.0.1:%d', user: u, token: t}]"},
    {"anodot20", "backends: [{type: anodot20, url: 'http://127.0.0.1:%d', token: t}]"},
    {"anodot30", "backends: [{type: anodot30, url: 'http://127.0.0.1:%d', token: t, access_key: a}]"},
    {"apptuit", "backends: [{type: apptuit, url: 'http://127.0.0.1:%d', token: t}]"},
    {"wavefront", "backends: [{type: wavefront, url: 'http://127.0.0.1:%d', token: t}]"},
    {"wavefront, lines", "backends: [{type: wavefront, mode: proxy, tcp: '127.0.0.1:%d'}]"},
    {"chouette", "backends: [{type: chouette, host: 127.0.0.1, port: %d}]"},
};

int main(int argc, char **argv)
{
    int rounds = ROUNDS;
    const char *only = NULL;
    for (int o; (o = getopt(argc, argv, "jr:b:")) != -1;) {
        if (o == 'j') bench_json = true;
        if (o == 'r') rounds = atoi(optarg);
        if (o == 'b') only = optarg;
    }
    if (rounds < 1 || rounds > BENCH_ROUNDS_MAX) rounds = ROUNDS;
    snprintf(segment, sizeof segment, "/dev/shm/mtx-bench-delivery-%d.seg", (int)getpid());
    snprintf(dir, sizeof dir, "/dev/shm/mtx-bench-delivery-%d", (int)getpid());
    must(!mkdir(dir, 0700), dir, NULL);
    int port = sink_start(1);
    bench_pin(0);
    metrics_registry_t *r = open_registry();
    metrics_reader_options_t options = {.size = sizeof options};
    metrics_leader_t *leader = metrics_leader_acquire(segment, &options, NULL);
    must(leader, segment, NULL);
    update(r, 0);
    metrics_snapshot_t *base = sample(leader);
    update(r, 1);
    metrics_snapshot_t *now = sample(leader);
    if (!bench_json)
        printf("%-18s %7s %6s %10s %11s %12s %7s %8s\n", "backend", "points", "MB", "encoded/s",
               "delivered/s", "by the clock", "x zlib", "Python x");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (!only || !strcmp(only, cases[i].label))
            measure(cases[i].label, cases[i].yaml, port, rounds, now, base);
    metrics_snapshot_release(&base);
    metrics_snapshot_release(&now);
    metrics_leader_release(&leader);
    metrics_close(&r);
    unlink(segment);
    rmdir(dir);
    return 0;
}
