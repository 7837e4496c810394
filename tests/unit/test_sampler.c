/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "../fixture.h"
#include "log_events.h"
#include "sampler.h"
#include "say.h"

#include <mtx/events.h>

#include <sched.h>

static const uint64_t second = 1000000000;

struct seen {
    int began, ended, sampled, drained, busy;
    struct source *source;
};
static void began(void *arg, struct source *source)
{
    struct seen *s = arg;
    s->began++;
    s->source = source;
}
static void ended(void *arg, struct source *source)
{
    (void)source;
    ((struct seen *)arg)->ended++;
}
static void sampling(void *arg)
{
    (void)arg;
}
static void sampled(void *arg)
{
    ((struct seen *)arg)->sampled++;
}
static void drained(void *arg)
{
    ((struct seen *)arg)->drained++;
}
static void looked(void *arg, bool busy)
{
    ((struct seen *)arg)->busy = busy;
}
static char lines[65536];
static void sink(const char *line, size_t n)
{
    strncat(lines, line, n < sizeof lines - strlen(lines) - 1 ? n : 0);
}

struct rig {
    struct fixture f;
    struct seen seen;
    struct ledger *ledger;
    struct sampler *sampler;
};

static void configure(struct rig *r, const char *path, uint64_t interval)
{
    char *items[] = {(char *)(uintptr_t)path};
    struct source_log log = {.limits = {.size = 1 << 20, .age_ns = UINT64_MAX}, .memory = true};
    CHECK(sampler_configure(r->sampler, &(struct option_list){items, 1}, interval, &log));
}

static void rig_open(struct rig *r)
{
    say_to(sink);
    lines[0] = '\0';
    memset(r, 0, sizeof *r);
    fixture_create(&r->f);
    r->ledger = ledger_new();
    struct sampler_options o = {
        &r->f.clock, r->ledger, NULL, {began, ended, sampling, sampled, drained, looked, &r->seen}};
    r->sampler = sampler_new(&o);
    REQUIRE(r->sampler);
}

static void rig_close(struct rig *r)
{
    sampler_free(&r->sampler);
    ledger_free(&r->ledger);
    fixture_close(&r->f);
    say_to(NULL);
}

/* Lets the virtual time pass to where the sampler wants to be called again, until `ns` are over. */
static void pass(struct rig *r, uint64_t ns)
{
    uint64_t end = r->f.ahead + ns;
    while (r->f.ahead < end) {
        uint64_t next = sampler_step(r->sampler), now = clock_mono(&r->f.clock);
        uint64_t step = next > now ? next - now : 1000000;
        if (step > 125 * 1000000) UNIT_FAIL("wants to be called after %" PRIu64 " ns only\n", step);
        r->f.ahead += step;
    }
}

/* Snapshots are taken on multiples of the interval on the wall clock, once each. */
UNIT(sampler, multiples)
{
    struct rig r;
    rig_open(&r);
    configure(&r, r.f.path, 10 * second);
    uint64_t from = clock_wall(&r.f.clock);
    pass(&r, 100 * second);
    uint64_t want = clock_wall(&r.f.clock) / (10 * second) - from / (10 * second);
    CHECK_EQ_I64(r.seen.began, 1);
    CHECK_EQ_U64((uint64_t)r.seen.sampled, want);
    rig_close(&r);
}

/* The configuration read again every 700 ms: no snapshot is put off or added. A shorter interval takes effect
 * at its next multiple, a longer one after the snapshot that was due. */
UNIT(sampler, configured_while_it_runs)
{
    struct rig r;
    rig_open(&r);
    configure(&r, r.f.path, 10 * second);
    sampler_step(r.sampler);
    uint64_t from = clock_wall(&r.f.clock);
    for (int i = 0; i < 100; i++) {
        pass(&r, 7 * second / 10);
        configure(&r, r.f.path, 10 * second);
    }
    uint64_t least = clock_wall(&r.f.clock) / (10 * second) - from / (10 * second);
    sampler_step(r.sampler);
    uint64_t most = clock_wall(&r.f.clock) / (10 * second) - from / (10 * second);
    CHECK((uint64_t)r.seen.sampled >= least && (uint64_t)r.seen.sampled <= most);
    r.f.ahead += 10 * second - clock_wall(&r.f.clock) % (10 * second) + second;
    sampler_step(r.sampler); /* due a second ago */
    int before = r.seen.sampled;
    configure(&r, r.f.path, 2 * second);
    pass(&r, 8 * second); /* at 2, 4, 6, 8 */
    CHECK_EQ_I64(r.seen.sampled - before, 4);
    r.f.ahead += second + second / 2; /* 10.5: due, and not seen yet */
    configure(&r, r.f.path, 10 * second);
    sampler_step(r.sampler);
    CHECK_EQ_I64(r.seen.sampled - before, 5);
    pass(&r, 8 * second);
    CHECK_EQ_I64(r.seen.sampled - before, 5);
    rig_close(&r);
}

