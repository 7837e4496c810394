/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fixture.h - a small real segment and a clock that the test moves: for tests of what reads segments.
 *
 *     struct fixture f;
 *     fixture_open(&f);
 *     metrics_counter_add(metrics_counter(f.registry, "jobs"), 5);
 *     metrics_snapshot_t *s = fixture_sample(&f, 10);     10 virtual seconds later
 *
 * The clock is ahead of the system's by the time that the test has let pass, because writers use the
 * system's.
 */
#ifndef METRICS_TESTS_FIXTURE_H
#define METRICS_TESTS_FIXTURE_H

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <mtx/metrics.h>
#include <mtx/snapshot.h>

#include "../registry/programs/leader.h"
#include "unit.h"

struct fixture {
    char path[64];
    metrics_registry_t *registry;
    metrics_leader_t *leader;
    metrics_clock_t clock;
    uint64_t ahead; /* nanoseconds */
    uint64_t set;   /* the wall clock, ahead by so many more */
};

static inline uint64_t fixture_now(clockid_t id, const struct fixture *f)
{
    struct timespec t;
    clock_gettime(id, &t);
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec + f->ahead;
}
static inline uint64_t fixture_wall(void *f)
{
    return fixture_now(CLOCK_REALTIME, f) + ((const struct fixture *)f)->set;
}
static inline uint64_t fixture_mono(void *f)
{
    return fixture_now(CLOCK_MONOTONIC, f);
}

/* A segment without a leader. */
static inline void fixture_create(struct fixture *f)
{
    static int number;
    metrics_error_t error = {0};
    *f = (struct fixture){.clock = {fixture_wall, fixture_mono, f}};
    snprintf(f->path, sizeof f->path, "/dev/shm/mtx-test-%d-%d.seg", (int)getpid(), number++);
    unlink(f->path);
    f->registry = metrics_open(
        &(metrics_options_t){.size = sizeof(metrics_options_t), .path = f->path, .segment_bytes = 4 << 20},
        &error);
    if (metrics_status(f->registry, NULL) < 0) UNIT_FAIL("cannot make %s: %s\n", f->path, error.text);
}

static inline void fixture_open(struct fixture *f)
{
    metrics_error_t error = {0};
    fixture_create(f);
    metrics_reader_options_t options = {.size = sizeof options, .clock = f->clock};
    f->leader = metrics_leader_acquire(f->path, &options, &error);
    if (!f->leader) UNIT_FAIL("cannot lead %s: %s\n", f->path, error.text);
    REQUIRE(f->leader);
}

/* Lets `seconds` pass and closes an interval. The caller releases the snapshot. */
static inline metrics_snapshot_t *fixture_sample(struct fixture *f, double seconds)
{
    metrics_error_t error = {0};
    f->ahead += (uint64_t)(seconds * 1e9);
    metrics_leader_tick(f->leader);
    metrics_snapshot_t *s = metrics_leader_sample(f->leader, &error);
    if (!s) UNIT_FAIL("cannot sample: %s\n", error.text);
    REQUIRE(s);
    metrics_leader_logged(f->leader, s);
    return s;
}

static inline void fixture_close(struct fixture *f)
{
    if (f->leader) metrics_leader_release(&f->leader);
    metrics_close(&f->registry);
    unlink(f->path);
}

#endif
