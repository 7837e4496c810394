/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "../fixture.h"
#include "consumer.h"
#include "say.h"

#include <stdlib.h>

/* A day of snapshots every 10 s, taken under a clock that the test moves, with one backend that accepts and
 * one that refuses until the day is over. An eighth of a day where that is many times slower: under the thread
 * sanitizer, and elsewhere than on x86-64, which is emulated. */
#if defined __SANITIZE_THREAD__ || !defined __x86_64__
enum { DAY = 8640, WHOLE = DAY / 8, STRETCH = 500 };
#else
enum { DAY = 8640, WHOLE = DAY, STRETCH = 500 };
#endif
static const uint64_t hour = UINT64_C(3600) * 1000000000;

/* --- Two backends that add up what they get --- */

struct sink {
    bool refuses;
    uint64_t requests, accepted;
    double jobs, calls, seconds; /* sums of deltas: a counter, and a timer's count and sum */
    uint64_t last_wall, covered_ns;
    uint64_t disorder;
    uint64_t intervals;
};
static struct sink sinks[2];

static void *fake_open(const void *settings, struct buf *why)
{
    (void)why;
    return &sinks[!strcmp(((const struct backend_common *)settings)->name, "down")];
}

static void fake_send(void *link, const struct payload *payload, struct answer *answer)
{
    struct sink *sink = link;
    uint64_t wall, interval;
    double jobs, calls, seconds;
    sink->requests++;
    if (sink->refuses) {
        answer->outcome = OUTCOME_RETRY;
        buf_str(&answer->why, "as scripted");
        return;
    }
    answer->outcome = OUTCOME_SENT;
    REQUIRE(sscanf(buf_text(&payload->body), "%" SCNu64 " %" SCNu64 " %lf %lf %lf", &wall, &interval, &jobs,
                   &calls, &seconds) == 5);
    sink->disorder += wall <= sink->last_wall;
    sink->last_wall = wall;
    sink->covered_ns += interval;
    sink->jobs += jobs;
    sink->calls += calls;
    sink->seconds += seconds;
    sink->intervals++;
}

static void fake_close(void **link)
{
    *link = NULL;
}

static double delta_of(const struct view *view, const char *name, enum metrics_attribute attribute,
                       struct rows *rows)
{
    double sum = 0;
    for (size_t i = 0; i < view->n; i++) {
        if (strcmp(view->items[i].name, name) || !item_rows(view, &view->items[i], METRICS_INTERVAL, rows))
            continue;
        const metrics_row_t *row = rows_find(rows, attribute);
        sum += row ? metrics_row_number(row) : 0;
    }
    return sum;
}

static size_t fake_encode(const struct batch *batch, struct payload *payload)
{
    struct rows rows = {0};
    const struct view *v = batch->view;
    buf_printf(&payload->body, "%" PRIu64 " %" PRIu64 " %.0f %.0f %.9f", v->wall_ns, v->interval_ns,
               delta_of(v, "jobs", METRICS_COUNT, &rows), delta_of(v, "calls", METRICS_COUNT, &rows),
               delta_of(v, "calls", METRICS_SUM, &rows));
    rows_free(&rows);
    return batch->to - batch->from;
}

static const struct transport fake_transport = {
    .name = "fake", .open = fake_open, .send = fake_send, .close = fake_close};
static const struct option no_rows[] = {{.name = NULL}};
static const struct backend fake = {
    .name = "fake",
    .options = no_rows,
    .settings_size = sizeof(struct backend_common),
    .wants = {.totals = METRICS_INTERVAL, .sampled = METRICS_RECENT, .natures = METRICS_ATTR(METRICS_SUM)},
    .transport = &fake_transport,
    .encode = fake_encode,
};

/* --- The day --- */

struct day {
    struct fixture f;
    struct backend_common settings[2];
    struct config_backend backends[2];
    struct option_tags tags;
    struct ledger *ledger;
    struct log *log;
    struct wake wake;
    struct consumer *consumers[2];
    char path[80];
    uint64_t length, began, ended; /* in intervals; monotonic times */
    double jobs, seconds;
    uint64_t most_bytes, most_snapshots; /* of the log */
    uint64_t one_bytes;                  /* the largest snapshot that is not merged */
    uint64_t cost[DAY];                  /* of the append, in nanoseconds of this thread */
};

static void quiet(const char *line, size_t n)
{
    (void)line, (void)n;
}

