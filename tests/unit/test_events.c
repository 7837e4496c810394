/* SPDX-License-Identifier: Apache-2.0 */
/* What is written comes back: every class, every kind of field, lengths at the limits, the order, the positions. */
#include "unit.h"

#include "../testing.h"

#include <mtx/events.h>
#include <mtx/events_read.h>

#include "leader.h"

static metrics_registry_t *registry;
static metrics_reader_t *reader;
static metrics_events_t *events;

static void begin(enum metrics_events_mode mode, uint64_t event_bytes)
{
    registry = test_open(&(metrics_options_t){.size = sizeof(metrics_options_t), .event_bytes = event_bytes});
    reader = test_reader();
    events = metrics_events_open(reader, mode, NULL);
    REQUIRE(events);
}

static void end(void)
{
    metrics_events_close(&events);
    metrics_reader_close(&reader);
}

static const metrics_event_t *take(void)
{
    CHECK_EQ_I64(metrics_events_take(events, NULL), 0);
    return metrics_events_next(events);
}

static uint64_t now_wall(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_REALTIME, &ts);
    return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static const metrics_event_field_t *field(const metrics_event_t *e, const char *key)
{
    for (size_t i = 0; i < e->field_count; i++)
        if (!strcmp(e->fields[i].key, key)) return &e->fields[i];
    return NULL;
}

UNIT(events, nothing)
{
    begin(METRICS_EVENTS_DRAIN, 0);
    CHECK(!take());
    CHECK_EQ_U64(metrics_events_taken(events), 0);
    end();
}

UNIT(events, span)
{
    static const char *const moment_text = "miss";
    begin(METRICS_EVENTS_DRAIN, 0);
    metrics_spans_t *spans = metrics_spans(registry, "checkout", "service", "shop", "app", "web");
    metrics_trace_t outer, linked;
    metrics_traceparent_parse("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", &outer);
    metrics_trace_new(&linked);
    metrics_trace_set(&outer);
    uint64_t before = now_wall();
    metrics_span_start(spans);
    uint64_t at = metrics_now();
    usleep(2000);
    metrics_span_fail(spans);
    metrics_trace_t own = *metrics_span_trace(spans);
    metrics_span_stop(spans, metrics_field_text("route", "/cart"), metrics_field_int("items", -3),
                      metrics_field_double("total", 1.5), metrics_field_bool("new", 1),
                      metrics_field_parent(&linked), metrics_field_follows(&linked),
                      metrics_field_moment(at, "cache", moment_text));
    const metrics_event_t *e = take();
    REQUIRE(e);
    CHECK_EQ_I64(e->type, METRICS_EVENT_SPAN);
    CHECK_STR(e->name, "checkout");
    REQUIRE(e->tag_count == 2);
    CHECK_STR(e->tags[0].key, "app");
    CHECK_STR(e->tags[1].value, "shop");
    CHECK(!memcmp(e->ids.trace_id, outer.trace_id, 16));
    CHECK(!memcmp(e->parent_id, outer.span_id, 8));
    CHECK(!memcmp(e->ids.span_id, own.span_id, 8));
    CHECK_EQ_U64(e->error, 1);
    CHECK(e->duration_ns >= 1900000);
    CHECK(e->wall_ns + 1000000000 > before && e->wall_ns < now_wall() + 1000000000);
    REQUIRE(e->field_count == 7);
    CHECK_STR(field(e, "route")->text, "/cart");
    CHECK_EQ_I64(field(e, "items")->i, -3);
    CHECK_NEAR(field(e, "total")->f, 1.5, 0);
    CHECK_EQ_I64(field(e, "new")->i, 1);
    CHECK_EQ_I64(field(e, "new")->type, METRICS_EVENT_BOOL);
    CHECK_EQ_I64(e->fields[4].type, METRICS_EVENT_PARENT);
    CHECK(!memcmp(e->fields[4].ids->span_id, linked.span_id, 8));
    CHECK_EQ_I64(e->fields[5].type, METRICS_EVENT_FOLLOWS);
    CHECK_STR(field(e, "cache")->text, "miss");
    CHECK(field(e, "cache")->after_ns < e->duration_ns);
    metrics_trace_set(NULL);
    end();
}

