/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "../fixture.h"
#include "consumer.h"
#include "event_view.h"
#include "log_events.h"
#include "say.h"

#include <mtx/events.h>

/* --- A backend that writes the changes of totals as text, and a transport whose answers are scripted --- */

static enum outcome script[64];
static size_t script_n, script_at;
static char sent[65536];
static size_t sends, refused, bytes_seen[64];
static int status; /* of the answers, 0: none came */
static bool ambiguous;
static char tag_seen[64];   /* of the item that was encoded last */
static uint64_t stamp_seen; /* of the batch that was encoded last */
static bool no_jobs2;       /* there is no form for it */

static void *fake_open(const void *settings, struct buf *why)
{
    (void)settings, (void)why;
    return script;
}
static void fake_send(void *link, const struct payload *payload, struct answer *answer)
{
    (void)link;
    if (sends < 64) bytes_seen[sends] = payload->body.len;
    sends++;
    answer->outcome = script_at < script_n ? script[script_at++] : OUTCOME_SENT;
    if (answer->outcome == OUTCOME_SENT) {
        strncat(sent, buf_text(&payload->body), sizeof sent - strlen(sent) - 1);
        answer->refused = refused;
    } else {
        buf_str(&answer->why, "as scripted");
        answer->ambiguous = ambiguous;
    }
    answer->response.status = status;
    if (answer->refused) {
        buf_reset(&answer->why);
        buf_str(&answer->why, "one was bad");
    }
}
static void fake_close(void **link)
{
    *link = NULL;
}
static size_t fake_encode(const struct batch *batch, struct payload *payload)
{
    struct rows rows = {0};
    stamp_seen = batch->view->wall_ns;
    for (size_t i = batch->from; i < batch->to; i++) {
        const struct item *item = &batch->view->items[i];
        snprintf(tag_seen, sizeof tag_seen, "%s", item->tag_count ? item->tags[0].value : "none");
        if (no_jobs2 && !strcmp(item->name, "jobs2")) {
            if (batch->notes) buf_printf(batch->notes, "jobs2: it is odd\n");
            payload->left_out++;
            continue;
        }
        item_rows(batch->view, item, METRICS_INTERVAL, &rows);
        buf_printf(&payload->body, "%s=%g ", batch->view->items[i].name,
                   rows.n ? metrics_row_number(&rows.at[0]) : 0.0);
    }
    rows_free(&rows);
    return batch->to - batch->from;
}
static size_t fake_encode_events(const struct event_batch *batch, struct payload *payload)
{
    for (size_t i = batch->from; i < batch->to; i++) {
        const metrics_event_t *e = event_view_get(batch->view, i);
        buf_printf(&payload->body, "%s:%g%s ", e->name, e->value, e->message);
    }
    return batch->to - batch->from;
}
static struct backend_events fake_events = {
    .types = EVENT_BIT(METRICS_EVENT_LOG) | EVENT_BIT(METRICS_EVENT_POINT), .encode = fake_encode_events};
static const struct transport fake_transport = {
    .name = "fake", .open = fake_open, .send = fake_send, .close = fake_close};
static const struct option no_rows[] = {{.name = NULL}};
static struct backend fake = {.name = "fake",
                              .options = no_rows,
                              .settings_size = sizeof(struct backend_common),
                              .wants = {.totals = METRICS_INTERVAL, .sampled = METRICS_RECENT},
                              .transport = &fake_transport,
                              .encode = fake_encode,
                              .events = &fake_events};

struct rig {
    struct fixture f;
    struct backend_common settings;
    struct config_backend backend;
    struct option_tags tags;
    struct ledger *ledger;
    struct log *log;
    struct wake wake;
    struct consumer *consumer;
    char *include[1];
};

/* Lines without their time. */
static char lines[65536];
static void keep(const char *line, size_t n)
{
    (void)n;
    strncat(lines, line + strlen("2026-11-21T01:20:34.123Z "), sizeof lines - strlen(lines) - 1);
}

