/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Promise: every backend in backends.def prints exactly what its golden files say, from one canonical pair of
 * snapshots.
 *
 *     tests/golden/earlier.snapshot, later.snapshot    what was recorded, packed; ten seconds lie between
 *     tests/golden/<backend>.yml                       a configuration with that backend alone
 *     tests/golden/<backend>.out                       what it makes of `later` with the base `earlier`
 *     tests/golden/<backend>.<n>.out                   the same in its n-th other form (scraped backends)
 *
 *     tests/golden/events.chunk                        events that were recorded
 *     tests/golden/<backend>.events.out                what it makes of them, if it takes events
 *
 * A backend without its files fails. After a change that is meant, run the test with MTX_GOLDEN=write, look
 * at the difference, and commit it; MTX_GOLDEN=record also records the snapshots and events
 * anew, MTX_GOLDEN=events the events.
 */
#include "unit.h"

#include "../fixture.h"
#include "../session.h"
#include "config_load.h"
#include "event_view.h"
#include "transport_http.h"
#include "view.h"

#include <mtx/events.h>

#define GOLDEN_DIR MTX_TESTS_DIR "/golden/"

static bool golden_mode(const char *mode)
{
    const char *env = getenv("MTX_GOLDEN");
    return env && (!strcmp(env, mode) ||
                   (!strcmp(mode, "write") && (!strcmp(env, "record") || !strcmp(env, "events"))));
}

static const char *no_env(const char *name)
{
    (void)name;
    return NULL;
}

static bool golden_read(const char *path, struct buf *out)
{
    FILE *f = fopen(path, "r");
    size_t n = 0;
    while (f && buf_room(out, 65536) && (n = fread(out->data + out->len, 1, 65536, f)) > 0) out->len += n;
    if (f) fclose(f);
    buf_str(out, "");
    return f != NULL;
}

static void golden_write(const char *path, const void *data, size_t n)
{
    FILE *f = fopen(path, "w");
    if (!f || fwrite(data, 1, n, f) != n || fclose(f)) UNIT_FAIL("cannot write %s\n", path);
}

/* --- Recording --- */

static uint64_t recorded_wall = UINT64_C(1700000000000000000);
static uint64_t recording_wall(void *f)
{
    (void)f;
    return recorded_wall;
}

static void record_values(metrics_registry_t *r, int round)
{
    static const double bounds[] = {0.005, 0.05, 0.5, 5};
    const size_t size = sizeof(metrics_family_t);
    metrics_describe(r, "http.request.time",
                     &(metrics_family_t){.size = size, .help = "Time to answer a request."}, NULL);
    metrics_describe(r, "http.response.size",
                     &(metrics_family_t){.size = size,
                                         .unit = "bytes",
                                         .reservoir = METRICS_BUCKETS_EXPONENTIAL,
                                         .scale = 0,
                                         .low = 64,
                                         .high = 65536},
                     NULL);
    metrics_describe(r, "db.wait",
                     &(metrics_family_t){.size = size,
                                         .unit = "seconds",
                                         .reservoir = METRICS_BUCKETS,
                                         .bounds = bounds,
                                         .bound_count = 4},
                     NULL);
    metrics_describe(r, "in.flight",
                     &(metrics_family_t){.size = size,
                                         .merge = METRICS_MERGE_ALL,
                                         .help = "Requests that a worker is busy with."},
                     NULL);
    metrics_describe(r, "temperature", &(metrics_family_t){.size = size, .unit = "celsius"}, NULL);
    metrics_counter_add(metrics_counter(r, "http.requests", "status", "200", "route", "/cart"),
                        1000u + (unsigned)round);
    metrics_counter_add(
        metrics_counter(r, "http.requests", "status", "500", "route", "/\"q\"\\\n\xc3\xa9", "empty", ""), 3);
    metrics_counter_add(metrics_counter(r, "http-requests"), 5);
    metrics_counter_add(metrics_counter(r, "big"), round ? 1 : UINT64_C(18446744073709551000));
    metrics_updown_add(metrics_updown(r, "sessions"), 7 - 10 * round);
    metrics_meter_mark(metrics_meter(r, "mails"), 60);
    metrics_gauge_set(metrics_gauge(r, "temperature"), 21.5 + round);
    metrics_gauge_set(metrics_gauge(r, "in.flight"), 3);
    for (int i = 1; i <= 100; i++) {
        metrics_timer_update(metrics_timer(r, "http.request.time", "route", "/cart"), (uint64_t)i * 1000000);
        metrics_histogram_update(metrics_histogram(r, "http.response.size"), i * i * 8);
        metrics_histogram_update(metrics_histogram(r, "db.wait"), i * 0.01);
        metrics_set_add(metrics_set(r, "users"), &i, sizeof i);
    }
    metrics_timer(r, "never.used");
    metrics_histogram_update(metrics_histogram(r, "balance"), -12.5 * (round + 1));
    if (round) metrics_counter_add(metrics_counter(r, "born.later"), 42);
    metrics_info(r, "build", "version", "1.2");
}

