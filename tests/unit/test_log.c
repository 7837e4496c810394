/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "../fixture.h"
#include "log.h"

#include <sqlite3.h>

static const struct log_limits wide = {.size = 64 << 20, .age_ns = UINT64_C(86400) * 1000000000};

/* A backend that only has a filter, and the totals that it was given. */
static const struct option no_rows[] = {{.name = NULL}};
static const struct transport nowhere = {.name = "nowhere"};
static const struct backend sum_backend = {.name = "sum",
                                           .options = no_rows,
                                           .settings_size = sizeof(struct backend_common),
                                           .wants = {.totals = METRICS_INTERVAL, .sampled = METRICS_RECENT},
                                           .transport = &nowhere};

/* What the tests share: a segment, a log of it in memory or in a file, and backends that read it. */
struct rig {
    struct fixture f;
    struct ledger *ledger;
    struct log *log;
    char path[80]; /* of the log's file */
    struct reader {
        struct log *log;
        struct backend_common settings;
        struct selection sel;
        int cursor; /* LEDGER_NONE: none, or it was dropped */
    } readers[3];
    size_t reader_count;
};

static void rig_open(struct rig *r, const struct log_limits *limits)
{
    memset(r, 0, sizeof *r);
    fixture_open(&r->f);
    snprintf(r->path, sizeof r->path, "%s.log", r->f.path);
    unlink(r->path);
    if (!limits) return;
    r->ledger = ledger_new();
    r->log = log_new(limits, r->ledger);
}

/* Begins to be an exporter whose log has a file, with a ledger of its own, as another process would. */
static void rig_start(struct rig *r)
{
    struct buf why = {0};
    r->ledger = ledger_new();
    if (log_open(&wide, r->ledger, r->path, false, &r->log, &why) != STORE_OK)
        UNIT_FAIL("cannot open %s: %s\n", r->path, buf_text(&why));
    buf_free(&why);
    REQUIRE(r->log);
}

/* Ends without a word to the log, as an exporter that is killed. */
static void rig_stop(struct rig *r)
{
    for (size_t i = 0; i < r->reader_count; i++) selection_free(&r->readers[i].sel);
    r->reader_count = 0;
    log_release(&r->log);
    ledger_free(&r->ledger);
}

static void reader_drop(struct reader *reader, enum ledger_reason reason)
{
    if (reader->cursor != LEDGER_NONE) log_drop(reader->log, reader->cursor, reason);
    reader->cursor = LEDGER_NONE;
}

/* Returns the cursor that it had. */
static int reader_detach(struct reader *reader)
{
    int cursor = reader->cursor;
    log_detach(reader->log, cursor);
    reader->cursor = LEDGER_NONE;
    return cursor;
}

static void rig_close(struct rig *r)
{
    for (size_t i = 0; i < r->reader_count; i++) reader_drop(&r->readers[i], LEDGER_REMOVED);
    if (r->log) log_spent(r->log);
    rig_stop(r);
    fixture_close(&r->f);
}

/* A backend that is not attached yet. */
static struct reader *rig_reader(struct rig *r, const struct backend_common *settings)
{
    static const struct option_tags no_tags;
    struct reader *reader = &r->readers[r->reader_count++];
    *reader = (struct reader){.log = r->log, .settings = *settings, .cursor = LEDGER_NONE};
    CHECK(selection_compile(&reader->sel, &sum_backend, &reader->settings, &no_tags));
    return reader;
}

static struct reader *rig_attach_with(struct rig *r, const char *name, uint64_t max_lag, uint64_t queue_bytes)
{
    struct reader *reader =
        rig_reader(r, &(struct backend_common){
                          .name = (char *)(uintptr_t)name, .max_lag = max_lag, .queue_bytes = queue_bytes});
    reader->cursor = log_attach(r->log, name, &reader->sel, true);
    CHECK(reader->cursor != LEDGER_NONE);
    return reader;
}

static struct reader *rig_attach(struct rig *r, const char *name)
{
    return rig_attach_with(r, name, 0, 0);
}

/* A backend named "r" that takes only the series jobs; not attached yet. */
static struct reader *rig_reader_of_jobs(struct rig *r)
{
    static char *names[] = {"jobs"};
    return rig_reader(r, &(struct backend_common){.name = "r", .include = {names, 1}});
}