static void rig_open(struct rig *r, const enum outcome *outcomes, size_t n)
{
    struct buf why = {0};
    say_to(keep);
    sent[0] = lines[0] = '\0';
    sends = script_at = refused = 0;
    status = 0;
    ambiguous = false;
    script_n = n;
    if (n) memcpy(script, outcomes, n * sizeof *script);
    memset(r, 0, sizeof *r);
    fixture_open(&r->f);
    r->include[0] = "job*";
    r->settings = (struct backend_common){.name = "fake",
                                          .include = {r->include, 1},
                                          .max_lag = UINT64_MAX,
                                          .retry_least = 1000000000,
                                          .retry_most = 60000000000};
    r->backend = (struct config_backend){&fake, &r->settings, NULL};
    r->ledger = ledger_new();
    r->log = log_new(&(struct log_limits){.size = 1 << 20, .age_ns = UINT64_MAX}, r->ledger);
    wake_init(&r->wake);
    struct consumer_options o = {&r->backend, &r->tags,    r->ledger, NULL,
                                 &r->wake,    &r->f.clock, 42,        SEGMENT_TAG_NONE};
    r->consumer = consumer_new(&o, &why);
    REQUIRE(r->consumer);
    CHECK(consumer_follow(r->consumer, r->log, "/dev/shm/shop.seg"));
    CHECK(consumer_follow(r->consumer, r->log, "/dev/shm/shop.seg"));
    buf_free(&why);
}

static void rig_append(struct rig *r, uint64_t jobs)
{
    metrics_counter_add(metrics_counter(r->f.registry, "jobs"), jobs);
    metrics_counter_add(metrics_counter(r->f.registry, "jobs2"), 1);
    metrics_counter_add(metrics_counter(r->f.registry, "other"), 1);
    metrics_snapshot_t *s = fixture_sample(&r->f, 10);
    CHECK_EQ_I64(log_append(r->log, s), 1);
    metrics_snapshot_release(&s);
}

/* Steps until nothing is left, letting the pauses pass on the virtual clock. Returns how long that took. */
static uint64_t rig_run(struct rig *r)
{
    uint64_t from = r->f.ahead, next;
    for (int i = 0; i < 1000 && (next = consumer_step(r->consumer)) != CLOCK_NEVER; i++) {
        uint64_t now = clock_mono(&r->f.clock);
        if (next > now) r->f.ahead += next - now;
    }
    return r->f.ahead - from;
}

static struct ledger_account rig_account(struct rig *r)
{
    struct ledger_page pages[LEDGER_BACKENDS];
    ledger_read(r->ledger, pages);
    if (!ledger_balanced(&pages[0].account[LEDGER_METRICS])) UNIT_FAIL("the ledger is not balanced\n");
    return pages[0].account[LEDGER_METRICS];
}

static void rig_close(struct rig *r)
{
    consumer_free(&r->consumer);
    log_drop_detached(r->log, NULL, NULL, LEDGER_SHUTDOWN);
    rig_account(r);
    log_release(&r->log);
    ledger_free(&r->ledger);
    wake_destroy(&r->wake);
    fixture_close(&r->f);
    say_to(NULL);
}

/* What has no form is counted as left out, not as delivered, also if a batch is sent again; a line says it once. */
UNIT(consumer, left_out)
{
    struct rig r;
    rig_open(&r, (const enum outcome[]){OUTCOME_SENT, OUTCOME_RETRY}, 2);
    no_jobs2 = true;
    rig_append(&r, 5);
    rig_append(&r, 7);
    rig_run(&r);
    CHECK_STR(sent, "jobs=5 jobs=7 ");
    CHECK_EQ_U64(rig_account(&r).delivered, 2);
    CHECK_EQ_U64(rig_account(&r).dropped[LEDGER_LEFT_OUT], 2);
    const char *line = strstr(lines, "readings are left out");
    REQUIRE(line);
    CHECK(strstr(line, "first=\"jobs2: it is odd\"") != NULL);
    CHECK(!strstr(line + 1, "readings are left out"));
    no_jobs2 = false;
    rig_close(&r);
}

/* Deltas arrive once each, only of what passes the filter. */
UNIT(consumer, delivers)
{
    struct rig r;
    rig_open(&r, NULL, 0);
    rig_append(&r, 5);
    rig_append(&r, 7);
    rig_run(&r);
    CHECK_STR(sent, "jobs=5 jobs2=1 jobs=7 jobs2=1 ");
    CHECK_EQ_U64(rig_account(&r).delivered, 4);
    CHECK_EQ_U64(rig_account(&r).points, 4);
    CHECK_EQ_U64(rig_account(&r).rebased, 0);
    CHECK(consumer_idle(r.consumer));
    rig_close(&r);
}

