/* SPDX-License-Identifier: Apache-2.0 */
/*
 * emit.c - several processes that emit events of all types, numbered, and know how many (annotations: each tenth). Runs until SIGTERM, then prints
 * WORKER TAB COUNT. Event i of worker w says so in its own way, see receive in test_events.py. emit WORKERS PAUSE_US
 * the segment is $MTX_SEGMENT
 */
#include <mtx/events.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { WORKERS_MAX = 16 };
#define FIRST_SECOND UINT64_C(1700000000)
#define SECOND       UINT64_C(1000000000)

struct kinds {
    metrics_annotations_t *deploys;
    metrics_spans_t *spans;
    metrics_logger_t *logger;
    metrics_points_t *points;
};

static void find_kinds(struct kinds *k, unsigned worker)
{
    char text[16];
    metrics_registry_t *r = metrics_default();
    snprintf(text, sizeof text, "%u", worker);
    if (metrics_status(r, NULL) < 0) exit(1);
    k->deploys = metrics_annotations(r, "load.deploys");
    k->spans = metrics_spans(r, "load.span", "worker", text);
    k->logger = metrics_logger(r, "load.log");
    k->points = metrics_points(r, "load.point", "worker", text);
}

static void emit(const struct kinds *k, unsigned worker, uint32_t i)
{
    char title[32], number[16];
    uint64_t wall = (FIRST_SECOND + i) * SECOND;
    metrics_trace_t trace = {.trace_id = {1, (uint8_t)worker}, .span_id = {1, (uint8_t)worker}};
    memcpy(trace.trace_id + 4, &i, sizeof i);
    memcpy(trace.span_id + 4, &i, sizeof i);
    snprintf(title, sizeof title, "%u %u", worker, (unsigned)i);
    snprintf(number, sizeof number, "%u", (unsigned)i);
    const metrics_field_t field = metrics_field_text("i", number);
    if (i % 10 == 0)
        metrics_annotate(k->deploys,
                         &(metrics_annotation_t){.size = sizeof(metrics_annotation_t), .title = title});
    metrics_span_record(k->spans, &trace, NULL, wall, 1000000, 0, &field, 1);
    metrics_log(k->logger, METRICS_LOG_INFO, "%u %u", worker, (unsigned)i);
    metrics_point_at(k->points, METRICS_POINT_GAUGE, i, wall, NULL, 0);
}

static void work(unsigned long *count, unsigned worker, long pause_us)
{
    const struct timespec pause = {pause_us / 1000000, pause_us % 1000000 * 1000};
    struct kinds kinds;
    sigset_t end;
    sigemptyset(&end);
    sigaddset(&end, SIGTERM);
    find_kinds(&kinds, worker);
    while (sigtimedwait(&end, NULL, &pause) != SIGTERM) emit(&kinds, worker, (uint32_t)(*count)++);
    exit(0);
}

int main(int argc, char **argv)
{
    sigset_t end;
    int got, workers = argc > 1 ? atoi(argv[1]) : 0;
    unsigned long *counts =
        mmap(NULL, WORKERS_MAX * sizeof *counts, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (argc != 3 || workers < 1 || workers > WORKERS_MAX || counts == MAP_FAILED) return 2;
    sigemptyset(&end);
    sigaddset(&end, SIGTERM);
    sigprocmask(SIG_BLOCK, &end, NULL);
    for (int w = 0; w < workers; w++)
        if (!fork()) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            work(&counts[w], (unsigned)w, atol(argv[2]));
        }
    sigwait(&end, &got);
    signal(SIGTERM, SIG_IGN);
    kill(0, SIGTERM);
    for (int w = 0; w < workers; w++) wait(NULL);
    for (int w = 0; w < workers; w++) printf("%d\t%lu\n", w, counts[w]);
    return 0;
}
