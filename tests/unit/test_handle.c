/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: one handle for each series, a no-op where there can be none, safe after all else is gone. */
#include "unit.h"

#include <errno.h>
#include <pthread.h>

#include "../testing.h"

#include "handle.h"

/* Breaks if one series has two handles, or two series one. */
UNIT(handle, one_for_each_series)
{
    metrics_registry_t *r = test_open(NULL);
    metrics_counter_t *c = metrics_counter(r, "c", "a", "1", "b", "2");
    CHECK(metrics_counter(r, "c", "b", "2", "a", "1") == c);
    const char *list[] = {"c", "a", "1", "b", "2"};
    CHECK(metrics_counter_v(r, list, 5) == c);
    CHECK(metrics_counter(r, "c", "a", "1", "b", "3") != c);
    CHECK(metrics_counter(r, "c") != c);
}

/* Breaks if a refusal is not a counted no-op with a reason. */
UNIT(handle, refusals)
{
    metrics_error_t e;
    metrics_registry_t *r = test_open(NULL);
    metrics_counter_inc(metrics_counter(r, "name"));
    CHECK_EQ_I64(metrics_status(r, &e), 0);
    metrics_gauge_set(metrics_gauge(r, "name"), 1);
    CHECK_EQ_I64(metrics_status(r, &e), 1);
    CHECK_EQ_I64(e.code, METRICS_E_KIND);
    CHECK(strstr(e.text, "name") != NULL);
    metrics_counter_inc(metrics_counter(r, "bad\nname"));
    CHECK_EQ_I64(metrics_status(r, &e), 2);
    CHECK_EQ_I64(e.code, METRICS_E_NAME);
    metrics_counter_inc(metrics_counter(r, "odd", "key"));
    CHECK_EQ_I64(metrics_status(r, &e), 3);
    metrics_snapshot_t *s = test_take();
    CHECK_EQ_U64(metrics_snapshot_count(s), 1);
    metrics_snapshot_release(&s);
}

/* Breaks if settings that are damaged in the segment are reported as a full segment, or their loss under that. */
UNIT(handle, damaged_settings)
{
    metrics_error_t e;
    metrics_registry_t *r = test_open(NULL);
    metrics_family_t f = {.size = sizeof f, .unit = "bytes"};
    REQUIRE(metrics_describe(r, "h", &f, &e) == 0);
    uint64_t family = index_find(r->seg, "Fh", 3, index_hash("Fh", 3));
    REQUIRE(family != 0);
    record_at(r->seg, family)->payload_length = 8;
    CHECK_EQ_I64(metrics_describe(r, "h", &f, &e), METRICS_E_DAMAGED);
    CHECK_EQ_I64(e.code, METRICS_E_DAMAGED);
    CHECK_EQ_U64(r->seg->head->loss[LOSS_DAMAGE], 1);
    CHECK_EQ_U64(r->seg->head->loss[LOSS_SEGMENT_FULL], 0);
}

/* Breaks if settings can differ between processes that
 * describe the same family, or text cannot come later. */
UNIT(handle, families)
{
    metrics_error_t e;
    metrics_registry_t *r = test_open(NULL);
    metrics_family_t f = {.size = sizeof f, .reservoir = METRICS_BUCKETS_EXPONENTIAL, .scale = 4};
    CHECK_EQ_I64(metrics_describe(r, "h", &f, &e), 0);
    CHECK_EQ_I64(metrics_describe(r, "h", &f, &e), 0);
    f.scale = 5;
    CHECK_EQ_I64(metrics_describe(r, "h", &f, &e), METRICS_E_SETTINGS);
    CHECK(strstr(e.text, "h exists") != NULL);
    f.scale = 6;
    CHECK_EQ_I64(metrics_describe(r, "other", &f, &e), METRICS_E_ARGUMENT);
    metrics_counter_inc(metrics_counter(r, "late"));
    f = (metrics_family_t){.size = sizeof f, .unit = "bytes", .help = "said later"};
    CHECK_EQ_I64(metrics_describe(r, "late", &f, &e), 0);
    metrics_snapshot_t *s = test_take();
    CHECK_STR(metrics_reading_unit(test_find(s, "late", NULL)), "bytes");
    CHECK_STR(metrics_reading_help(test_find(s, "late", NULL)), "said later");
    metrics_snapshot_release(&s);
}

/* What a reader that stays open says of the gauge's unit and help, as "unit|help". */
static const char *texts(metrics_reader_t *reader)
{
    static char text[128];
    metrics_error_t e;
    metrics_snapshot_t *s = metrics_snapshot_take(reader, &e);
    const metrics_reading_t *g = test_find(s, "g", NULL);
    snprintf(text, sizeof text, "%s|%s", metrics_reading_unit(g), metrics_reading_help(g));
    metrics_snapshot_release(&s);
    return text;
}