UNIT(events, spans_nest)
{
    begin(METRICS_EVENTS_DRAIN, 0);
    metrics_spans_t *a = metrics_spans(registry, "a"), *b = metrics_spans(registry, "b");
    metrics_trace_t now;
    metrics_span_start(a);
    metrics_span_start(b);
    metrics_trace_current(&now);
    CHECK(!memcmp(now.span_id, metrics_span_trace(b)->span_id, 8));
    CHECK(!memcmp(now.trace_id, metrics_span_trace(a)->trace_id, 16));
    metrics_span_stop(b);
    metrics_trace_current(&now);
    CHECK(!memcmp(now.span_id, metrics_span_trace(a)->span_id, 8));
    metrics_span_t apart;
    metrics_span_begin_under(&apart, b, metrics_span_trace(a));
    metrics_span_stop(a);
    metrics_trace_current(&now);
    CHECK(!now.trace_id[0] && !now.flags);
    metrics_span_end(&apart, NULL, 0);
    int n = 0, roots = 0;
    for (const metrics_event_t *e = take(); e; e = metrics_events_next(events), n++)
        roots += !memcmp(e->parent_id, "\0\0\0\0\0\0\0", 8);
    CHECK_EQ_I64(n, 3);
    CHECK_EQ_I64(roots, 1);
    end();
}

UNIT(events, unsampled_spans_are_not_recorded)
{
    begin(METRICS_EVENTS_DRAIN, 0);
    metrics_spans_t *a = metrics_spans(registry, "a");
    metrics_trace_rate(0);
    metrics_span_start(a);
    metrics_span_stop(a);
    metrics_trace_rate(1);
    {
        METRICS_SPAN_SCOPE(a);
    }
    CHECK(take());
    CHECK(!metrics_events_next(events));
    end();
}

UNIT(events, log_lines)
{
    begin(METRICS_EVENTS_DRAIN, 0);
    metrics_logger_t *log = metrics_logger(registry, "shop");
    metrics_spans_t *a = metrics_spans(registry, "a");
    metrics_log(log, METRICS_LOG_ERROR, "order %d from %s", 7, "nyc");
    metrics_span_start(a);
    metrics_log_fields(log, METRICS_LOG_INFO, "bad \xff byte", metrics_field_text("", "no key"),
                       metrics_field_text("k\n", NULL));
    metrics_span_cancel(&metrics__span_a);
    const metrics_event_t *e = take();
    REQUIRE(e && e->type == METRICS_EVENT_LOG);
    CHECK_STR(e->message, "order 7 from nyc");
    CHECK_STR(e->name, "shop");
    CHECK_EQ_U64(e->level, METRICS_LOG_ERROR);
    CHECK_EQ_U64(e->has_ids, 0);
    REQUIRE((e = metrics_events_next(events)));
    CHECK_STR(e->message, "bad ? byte");
    CHECK(e->has_ids && !memcmp(e->ids.span_id, metrics_span_trace(a)->span_id, 8));
    REQUIRE(e->field_count == 1);
    CHECK_STR(e->fields[0].key, "k?");
    CHECK_STR(e->fields[0].text, "");
    end();
}

UNIT(events, long_messages_are_cut)
{
    enum { LONG = 40000 };
    char *text = calloc(1, LONG + 1);
    memset(text, 'x', LONG);
    begin(METRICS_EVENTS_DRAIN, 0);
    metrics_logger_t *log = metrics_logger(registry, "shop");
    metrics_log(log, METRICS_LOG_INFO, "%s", text);
    text[3000] = 0;
    metrics_log(log, METRICS_LOG_INFO, "%s", text);
    metrics_log_fields(log, METRICS_LOG_INFO, text, metrics_field_text("k", "v"));
    const metrics_event_t *e = take();
    REQUIRE(e);
    CHECK_EQ_U64(e->cut, 1);
    CHECK(e->record_size == 32 << 10 && strlen(e->message) > 32700);
    REQUIRE((e = metrics_events_next(events)));
    CHECK_EQ_U64(strlen(e->message), 3000);
    CHECK_EQ_U64(e->cut, 0);
    REQUIRE((e = metrics_events_next(events)));
    CHECK_STR(e->message, text);
    CHECK_STR(e->fields[0].text, "v");
    free(text);
    end();
}