/* A backend that is down gets the same bytes again after growing pauses, and nothing is lost or doubled. */
UNIT(consumer, retries)
{
    struct rig r;
    enum outcome outcomes[20];
    for (int i = 0; i < 20; i++) outcomes[i] = OUTCOME_RETRY;
    rig_open(&r, outcomes, 20);
    rig_append(&r, 5);
    uint64_t took = rig_run(&r);
    CHECK_EQ_U64(sends, 21);
    for (int i = 1; i < 21; i++) CHECK_EQ_U64(bytes_seen[i], bytes_seen[0]);
    CHECK_STR(sent, "jobs=5 jobs2=1 ");
    CHECK_EQ_U64(rig_account(&r).retries, 20);
    /* Bounds 1, 2, 4 ... 32, then 14 x 60 s: 903 s at most, half of it on average. */
    CHECK(took > 150000000000 && took < 903000000000);
    rig_append(&r, 1);
    rig_run(&r);
    CHECK_STR(sent, "jobs=5 jobs2=1 jobs=1 jobs2=1 ");
    rig_close(&r);
}

/* Refused for good: counted, and the next interval's deltas do not repeat it. */
UNIT(consumer, drops)
{
    struct rig r;
    rig_open(&r, (enum outcome[]){OUTCOME_DROP}, 1);
    rig_append(&r, 5);
    rig_append(&r, 7);
    rig_run(&r);
    CHECK_STR(sent, "jobs=7 jobs2=1 ");
    CHECK_EQ_U64(rig_account(&r).dropped[LEDGER_REFUSED], 2);
    CHECK_EQ_U64(rig_account(&r).delivered, 2);
    rig_close(&r);
}

/* Too large: halves, down to the one reading that never fits; the others arrive. */
UNIT(consumer, splits)
{
    struct rig r;
    rig_open(&r, (enum outcome[]){OUTCOME_SPLIT, OUTCOME_SPLIT, OUTCOME_SENT}, 3);
    rig_append(&r, 5);
    rig_run(&r);
    CHECK_STR(sent, "jobs2=1 ");
    CHECK_EQ_U64(rig_account(&r).dropped[LEDGER_TOO_LARGE], 1);
    CHECK_EQ_U64(rig_account(&r).delivered, 1);
    rig_close(&r);
}

/* The backend's own limits: at most so many readings in a payload, at most so many bytes. */
UNIT(consumer, limits)
{
    struct rig r;
    fake.wants.most_items = 1;
    rig_open(&r, NULL, 0);
    rig_append(&r, 5);
    rig_run(&r);
    CHECK_EQ_U64(sends, 2);
    rig_close(&r);
    fake.wants.most_items = 0;
    fake.wants.most_bytes = 8;
    rig_open(&r, NULL, 0);
    rig_append(&r, 5);
    rig_run(&r);
    CHECK_EQ_U64(sends, 2);
    CHECK_STR(sent, "jobs=5 jobs2=1 ");
    rig_close(&r);
    fake.wants.most_bytes = 0;
}

/* Taken but for some: those are counted as refused, not as delivered. */
UNIT(consumer, partial)
{
    struct rig r;
    rig_open(&r, NULL, 0);
    refused = 1;
    rig_append(&r, 5);
    rig_run(&r);
    CHECK_EQ_U64(rig_account(&r).dropped[LEDGER_REFUSED], 1);
    CHECK_EQ_U64(rig_account(&r).delivered, 1);
    rig_close(&r);
}

/* A consumer made anew over the same log goes on from the base of the first: no total is
 * lost or sent twice. */
UNIT(consumer, successor)
{
    struct rig r;
    struct buf why = {0};
    rig_open(&r, NULL, 0);
    rig_append(&r, 5);
    rig_run(&r);
    rig_append(&r, 7);
    consumer_free(&r.consumer);
    rig_append(&r, 9);
    struct consumer_options o = {&r.backend, &r.tags,    r.ledger, NULL,
                                 &r.wake,    &r.f.clock, 43,       SEGMENT_TAG_NONE};
    r.consumer = consumer_new(&o, &why);
    REQUIRE(r.consumer);
    CHECK(consumer_follow(r.consumer, r.log, "/dev/shm/shop.seg"));
    buf_free(&why);
    rig_run(&r);
    CHECK_STR(sent, "jobs=5 jobs2=1 jobs=7 jobs2=1 jobs=9 jobs2=1 ");
    rig_close(&r);
}