static void day_begin(struct day *d, bool file, const struct log_limits *limits, uint64_t max_lag,
                      uint64_t queue_bytes)
{
    const char *campaign = getenv("MTX_CAMPAIGN");

    static char *names[] = {"up", "down"};
    struct buf why = {0};
    say_to(quiet);
    memset(sinks, 0, sizeof sinks);
    sinks[1].refuses = true;
    memset(d, 0, sizeof *d);
    fixture_open(&d->f);
    /* Each interval waits for the file three times. */
    d->length = file && !(campaign && !strcmp(campaign, "long")) && WHOLE == DAY ? DAY / 4 : WHOLE;
    d->began = clock_mono(&d->f.clock);
    d->ledger = ledger_new();
    wake_init(&d->wake);
    snprintf(d->path, sizeof d->path, "%s.log", d->f.path);
    if (file)
        REQUIRE(log_open(limits, d->ledger, d->path, false, &d->log, &why) == STORE_OK);
    else
        d->log = log_new(limits, d->ledger);
    for (int i = 0; i < 2; i++) {
        d->settings[i] = (struct backend_common){.name = names[i],
                                                 .max_lag = max_lag,
                                                 .queue_bytes = queue_bytes,
                                                 .retry_least = 1000000000,
                                                 .retry_most = 60000000000};
        d->backends[i] = (struct config_backend){&fake, &d->settings[i], NULL};
        struct consumer_options o = {&d->backends[i], &d->tags,    d->ledger,       NULL,
                                     &d->wake,        &d->f.clock, (uint64_t)i + 1, SEGMENT_TAG_NONE};
        d->consumers[i] = consumer_new(&o, &why);
        REQUIRE(d->consumers[i] && consumer_follow(d->consumers[i], d->log, "/dev/shm/shop.seg"));
    }
    buf_free(&why);
}

static void day_end(struct day *d)
{
    for (int i = 0; i < 2; i++) consumer_free(&d->consumers[i]);
    log_spent(d->log);
    log_release(&d->log);
    ledger_free(&d->ledger);
    wake_destroy(&d->wake);
    fixture_close(&d->f);
    say_to(NULL);
}

/* What a small server would record in an interval: fractions that doubles add up exactly. */
static void day_record(struct day *d, uint64_t i)
{
    metrics_registry_t *r = d->f.registry;
    metrics_counter_add(metrics_counter(r, "jobs"), i % 7);
    metrics_timer_update(metrics_timer(r, "calls"), (i % 16 + 1) * 1000000000 / 4);
    metrics_gauge_set(metrics_gauge(r, "level"), (double)i);
    metrics_set_add(metrics_set(r, "users"), &i, sizeof i);
    d->jobs += (double)(i % 7);
    d->seconds += (double)(i % 16 + 1) / 4;
}

