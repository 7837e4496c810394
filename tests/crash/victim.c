/* SPDX-License-Identifier: Apache-2.0 */
/*
 * victim.c - does everything that touches a segment, once, and is killed somewhere on the way.
 *
 *     victim write SEGMENT LEDGER     create or attach, register, look up, update, retire, close
 *     victim child SEGMENT LEDGER     the same work in a forked child, whose parent has a slot and handles
 *     victim lead  SEGMENT LEDGER     what a leader does: clock, folds, epochs
 *     victim loop  SEGMENT LEDGER     `write` again and again
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <mtx/events_read.h>

#include "../../registry/programs/leader.h"
#include "recording.h"

static struct crash_ledger *ledger;

static metrics_registry_t *open_segment(const char *path)
{
    metrics_options_t o = {.size = sizeof o, .path = path, .segment_bytes = 2 << 20, .slots = 64};
    return metrics_open(&o, NULL);
}

static void write_all(const char *path)
{
    metrics_registry_t *r = open_segment(path);
    describe_all(r);
    for (int round = 0; round < 2; round++) record_all(r, "victim", ledger, CRASH_UPDATES);
    record_samples(r, "victim", ledger, 2 * CRASH_SLOTS); /* until they replace one another */
    metrics_retire(r, (const char *[]){"counter", "who", "gone"}, 3);
    metrics_counter(r, "counter", "who", "gone");
    metrics_retire(r, (const char *[]){"counter", "who", "gone"}, 3);
    metrics_counter(r, "counter", "who", "gone");
    metrics_poll(r);
    metrics_close(&r);
}

static void write_in_child(const char *path)
{
    metrics_registry_t *r = open_segment(path);
    static struct crash_ledger parents;
    describe_all(r);
    record_all(r, "parent", &parents, 1);
    pid_t pid = fork();
    if (pid == 0) {
        record_all(r, "victim", ledger, CRASH_UPDATES);
        _exit(0);
    }
    waitpid(pid, NULL, 0);
    record_all(r, "parent", &parents, 1);
    metrics_close(&r);
}

static uint64_t virtual_ns;
static uint64_t virtual_clock(void *arg)
{
    (void)arg;
    return virtual_ns;
}

/* Everything that waits, into the log; then the room is given back. */
static void drain(metrics_leader_t *leader, metrics_events_t *events)
{
    uint64_t lines = ledger->log[ledger->entries & 1].lines, next = ledger->entries + 1;
    if (metrics_events_take(events, NULL)) return;
    while (metrics_events_next(events)) lines++;
    ledger->log[next & 1].n = metrics_events_positions(events, ledger->log[next & 1].words, CRASH_WORDS);
    ledger->log[next & 1].lines = lines;
    __atomic_store_n(&ledger->entries, next, __ATOMIC_SEQ_CST);
    metrics_leader_drained(leader, ledger->log[next & 1].words, ledger->log[next & 1].n);
}

static void lead(const char *path)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    virtual_ns = (uint64_t)ts.tv_sec * 1000000000u;
    metrics_reader_options_t o = {.size = sizeof o, .clock = {virtual_clock, virtual_clock, NULL}};
    metrics_leader_t *leader = metrics_leader_acquire(path, &o, NULL);
    metrics_events_t *events =
        leader ? metrics_events_open(metrics_leader_reader(leader), METRICS_EVENTS_DRAIN, NULL) : NULL;
    for (int i = 0; leader && i < 3; i++) {
        drain(leader, events);
        virtual_ns += 5000000000u;
        metrics_leader_tick(leader);
        metrics_snapshot_t *s = metrics_leader_sample(leader, NULL);
        if (!s) break;
        metrics_leader_logged(leader, s);
        metrics_snapshot_release(&s);
    }
    if (leader) metrics_events_close(&events);
    if (leader) metrics_leader_release(&leader);
}

int main(int argc, char **argv)
{
    if (argc != 4) return 2;
    int fd = open(argv[3], O_RDWR | O_CLOEXEC);
    ledger = mmap(NULL, sizeof *ledger, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (ledger == MAP_FAILED) return 2;
    close(fd);
    do {
        if (!strcmp(argv[1], "lead"))
            lead(argv[2]);
        else if (!strcmp(argv[1], "child"))
            write_in_child(argv[2]);
        else
            write_all(argv[2]);
    } while (!strcmp(argv[1], "loop"));
    ledger->finished = 1;
    return 0;
}