/* Takes one snapshot whole and returns the sum of the deltas of the series jobs; -1 if there was none. */
static double reader_take(struct reader *r)
{
    struct log_next next;
    struct view view;
    struct rows rows = {0};
    double sum = 0;
    if (!log_next(r->log, r->cursor, &next)) return -1;
    view_begin(&view, &r->sel, 0, 0);
    CHECK(view_add(&view, next.snapshot, next.base));
    for (size_t i = 0; i < view.n; i++) {
        CHECK(item_rows(&view, &view.items[i], METRICS_INTERVAL, &rows));
        for (size_t k = 0; k < rows.n; k++)
            if (!strcmp(view.items[i].name, "jobs") && rows.at[k].nature == METRICS_TOTAL)
                sum += metrics_row_number(&rows.at[k]);
    }
    log_settled(r->log, r->cursor, &next,
                &(struct log_outcome){.delivered = view.n - next.position, .points = view.n});
    log_done(r->log, r->cursor, &next);
    view_free(&view);
    rows_free(&rows);
    return sum;
}

/* Takes all that is queued. *n = how many snapshots that were. */
static double reader_take_all(struct reader *r, uint64_t *n)
{
    double sum = 0;
    *n = 0;
    for (double v; (v = reader_take(r)) >= 0; ++*n) sum += v;
    return sum;
}

static void rig_append(struct rig *r, uint64_t jobs)
{
    metrics_counter_add(metrics_counter(r->f.registry, "jobs"), jobs);
    metrics_gauge_set(metrics_gauge(r->f.registry, "level"), (double)jobs);
    metrics_snapshot_t *s = fixture_sample(&r->f, 10);
    CHECK_EQ_I64(log_append(r->log, s), 1);
    metrics_snapshot_release(&s);
}

static struct ledger_account rig_account(struct rig *r, const char *name)
{
    struct ledger_page pages[LEDGER_BACKENDS];
    ledger_read(r->ledger, pages);
    struct ledger_account a = pages[ledger_open(r->ledger, name)].account[LEDGER_METRICS];
    if (!ledger_balanced(&a)) UNIT_FAIL("the ledger of %s is not balanced\n", name);
    return a;
}

/* Two cursors at different speeds get the same totals, each interval once; a segment never exported before
 * counts from zero. */
UNIT(log, cursors_are_independent)
{
    struct rig rig;
    rig_open(&rig, &wide);
    struct reader *fast = rig_attach(&rig, "fast");
    struct reader *slow = rig_attach(&rig, "slow");
    double total = 0;
    uint64_t n;
    for (uint64_t i = 1; i <= 5; i++) {
        rig_append(&rig, i * 10);
        total += (double)i * 10;
        CHECK_NEAR(reader_take(fast), (double)i * 10, 0);
    }
    CHECK_NEAR(reader_take(fast), -1, 0);
    CHECK_EQ_U64(log_lag(rig.log, slow->cursor).snapshots, 5);
    CHECK_NEAR(reader_take_all(slow, &n), total, 0);
    CHECK_EQ_U64(rig_account(&rig, "fast").delivered, 10);
    CHECK_EQ_U64(rig_account(&rig, "slow").delivered, 10);
    CHECK_EQ_U64(rig_account(&rig, "slow").queued, 0);
    CHECK_EQ_U64(log_size(rig.log).snapshots, 0);
    rig_close(&rig);
}

/* The same interval appended twice is one interval. */
UNIT(log, refuses_the_duplicate)
{
    struct rig rig;
    rig_open(&rig, &wide);
    struct reader *r = rig_attach(&rig, "r");
    metrics_counter_add(metrics_counter(rig.f.registry, "jobs"), 3);
    metrics_snapshot_t *s = fixture_sample(&rig.f, 10);
    CHECK_EQ_I64(log_append(rig.log, s), 1);
    CHECK_EQ_I64(log_append(rig.log, s), 0);
    metrics_snapshot_release(&s);
    CHECK_EQ_U64(rig_account(&rig, "r").taken, 1);
    reader_drop(r, LEDGER_SHUTDOWN);
    CHECK_EQ_U64(rig_account(&rig, "r").dropped[LEDGER_SHUTDOWN], 1);
    rig_close(&rig);
}

