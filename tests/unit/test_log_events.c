/* SPDX-License-Identifier: Apache-2.0 */
/* Events in a log: each is given out once, in order, whoever is killed; what is lost is counted. */
#include "unit.h"

#include "../fixture.h"
#include "log_events.h"

#include <mtx/events.h>

#include <sqlite3.h>

static const struct option no_rows[] = {{.name = NULL}};
static const struct transport nowhere = {.name = "nowhere"};
static size_t no_encode(const struct event_batch *batch, struct payload *payloads)
{
    (void)batch, (void)payloads;
    return 0;
}
static const struct backend_events all_events = {.types = EVENT_ALL, .encode = no_encode};
static const struct backend taker = {.name = "taker",
                                     .options = no_rows,
                                     .settings_size = sizeof(struct backend_common),
                                     .transport = &nowhere,
                                     .events = &all_events};
static const struct backend refuser = {.name = "refuser",
                                       .options = no_rows,
                                       .settings_size = sizeof(struct backend_common),
                                       .transport = &nowhere};

static const struct log_limits wide = {
    .size = 64 << 20, .age_ns = UINT64_MAX, .events_size = 64 << 20, .events_age_ns = UINT64_MAX};

struct rig {
    struct fixture f;
    metrics_events_t *events;
    struct event_packer packer;
    struct ledger *ledger;
    struct log *log;
    char path[80];
    struct backend_common settings;
    struct selection sel;
    int cursor;
    uint64_t wall_ns;
    struct buf chunk;
};

static void attach(struct rig *r, const struct backend *backend)
{
    r->settings = (struct backend_common){.name = (char *)(uintptr_t) "b"};
    REQUIRE(selection_compile(&r->sel, backend, &r->settings, &(struct option_tags){.n = 0}));
    r->cursor = log_attach(r->log, "b", &r->sel, true);
    CHECK(r->cursor >= 0);
}

/* An exporter begins: with a file that an earlier one may have left, or in memory. */
static void begin(struct rig *r, const struct log_limits *limits, bool file)
{
    struct buf why = {0};
    r->ledger = ledger_new();
    if (!file)
        r->log = log_new(limits, r->ledger);
    else if (log_open(limits, r->ledger, r->path, false, &r->log, &why) != STORE_OK)
        UNIT_FAIL("cannot open %s: %s\n", r->path, buf_text(&why));
    REQUIRE(r->log);
    buf_free(&why);
    attach(r, &taker);
}

/* It ends. What it did not say to the file is as if it had been killed. */
static void end(struct rig *r)
{
    log_detach(r->log, r->cursor);
    selection_free(&r->sel);
    log_release(&r->log);
    ledger_free(&r->ledger);
}

static void rig_open(struct rig *r, const struct log_limits *limits, bool file)
{
    memset(r, 0, sizeof *r);
    fixture_open(&r->f);
    r->events = metrics_events_open(metrics_leader_reader(r->f.leader), METRICS_EVENTS_DRAIN, NULL);
    snprintf(r->path, sizeof r->path, "%s.log", r->f.path);
    r->wall_ns = CLOCK_SECOND;
    begin(r, limits, file);
}

static void rig_close(struct rig *r)
{
    end(r);
    metrics_events_close(&r->events);
    event_packer_free(&r->packer);
    buf_free(&r->chunk);
    unlink(r->path);
    fixture_close(&r->f);
}

/* A chunk of what was recorded since the last one. */
static void drain(struct rig *r)
{
    const metrics_event_t *e;
    CHECK_EQ_I64(metrics_events_take(r->events, NULL), 0);
    while ((e = metrics_events_next(r->events))) event_pack(&r->packer, e);
    buf_reset(&r->chunk);
    event_packer_take(&r->packer, &r->chunk);
    CHECK(buf_ok(&r->chunk));
}

static void append(struct rig *r)
{
    uint64_t places[4] = {r->wall_ns, 0, 7, 0};
    drain(r);
    CHECK(log_append_events(r->log, r->chunk.data, r->chunk.len, r->wall_ns, places, 4));
    r->wall_ns += CLOCK_SECOND;
}

static void points(struct rig *r, const char *name, int from, int n)
{
    for (int i = from; i < from + n; i++) metrics_point(metrics_points(r->f.registry, name), i);
}

