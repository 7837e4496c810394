/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ops_events.c - events, as loops. Every 64 of them the loop gives the room back itself, with the store that a leader
 * would make, because a leader that does not keep up would let the benchmark measure dropping.
 */
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/rseq.h>
#include <unistd.h>

#include <mtx/events.h>

#include "bench.h"
#include "ops_events.h"
#include "rseq_ring.h"

enum { BETWEEN = 64, RECORD_MOST = 512 };

static struct {
    metrics_points_t *points;
    metrics_spans_t *spans;
    metrics_logger_t *logger;
    struct metrics__cells cells; /* the rings, for the bare copy */
    uint64_t size;
    char text128[128], text512[512]; /* with it, a point's record is as long as the name says */
} e;

/* The ring of the CPU that this thread is pinned to. */
static struct segment_ring *own_ring(void)
{
    return (struct segment_ring *)(e.cells.base + (uint64_t)sched_getcpu() * e.cells.stride);
}

#define EVENT_LOOP(STATEMENT)                                                                                \
    struct segment_ring *ring = own_ring();                                                                  \
    BENCH_LOOP({                                                                                             \
        STATEMENT;                                                                                           \
        if (i % BETWEEN == 0)                                                                                \
            __atomic_store_n(&ring->tail, __atomic_load_n(&ring->head, __ATOMIC_ACQUIRE), __ATOMIC_RELEASE); \
    })

static void put(uint64_t n, uint32_t length)
{
    _Alignas(16) unsigned char record[RECORD_MOST] = {0};
    memcpy(record, &(struct segment_event){.length = length}, sizeof(struct segment_event));
    EVENT_LOOP(rseq_put(&e.cells, e.size, record, length))
}
void bench_ring_put_128(uint64_t n)
{
    put(n, 128);
}
void bench_ring_put_512(uint64_t n)
{
    put(n, 512);
}

static void point(uint64_t n, const char *text)
{
    metrics_field_t field = metrics_field_text("k", text);
    EVENT_LOOP(metrics_point_at(e.points, METRICS_POINT_GAUGE, (double)i, 0, &field, 1))
}
void bench_event_128(uint64_t n)
{
    point(n, e.text128);
}
void bench_event_512(uint64_t n)
{
    point(n, e.text512);
}

void bench_span_two_tags(uint64_t n)
{
    metrics_spans_t *s = e.spans;
    EVENT_LOOP(metrics_span_start(s); metrics_span_stop(s, metrics_field_text("route", "/cart"),
                                                        metrics_field_int("items", (int64_t)i)))
}
void bench_log_line(uint64_t n)
{
    EVENT_LOOP(metrics_log(e.logger, METRICS_LOG_INFO, "order %d from %s", (int)i, "nyc"))
}
/* A line below the threshold. */
void bench_log_filtered(uint64_t n)
{
    metrics_log_threshold(METRICS_LOG_INFO);
    BENCH_LOOP(metrics_log(e.logger, METRICS_LOG_DEBUG, "order %d from %s", (int)i, "nyc"))
}

/* A text with which a point's record has that length: head 16, body 8, value and time 16, field 4, key 2, '\0' 1. */
static void fill(char *text, size_t record)
{
    memset(text, 'x', record - 47);
    text[record - 47] = 0;
}

void bench_events_open(const char *path, metrics_registry_t *r)
{
    e.points = metrics_points(r, "bench.points");
    e.spans = metrics_spans(r, "bench.spans", "service", "bench");
    e.logger = metrics_logger(r, "bench");
    fill(e.text128, 128);
    fill(e.text512, 512);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    off_t size = fd < 0 ? 0 : lseek(fd, 0, SEEK_END);
    unsigned char *map = mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (map == MAP_FAILED) {
        perror("bench: the segment's rings");
        exit(1);
    }
    close(fd);
    const struct segment_header *head = (const void *)map;
    const struct segment_events *events = (const void *)(map + head->events);
    e.size = events->ring_bytes;
    e.cells = (struct metrics__cells){.base = (char *)map + head->events + sizeof *events,
                                      .rseq = __rseq_offset,
                                      .stride = layout_ring_stride(events),
                                      .lanes = head->lanes_cpu};
}