/* Thinned to a few kilobytes over 200 intervals: a reader that slept through gets the exact total, a reader
 * that was awake got every interval, and the ledger says what was merged and which levels were lost. */
UNIT(log, thinning_keeps_totals)
{
    struct rig rig;
    rig_open(&rig, &(struct log_limits){.size = 4096, .age_ns = UINT64_MAX});
    struct reader *awake = rig_attach(&rig, "awake");
    struct reader *asleep = rig_attach(&rig, "asleep");
    double total = 0;
    uint64_t n;
    for (uint64_t i = 1; i <= 200; i++) {
        rig_append(&rig, i);
        total += (double)i;
        CHECK_NEAR(reader_take(awake), (double)i, 0);
        if (log_size(rig.log).bytes > 4096 + 2048)
            UNIT_FAIL("the log holds %" PRIu64 " bytes\n", log_size(rig.log).bytes);
    }
    CHECK_NEAR(reader_take_all(asleep, &n), total, 0);
    CHECK(n > 2 && n < 100);
    struct ledger_account a = rig_account(&rig, "asleep"), b = rig_account(&rig, "awake");
    CHECK_EQ_U64(a.taken, 400);
    CHECK_EQ_U64(a.delivered, 2 * n);
    CHECK_EQ_U64(a.merged, 200 - n);
    CHECK_EQ_U64(a.dropped[LEDGER_THINNED], 200 - n);
    CHECK_EQ_U64(b.merged, 0);
    CHECK_EQ_U64(b.delivered, 400);
    rig_close(&rig);
}

/* Beyond max_lag the backlog of one reader comes as one interval; another reader still gets all of them. */
UNIT(log, max_lag_is_per_reader)
{
    struct rig rig;
    rig_open(&rig, &wide);
    struct reader *one = rig_attach_with(&rig, "one", UINT64_C(30500000000), 0);
    struct reader *all = rig_attach(&rig, "all");
    for (uint64_t i = 0; i < 10; i++) rig_append(&rig, 7);
    /* Ten intervals of 10 s. The first comes alone: somebody may have sent it already. Then five are left of
     * those that are more than 30 s behind the newest, and they join the seventh. */
    CHECK_NEAR(reader_take(one), 7, 0);
    CHECK_NEAR(reader_take(one), 6 * 7, 0);
    CHECK_NEAR(reader_take(one), 7, 0);
    CHECK_EQ_U64(rig_account(&rig, "one").merged, 5);
    for (int i = 0; i < 10; i++) CHECK_NEAR(reader_take(all), 7, 0);
    CHECK_EQ_U64(rig_account(&rig, "all").merged, 0);
    reader_drop(one, LEDGER_REMOVED);
    reader_drop(all, LEDGER_REMOVED);
    CHECK_EQ_U64(rig_account(&rig, "one").dropped[LEDGER_REMOVED], 4);
    rig_close(&rig);
}

/* Stuck with its first snapshot for 300 intervals: what waits for the backend stays within its queue_bytes,
 * however large the log may be; it is merged, not lost; and the reader that is awake gets every interval. */
UNIT(log, queue_bytes_is_kept)
{
    struct rig rig;
    struct log_next next;
    rig_open(&rig, &wide);
    struct reader *awake = rig_attach(&rig, "awake");
    struct reader *stuck = rig_attach_with(&rig, "stuck", 0, 2048);
    double total = 0;
    uint64_t most = 0, n;
    for (uint64_t i = 1; i <= 300; i++) {
        rig_append(&rig, i);
        total += (double)i;
        if (i == 1) REQUIRE(log_next(rig.log, stuck->cursor, &next));
        CHECK_NEAR(reader_take(awake), (double)i, 0);
        if (log_size(rig.log).bytes > most) most = log_size(rig.log).bytes;
    }
    /* The first and the newest come on top of it. */
    if (most > 2048 + 2 * 512) UNIT_FAIL("%" PRIu64 " bytes waited\n", most);
    log_undo(rig.log, stuck->cursor, &next);
    CHECK_NEAR(reader_take_all(stuck, &n), total, 0);
    CHECK(n > 4 && n < 30);
    struct ledger_account a = rig_account(&rig, "stuck");
    CHECK_EQ_U64(a.taken, 600);
    CHECK_EQ_U64(a.delivered, 2 * n);
    CHECK_EQ_U64(a.merged, 300 - n);
    CHECK_EQ_U64(a.dropped[LEDGER_THINNED], 300 - n);
    CHECK_EQ_U64(ledger_dropped(&a), 300 - n);
    rig_close(&rig);
}