/* Breaks if a unit or a help text that comes second is lost, replaces what is there, or differs without a word. */
static void unit_and_help(bool unit_first)
{
    metrics_error_t e;
    metrics_registry_t *r = test_open(NULL);
    metrics_gauge_set(metrics_gauge(r, "g"), 1);
    metrics_reader_t *reader = test_reader();
    CHECK_STR(texts(reader), "|");
    const metrics_family_t none = {.size = sizeof none}, unit = {.size = sizeof unit, .unit = "bytes"},
                           help = {.size = sizeof help, .help = "A level."},
                           both = {.size = sizeof both, .unit = "bytes", .help = "A level."},
                           clash[] = {{.size = sizeof *clash, .unit = "seconds"},
                                      {.size = sizeof *clash, .help = "Another."},
                                      {.size = sizeof *clash, .unit = "bytes", .help = "Another."},
                                      {.size = sizeof *clash, .unit = "seconds", .help = "A level."}};
    CHECK_EQ_I64(metrics_describe(r, "g", unit_first ? &unit : &help, &e), 0);
    CHECK_STR(texts(reader), unit_first ? "bytes|" : "|A level.");
    CHECK_EQ_I64(metrics_describe(r, "g", &none, &e), 0);
    CHECK_EQ_I64(metrics_describe(r, "g", unit_first ? &help : &unit, &e), 0);
    CHECK_STR(texts(reader), "bytes|A level.");
    CHECK_EQ_I64(metrics_describe(r, "g", &both, &e), 0);
    CHECK_EQ_I64(metrics_status(r, &e), 0);
    for (size_t i = 0; i < sizeof clash / sizeof *clash; i++) {
        CHECK_EQ_I64(metrics_describe(r, "g", &clash[i], &e), METRICS_E_SETTINGS);
        CHECK(strstr(e.text, "another unit or help") != NULL);
    }
    CHECK_EQ_I64(metrics_status(r, &e), 4);
    CHECK_STR(texts(reader), "bytes|A level.");
    metrics_reader_close(&reader);
    metrics_close(&r);
}

UNIT(handle, unit_before_help)
{
    unit_and_help(true);
}
UNIT(handle, help_before_unit)
{
    unit_and_help(false);
}

static int stop;
static metrics_registry_t *registry;

static void *update(void *arg)
{
    metrics_counter_t *c = metrics_counter(registry, "c");
    metrics_histogram_t *h = metrics_histogram(registry, "h");
    metrics_gauge_t *g = metrics_gauge(registry, "g");
    metrics_timer_t *t = metrics_timer(registry, "t");
    metrics_set_t *s = metrics_set(registry, "s");
    (void)arg;
    for (uint64_t i = 0; !__atomic_load_n(&stop, __ATOMIC_RELAXED); i++) {
        metrics_counter_inc(c);
        metrics_histogram_update(h, 1);
        metrics_gauge_set(g, 1);
        metrics_timer_update(t, 1);
        metrics_set_add(s, &i, sizeof i);
    }
    return NULL;
}

static double counted(void)
{
    metrics_snapshot_t *s = test_take();
    double n = test_number(test_find(s, "c", NULL), NULL, NULL, "count");
    metrics_snapshot_release(&s);
    return n;
}

/* Breaks if closing harms threads that are updating, lets
 * them write on, or leaves the process's gauge alive. */
UNIT(handle, close_under_load)
{
    pthread_t th[4];
    stop = 0;
    registry = test_open(NULL);
    for (int i = 0; i < 4; i++) pthread_create(&th[i], NULL, update, NULL);
    metrics_counter_t *c = metrics_counter(registry, "c");
    struct timespec ts = {.tv_nsec = 20000000};
    while (!(counted() > 0)) nanosleep(&ts, NULL);
    metrics_registry_t *r = registry;
    metrics_close(&r);
    CHECK(r == NULL);
    metrics_snapshot_t *s = test_take();
    double before = test_number(test_find(s, "c", NULL), NULL, NULL, "count");
    CHECK(isnan(test_number(test_find(s, "g", NULL), NULL, NULL, "value")));
    metrics_snapshot_release(&s);
    nanosleep(&ts, NULL);
    metrics_counter_inc(c);
    s = test_take();
    CHECK_NEAR(test_number(test_find(s, "c", NULL), NULL, NULL, "count"), before, 0);
    metrics_snapshot_release(&s);
    __atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
    for (int i = 0; i < 4; i++) pthread_join(th[i], NULL);
    CHECK(before > 0);
    metrics_counter_inc(metrics_counter(registry, "new")); /* a closed registry gives no-ops */
    CHECK_EQ_I64(metrics_status(registry, NULL), -METRICS_E_CLOSED);
}