/* A backend that is new to a segment which was exported before counts nothing for the first interval. */
UNIT(consumer, newcomer_is_rebased)
{
    struct rig r;
    rig_open(&r, NULL, 0);
    rig_append(&r, 5);
    log_drop(r.log, 0, LEDGER_REMOVED);
    consumer_free(&r.consumer);
    struct buf why = {0};
    struct consumer_options o = {&r.backend, &r.tags,    r.ledger, NULL,
                                 &r.wake,    &r.f.clock, 44,       SEGMENT_TAG_NONE};
    r.consumer = consumer_new(&o, &why);
    REQUIRE(r.consumer);
    CHECK(consumer_follow(r.consumer, r.log, "/dev/shm/shop.seg"));
    buf_free(&why);
    rig_append(&r, 7);
    rig_append(&r, 9);
    rig_run(&r);
    CHECK_STR(sent, "jobs=0 jobs2=0 jobs=9 jobs2=1 ");
    CHECK_EQ_U64(rig_account(&r).rebased, 2);
    rig_close(&r);
}

/* What is appended once the segment has a successor has a tag of its own where totals are sent, else two of
 * them would take turns in one series; increments keep the series' own tags, since they add up. */
UNIT(consumer, replaced_segment_is_kept_apart)
{
    for (int totals = 0; totals < 2; totals++) {
        struct rig r;
        fake.wants.totals = totals ? METRICS_LIFETIME : METRICS_INTERVAL;
        rig_open(&r, NULL, 0);
        rig_append(&r, 5);
        rig_append(&r, 6);
        log_set_replaced(r.log);
        rig_run(&r);
        CHECK_STR(tag_seen, "none");
        rig_append(&r, 7);
        rig_run(&r);
        CHECK_STR(tag_seen, totals ? "replaced" : "none");
        CHECK_STR(sent, "jobs=5 jobs2=1 jobs=6 jobs2=1 jobs=7 jobs2=1 ");
        rig_close(&r);
    }
    fake.wants.totals = METRICS_INTERVAL;
}

/* Whatever happens to a payload that was not accepted whole, one line says backend, status, how many readings
 * were taken and how many not, and the reason that the service gave. */