/* Another backend needs the intervals one by one: they stay for that one, and the one with
 * the bound gets few. */
UNIT(log, queue_bytes_is_its_own)
{
    struct rig rig;
    rig_open(&rig, &wide);
    struct reader *all = rig_attach(&rig, "all");
    struct reader *few = rig_attach_with(&rig, "few", 0, 2048);
    uint64_t n;
    for (uint64_t i = 0; i < 100; i++) {
        rig_append(&rig, 3);
        if (i == 0) CHECK_NEAR(reader_take(all), 3, 0); /* now the two are apart */
    }
    CHECK_NEAR(reader_take_all(few, &n), 300, 0);
    CHECK(n > 4 && n < 30);
    CHECK_EQ_U64(rig_account(&rig, "few").delivered, 2 * n);
    CHECK_EQ_U64(rig_account(&rig, "few").merged, 100 - n);
    for (uint64_t i = 1; i < 100; i++) CHECK_NEAR(reader_take(all), 3, 0);
    CHECK_EQ_U64(rig_account(&rig, "all").merged, 0);
    CHECK_EQ_U64(log_size(rig.log).snapshots, 0);
    rig_close(&rig);
}

/* So little that not even one interval fits: given up and counted, nothing of it is kept, and the totals come
 * with what is delivered at last. A backend that keeps up loses nothing. */
UNIT(log, queue_bytes_too_small_for_one)
{
    struct rig rig;
    struct log_next next;
    rig_open(&rig, &wide);
    struct reader *r = rig_attach_with(&rig, "r", 0, 64);
    for (uint64_t i = 0; i < 10; i++) {
        rig_append(&rig, 2);
        CHECK_NEAR(reader_take(r), 2, 0);
    }
    CHECK_EQ_U64(rig_account(&rig, "r").delivered, 20);
    rig_append(&rig, 2);
    REQUIRE(log_next(rig.log, r->cursor, &next));
    for (uint64_t i = 0; i < 10; i++) {
        rig_append(&rig, 2);
        CHECK(log_size(rig.log).snapshots <= 2);
    }
    log_undo(rig.log, r->cursor, &next);
    CHECK_NEAR(reader_take(r), 2, 0);
    CHECK_NEAR(reader_take(r), 20, 0);
    CHECK_EQ_U64(rig_account(&rig, "r").dropped[LEDGER_QUEUE_FULL], 18);
    CHECK_EQ_U64(rig_account(&rig, "r").queued, 0);
    rig_append(&rig, 2);
    CHECK_NEAR(reader_take(r), 2, 0);
    CHECK_EQ_U64(log_size(rig.log).snapshots, 0);
    rig_close(&rig);
}

/* A cursor that was left and taken up again goes on where it was, its queue counted for the new filter. */
UNIT(log, detach_and_attach)
{
    struct rig rig;
    rig_open(&rig, &wide);
    struct reader *first = rig_attach(&rig, "r");
    rig_append(&rig, 1);
    CHECK_NEAR(reader_take(first), 1, 0);
    rig_append(&rig, 2);
    int cursor = reader_detach(first);
    rig_append(&rig, 4);
    CHECK_EQ_U64(rig_account(&rig, "r").queued, 2);
    struct reader *second = rig_reader_of_jobs(&rig);
    /* There is a queue to be counted anew. */
    CHECK_EQ_I64(log_attach(rig.log, "r", &second->sel, true), LEDGER_NONE);
    CHECK_EQ_U64(rig_account(&rig, "r").queued, 2);
    second->cursor = log_attach(rig.log, "r", &second->sel, false);
    CHECK_EQ_I64(log_attach(rig.log, "r", &second->sel, false), LEDGER_NONE); /* it is taken */
    CHECK_EQ_I64(second->cursor, cursor);
    CHECK_EQ_U64(rig_account(&rig, "r").queued, 2);
    CHECK_EQ_U64(rig_account(&rig, "r").dropped[LEDGER_REMOVED], 1);
    CHECK_NEAR(reader_take(second), 2, 0);
    CHECK_NEAR(reader_take(second), 4, 0);
    rig_close(&rig);
}

