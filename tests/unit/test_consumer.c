/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "../fixture.h"
#include "consumer.h"
#include "say.h"

/* --- A backend that writes the changes of totals as text, and a transport that does as it is told
 * --------------- */

static enum outcome script[64];
static size_t script_n, script_at;
static char sent[65536];
static size_t sends, refused, bytes_seen[64];
static char tag_seen[64]; /* of the item that was encoded last */

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
        buf_str(&answer->why, "as told");
    }
}
static void fake_close(void **link)
{
    *link = NULL;
}
static size_t fake_encode(const struct batch *batch, struct payload *payload)
{
    struct rows rows = {0};
    for (size_t i = batch->from; i < batch->to; i++) {
        const struct item *item = &batch->view->items[i];
        snprintf(tag_seen, sizeof tag_seen, "%s", item->tag_count ? item->tags[0].value : "none");
        item_rows(batch->view, item, METRICS_INTERVAL, &rows);
        buf_printf(&payload->body, "%s=%g ", batch->view->items[i].name,
                   rows.n ? metrics_row_number(&rows.at[0]) : 0.0);
    }
    rows_free(&rows);
    return batch->to - batch->from;
}
static const struct transport fake_transport = {
    .name = "fake", .open = fake_open, .send = fake_send, .close = fake_close};
static const struct option no_rows[] = {{.name = NULL}};
static struct backend fake = {.name = "fake",
                              .options = no_rows,
                              .settings_size = sizeof(struct backend_common),
                              .wants = {.totals = METRICS_INTERVAL, .sampled = METRICS_RECENT},
                              .transport = &fake_transport,
                              .encode = fake_encode};

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

static void quiet(const char *line, size_t n)
{
    (void)line, (void)n;
}

static void rig_open(struct rig *r, const enum outcome *outcomes, size_t n)
{
    struct buf why = {0};
    say_to(quiet);
    sent[0] = '\0';
    sends = script_at = refused = 0;
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
    r->log = log_new(&(struct log_limits){1 << 20, UINT64_MAX}, r->ledger);
    wake_init(&r->wake);
    struct consumer_options o = {&r->backend, &r->tags, r->ledger, NULL, &r->wake, &r->f.clock, 42};
    r->consumer = consumer_new(&o, &why);
    REQUIRE(r->consumer);
    CHECK(consumer_follow(r->consumer, r->log));
    CHECK(consumer_follow(r->consumer, r->log));
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

/* A consumer made anew over the same log goes on from the base of the first: no total is lost or told twice.
 */
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
    struct consumer_options o = {&r.backend, &r.tags, r.ledger, NULL, &r.wake, &r.f.clock, 43};
    r.consumer = consumer_new(&o, &why);
    REQUIRE(r.consumer);
    CHECK(consumer_follow(r.consumer, r.log));
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
    struct consumer_options o = {&r.backend, &r.tags, r.ledger, NULL, &r.wake, &r.f.clock, 44};
    r.consumer = consumer_new(&o, &why);
    REQUIRE(r.consumer);
    CHECK(consumer_follow(r.consumer, r.log));
    buf_free(&why);
    rig_append(&r, 7);
    rig_append(&r, 9);
    rig_run(&r);
    CHECK_STR(sent, "jobs=0 jobs2=0 jobs=9 jobs2=1 ");
    CHECK_EQ_U64(rig_account(&r).rebased, 2);
    rig_close(&r);
}

/* What is appended once the segment has a successor stands apart where totals are told, else two of them
 * would take turns in one series; increments go on under the series' own name, for they add up. */
UNIT(consumer, replaced_segment_stands_apart)
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