UNIT(consumer, every_failure_has_its_line)
{
    struct rig r;
    static const struct {
        enum outcome outcomes[4];
        size_t n;
        int status;
        bool ambiguous;
        const char *want;
    } cases[] = {
        {{OUTCOME_DROP},
         1,
         400,
         false,
         "warn  readings were refused backend=fake status=400 successful=0 failed=2 reason=\"as scripted\"\n"},
        {{OUTCOME_RETRY},
         1,
         503,
         false,
         "warn  cannot deliver, will try again backend=fake status=503 successful=0 failed=2 reason=\"as scripted\"\n"
         "info  delivers again backend=fake after=0s\n"},
        {{OUTCOME_RETRY},
         1,
         0,
         false,
         "warn  cannot deliver, will try again backend=fake successful=0 failed=2 reason=\"as scripted\"\n"
         "info  delivers again backend=fake after=0s\n"},
        {{OUTCOME_RETRY},
         1,
         0,
         true,
         "warn  readings are given up because no answer came backend=fake successful=0 failed=2 "
         "reason=\"as scripted\"\n"},
        {{OUTCOME_LOGIN},
         1,
         401,
         false,
         "info  logs in again backend=fake status=401 successful=0 failed=2 reason=\"as scripted\"\n"},
        {{OUTCOME_SPLIT},
         1,
         413,
         false,
         "warn  a payload was refused whole; it is sent in halves backend=fake status=413 successful=0 failed=2 "
         "reason=\"as scripted\"\n"},
        {{OUTCOME_BAD, OUTCOME_SENT, OUTCOME_BAD},
         3,
         422,
         false,
         "warn  a payload was refused whole; it is sent in halves backend=fake status=422 successful=0 failed=2 "
         "reason=\"as scripted\"\n"
         "warn  readings were refused backend=fake status=422 successful=0 failed=1 reason=\"as scripted\"\n"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        rig_open(&r, cases[i].outcomes, cases[i].n);
        status = cases[i].status;
        ambiguous = cases[i].ambiguous;
        fake.wants.additive = true;
        r.settings.on_ambiguous = BACKEND_AMBIGUOUS_DROP;
        r.settings.retry_least = r.settings.retry_most = 1;
        rig_append(&r, 5);
        rig_run(&r);
        CHECK_STR(lines, cases[i].want);
        rig_close(&r);
        fake.wants.additive = false;
    }
    rig_open(&r, NULL, 0);
    status = 200;
    refused = 1;
    rig_append(&r, 5);
    rig_run(&r);
    CHECK_STR(lines, "warn  readings were refused backend=fake status=200 successful=1 failed=1 "
                     "reason=\"one was bad\"\n");
    rig_close(&r);
}

static size_t lines_with(const char *text)
{
    size_t n = 0;
    for (const char *at = lines; (at = strstr(at, text)); at++) n++;
    return n;
}

/* Trouble that lasts a day is logged at growing intervals, each line says how many failures it covers, and
 * the end is logged once. */
UNIT(consumer, lasting_trouble_is_logged_rarely)
{
    struct rig r;
    rig_open(&r, NULL, 0);
    rig_append(&r, 5);
    status = 503;
    uint64_t from = clock_mono(&r.f.clock), tries = 0;
    while (clock_mono(&r.f.clock) - from < UINT64_C(86400) * 1000000000) {
        script[0] = OUTCOME_RETRY;
        script_n = 1;
        script_at = 0;
        uint64_t next = consumer_step(r.consumer), now = clock_mono(&r.f.clock);
        r.f.ahead += next > now ? next - now : 0;
        tries += script_at;
    }
    script_n = 0;
    rig_run(&r);
    rig_append(&r, 7);
    rig_run(&r);
    /* At once, after 10, 20, 40 s ... 1 h, then every hour: 9 and 23. */
    size_t logged = lines_with("cannot deliver");
    CHECK(tries > 1000);
    CHECK(logged >= 28 && logged <= 34);
    CHECK(lines_with("repeated=") >= logged - 3); /* some of the first ones cover one failure */
    CHECK_EQ_U64(lines_with("delivers again backend=fake after="), 1);
    CHECK_EQ_U64(lines_with("delivers again"), 1);
    rig_close(&r);
}

/* Breaks if two intervals get one time at a service that rounds it: 1.6 s is 2 s there, so 2.1 s has to be 3. */
UNIT(consumer, rounded_times_are_different)
{
    struct rig r;
    rig_open(&r, NULL, 0);
    fake.wants.resolution_ns = 1000000000;
    fake.wants.rounded = true;
    uint64_t last = 0, half = 500000000;
    for (int i = 0; i < 20; i++) {
        metrics_counter_add(metrics_counter(r.f.registry, "jobs"), 1);
        metrics_snapshot_t *s = fixture_sample(&r.f, 0.5);
        CHECK_EQ_I64(log_append(r.log, s), 1);
        metrics_snapshot_release(&s);
        rig_run(&r);
        uint64_t second = (stamp_seen + half) / 1000000000;
        CHECK(second > last);
        last = second;
    }
    fake.wants.resolution_ns = 0;
    fake.wants.rounded = false;
    rig_close(&r);
}

/* --- An exporter that ends while a request has no answer --- */

static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER; /* held: no answer comes */
static struct wake asked;

static void stuck_send(void *link, const struct payload *payload, struct answer *answer)
{
    wake_call(&asked);
    pthread_mutex_lock(&gate);
    pthread_mutex_unlock(&gate);
    fake_send(link, payload, answer);
}

/* Begins a request, abandons it, and lets the answer come after all. */
static struct ledger_account abandoned(int on_ambiguous)
{
    struct rig r;
    struct transport stuck = fake_transport;
    stuck.send = stuck_send;
    fake.transport = &stuck;
    fake.wants.additive = true;
    wake_init(&asked);
    pthread_mutex_lock(&gate);
    rig_open(&r, NULL, 0);
    r.settings.on_ambiguous = on_ambiguous;
    rig_append(&r, 5);
    CHECK(consumer_start(r.consumer));
    wake_wait(&asked, 0, CLOCK_NEVER);
    CHECK(!consumer_stop(r.consumer, 0));
    consumer_abandon(r.consumer);
    struct ledger_account account = rig_account(&r);
    pthread_mutex_unlock(&gate);
    CHECK(consumer_stop(r.consumer, CLOCK_NEVER));
    CHECK_EQ_U64(rig_account(&r).delivered, 0);
    CHECK_EQ_U64(sends, 1);
    rig_close(&r);
    wake_destroy(&asked);
    fake.wants.additive = false;
    fake.transport = &fake_transport;
    return account;
}

/* Breaks if a request without an answer at the end is not recorded, so that the next exporter sends it again although
 * on_ambiguous says drop; or if what comes of it later is recorded, too. */
UNIT(consumer, a_request_without_an_answer_at_the_end)
{
    struct ledger_account a = abandoned(BACKEND_AMBIGUOUS_DROP);
    CHECK_EQ_U64(a.dropped[LEDGER_AMBIGUOUS], 2);
    CHECK_EQ_U64(a.queued, 0);
    a = abandoned(BACKEND_AMBIGUOUS_RESEND);
    CHECK_EQ_U64(a.queued, 2);
    CHECK_EQ_U64(a.retries, 1);
}

/* What a service refuses, gives no answer to, or asks a new login for, every ten minutes for two days: a line at growing
 * intervals, whichever way it is, and at once again after some quiet hours. */
UNIT(consumer, lasting_losses_are_logged_rarely)
{
    static const struct {
        enum outcome outcome;
        size_t refused;
        bool ambiguous;
        const char *line;
    } cases[] = {{OUTCOME_SENT, 1, false, "readings were refused"},
                 {OUTCOME_DROP, 0, false, "readings were refused"},
                 {OUTCOME_RETRY, 0, true, "readings are given up because no answer came"},
                 {OUTCOME_LOGIN, 0, false, "logs in again"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct rig r;
        size_t n = 0, logged = 0;
        rig_open(&r, NULL, 0);
        fake.wants.additive = true;
        r.settings.on_ambiguous = BACKEND_AMBIGUOUS_DROP;
        refused = cases[i].refused;
        ambiguous = cases[i].ambiguous;
        for (; n < 288; n++) {
            script[0] = cases[i].outcome;
            script_n = 1;
            script_at = 0;
            r.f.ahead += UINT64_C(600) * 1000000000;
            rig_append(&r, 5);
            rig_run(&r);
        }
        logged = lines_with(cases[i].line);
        CHECK(logged >= 45 && logged <= 60);
        CHECK(strstr(lines, "repeated=5") != NULL);
        r.f.ahead += UINT64_C(4 * 3600) * 1000000000;
        for (n = 0; n < 2; n++) {
            script_at = 0;
            rig_append(&r, 5);
            rig_run(&r);
        }
        CHECK_EQ_U64(lines_with(cases[i].line), logged + 2); /* at once, and after ten seconds */
        rig_close(&r);
        fake.wants.additive = false;
    }
}

/* --- Events --- */

/* Takes what was recorded into the log, as the sampler does. */
static void rig_drain(struct rig *r)
{
    static metrics_events_t *events;
    struct event_packer packer = {.kind_count = 0};
    struct buf chunk = {0};
    const metrics_event_t *e;
    uint64_t place = 1;
    events = metrics_events_open(metrics_leader_reader(r->f.leader), METRICS_EVENTS_DRAIN, NULL);
    CHECK_EQ_I64(metrics_events_take(events, NULL), 0);
    while ((e = metrics_events_next(events))) event_pack(&packer, e);
    event_packer_take(&packer, &chunk);
    CHECK(log_append_events(r->log, chunk.data, chunk.len, clock_wall(&r->f.clock), &place, 1));
    metrics_events_close(&events);
    event_packer_free(&packer);
    buf_free(&chunk);
}

static void rig_events(struct rig *r, int points, int lines_n)
{
    for (int i = 0; i < points; i++) metrics_point(metrics_points(r->f.registry, "jobp"), i);
    for (int i = 0; i < lines_n; i++)
        metrics_log(metrics_logger(r->f.registry, "jobl"), METRICS_LOG_INFO, "x%d", i);
    metrics_point(metrics_points(r->f.registry, "other"), 9);
    metrics_annotate_title(metrics_annotations(r->f.registry, "job"), "not taken");
    rig_drain(r);
}

static struct ledger_account rig_signal(struct rig *r, enum ledger_signal signal)
{
    struct ledger_page pages[LEDGER_BACKENDS];
    ledger_read(r->ledger, pages);
    if (!ledger_balanced(&pages[0].account[signal])) UNIT_FAIL("the ledger is not balanced\n");
    return pages[0].account[signal];
}

/* Each once, in payloads of one type; only what passes the filter and is taken. Snapshots and chunks take turns. */
UNIT(consumer, events)
{
    struct rig r;
    rig_open(&r, NULL, 0);
    rig_append(&r, 5);
    rig_append(&r, 7);
    rig_events(&r, 2, 1);
    rig_run(&r);
    CHECK_STR(sent, "jobs=5 jobs2=1 jobl:0x0 jobp:0 jobp:1 jobs=7 jobs2=1 ");
    CHECK_EQ_U64(sends, 4);
    CHECK_EQ_U64(rig_signal(&r, LEDGER_POINTS).delivered, 2);
    CHECK_EQ_U64(rig_signal(&r, LEDGER_LOGS).delivered, 1);
    CHECK_EQ_U64(rig_signal(&r, LEDGER_ANNOTATIONS).taken, 0);
    CHECK(consumer_idle(r.consumer));
    rig_close(&r);
}

/* The same again after a pause; halves until the culprit is alone, which is dropped. */
UNIT(consumer, events_refused)
{
    struct rig r;
    rig_open(&r, (const enum outcome[]){OUTCOME_RETRY, OUTCOME_BAD, OUTCOME_SENT, OUTCOME_BAD, OUTCOME_BAD},
             5);
    rig_events(&r, 4, 0);
    rig_run(&r);
    CHECK_EQ_U64(bytes_seen[0], bytes_seen[1]);
    CHECK_STR(sent, "jobp:0 jobp:1 jobp:3 ");
    struct ledger_account a = rig_signal(&r, LEDGER_POINTS);
    CHECK_EQ_U64(a.dropped[LEDGER_REFUSED], 1);
    CHECK_EQ_U64(a.delivered, 3);
    CHECK_EQ_U64(a.retries, 1);
    CHECK(strstr(lines, "events were refused") != NULL);
    rig_close(&r);
}

/* Where a second copy counts twice, the configuration decides. */
UNIT(consumer, events_ambiguous)
{
    struct rig r;
    rig_open(&r, (const enum outcome[]){OUTCOME_RETRY}, 1);
    fake_events.additive = EVENT_BIT(METRICS_EVENT_POINT);
    r.settings.on_ambiguous = BACKEND_AMBIGUOUS_DROP;
    ambiguous = true;
    rig_events(&r, 2, 1);
    rig_run(&r);
    CHECK_STR(sent, "jobl:0x0 jobp:0 jobp:1 "); /* a log line is not additive here: it is sent again */
    CHECK_EQ_U64(rig_signal(&r, LEDGER_LOGS).retries, 1);
    rig_close(&r);
    rig_open(&r, (const enum outcome[]){OUTCOME_RETRY}, 1);
    r.settings.on_ambiguous = BACKEND_AMBIGUOUS_DROP;
    ambiguous = true;
    rig_events(&r, 2, 0);
    rig_run(&r);
    CHECK_EQ_U64(rig_signal(&r, LEDGER_POINTS).dropped[LEDGER_AMBIGUOUS], 2);
    fake_events.additive = 0;
    rig_close(&r);
}

/* A consumer that ends in the middle of a chunk leaves the rest to its successor. */
UNIT(consumer, events_resumed)
{
    struct rig r;
    struct buf why = {0};
    rig_open(&r, (const enum outcome[]){OUTCOME_SENT, OUTCOME_RETRY}, 2);
    fake_events.most_items = 2;
    rig_events(&r, 5, 0);
    consumer_step(r.consumer);
    consumer_step(r.consumer);
    CHECK_STR(sent, "jobp:0 jobp:1 ");
    consumer_free(&r.consumer);
    struct consumer_options o = {&r.backend, &r.tags,    r.ledger, NULL,
                                 &r.wake,    &r.f.clock, 42,       SEGMENT_TAG_NONE};
    r.consumer = consumer_new(&o, &why);
    REQUIRE(r.consumer);
    CHECK(consumer_follow(r.consumer, r.log, "/dev/shm/shop.seg"));
    rig_run(&r);
    CHECK_STR(sent, "jobp:0 jobp:1 jobp:2 jobp:3 jobp:4 ");
    CHECK_EQ_U64(rig_signal(&r, LEDGER_POINTS).delivered, 5);
    fake_events.most_items = 0;
    buf_free(&why);
    rig_close(&r);
}
