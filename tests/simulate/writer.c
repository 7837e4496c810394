/* SPDX-License-Identifier: Apache-2.0 */
#include "writer.h"

#include "audit.h"
#include "setup.h"

#include <mtx/metrics.h>
#include <mtx/snapshot.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

void writer_warm_up(void)
{
    char path[64];
    snprintf(path, sizeof path, "/dev/shm/mtx-simulate-%d.warm", (int)getpid());
    metrics_registry_t *registry =
        metrics_open(&(metrics_options_t){.size = sizeof(metrics_options_t), .path = path}, NULL);
    metrics_close(&registry);
    unlink(path);
}

static uint64_t incarnation_of(const char *path)
{
    metrics_segment_info_t info = {0};
    metrics_reader_t *reader = metrics_reader_open(path, NULL, NULL);
    if (!reader || metrics_reader_info(reader, &info, NULL)) abort();
    metrics_reader_close(&reader);
    return info.incarnation;
}

void writer_make(struct writer *w, unsigned place, const char *folder)
{
    metrics_options_t options = {
        .size = sizeof options, .path = w->path, .segment_bytes = 1 << 20, .slots = 64, .lanes = 2};
    *w = (struct writer){.place = place};
    setup_segment(w->path, sizeof w->path, folder, place);
    metrics_registry_t *registry = metrics_open(&options, NULL);
    if (metrics_status(registry, NULL) < 0) abort();
    w->registry = registry;
    w->incarnation = incarnation_of(w->path);
    w->letter = audit_segment(place, w->incarnation);
}

static metrics_counter_t *counter_of(struct writer *w, unsigned series)
{
    char name[8];
    snprintf(name, sizeof name, "%c%u%c", 'a' + w->place, series, w->letter);
    return metrics_counter(w->registry, name);
}

void writer_add(struct writer *w, unsigned series, uint64_t n)
{
    metrics_counter_add(counter_of(w, series), n);
    audit_counted(w->place, series, n);
}

void writer_set(struct writer *w, double level)
{
    char name[16];
    snprintf(name, sizeof name, "level.%c%c", 'a' + w->place, w->letter);
    metrics_gauge_set(metrics_gauge(w->registry, name), level);
    audit_level(w->place, level);
}

void writer_add_and_die(struct writer *w, unsigned series, uint64_t n)
{
    pid_t pid = fork();
    if (!pid) {
        metrics_counter_add(counter_of(w, series), n);
        kill(getpid(), SIGKILL);
    }
    waitpid(pid, NULL, 0);
    audit_counted(w->place, series, n);
}

void writer_delete(struct writer *w)
{
    metrics_registry_t *registry = w->registry;
    metrics_close(&registry);
    w->registry = NULL;
    unlink(w->path);
}