/* Breaks if anything but the documented calls needs a registry that works. */
UNIT(handle, no_registry)
{
    metrics_error_t e;
    CHECK_EQ_I64(metrics_status(NULL, &e), -METRICS_E_ARGUMENT);
    metrics_counter_inc(metrics_counter(NULL, "c"));
    metrics_gauge_add(metrics_gauge(NULL, "g", "k", "v"), 1);
    metrics_histogram_update(metrics_histogram(NULL, "h"), 1);
    metrics_timer_t *t = metrics_timer(NULL, "t");
    metrics_timer_start(t);
    metrics_timer_stop(t);
    metrics_set_add(metrics_set(NULL, "s"), "x", 1);
    metrics_poll(NULL);
    metrics_prepare(NULL);
    CHECK_EQ_I64(metrics_describe(NULL, "n", NULL, &e), METRICS_E_ARGUMENT);
    metrics_options_t o = {.size = sizeof o, .path = "/dev/shm/no/such/place"};
    metrics_registry_t *r = metrics_open(&o, &e);
    CHECK(r != NULL && e.code != 0);
    metrics_counter_inc(metrics_counter(r, "c"));
    metrics_close(&r);
}

/* Breaks if an update touches errno. */
UNIT(handle, errno_is_kept)
{
    metrics_registry_t *r = test_open(NULL);
    metrics_gauge_t *g = metrics_gauge(r, "g");
    metrics_histogram_t *h = metrics_histogram(r, "h");
    metrics_set_t *s = metrics_set(r, "s");
    errno = 4711;
    metrics_gauge_set(g, 1); /* claims a slot: several system calls */
    for (int i = 0; i < 5000; i++) {
        metrics_histogram_update(h, i * 1e300);
        metrics_set_add(s, &i, sizeof i);
    }
    CHECK_EQ_I64(errno, 4711);
}

/* Breaks if the timer macros measure something else, or a scope that is left early is not timed. */
static void scoped(metrics_timer_t *t, int early)
{
    METRICS_TIME_SCOPE(t);
    if (early) return;
    struct timespec ts = {.tv_nsec = 2000000};
    nanosleep(&ts, NULL);
}

UNIT(handle, timers)
{
    metrics_registry_t *r = test_open(NULL);
    metrics_timer_t *t = metrics_timer(r, "t"), *other = metrics_timer(r, "other");
    struct timespec ts = {.tv_nsec = 5000000};
    {
        metrics_timer_start(t);
        nanosleep(&ts, NULL);
        metrics_timer_stop(t);
    }
    {
        metrics_timer_start(t);
        metrics_timer_stop_as(t, other);
    }
    {
        metrics_timer_start(t);
        metrics_timer_cancel(t);
    }
    scoped(other, 1);
    scoped(other, 0);
    metrics_snapshot_t *s = test_take();
    double took = test_number(test_find(s, "t", NULL), NULL, NULL, "sum");
    CHECK_NEAR(test_number(test_find(s, "t", NULL), NULL, NULL, "count"), 1, 0);
    CHECK(took >= 0.0049 && took < 1); /* no upper promise: the machine may be busy */
    CHECK_NEAR(test_number(test_find(s, "other", NULL), NULL, NULL, "count"), 3, 0);
    CHECK(test_number(test_find(s, "other", NULL), NULL, NULL, "max") >= 0.0019);
    metrics_snapshot_release(&s);
}

/* Breaks if a one-line macro does not reach the default registry, or resolves its site more than it must. */
UNIT(handle, one_line_macros)
{
    test_place();
    setenv("MTX_SEGMENT", test_path, 1);
    for (int i = 0; i < 3; i++) METRICS_INC("orders", "city", "nyc");
    METRICS_ADD(7, "bytes");
    METRICS_MARK("meter", "k", "v");
    METRICS_SET(2.5, "gauge");
    METRICS_UPDATE(4, "histogram");
    METRICS_UNIQUE("x", 1, "set");
    uint64_t start = metrics_now();
    METRICS_TIME(start, "timer");
    metrics_snapshot_t *s = test_take();
    CHECK_NEAR(test_number(test_find(s, "orders", "nyc"), NULL, NULL, "count"), 3, 0);
    CHECK_NEAR(test_number(test_find(s, "bytes", NULL), NULL, NULL, "count"), 7, 0);
    CHECK_NEAR(test_number(test_find(s, "meter", "v"), NULL, NULL, "count"), 1, 0);
    CHECK_NEAR(test_number(test_find(s, "gauge", NULL), NULL, NULL, "value"), 2.5, 0);
    CHECK_NEAR(test_number(test_find(s, "histogram", NULL), NULL, NULL, "sum"), 4, 0);
    CHECK_NEAR(test_number(test_find(s, "set", NULL), NULL, NULL, "value"), 1, 0);
    CHECK_NEAR(test_number(test_find(s, "timer", NULL), NULL, NULL, "count"), 1, 0);
    metrics_snapshot_release(&s);
}