/* Accepted in part, and then the filter changes, so that it is not known where to go on: what is left of the
 * interval is counted as removed, and what was accepted of it does not come a second time. */
UNIT(log, filter_changes_in_the_middle)
{
    struct rig rig;
    struct log_next next;
    rig_open(&rig, &wide);
    struct reader *first = rig_attach(&rig, "r");
    rig_append(&rig, 1);
    CHECK_NEAR(reader_take(first), 1, 0);
    rig_append(&rig, 2);
    REQUIRE(log_next(rig.log, first->cursor, &next));
    log_settled(rig.log, first->cursor, &next,
                &(struct log_outcome){.delivered = 1, .points = 1}); /* jobs, not level */
    log_undo(rig.log, first->cursor, &next);
    reader_detach(first);
    rig_append(&rig, 4);
    struct reader *second = rig_reader_of_jobs(&rig);
    second->cursor = log_attach(rig.log, "r", &second->sel, false);
    REQUIRE(second->cursor != LEDGER_NONE);
    CHECK_NEAR(reader_take(second), 4, 0);
    CHECK_NEAR(reader_take(second), -1, 0);
    CHECK_EQ_U64(rig_account(&rig, "r").dropped[LEDGER_REMOVED], 1);
    CHECK_EQ_U64(rig_account(&rig, "r").delivered, 4);
    CHECK_EQ_U64(rig_account(&rig, "r").queued, 0);
    rig_close(&rig);
}

/* --- With a file --- */

/* Breaks if a successor repeats, skips or recounts what its predecessor had queued,
 * delivered or half delivered. */
UNIT(log, goes_on_from_its_file)
{
    struct rig rig;
    struct log_next next;
    rig_open(&rig, NULL);
    double got = 0, total = 0;
    for (uint64_t life = 1; life <= 6; life++) {
        rig_start(&rig);
        struct reader *r = rig_attach(&rig, "r");
        rig_attach(&rig, "late"); /* never takes anything: its queue grows over all lives */
        for (uint64_t i = 0; i < 3; i++) {
            rig_append(&rig, life * 10 + i);
            total += (double)(life * 10 + i);
        }
        got += reader_take(r);
        /* One of the two readings, and then the end: the next life gets the other. */
        CHECK(log_next(rig.log, r->cursor, &next));
        if (!next.position)
            log_settled(rig.log, r->cursor, &next, &(struct log_outcome){.delivered = 1, .points = 1});
        log_undo(rig.log, r->cursor, &next);
        struct ledger_account a = rig_account(&rig, "r"), l = rig_account(&rig, "late");
        CHECK_EQ_U64(a.taken, life * 6);
        CHECK_EQ_U64(l.taken, life * 6);
        CHECK_EQ_U64(l.queued, life * 6);
        rig_stop(&rig);
    }
    rig_start(&rig);
    struct reader *r = rig_attach(&rig, "r");
    uint64_t n;
    got += reader_take_all(r, &n);
    CHECK_NEAR(got, total, 0);
    CHECK_EQ_U64(rig_account(&rig, "r").delivered, 36);
    CHECK_EQ_U64(rig_account(&rig, "r").queued, 0);
    log_drop_detached(rig.log, NULL, NULL, LEDGER_REMOVED);
    CHECK_EQ_U64(rig_account(&rig, "late").dropped[LEDGER_REMOVED], 36);
    log_spent(rig.log);
    rig_stop(&rig);
    CHECK(access(rig.path, F_OK) != 0);
    rig_close(&rig);
}