UNIT(events, too_long_or_too_many_is_refused)
{
    enum { LONG = 70000 };
    char *text = calloc(1, LONG + 1);
    metrics_field_t fields[METRICS_FIELDS_MAX + 1];
    memset(text, 'x', LONG);
    begin(METRICS_EVENTS_DRAIN, 0);
    metrics_annotations_t *stream = metrics_annotations(registry, "deploys");
    metrics_points_t *points = metrics_points(registry, "p");
    metrics_annotate_title(stream, text);
    text[33000] = 0;
    metrics_annotate_title(stream, text);
    for (int i = 0; i <= METRICS_FIELDS_MAX; i++) fields[i] = metrics_field_int("k", i);
    metrics_point_at(points, METRICS_POINT_COUNTER, 1, 0, fields, METRICS_FIELDS_MAX + 1);
    metrics_point_at(points, METRICS_POINT_COUNTER, 1, 0, fields, METRICS_FIELDS_MAX);
    metrics_point(points, NAN);
    const metrics_event_t *e = take();
    REQUIRE(e);
    CHECK_EQ_U64(e->field_count, METRICS_FIELDS_MAX);
    CHECK(!metrics_events_next(events));
    CHECK_EQ_U64(metrics_events_stats(events)->refused[METRICS_EVENT_ANNOTATION], 2);
    CHECK_EQ_U64(metrics_events_stats(events)->refused[METRICS_EVENT_POINT], 1);
    free(text);
    end();
}

UNIT(events, annotations_and_points)
{
    begin(METRICS_EVENTS_DRAIN, 0);
    metrics_annotations_t *stream = metrics_annotations(registry, "deploys", "env", "prod");
    metrics_points_t *points = metrics_points(registry, "queue.depth");
    metrics_field_t link = metrics_field_link("details", "https://example.com/1");
    metrics_annotate(stream, &(metrics_annotation_t){.size = sizeof(metrics_annotation_t),
                                                     .title = "2.1",
                                                     .description = "live",
                                                     .source = "web1",
                                                     .start_wall_ns = 5000000000,
                                                     .end_wall_ns = 6000000000,
                                                     .fields = &link,
                                                     .field_count = 1});
    metrics_point_at(points, METRICS_POINT_COUNTER, 2.5, 7000000000, NULL, 0);
    const metrics_event_t *e = take();
    REQUIRE(e && e->type == METRICS_EVENT_ANNOTATION);
    CHECK_STR(e->title, "2.1");
    CHECK_STR(e->description, "live");
    CHECK_STR(e->source, "web1");
    CHECK_EQ_U64(e->wall_ns, 5000000000);
    CHECK_EQ_U64(e->end_wall_ns, 6000000000);
    REQUIRE(e->field_count == 1 && e->fields[0].type == METRICS_EVENT_LINK);
    CHECK_STR(e->fields[0].key, "details");
    CHECK_STR(e->fields[0].text, "https://example.com/1");
    REQUIRE((e = metrics_events_next(events)) && e->type == METRICS_EVENT_POINT);
    CHECK_NEAR(e->value, 2.5, 0);
    CHECK_EQ_U64(e->point, METRICS_POINT_COUNTER);
    CHECK_EQ_U64(e->wall_ns, 7000000000);
    end();
}

UNIT(events, span_record)
{
    begin(METRICS_EVENTS_DRAIN, 0);
    metrics_spans_t *spans = metrics_spans(registry, "a");
    metrics_trace_t t;
    uint8_t parent[8] = {1, 2, 3};
    uint64_t start = now_wall() - 3600 * UINT64_C(1000000000);
    metrics_trace_new(&t);
    metrics_span_record(spans, &t, parent, start, 42, 1, NULL, 0);
    const metrics_event_t *e = take();
    REQUIRE(e);
    CHECK_EQ_U64(e->wall_ns, start);
    CHECK_EQ_U64(e->duration_ns, 42);
    CHECK(e->error && !memcmp(e->parent_id, parent, 8) && !memcmp(e->ids.trace_id, t.trace_id, 16));
    end();
}

UNIT(events, kinds)
{
    begin(METRICS_EVENTS_DRAIN, 0);
    const char *names[] = {"a", "x", "1", "b", "2"}, *other[] = {"a", "b", "2", "x", "1"};
    CHECK(metrics_spans_v(registry, names, 5) == metrics_spans_v(registry, other, 5));
    CHECK((void *)metrics_points(registry, "a") != (void *)metrics_spans(registry, "a"));
    CHECK(metrics_spans(NULL, "a") == metrics_spans(NULL, "b"));
    metrics_error_t error;
    CHECK_EQ_I64(metrics_status(registry, &error), 0);
    metrics_spans_t *bad = metrics_spans(registry, "");
    METRICS_SPAN_SCOPE(bad);
    CHECK_EQ_I64(metrics_status(registry, &error), 1);
    CHECK_EQ_I64(error.code, METRICS_E_NAME);
    end();
}