static void record_write(struct fixture *f, const char *path)
{
    void *bytes;
    size_t n;
    for (int i = 0; i < 72; i++) { /* six minutes, for the rates */
        f->ahead += UINT64_C(5000000000);
        metrics_leader_tick(f->leader);
    }
    metrics_snapshot_t *s = fixture_sample(f, 0);
    REQUIRE(metrics_snapshot_encode(s, &bytes, &n, NULL) == 0);
    golden_write(path, bytes, n);
    free(bytes);
    metrics_snapshot_release(&s);
    recorded_wall += UINT64_C(10000000000);
}

static void record(void)
{
    struct fixture f;
    fixture_create(&f);
    f.clock.wall = recording_wall;
    metrics_reader_options_t options = {.size = sizeof options, .clock = f.clock};
    f.leader = metrics_leader_acquire(f.path, &options, NULL);
    REQUIRE(f.leader);
    record_values(f.registry, 0);
    record_write(&f, GOLDEN_DIR "earlier.snapshot");
    record_values(f.registry, 1);
    record_write(&f, GOLDEN_DIR "later.snapshot");
    fixture_close(&f);
}

static void record_spans(metrics_registry_t *r)
{
    metrics_trace_t trace, other;
    const uint64_t start = recorded_wall, ms = 1000000;
    metrics_traceparent_parse("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", &trace);
    metrics_traceparent_parse("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", &other);
    metrics_spans_t *spans = metrics_spans(r, "GET /cart", "service", "shop", "component", "http");
    const metrics_field_t fields[] = {metrics_field_text("http.url", "/cart?a=\"b\""),
                                      metrics_field_int("items", -3),
                                      metrics_field_double("total", 12.5),
                                      metrics_field_bool("cached", 1),
                                      metrics_field_parent(&other),
                                      metrics_field_follows(&other)};
    metrics_span_record(spans, &trace, other.span_id, start, 1234567, 0, fields, 6);
    other.flags = 0;
    metrics_span_record(metrics_spans(r, "db"), &other, NULL, start + 2 * ms, 40 * ms, 1, NULL, 0);
}

static void record_moment(metrics_registry_t *r)
{
    metrics_span_t span;
    metrics_trace_rate(1);
    metrics_span_begin(&span, metrics_spans(r, "with.log"));
    const metrics_field_t moment = metrics_field_moment(span.start + 5, "event", "cache miss");
    metrics_span_end(&span, &moment, 1);
}

static void record_lines(metrics_registry_t *r)
{
    metrics_logger_t *shop = metrics_logger(r, "shop", "env", "prod"), *other = metrics_logger(r, "other");
    metrics_log(shop, METRICS_LOG_INFO, "order %d from %s", 5, "Z\xc3\xbcrich");
    metrics_log_fields(shop, METRICS_LOG_ERROR, "two\nlines \"quoted\" \\ | = ,",
                       metrics_field_text("user", "x y"), metrics_field_int("code", 7),
                       metrics_field_double("ratio", 0.25), metrics_field_bool("new", 0));
    metrics_span_t span;
    metrics_span_begin(&span, metrics_spans(r, "outer"));
    metrics_log(other, METRICS_LOG_DEBUG, "in a span");
    metrics_span_cancel(&span);
}

static void record_annotations(metrics_registry_t *r)
{
    const metrics_field_t fields[] = {metrics_field_link("details", "https://ci/7"),
                                      metrics_field_text("who", "me")};
    metrics_annotations_t *deploys = metrics_annotations(r, "deploys", "service", "shop");
    metrics_annotate(deploys, &(metrics_annotation_t){.size = sizeof(metrics_annotation_t),
                                                      .title = "2.1 is \"live\"",
                                                      .description = "all of it",
                                                      .source = "host1",
                                                      .start_wall_ns = recorded_wall,
                                                      .end_wall_ns = recorded_wall + UINT64_C(60000000000),
                                                      .fields = fields,
                                                      .field_count = 2});
    metrics_annotate(deploys, &(metrics_annotation_t){.size = sizeof(metrics_annotation_t),
                                                      .title = "short",
                                                      .start_wall_ns = recorded_wall});
}

