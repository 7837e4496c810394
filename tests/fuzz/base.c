/* SPDX-License-Identifier: Apache-2.0 */
#include "base.h"

#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <mtx/metrics.h>

#include "format.h"

#define ENTRY_OFFSET UINT64_C(0xffffffffffff)

static struct base bases[BASES];

static void __attribute__((noreturn)) give_up(const char *what)
{
    perror(what);
    abort();
}

const char *base_path(void)
{
    static char path[64];
    if (!path[0]) snprintf(path, sizeof path, "/dev/shm/mtx-fuzz-%d.seg", (int)getpid());
    return path;
}

/* --- What is in them --- */

/* One cell each, and no storage that takes room: the smallest segment. */
static void fill_small(metrics_registry_t *r)
{
    metrics_describe(
        r, "requests",
        &(metrics_family_t){.size = sizeof(metrics_family_t), .unit = "requests", .help = "What came in."},
        NULL);
    metrics_counter_add(metrics_counter(r, "requests", "route", "/", "code", "200"), 7);
    metrics_counter_add(metrics_counter(r, "requests", "route", "/cart", "code", "500"), 3);
    metrics_counter_inc(metrics_counter(r, "plain"));
    metrics_updown_dec(metrics_updown(r, "in.flight", "worker", "1"));
    metrics_info(r, "build", "version", "1.0", "note", "\"quoted\" \\ and\nmore");
}

static void describe(metrics_registry_t *r, const char *name, metrics_family_t f)
{
    f.size = sizeof f;
    f.samples = 8;
    if (metrics_describe(r, name, &f, NULL)) give_up(name);
}