UNIT(events, without_room_they_are_counted_and_dropped)
{
    begin(METRICS_EVENTS_DRAIN, 4096);
    metrics_points_t *points = metrics_points(registry, "p");
    enum { N = 500 };
    for (int i = 0; i < N; i++) metrics_point(points, i);
    int n = 0;
    CHECK_EQ_I64(metrics_events_take(events, NULL), 0);
    for (const metrics_event_t *e; (e = metrics_events_next(events)); n++) {
    }
    CHECK(n > 60 && n < N);
    CHECK(metrics_events_fill(events) > 0.9);
    CHECK_EQ_U64(metrics_events_stats(events)->dropped[METRICS_EVENT_POINT], (uint64_t)(N - n));
    end();
}

/* --- Positions --- */

static metrics_leader_t *lead(void)
{
    metrics_error_t error = {0};
    metrics_leader_t *l = metrics_leader_acquire(test_path, NULL, &error);
    if (!l) fprintf(stderr, "%s\n", error.text);
    REQUIRE(l);
    return l;
}

UNIT(events, positions)
{
    uint64_t words[64];
    begin(METRICS_EVENTS_DRAIN, 4096);
    metrics_points_t *points = metrics_points(registry, "p");
    for (int i = 0; i < 10; i++) metrics_point(points, i);
    CHECK(take());
    size_t n = metrics_events_positions(events, words, 64);
    REQUIRE(n <= 64);
    /* Another reader, without the log: all again. With it: what is new. */
    metrics_events_t *other = metrics_events_open(reader, METRICS_EVENTS_DRAIN, NULL);
    metrics_events_take(other, NULL);
    CHECK_EQ_U64(metrics_events_taken(other), 10);
    metrics_events_seek(other, words, n);
    metrics_point(points, -5);
    metrics_events_take(other, NULL);
    CHECK_EQ_U64(metrics_events_taken(other), 1);
    /* The room is given back, and used. */
    metrics_leader_t *leader = lead();
    for (int round = 0; round < 50; round++) {
        for (int i = 0; i < 20; i++) metrics_point(points, round * 20 + i);
        CHECK_EQ_I64(metrics_events_take(events, NULL), 0);
        double last = -10;
        for (const metrics_event_t *e; (e = metrics_events_next(events)); last = e->value)
            CHECK(e->value > last);
        CHECK_EQ_U64(metrics_events_taken(events), (uint64_t)(20 + !round));
        metrics_events_positions(events, words, 64);
        metrics_leader_drained(leader, words, n);
    }
    CHECK_EQ_U64(metrics_events_stats(events)->dropped[METRICS_EVENT_POINT], 0);
    /* Positions that are of the past are not used. */
    memset(words, 0, sizeof words);
    metrics_events_seek(events, words, n);
    metrics_leader_drained(leader, words, n);
    CHECK(!take());
    metrics_events_close(&other);
    metrics_leader_release(&leader);
    end();
}

UNIT(events, followers_see_what_is_drained)
{
    uint64_t words[64];
    begin(METRICS_EVENTS_DRAIN, 16384);
    metrics_points_t *points = metrics_points(registry, "p");
    metrics_leader_t *leader = lead();
    metrics_point(points, 1);
    metrics_events_t *follower = metrics_events_open(reader, METRICS_EVENTS_FOLLOW, NULL);
    metrics_events_t *last = metrics_events_open(reader, METRICS_EVENTS_LAST, NULL);
    metrics_events_take(follower, NULL);
    CHECK_EQ_U64(metrics_events_taken(follower), 0);
    for (int i = 0; i < 50; i++) metrics_point(points, i);
    take();
    metrics_events_positions(events, words, 64);
    metrics_leader_drained(leader, words, metrics_events_positions(events, words, 64));
    metrics_events_take(follower, NULL);
    CHECK_EQ_U64(metrics_events_taken(follower), 50);
    metrics_events_take(last, NULL);
    CHECK_EQ_U64(metrics_events_taken(last), 51);
    /* A follower that is too slow misses some, and says so. */
    for (int round = 0; round < 20; round++) {
        for (int i = 0; i < 50; i++) metrics_point(points, i);
        take();
        metrics_leader_drained(leader, words, metrics_events_positions(events, words, 64));
        metrics_events_positions(events, words, 64);
        metrics_leader_drained(leader, words, metrics_events_positions(events, words, 64));
    }
    metrics_events_take(follower, NULL);
    CHECK(metrics_events_stats(follower)->missed > 0);
    metrics_point(points, 77);
    metrics_events_take(follower, NULL);
    const metrics_event_t *e = metrics_events_next(follower);
    REQUIRE(e);
    CHECK_NEAR(e->value, 77, 0);
    metrics_events_close(&follower);
    metrics_events_close(&last);
    metrics_leader_release(&leader);
    end();
}