/* The wall clock set back an hour or forward a day: one snapshot at the next multiple, no flood and
 * no hour of silence. */
static int64_t wall_shift;
static uint64_t shifted_wall(void *f)
{
    return fixture_wall(f) + (uint64_t)wall_shift;
}
UNIT(sampler, wall_clock_jumps)
{
    struct rig r;
    rig_open(&r);
    r.f.clock.wall = shifted_wall;
    wall_shift = 0;
    configure(&r, r.f.path, 10 * second);
    pass(&r, 30 * second);
    int before = r.seen.sampled;
    wall_shift = -3600 * (int64_t)second;
    pass(&r, 60 * second);
    CHECK(r.seen.sampled - before >= 5 && r.seen.sampled - before <= 7);
    before = r.seen.sampled;
    wall_shift = 86400 * (int64_t)second;
    pass(&r, 60 * second);
    CHECK(r.seen.sampled - before >= 5 &&
          r.seen.sampled - before <= 8); /* one at once: a multiple has passed */
    rig_close(&r);
}

/* A segment that is not there is waited for, with one line, and followed when it comes. */
UNIT(sampler, waits_for_the_segment)
{
    struct rig r;
    rig_open(&r);
    char later[80];
    snprintf(later, sizeof later, "%s.later", r.f.path);
    configure(&r, later, 10 * second);
    sampler_step(r.sampler);
    CHECK_EQ_U64(sampler_attached(r.sampler), 0);
    CHECK(strstr(lines, "waiting for the segment") != NULL);
    REQUIRE(rename(r.f.path, later) == 0);
    r.f.ahead += 2 * second;
    sampler_step(r.sampler);
    CHECK_EQ_U64(sampler_attached(r.sampler), 1);
    CHECK(strstr(lines, "following segment=") != NULL);
    CHECK_EQ_I64(r.seen.busy, 0);
    unlink(later);
    rig_close(&r);
}

/* A second sampler of the same segment waits, says so, and takes over when the first is gone. */
UNIT(sampler, one_leads)
{
    struct rig r;
    rig_open(&r);
    struct seen other = {0};
    struct sampler_options o = {
        &r.f.clock, r.ledger, NULL, {began, ended, sampling, sampled, drained, looked, &other}};
    struct sampler *second_one = sampler_new(&o);
    struct sampler *first = r.sampler;
    configure(&r, r.f.path, 10 * second);
    sampler_step(first);
    r.sampler = second_one;
    configure(&r, r.f.path, 10 * second);
    sampler_step(second_one);
    CHECK_EQ_I64(other.busy, 1);
    CHECK_EQ_U64(sampler_attached(second_one), 0);
    sampler_free(&first);
    r.f.ahead += 2 * second;
    sampler_step(second_one);
    CHECK_EQ_U64(sampler_attached(second_one), 1);
    CHECK_EQ_I64(other.busy, 0);
    rig_close(&r);
}

/* A segment deleted and made again under the same path: the new one is followed at once, the old one to its
 * end, and what was counted in each arrives. */
UNIT(sampler, replaced)
{
    struct rig r;
    rig_open(&r);
    configure(&r, r.f.path, 10 * second);
    metrics_counter_add(metrics_counter(r.f.registry, "jobs"), 5);
    pass(&r, 15 * second);
    CHECK_EQ_I64(r.seen.began, 1);
    unlink(r.f.path);
    metrics_registry_t *old = r.f.registry;
    r.f.registry =
        metrics_open(&(metrics_options_t){.size = sizeof(metrics_options_t), .path = r.f.path}, NULL);
    CHECK(metrics_status(r.f.registry, NULL) == 0);
    pass(&r, 5 * second);
    CHECK_EQ_I64(r.seen.began, 2);
    CHECK_EQ_U64(sampler_attached(r.sampler), 1);
    CHECK(strstr(lines, "the segment was replaced") != NULL);
    pass(&r, 100 * second);
    CHECK_EQ_I64(r.seen.ended, 1);
    metrics_close(&old);
    rig_close(&r);
}