/* Distributions of every sort: samples of eight slots, explicit and exponential buckets. */
static void fill_distributions(metrics_registry_t *r)
{
    static const double bounds[] = {0.1, 1, 10};
    describe(r, "uniform", (metrics_family_t){.reservoir = METRICS_RESERVOIR_UNIFORM, .unit = "bytes"});
    describe(r, "decaying", (metrics_family_t){.reservoir = METRICS_RESERVOIR_DECAYING});
    describe(r, "sliding", (metrics_family_t){.reservoir = METRICS_RESERVOIR_SLIDING});
    describe(r, "window", (metrics_family_t){.reservoir = METRICS_RESERVOIR_SLIDING_TIME});
    describe(r, "explicit",
             (metrics_family_t){.reservoir = METRICS_BUCKETS, .bounds = bounds, .bound_count = 3});
    describe(
        r, "exponential",
        (metrics_family_t){.reservoir = METRICS_BUCKETS_EXPONENTIAL, .scale = 0, .low = 1, .high = 1024});
    describe(r, "time", (metrics_family_t){.reservoir = METRICS_RESERVOIR_DECAYING});
    static const char *const names[] = {"uniform", "decaying", "sliding",
                                        "window",  "explicit", "exponential"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        for (int n = 1; n <= 12; n++) metrics_histogram_update(metrics_histogram(r, names[i]), n * 0.5);
    for (int n = 1; n <= 12; n++) metrics_timer_update(metrics_timer(r, "time", "op", "read"), n * 1000);
}

static void fill_kinds(metrics_registry_t *r)
{
    fill_distributions(r);
    metrics_meter_mark(metrics_meter(r, "marks"), 5);
    for (int i = 0; i < 20; i++) metrics_set_add(metrics_set(r, "users"), &i, sizeof i);
    describe(r, "sum", (metrics_family_t){.merge = METRICS_MERGE_SUM});
    describe(r, "each", (metrics_family_t){.merge = METRICS_MERGE_ALL});
    describe(r, "kept", (metrics_family_t){.merge = METRICS_MERGE_AVG, .persistent = 1});
    metrics_gauge_set(metrics_gauge(r, "last"), 1.5);
    metrics_gauge_set(metrics_gauge(r, "sum"), 2.5);
    metrics_gauge_set(metrics_gauge(r, "each"), 3.5);
    metrics_gauge_set(metrics_gauge(r, "kept"), -4.5);
    fill_small(r);
}

/* Twenty names in one line of index level 0 make a second level. */
static void fill_levels(metrics_registry_t *r)
{
    char key[32];
    for (int i = 0, n = 0; n < 12; i++) {
        int length = snprintf(key, sizeof key, "Sname%d", i) + 1;
        if (base_hash(key, (size_t)length) % (SEGMENT_INDEX0_ENTRIES / SEGMENT_INDEX_LINE) != 5) continue;
        metrics_counter_add(metrics_counter(r, key + 1), (uint64_t)++n);
    }
    fill_small(r);
}

/* --- The same in every process --- */

static void find_records(struct base *b, uint64_t from, uint64_t entries)
{
    for (uint64_t at = from; from && at < from + entries * 8; at += 8) {
        uint64_t entry;
        memcpy(&entry, b->bytes + at, sizeof entry);
        if (!entry || b->count == BASE_RECORDS) continue;
        b->entries[b->count] = at;
        b->records[b->count++] = entry & ENTRY_OFFSET;
    }
}

/* Times and tokens, and the noise of samples, which nothing else in a base depends on. */
static void settle_record(struct base *b, uint64_t offset, unsigned i)
{
    struct segment_record *r = (struct segment_record *)(b->bytes + offset);
    r->created = (i + 1) * UINT64_C(1000000);
    if (r->type != RECORD_SERIES || (r->kind != KIND_histogram && r->kind != KIND_timer) || !r->storage[1])
        return;
    float noise = 0.25f;
    for (uint64_t at = r->storage[1] + 128; at < r->storage[1] + 512 && at + 16 <= b->used; at += 16) {
        uint32_t pair[2];
        double value;
        memcpy(pair, b->bytes + at, sizeof pair);
        memcpy(&value, b->bytes + at + 8, sizeof value);
        if (pair[0] != 1 || value < 0.5 || value > 12000) continue;
        memcpy(b->bytes + at + 4, &noise, sizeof noise);
        noise += 0.125f;
    }
}

static void settle(struct base *b)
{
    struct segment_header *h = (struct segment_header *)b->bytes;
    h->incarnation = 0x1234567;
    h->created_wall = UINT64_C(1700000000000000000);
    h->created_monotonic = BASE_CREATED;
    memset(h->boot_id, 0, sizeof h->boot_id);
    b->used = h->arena_next;
    for (unsigned level = 0; level < 2; level++)
        find_records(b, h->level[level], layout_level_entries(level));
    for (size_t i = 0; i < b->count; i++) settle_record(b, b->records[i], (unsigned)i);
    struct segment_slot *slots = h->slot_block[0] ? (void *)(b->bytes + h->slot_block[0]) : NULL;
    for (int i = 0; slots && i < SEGMENT_SLOT_BLOCK; i++) {
        if (!slots[i].token) continue;
        slots[i].token = slots[i].pid = 77;
        slots[i].started = 1000;
        memset(slots[i].name, 'f', 4);
    }
    base_seal(b->bytes);
}

void base_seal(unsigned char *bytes)
{
    struct segment_header *h = (struct segment_header *)bytes;
    h->checksum = base_hash(h, offsetof(struct segment_header, checksum));
}

static void build(struct base *b, uint64_t size, void (*fill)(metrics_registry_t *))
{
    char path[96];
    metrics_error_t error;
    snprintf(path, sizeof path, "%s.base", base_path());
    unlink(path);
    metrics_registry_t *r = metrics_open(
        &(metrics_options_t){
            .size = sizeof(metrics_options_t), .path = path, .segment_bytes = size, .slots = 63, .lanes = 1},
        &error);
    if (metrics_status(r, NULL) < 0) give_up(error.text);
    fill(r);
    if (metrics_status(r, &error)) give_up(error.text);
    int fd = open(path, O_RDONLY);
    b->size = size;
    b->bytes = aligned_alloc(SEGMENT_PAGE, size);
    if (fd < 0 || !b->bytes || pread(fd, b->bytes, size, 0) != (ssize_t)size) give_up(path);
    close(fd);
    metrics_close(&r);
    unlink(path);
    settle(b);
}

/* A writer keeps its handles for ever, which is not a leak. */
void __lsan_disable(void) __attribute__((weak));
void __lsan_enable(void) __attribute__((weak));

const struct base *base_get(unsigned i)
{
    static int built;
    if (!built++) {
        if (__lsan_disable) __lsan_disable();
        build(&bases[0], 192 << 10, fill_small);
        build(&bases[1], 192 << 10, fill_kinds);
        build(&bases[2], 192 << 10, fill_levels);
        if (__lsan_enable) __lsan_enable();
    }
    return &bases[i % BASES];
}