/* Breaks if a damaged record or file stops an exporter from starting, or is passed over in silence. */
UNIT(log, damage_is_set_aside)
{
    struct rig rig;
    char aside[96], command[256];
    uint64_t n;
    rig_open(&rig, NULL);
    snprintf(aside, sizeof aside, "%s.damaged", rig.path);
    rig_start(&rig);
    rig_attach(&rig, "r");
    for (uint64_t i = 1; i <= 4; i++) rig_append(&rig, i);
    rig_stop(&rig);
    /* One wrong byte in the second record. */
    sqlite3 *db;
    REQUIRE(sqlite3_open(rig.path, &db) == SQLITE_OK);
    REQUIRE(sqlite3_exec(db, "UPDATE entries SET bytes = x'00' || substr(bytes, 2) WHERE seq = 1", NULL, NULL,
                         NULL) == SQLITE_OK);
    sqlite3_close(db);
    rig_start(&rig);
    struct reader *r = rig_attach(&rig, "r");
    CHECK_EQ_U64(rig_account(&rig, "r").dropped[LEDGER_DAMAGED], 2);
    CHECK_NEAR(reader_take_all(r, &n), 1 + 2 + 3 + 4, 0); /* totals close the gap */
    rig_stop(&rig);
    /* Rubbish in the file. */
    snprintf(command, sizeof command, "head -c 20000 /dev/urandom > %s", rig.path);
    REQUIRE(system(command) == 0);
    rig_start(&rig);
    CHECK(access(aside, F_OK) == 0);
    rig_attach(&rig, "r");
    rig_append(&rig, 5);
    rig_close(&rig);
    unlink(aside);
}

/* Breaks if two exporters write one file, or follow a link to somebody else's. */
UNIT(log, two_do_not_share_a_file)
{
    struct rig rig;
    struct log *second;
    struct buf why = {0};
    rig_open(&rig, NULL);
    rig_start(&rig);
    CHECK_EQ_I64(log_open(&wide, rig.ledger, rig.path, false, &second, &why), STORE_BUSY);
    CHECK(why.len > 0);
    log_spent(rig.log);
    rig_stop(&rig);
    rig.ledger = ledger_new();
    REQUIRE(symlink("/etc/hostname", rig.path) == 0);
    buf_reset(&why);
    CHECK_EQ_I64(log_open(&wide, rig.ledger, rig.path, false, &second, &why), STORE_FAILED);
    CHECK(strstr(buf_text(&why), "not a plain file") != NULL);
    unlink(rig.path);
    buf_free(&why);
    rig_close(&rig);
}

/* Breaks if a backend that left the configuration, also in the middle of an interval, and comes back, now or with the next
 * exporter, is sent a time again. */
UNIT(log, the_last_stamp_outlives_its_cursor)
{
    struct rig rig;
    struct log_next next;
    rig_open(&rig, NULL);
    rig_start(&rig);
    struct reader *r = rig_attach(&rig, "r");
    rig_append(&rig, 1);
    REQUIRE(log_next(rig.log, r->cursor, &next));
    next.stamp = 7000;
    log_begun(rig.log, r->cursor, &next);
    log_undo(rig.log, r->cursor, &next);
    log_drop(rig.log, r->cursor, LEDGER_REMOVED);
    for (int i = 0; i < 2; i++) {
        r = rig_attach(&rig, "r");
        rig_append(&rig, 2 + (uint64_t)i);
        REQUIRE(log_next(rig.log, r->cursor, &next));
        CHECK_EQ_U64(next.last_stamp, 7000);
        log_undo(rig.log, r->cursor, &next);
        log_drop(rig.log, r->cursor, LEDGER_REMOVED);
        rig_stop(&rig);
        rig_start(&rig);
    }
    rig_close(&rig);
}

/* Breaks if a backend that was killed sends a time again that it has sent: the stamp of a snapshot is
 * known when the next one is given out, by a successor, too, and not that of one that was given back. */