/* Fresh snapshots: two in quick succession are the same one, later there is another. */
UNIT(sampler, fresh)
{
    struct rig r;
    metrics_snapshot_t *a, *b, *c;
    char *path[3];
    rig_open(&r);
    configure(&r, r.f.path, 10 * second);
    CHECK_EQ_U64(sampler_fresh(r.sampler, &a, path, 1), 0);
    sampler_step(r.sampler);
    REQUIRE(sampler_fresh(r.sampler, &a, &path[0], 1) == 1);
    REQUIRE(sampler_fresh(r.sampler, &b, &path[1], 1) == 1);
    CHECK(a == b);
    r.f.ahead += second;
    REQUIRE(sampler_fresh(r.sampler, &c, &path[2], 1) == 1);
    CHECK(a != c);
    for (int i = 0; i < 3; i++) {
        CHECK_STR(path[i], r.f.path);
        free(path[i]);
    }
    metrics_snapshot_release(&a);
    metrics_snapshot_release(&b);
    metrics_snapshot_release(&c);
    rig_close(&r);
}

static void record(struct rig *r, int n)
{
    for (int i = 0; i < n; i++) metrics_point(metrics_points(r->f.registry, "p"), i);
}

/* All that is recorded goes into the ring of one CPU. */
static void stay_here(void)
{
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET((unsigned)sched_getcpu(), &one);
    CHECK_EQ_I64(sched_setaffinity(0, sizeof one, &one), 0);
}

/* How long until something was drained between two intervals for the n-th time. */
static uint64_t until_drained(struct rig *r, int n)
{
    uint64_t from = r->f.ahead;
    for (int i = 0; i < 1000 && r->seen.drained < n; i++) {
        uint64_t next = sampler_step(r->sampler), now = clock_mono(&r->f.clock);
        if (r->seen.drained < n) r->f.ahead += next > now ? next - now : 1000;
    }
    CHECK_EQ_I64(r->seen.drained, n);
    return r->f.ahead - from;
}

/* Events are taken when an interval ends, when a ring is half full, at once if that happens again and again, and at
 * the end. */
UNIT(sampler, drains)
{
    struct rig r;
    rig_open(&r);
    configure(&r, r.f.path, 10 * second);
    sampler_step(r.sampler);
    struct log *log = r.seen.source->log;
    CHECK(log_reserve(log, "b"));
    stay_here();
    record(&r, 5);
    pass(&r, 10 * second);
    CHECK_EQ_I64(r.seen.drained, 0);
    CHECK_EQ_U64(log_size(log).chunks, 1);
    pass(&r, 10 * second);
    CHECK_EQ_U64(log_size(log).chunks, 1); /* nothing came: nothing is appended */
    int before = r.seen.sampled;
    r.f.ahead += 10 * second - clock_wall(&r.f.clock) % (10 * second) + second; /* no interval ends soon */
    pass(&r, second);
    before = r.seen.sampled;
    uint64_t took[5];
    for (int i = 0; i < 5; i++) {
        record(&r, 900); /* of 48 bytes each: more than half of 64 KiB */
        took[i] = until_drained(&r, i + 1);
    }
    CHECK(took[0] <= second / 8);
    CHECK(took[4] < second / 50);
    CHECK_EQ_I64(r.seen.sampled, before);
    CHECK_EQ_U64(log_size(log).chunks, 6);
    record(&r, 5);
    sampler_finish(r.sampler);
    CHECK_EQ_U64(log_size(log).chunks, 7);
    rig_close(&r);
}

/* What is recorded in a segment that was replaced is taken until its writers are still. */
UNIT(sampler, drains_what_was_replaced)
{
    struct rig r;
    rig_open(&r);
    configure(&r, r.f.path, second);
    sampler_step(r.sampler);
    struct source *old = r.seen.source;
    CHECK(log_reserve(old->log, "b"));
    unlink(r.f.path);
    pass(&r, 3 * second);
    CHECK(old->replaced);
    for (int i = 0; i < 20; i++) {
        record(&r, 1);
        pass(&r, second);
    }
    CHECK(!old->ended);
    CHECK(log_size(old->log).chunks >= 20);
    record(&r, 1);
    uint64_t had = log_size(old->log).chunks;
    pass(&r, 20 * second);
    CHECK(old->ended);
    CHECK_EQ_U64(log_size(old->log).chunks, had + 1);
    rig_close(&r);
}

/* A segment that is no longer asked for is drained a last time. */
UNIT(sampler, drains_before_it_leaves)
{
    struct rig r;
    rig_open(&r);
    configure(&r, r.f.path, 10 * second);
    sampler_step(r.sampler);
    struct source *source = r.seen.source;
    CHECK(log_reserve(source->log, "b"));
    record(&r, 5);
    struct log *log = log_retain(source->log);
    configure(&r, "/dev/shm/mtx-none.seg", 10 * second);
    sampler_step(r.sampler);
    CHECK_EQ_U64(log_size(log).chunks, 1);
    log_release(&log);
    rig_close(&r);
}