static struct ledger_account account(struct rig *r, enum ledger_signal signal)
{
    struct ledger_page pages[LEDGER_BACKENDS];
    ledger_read(r->ledger, pages);
    struct ledger_account a = pages[ledger_open(r->ledger, "b")].account[signal];
    if (!ledger_balanced(&a)) UNIT_FAIL("the account of %s is not balanced\n", ledger_signal_name(signal));
    return a;
}

/* Takes up to `most` points of the next chunk; returns the value of the first, or -1 if there is nothing. */
static double deliver(struct rig *r, size_t most)
{
    struct log_next_events next;
    struct event_view view;
    if (!log_next_events(r->log, r->cursor, &next)) return -1;
    REQUIRE(event_view_open(&view, &r->sel, next.chunk, next.position));
    double first = view.n ? event_view_get(&view, 0)->value : -2;
    size_t n = view.n < most ? view.n : most;
    struct log_outcome_events o = {.type = METRICS_EVENT_POINT, .outcome = {.delivered = n, .points = n}};
    o.position = n < view.n ? view.numbers[n] : next.chunk->n;
    log_settled_events(r->log, r->cursor, &next, &o);
    if (n < view.n)
        log_undo_events(r->log, r->cursor, &next);
    else
        log_done_events(r->log, r->cursor, &next);
    event_view_free(&view);
    return first;
}

/* Types are in order, each kind is there once, and each event is what it was. */
UNIT(log_events, chunk)
{
    struct rig r;
    struct event_chunk chunk;
    uint32_t counts[METRICS_EVENT_TYPES];
    rig_open(&r, &wide, false);
    /* Fewer than the cells of the atomic ring, which is the only one where there are no restartable sequences. */
    for (int i = 0; i < 80; i++) {
        metrics_point(metrics_points(r.f.registry, "p", "k", i % 2 ? "a" : "b"), i);
        metrics_log(metrics_logger(r.f.registry, "l"), METRICS_LOG_INFO, "line %d", i);
        metrics_annotate_title(metrics_annotations(r.f.registry, "deploys"), "2.1");
    }
    drain(&r);
    REQUIRE(event_chunk_open(&chunk, r.chunk.data, r.chunk.len, true));
    CHECK_EQ_U64(chunk.n, 240);
    CHECK_EQ_U64(chunk.kind_count, 4);
    selection_count_events(&r.sel, &chunk, 120, counts);
    CHECK_EQ_U64(counts[METRICS_EVENT_ANNOTATION], 0);
    CHECK_EQ_U64(counts[METRICS_EVENT_LOG], 40);
    CHECK_EQ_U64(counts[METRICS_EVENT_POINT], 80);
    metrics_event_decoder_t *decoder = metrics_event_decoder_new();
    CHECK_STR(event_chunk_get(&chunk, 120, decoder)->message, "line 40");
    const metrics_event_t *e = event_chunk_get(&chunk, 239, decoder);
    CHECK_NEAR(e->value, 79, 0);
    CHECK_STR(e->tags[0].value, "a");
    metrics_event_decoder_free(&decoder);
    event_chunk_free(&chunk);
    rig_close(&r);
}

/* Breaks if damaged bytes are believed: each is refused, or all its events can be decoded. */
UNIT(log_events, damage)
{
    struct rig r;
    struct event_chunk chunk;
    size_t refused = 0;
    metrics_event_decoder_t *decoder = metrics_event_decoder_new();
    rig_open(&r, &wide, false);
    points(&r, "p", 0, 3);
    metrics_log(metrics_logger(r.f.registry, "l"), METRICS_LOG_INFO, "line");
    drain(&r);
    for (size_t at = 0; at < r.chunk.len; at++) {
        r.chunk.data[at] = (char)(r.chunk.data[at] ^ 0x55);
        bool good = event_chunk_open(&chunk, r.chunk.data, r.chunk.len, true);
        refused += !good;
        for (size_t i = 0; good && i < chunk.n; i++) CHECK(event_chunk_get(&chunk, i, decoder) != NULL);
        if (good) event_chunk_free(&chunk);
        CHECK(!event_chunk_open(&chunk, r.chunk.data, at, true));
        r.chunk.data[at] = (char)(r.chunk.data[at] ^ 0x55);
    }
    CHECK(refused > 50);
    metrics_event_decoder_free(&decoder);
    rig_close(&r);
}