static void record_points(metrics_registry_t *r)
{
    const metrics_field_t field = metrics_field_text("shard", "7");
    metrics_points_t *depth = metrics_points(r, "queue.depth", "queue", "mail");
    metrics_point_at(depth, METRICS_POINT_GAUGE, 3.5, recorded_wall, NULL, 0);
    metrics_point_at(depth, METRICS_POINT_GAUGE, -1e21, recorded_wall + 1500000000, &field, 1);
    metrics_point_at(metrics_points(r, "jobs done"), METRICS_POINT_COUNTER, 1000, recorded_wall, NULL, 0);
}

static void record_events(metrics_registry_t *r, metrics_reader_t *reader)
{
    struct event_packer packer = {.kind_count = 0};
    struct buf chunk = {0};
    const metrics_event_t *e;
    metrics_events_t *events = metrics_events_open(reader, METRICS_EVENTS_DRAIN, NULL);
    record_spans(r);
    record_moment(r);
    record_lines(r);
    record_annotations(r);
    record_points(r);
    REQUIRE(metrics_events_take(events, NULL) == 0);
    while ((e = metrics_events_next(events))) event_pack(&packer, e);
    event_packer_take(&packer, &chunk);
    golden_write(GOLDEN_DIR "events.chunk", chunk.data, chunk.len);
    event_packer_free(&packer);
    buf_free(&chunk);
    metrics_events_close(&events);
}

static void record_all_events(void)
{
    struct fixture f;
    fixture_open(&f);
    record_events(f.registry, metrics_leader_reader(f.leader));
    fixture_close(&f);
}

/* --- Comparing --- */

static metrics_snapshot_t *golden_snapshot(const char *path)
{
    struct buf bytes = {0};
    metrics_error_t error = {0};
    metrics_snapshot_t *s =
        golden_read(path, &bytes) ? metrics_snapshot_decode(bytes.data, bytes.len, &error) : NULL;
    if (!s) UNIT_FAIL("%s: %s\n", path, error.text);
    buf_free(&bytes);
    REQUIRE(s);
    return s;
}

/* Prints the first line that differs. */
static void golden_compare(const char *path, const char *got)
{
    struct buf want = {0};
    if (!golden_read(path, &want)) UNIT_FAIL("there is no %s: every backend has its golden files\n", path);
    const char *w = buf_text(&want), *g = got;
    for (int line = 1; strcmp(w, g); line++) {
        size_t nw = strcspn(w, "\n"), ng = strcspn(g, "\n");
        if (nw != ng || memcmp(w, g, nw)) {
            UNIT_FAIL("%s:%d:\nexpected %.*s\ngot      %.*s\n", path, line, (int)nw, w, (int)ng, g);
            break;
        }
        w += nw + (w[nw] == '\n');
        g += ng + (g[ng] == '\n');
    }
    buf_free(&want);
}

/* The requests of a session are in the golden file, too; the answer satisfies all backends. */
static struct buf said;
static void answer_all(const struct payload *request, struct answer *answer)
{
    static int number;
    if (!said.len) number = 0;
    payload_print(request, &said);
    buf_char(&said, '\n');
    answer->response.status = 200;
    if (request->method && !strcmp(request->method, "GET"))
        buf_str(&answer->response.body, "[]");
    else
        buf_printf(&answer->response.body, "{\"schema\":{\"id\":\"S%d\"},\"errors\":[],\"token\":\"T\"}",
                   ++number);
}

static void golden_form(const struct config_backend *b, struct view *view, void *session, unsigned form)
{
    char path[512];
    struct payload payloads[PAYLOADS] = {{.points = 0}};
    struct batch batch = {
        .view = view, .to = view->n, .settings = b->settings, .session = session, .form = form};
    struct buf text = {0};
    size_t points = 0;
    const struct backend_session *talks = b->type->session;
    buf_reset(&said);
    if (talks) session_talk(talks->prepare, session, view);
    buf_mem(&text, buf_text(&said), said.len);
    /* As many rounds as it takes: a payload holds so many points and no more. */
    for (; batch.from < batch.to; batch.from += payloads[0].items ? payloads[0].items : batch.to) {
        for (int i = 0; i < PAYLOADS; i++) payload_reset(&payloads[i]);
        points += b->type->encode(&batch, payloads);
        for (int i = 0; i < PAYLOADS; i++) {
            CHECK(payload_ok(&payloads[i]));
            if (payloads[i].body.len) payload_print(&payloads[i], &text);
        }
    }
    buf_reset(&said);
    if (talks) session_talk(talks->done, session, view);
    buf_mem(&text, buf_text(&said), said.len);
    CHECK(points >= view->n - 2); /* at most what cannot be sent is missing */
    if (form)
        snprintf(path, sizeof path, GOLDEN_DIR "%s.%u.out", b->type->name, form);
    else
        snprintf(path, sizeof path, GOLDEN_DIR "%s.out", b->type->name);
    if (golden_mode("write"))
        golden_write(path, text.data, text.len);
    else
        golden_compare(path, buf_text(&text));
    for (int i = 0; i < PAYLOADS; i++) payload_free(&payloads[i]);
    buf_free(&text);
}