UNIT(log, the_last_stamp_is_known)
{
    struct rig rig;
    struct log_next next;
    rig_open(&rig, NULL);
    rig_start(&rig);
    struct reader *r = rig_attach(&rig, "r");
    for (uint64_t i = 1; i <= 3; i++) rig_append(&rig, i);
    REQUIRE(log_next(rig.log, r->cursor, &next));
    CHECK_EQ_U64(next.last_stamp, 0);
    next.stamp = 1000;
    log_done(rig.log, r->cursor, &next);
    REQUIRE(log_next(rig.log, r->cursor, &next));
    CHECK_EQ_U64(next.last_stamp, 1000);
    next.stamp = 2000;
    log_undo(rig.log, r->cursor, &next);
    rig_stop(&rig);
    rig_start(&rig);
    r = rig_attach(&rig, "r");
    REQUIRE(log_next(rig.log, r->cursor, &next));
    CHECK_EQ_U64(next.last_stamp, 1000);
    log_undo(rig.log, r->cursor, &next);
    rig_close(&rig);
}

/* --- The segment remembers --- */

static int recall(void *arg, const char *backend, uint64_t words[LOG_NOTE_WORDS])
{
    (void)backend;
    memcpy(words, arg, LOG_NOTE_WORDS * sizeof *words);
    return (words[0] | words[1] | words[2] | words[3]) != 0;
}
static void note(void *arg, const char *backend, const uint64_t words[LOG_NOTE_WORDS])
{
    (void)backend;
    memcpy(arg, words, LOG_NOTE_WORDS * sizeof *words);
}

static void copy_file(const char *from, const char *to)
{
    char bytes[1 << 16];
    FILE *in = fopen(from, "r"), *out = fopen(to, "w");
    REQUIRE(in && out);
    for (size_t n; (n = fread(bytes, 1, sizeof bytes, in));) CHECK_EQ_U64(fwrite(bytes, 1, n, out), n);
    fclose(in);
    fclose(out);
}

static uint64_t joined; /* when */

/* An exporter begins, whose log is in the file, or in memory. */
static struct reader *rig_live(struct rig *r, bool file, uint64_t words[LOG_NOTE_WORDS])
{
    if (file) {
        rig_start(r);
    } else {
        r->ledger = ledger_new();
        r->log = log_new(&wide, r->ledger);
    }
    struct log_memory memory = {recall, note, words, 0, metrics_leader_last(r->f.leader), joined};
    log_join(r->log, &memory, true);
    return rig_attach(r, "r");
}

/* Breaks if a log does not know what others sent before the last one of them began: intervals 2 and 3 from one
 * log in memory, 4 from another; then the log comes back whose base is interval 1. */
UNIT(log, what_several_others_sent_is_not_sent_again)
{
    struct rig rig;
    uint64_t words[LOG_NOTE_WORDS] = {0};
    rig_open(&rig, NULL);
    struct reader *r = rig_live(&rig, true, words);
    rig_append(&rig, 5);
    CHECK_NEAR(reader_take(r), 5, 0);
    rig_stop(&rig);
    r = rig_live(&rig, false, words);
    rig_append(&rig, 0);
    CHECK_NEAR(reader_take(r), 0, 0);
    rig_append(&rig, 7);
    CHECK_NEAR(reader_take(r), 7, 0);
    rig_stop(&rig);
    r = rig_live(&rig, false, words);
    rig_append(&rig, 0);
    CHECK_NEAR(reader_take(r), 0, 0);
    rig_stop(&rig);
    r = rig_live(&rig, true, words);
    rig_append(&rig, 1);
    CHECK_NEAR(reader_take(r), 0, 0);
    rig_append(&rig, 2);
    CHECK_NEAR(reader_take(r), 2, 0);
    rig_close(&rig);
}

/* Breaks if a log whose file lacks what it sent goes on as if nothing had been sent, because another log, that sent
 * nothing, was used in between: the old file is put back after interval 3. */
UNIT(log, a_file_that_lacks_what_was_sent_is_not_continued)
{
    struct rig rig;
    uint64_t words[LOG_NOTE_WORDS] = {0};
    char copy[96];
    rig_open(&rig, NULL);
    snprintf(copy, sizeof copy, "%s.old", rig.path);
    struct reader *r = rig_live(&rig, true, words);
    rig_append(&rig, 5);
    CHECK_NEAR(reader_take(r), 5, 0);
    rig_stop(&rig);
    copy_file(rig.path, copy);
    r = rig_live(&rig, true, words);
    rig_append(&rig, 7);
    CHECK_NEAR(reader_take(r), 7, 0);
    rig_stop(&rig);
    r = rig_live(&rig, false, words);
    rig_append(&rig, 0);
    CHECK_NEAR(reader_take(r), 0, 0);
    rig_stop(&rig);
    CHECK_EQ_I64(rename(copy, rig.path), 0);
    r = rig_live(&rig, true, words);
    rig_append(&rig, 1);
    CHECK_NEAR(reader_take(r), 0, 0);
    rig_close(&rig);
}