/* --- The atomic ring --- */

UNIT(events, without_restartable_sequences)
{
    uint64_t words[64], n = 0, total = 0;
    char text[2000];
    memset(text, 'y', sizeof text);
    setenv("MTX_RSEQ", "off", 1);
    begin(METRICS_EVENTS_DRAIN, 0);
    metrics_logger_t *log = metrics_logger(registry, "shop");
    metrics_leader_t *leader = lead();
    metrics_events_t *follower = metrics_events_open(reader, METRICS_EVENTS_FOLLOW, NULL);
    metrics_events_take(follower, NULL);
    uint64_t followed = 0;
    for (int round = 0; round < 100; round++) {
        for (int i = 0; i < 30; i++, n++)
            metrics_log(log, METRICS_LOG_INFO, "%d %.*s", (int)n, (int)(n * 37 % 1900), text);
        CHECK_EQ_I64(metrics_events_take(events, NULL), 0);
        for (const metrics_event_t *e; (e = metrics_events_next(events)); total++)
            CHECK_EQ_U64((uint64_t)atoi(e->message), total);
        metrics_leader_drained(leader, words, metrics_events_positions(events, words, 64));
        metrics_events_positions(events, words, 64);
        metrics_leader_drained(leader, words, metrics_events_positions(events, words, 64));
        metrics_events_take(follower, NULL);
        followed += metrics_events_taken(follower);
    }
    CHECK_EQ_U64(total, n);
    CHECK_EQ_U64(followed, n);
    CHECK_EQ_U64(metrics_events_stats(events)->damaged, 0);
    CHECK_EQ_U64(metrics_events_stats(events)->dropped[METRICS_EVENT_LOG], 0);
    for (int i = 0; i < 400; i++) metrics_log(log, METRICS_LOG_INFO, "%d", i);
    CHECK_EQ_I64(metrics_events_take(events, NULL), 0);
    CHECK_EQ_U64(metrics_events_taken(events), 256);
    CHECK_EQ_U64(metrics_events_stats(events)->dropped[METRICS_EVENT_LOG], 400 - 256);
    metrics_events_close(&follower);
    metrics_leader_release(&leader);
    end();
    unsetenv("MTX_RSEQ");
}

/* --- Bytes --- */

UNIT(events, bytes)
{
    unsigned char bytes[8192];
    size_t used = 0, n = 0;
    begin(METRICS_EVENTS_DRAIN, 0);
    metrics_spans_t *spans = metrics_spans(registry, "checkout", "service", "shop");
    for (int i = 0; i < 3; i++) {
        metrics_span_start(spans);
        metrics_span_stop(spans, metrics_field_int("n", i));
    }
    CHECK_EQ_I64(metrics_events_take(events, NULL), 0);
    for (const metrics_event_t *e; (e = metrics_events_next(events));) {
        CHECK(metrics_event_encode(e, bytes + n, 1) > 1);
        n += metrics_event_encode(e, bytes + n, sizeof bytes - n);
    }
    metrics_event_decoder_t *d = metrics_event_decoder_new();
    size_t at = 0;
    for (int i = 0; i < 3; i++, at += used) {
        const metrics_event_t *e = metrics_event_decode(d, bytes + at, n - at, &used);
        REQUIRE(e);
        CHECK_STR(e->name, "checkout");
        CHECK_STR(e->tags[0].value, "shop");
        CHECK_EQ_I64(e->fields[0].i, i);
    }
    CHECK_EQ_U64(at, n);
    for (size_t cut = 0; cut < used; cut++) CHECK(!metrics_event_decode(d, bytes, cut, NULL));
    metrics_event_decoder_free(&d);
    end();
}