static uint64_t cpu_time(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

/* What is due now; pauses are left to the following intervals. */
static void day_deliver(struct day *d, int i)
{
    while (consumer_step(d->consumers[i]) <= clock_mono(&d->f.clock)) {
    }
}

/* Returns what it cost. */
static uint64_t day_append(struct day *d)
{
    void *bytes;
    size_t n;
    metrics_snapshot_t *s = fixture_sample(&d->f, 10);
    uint64_t from = cpu_time();
    CHECK_EQ_I64(log_append(d->log, s), 1);
    uint64_t cost = cpu_time() - from;
    REQUIRE(metrics_snapshot_encode(s, &bytes, &n, NULL) == 0);
    if (n > d->one_bytes) d->one_bytes = n;
    free(bytes);
    metrics_snapshot_release(&s);
    return cost;
}

static void day_pass(struct day *d)
{
    for (uint64_t i = 0; i < d->length; i++) {
        day_record(d, i);
        d->cost[i] = day_append(d);
        for (int k = 0; k < 2; k++) day_deliver(d, k);
        struct log_size size = log_size(d->log);
        if (size.snapshots > d->most_snapshots) d->most_snapshots = size.snapshots;
        if (size.bytes > d->most_bytes) d->most_bytes = size.bytes;
    }
    d->ended = clock_mono(&d->f.clock);
}

static int by_size(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static uint64_t median(const uint64_t *from)
{
    uint64_t sorted[STRETCH];
    memcpy(sorted, from, sizeof sorted);
    qsort(sorted, STRETCH, sizeof *sorted, by_size);
    return sorted[STRETCH / 2];
}

static struct ledger_account account(struct day *d, const char *name)
{
    struct ledger_page pages[LEDGER_BACKENDS];
    ledger_read(d->ledger, pages);
    struct ledger_account a = pages[ledger_open(d->ledger, name)].account[LEDGER_METRICS];
    if (!ledger_balanced(&a)) UNIT_FAIL("the ledger of %s is not balanced\n", name);
    return a;
}

/* All of the day, in the order of time, whatever the resolution. */
static void check_sink(const struct day *d, const struct sink *sink)
{
    CHECK_NEAR(sink->jobs, d->jobs, 0);
    CHECK_NEAR(sink->calls, (double)d->length, 0);
    CHECK_NEAR(sink->seconds, d->seconds, 0);
    CHECK_EQ_U64(sink->disorder, 0);
    CHECK_NEAR((double)sink->covered_ns / 1e9, (double)(d->ended - d->began) / 1e9, 30);
}

static void check_day(struct day *d, const char *what, uint64_t bound, uint64_t snapshots)
{
    uint64_t early = median(d->cost + d->length / 2), late = median(d->cost + d->length - STRETCH);
    struct ledger_account up = account(d, "up"), down = account(d, "down");
    printf("%s, %" PRIu64 " intervals: log at most %" PRIu64 " bytes (bound %" PRIu64 "), %" PRIu64
           " snapshots (one: %" PRIu64 " bytes); append %" PRIu64 " us in the middle, %" PRIu64
           " us at the end; %" PRIu64 " requests in vain, then %" PRIu64 " intervals; merged %" PRIu64
           ", dropped %" PRIu64 "\n",
           what, d->length, d->most_bytes, bound, d->most_snapshots, d->one_bytes, early / 1000, late / 1000,
           sinks[1].requests - sinks[1].intervals, sinks[1].intervals, down.merged, ledger_dropped(&down));
    CHECK(d->most_bytes <= bound + 2 * d->one_bytes);
    CHECK(d->most_snapshots <= snapshots);
    CHECK(late < 3 * early);
    check_sink(d, &sinks[0]);
    check_sink(d, &sinks[1]);
    CHECK_EQ_U64(sinks[0].intervals, d->length);
    CHECK_EQ_U64(up.merged + ledger_dropped(&up) + up.queued, 0);
    CHECK_EQ_U64(down.queued, 0);
    /* Four series; of each interval that went into another one the level was lost, and counted. */
    CHECK_EQ_U64(down.taken, 4 * d->length);
    CHECK_EQ_U64(down.delivered, 4 * sinks[1].intervals);
    CHECK_EQ_U64(down.merged, 3 * (d->length - sinks[1].intervals));
    CHECK_EQ_U64(ledger_dropped(&down), down.dropped[LEDGER_THINNED]);
}

static void day_recover(struct day *d)
{
    sinks[1].refuses = false;
    d->f.ahead += 60 * CLOCK_SECOND; /* the longest pause is over */
    day_deliver(d, 1);
    CHECK(consumer_idle(d->consumers[1]));
    CHECK_EQ_U64(log_size(d->log).snapshots, 0);
}

/* The log in memory stays within its size through the day, an append does not get slower, and then everything
 * comes in the order of time. The one that is being sent and the newest may be on top of the bound. */
UNIT(outage, day_in_memory)
{
    static struct day d;
    day_begin(&d, false, &(struct log_limits){.size = 256 << 10, .age_ns = UINT64_MAX}, 0, 0);
    day_pass(&d);
    day_recover(&d);
    check_day(&d, "memory, size 256 KiB", 256 << 10, 1000);
    CHECK(sinks[1].intervals > 100);
    day_end(&d);
}

/* The same with a file, and a backend that wants only the last hour one by one. It gets that, since what is
 * older is merged first. */
UNIT(outage, day_in_a_file)
{
    static struct day d;
    day_begin(&d, true, &(struct log_limits){.size = 512 << 10, .age_ns = UINT64_MAX}, hour, 0);
    day_pass(&d);
    day_recover(&d);
    check_day(&d, "file, size 512 KiB, max_lag 1h", 512 << 10, 1000);
    CHECK(sinks[1].intervals >= 300 && sinks[1].intervals <= 2 + 360); /* the system's time passes, too */
    day_end(&d);
}

/* The same with a log that has room for more than a day, and a backend that may fill 64 KiB of it. */
UNIT(outage, day_within_queue_bytes)
{
    static struct day d;
    day_begin(&d, false, &(struct log_limits){.size = 64 << 20, .age_ns = UINT64_MAX}, 0, 64 << 10);
    day_pass(&d);
    day_recover(&d);
    check_day(&d, "memory, queue_bytes 64 KiB", 64 << 10, 300);
    day_end(&d);
}