static uint64_t reader_stamp(struct reader *r, uint64_t stamp)
{
    struct log_next next;
    REQUIRE(log_next(r->log, r->cursor, &next));
    uint64_t last = next.last_stamp;
    next.stamp = stamp;
    log_done(r->log, r->cursor, &next);
    return last;
}

/* Breaks if an exporter that is killed while it sends leaves no trace of the time: the log that sends the interval again
 * uses the same one, another log a later one. */
UNIT(log, the_stamp_of_what_was_begun_is_known)
{
    const uint64_t second = 1000000000;
    struct rig rig;
    struct log_next next;
    uint64_t words[LOG_NOTE_WORDS] = {0};
    rig_open(&rig, NULL);
    struct reader *r = rig_live(&rig, true, words);
    rig_append(&rig, 5);
    REQUIRE(log_next(rig.log, r->cursor, &next));
    next.stamp = 10 * second;
    log_begun(rig.log, r->cursor, &next);
    log_undo(rig.log, r->cursor, &next);
    REQUIRE(log_next(rig.log, r->cursor, &next));
    CHECK_EQ_U64(next.last_stamp, 0);
    log_undo(rig.log, r->cursor, &next);
    rig_stop(&rig);
    r = rig_live(&rig, false, words);
    rig_append(&rig, 0);
    REQUIRE(log_next(rig.log, r->cursor, &next));
    CHECK_EQ_U64(next.last_stamp, 10 * second);
    log_undo(rig.log, r->cursor, &next);
    rig_stop(&rig);
    r = rig_live(&rig, true, words);
    REQUIRE(log_next(rig.log, r->cursor, &next));
    CHECK_EQ_U64(next.last_stamp, 0);
    log_undo(rig.log, r->cursor, &next);
    rig_close(&rig);
}

/* Breaks if a log that is new, or older, sends an interval under the second of the last one; and if what waited in
 * it from before gets a later time than its own. */
UNIT(log, the_last_stamp_of_another_log_is_known)
{
    const uint64_t second = 1000000000;
    struct rig rig;
    uint64_t words[LOG_NOTE_WORDS] = {0};
    rig_open(&rig, NULL);
    struct reader *r = rig_live(&rig, true, words);
    rig_append(&rig, 5);
    CHECK_EQ_U64(reader_stamp(r, 10 * second), 0);
    rig_append(&rig, 5); /* waits */
    rig_stop(&rig);
    r = rig_live(&rig, false, words);
    rig_append(&rig, 0);
    CHECK_EQ_U64(reader_stamp(r, 30 * second), 10 * second);
    rig_append(&rig, 0);
    CHECK_EQ_U64(reader_stamp(r, 40 * second), 30 * second);
    rig_stop(&rig);
    r = rig_live(&rig, true, words);
    rig_append(&rig, 0);
    CHECK_EQ_U64(reader_stamp(r, 20 * second), 10 * second);
    CHECK_EQ_U64(reader_stamp(r, 50 * second), 40 * second);
    rig_close(&rig);
}

/* Breaks if a log takes the second of what another one took and has not sent yet: that one will be sent under it. */
UNIT(log, the_second_of_what_waits_elsewhere_is_taken)
{
    const uint64_t second = 1000000000;
    struct rig rig;
    uint64_t words[LOG_NOTE_WORDS] = {0};
    rig_open(&rig, NULL);
    rig_live(&rig, true, words);
    rig_append(&rig, 5); /* waits */
    rig_stop(&rig);
    joined = 15 * second + second / 2;
    struct reader *r = rig_live(&rig, false, words);
    rig_append(&rig, 0);
    CHECK_EQ_U64(reader_stamp(r, 17 * second), 16 * second);
    joined = 0;
    rig_close(&rig);
}