/* In order, part by part, and the account follows. */
UNIT(log_events, in_turn)
{
    struct rig r;
    rig_open(&r, &wide, false);
    CHECK_NEAR(deliver(&r, 9), -1, 0);
    points(&r, "p", 0, 5);
    append(&r);
    points(&r, "p", 5, 5);
    append(&r);
    CHECK_EQ_U64(account(&r, LEDGER_POINTS).queued, 10);
    CHECK_NEAR(deliver(&r, 2), 0, 0);
    CHECK_NEAR(deliver(&r, 9), 2, 0);
    CHECK_NEAR(deliver(&r, 9), 5, 0);
    CHECK_NEAR(deliver(&r, 9), -1, 0);
    CHECK_EQ_U64(account(&r, LEDGER_POINTS).delivered, 10);
    CHECK_EQ_U64(log_size(r.log).chunks, 0);
    rig_close(&r);
}

/* A backend that does not take events has none queued, and they need no room. */
UNIT(log_events, not_taken)
{
    struct rig r;
    rig_open(&r, &wide, false);
    log_detach(r.log, r.cursor);
    selection_free(&r.sel);
    attach(&r, &refuser);
    points(&r, "p", 0, 5);
    append(&r);
    CHECK_EQ_U64(account(&r, LEDGER_POINTS).taken, 0);
    CHECK_EQ_U64(log_size(r.log).chunks, 0);
    rig_close(&r);
}

/* Over its bounds a log drops the oldest, and counts them. */
UNIT(log_events, thinning)
{
    struct rig r;
    struct log_limits small = wide;
    small.events_size = 2000;
    rig_open(&r, &small, false);
    for (int i = 0; i < 20; i++) {
        points(&r, "p", i * 5, 5);
        append(&r);
    }
    struct ledger_account a = account(&r, LEDGER_POINTS);
    CHECK_EQ_U64(a.taken, 100);
    CHECK(a.dropped[LEDGER_THINNED] > 50);
    CHECK(a.queued > 0);
    CHECK_NEAR(deliver(&r, 9), (double)a.dropped[LEDGER_THINNED], 0);
    small.events_age_ns = CLOCK_SECOND / 2;
    log_set_limits(r.log, &small);
    points(&r, "p", 100, 1);
    append(&r);
    CHECK_EQ_U64(account(&r, LEDGER_POINTS).queued, 1);
    CHECK_NEAR(deliver(&r, 9), 100, 0);
    rig_close(&r);
}

/* What a backend is being sent is not taken away from it. */
UNIT(log_events, thinning_of_the_first)
{
    struct rig r;
    struct log_next_events next;
    struct log_limits small = wide;
    small.events_size = 600;
    rig_open(&r, &small, false);
    points(&r, "p", 0, 5);
    append(&r);
    REQUIRE(log_next_events(r.log, r.cursor, &next));
    for (int i = 1; i < 10; i++) {
        points(&r, "p", i * 5, 5);
        append(&r);
    }
    log_undo_events(r.log, r.cursor, &next);
    CHECK_NEAR(deliver(&r, 9), 0, 0);
    CHECK_NEAR(deliver(&r, 9), 45, 0);
    CHECK_EQ_U64(account(&r, LEDGER_POINTS).dropped[LEDGER_THINNED], 40);
    rig_close(&r);
}

/* The next exporter goes on in the middle of a chunk, and knows up to where the rings were read. */
UNIT(log_events, restart)
{
    struct rig r;
    uint64_t places[5];
    rig_open(&r, &wide, true);
    points(&r, "p", 0, 5);
    append(&r);
    CHECK(log_has_events(r.log));
    points(&r, "p", 5, 5);
    append(&r);
    CHECK_NEAR(deliver(&r, 2), 0, 0);
    end(&r);
    begin(&r, &wide, true);
    CHECK_EQ_U64(log_places(r.log, places, 5), 4);
    CHECK_EQ_U64(places[0], 2 * CLOCK_SECOND);
    CHECK_EQ_U64(places[2], 7);
    struct ledger_account a = account(&r, LEDGER_POINTS);
    CHECK_EQ_U64(a.taken, 10);
    CHECK_EQ_U64(a.queued, 8);
    CHECK_NEAR(deliver(&r, 9), 2, 0);
    end(&r);
    begin(&r, &wide, true);
    CHECK_NEAR(deliver(&r, 9), 5, 0);
    CHECK_NEAR(deliver(&r, 9), -1, 0);
    CHECK_EQ_U64(account(&r, LEDGER_POINTS).delivered, 10);
    rig_close(&r);
}