static void golden_events(const struct config_backend *b, const struct selection *sel, void *session)
{
    char path[512];
    struct payload payloads[PAYLOADS] = {{.points = 0}};
    struct buf bytes = {0}, text = {0};
    struct event_chunk chunk;
    struct event_view view;
    if (!golden_read(GOLDEN_DIR "events.chunk", &bytes) ||
        !event_chunk_open(&chunk, bytes.data, bytes.len, true))
        UNIT_FAIL("no chunk of events was recorded\n");
    REQUIRE(event_view_open(&view, sel, &chunk, 0));
    buf_reset(&said);
    if (b->type->events->prepare) {
        struct answer answer = {.outcome = OUTCOME_DROP};
        b->type->events->prepare(session, b->settings, NULL, &view, &answer);
        CHECK_EQ_I64(answer.outcome, OUTCOME_SENT);
        answer_free(&answer);
    }
    buf_mem(&text, buf_text(&said), said.len);
    struct event_batch batch = {.view = &view, .settings = b->settings, .session = session};
    size_t most = b->type->events->most_items ? b->type->events->most_items : SIZE_MAX;
    for (; batch.from < view.n; batch.from += payloads[0].items ? payloads[0].items : batch.to - batch.from) {
        size_t same = event_view_same(&view, batch.from);
        batch.to = same - batch.from < most ? same : batch.from + most;
        batch.type = (enum metrics_event_type)event_view_type(&view, batch.from);
        for (int i = 0; i < PAYLOADS; i++) payload_reset(&payloads[i]);
        b->type->events->encode(&batch, payloads);
        for (int i = 0; i < PAYLOADS; i++) {
            CHECK(payload_ok(&payloads[i]));
            if (payloads[i].body.len) payload_print(&payloads[i], &text);
        }
    }
    snprintf(path, sizeof path, GOLDEN_DIR "%s.events.out", b->type->name);
    if (golden_mode("write"))
        golden_write(path, text.data, text.len);
    else
        golden_compare(path, buf_text(&text));
    for (int i = 0; i < PAYLOADS; i++) payload_free(&payloads[i]);
    event_view_free(&view);
    event_chunk_free(&chunk);
    buf_free(&bytes);
    buf_free(&text);
}

static void golden_backend(const struct backend *backend, const metrics_snapshot_t *earlier,
                           const metrics_snapshot_t *later)
{
    char path[512];
    struct buf mistakes = {0};
    struct selection sel;
    struct view view;
    snprintf(path, sizeof path, GOLDEN_DIR "%s.yml", backend->name);
    struct config *config = config_load(path, no_env, &mistakes);
    if (!config) UNIT_FAIL("%s: every backend has its golden files\n%s", backend->name, buf_text(&mistakes));
    REQUIRE(config);
    const struct config_backend *b = config->backends;
    CHECK(b->type == backend && !b->next);
    REQUIRE(selection_compile(&sel, b->type, b->settings, &config->tags));
    view_begin(&view, &sel, metrics_snapshot_header(later)->wall_ns, UINT64_C(10000000000));
    CHECK(view_add(&view, later, earlier));
    void *session = b->type->session ? b->type->session->open(b->settings, &mistakes) : NULL;
    unsigned forms = 1;
    while (b->type->wants.media && b->type->wants.media[forms]) forms++;
    for (unsigned form = 0; form < forms; form++) golden_form(b, &view, session, form);
    if (b->type->events) golden_events(b, &sel, session);
    if (session) b->type->session->close(&session);
    view_free(&view);
    selection_free(&sel);
    config_free(&config);
    buf_free(&mistakes);
}

/* Each backend's bytes are what the golden files say, and encoding twice gives the same bytes. */
UNIT(golden, backends)
{
    if (golden_mode("record")) record();
    if (golden_mode("record") || golden_mode("events")) record_all_events();
    http_send_to(answer_all);
    metrics_snapshot_t *earlier = golden_snapshot(GOLDEN_DIR "earlier.snapshot");
    metrics_snapshot_t *later = golden_snapshot(GOLDEN_DIR "later.snapshot");
    for (const struct backend *const *b = backends; *b; b++) {
        golden_backend(*b, earlier, later);
        if (!golden_mode("write")) golden_backend(*b, earlier, later);
    }
    metrics_snapshot_release(&earlier);
    metrics_snapshot_release(&later);
}