static void run_sql(struct rig *r, const char *sql)
{
    sqlite3 *db;
    REQUIRE(sqlite3_open(r->path, &db) == SQLITE_OK);
    CHECK_EQ_I64(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

/* A record whose checksum is wrong costs its own events, which are counted, and no others. */
UNIT(log_events, damaged_record)
{
    struct rig r;
    rig_open(&r, &wide, true);
    for (int i = 0; i < 3; i++) {
        points(&r, "p", i * 5, 5);
        append(&r);
    }
    end(&r);
    run_sql(&r, "UPDATE chunks SET bytes = zeroblob(length(bytes)) WHERE seq = 1");
    begin(&r, &wide, true);
    CHECK_NEAR(deliver(&r, 9), 0, 0);
    CHECK_NEAR(deliver(&r, 9), 10, 0);
    CHECK_NEAR(deliver(&r, 9), -1, 0);
    struct ledger_account a = account(&r, LEDGER_POINTS);
    CHECK_EQ_U64(a.dropped[LEDGER_DAMAGED], 5);
    CHECK_EQ_U64(a.delivered, 10);
    rig_close(&r);
}

/* A file that was removed while it was in use is written anew, with what waits and the places. */
UNIT(log_events, file_written_anew)
{
    struct rig r;
    uint64_t places[4];
    rig_open(&r, &wide, true);
    points(&r, "p", 0, 5);
    append(&r);
    unlink(r.path);
    points(&r, "p", 5, 5);
    append(&r);
    CHECK(log_has_events(r.log)); /* in memory: the rings need not keep it */
    end(&r);
    begin(&r, &wide, true);
    CHECK_EQ_U64(log_places(r.log, places, 4), 4);
    CHECK_EQ_U64(places[0], 2 * CLOCK_SECOND);
    CHECK_NEAR(deliver(&r, 9), 0, 0);
    CHECK_NEAR(deliver(&r, 9), 5, 0);
    rig_close(&r);
}

/* What came while nobody was attached is taken by who attaches; what no longer passes is dropped. */
UNIT(log_events, attach_again)
{
    struct rig r;
    rig_open(&r, &wide, true);
    points(&r, "p", 0, 5);
    append(&r);
    log_detach(r.log, r.cursor);
    points(&r, "p", 5, 5);
    append(&r);
    CHECK_EQ_U64(account(&r, LEDGER_POINTS).taken, 5);
    selection_free(&r.sel);
    attach(&r, &taker);
    CHECK_EQ_U64(account(&r, LEDGER_POINTS).taken, 10);
    log_detach(r.log, r.cursor);
    selection_free(&r.sel);
    attach(&r, &refuser);
    CHECK_EQ_U64(account(&r, LEDGER_POINTS).dropped[LEDGER_REMOVED], 10);
    CHECK_EQ_U64(log_size(r.log).chunks, 0);
    rig_close(&r);
}

/* What waits for a backend that does not come back is dropped by its age, also if nothing is appended any more. */
UNIT(log_events, age)
{
    struct rig r;
    struct log_limits brief = wide;
    brief.events_age_ns = 5 * CLOCK_SECOND;
    rig_open(&r, &brief, true);
    points(&r, "p", 0, 5);
    append(&r);
    log_detach(r.log, r.cursor);
    selection_free(&r.sel);
    log_expire(r.log, 6 * CLOCK_SECOND);
    CHECK_EQ_U64(log_size(r.log).chunks, 1);
    log_expire(r.log, 7 * CLOCK_SECOND);
    CHECK_EQ_U64(log_size(r.log).chunks, 0);
    CHECK_EQ_U64(account(&r, LEDGER_POINTS).dropped[LEDGER_THINNED], 5);
    attach(&r, &taker);
    rig_close(&r);
}

/* A backend that goes leaves nothing. */
UNIT(log_events, drop)
{
    struct rig r;
    rig_open(&r, &wide, true);
    points(&r, "p", 0, 5);
    append(&r);
    end(&r);
    begin(&r, &wide, true);
    log_detach(r.log, r.cursor);
    CHECK(log_forget(r.log, "b", LEDGER_REMOVED));
    CHECK_EQ_U64(account(&r, LEDGER_POINTS).dropped[LEDGER_REMOVED], 5);
    CHECK_EQ_U64(log_size(r.log).chunks, 0);
    log_reserve(r.log, "b");
    selection_free(&r.sel);
    attach(&r, &taker);
    rig_close(&r);
}
