/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "../fixture.h"
#include "log.h"

#include <sqlite3.h>

static const struct log_limits wide = {64 << 20, UINT64_C(86400) * 1000000000};

/* A backend that only has a filter, and the totals that it was given. */
static const struct option no_rows[] = {{.name = NULL}};
static const struct transport nowhere = {.name = "nowhere"};
static const struct backend sum_backend = {.name = "sum",
                                           .options = no_rows,
                                           .settings_size = sizeof(struct backend_common),
                                           .wants = {.totals = METRICS_INTERVAL, .sampled = METRICS_RECENT},
                                           .transport = &nowhere};

struct reader {
    struct backend_common settings;
    struct selection sel;
    int cursor;
};

static void reader_attach_with(struct reader *r, struct log *log, const char *name, uint64_t max_lag,
                               uint64_t queue_bytes)
{
    static const struct option_tags no_tags;
    *r = (struct reader){
        .settings = {.name = (char *)(uintptr_t)name, .max_lag = max_lag, .queue_bytes = queue_bytes}};
    CHECK(selection_compile(&r->sel, &sum_backend, &r->settings, &no_tags));
    r->cursor = log_attach(log, name, &r->sel, true);
    CHECK(r->cursor != LEDGER_NONE);
}

static void reader_attach(struct reader *r, struct log *log, const char *name)
{
    reader_attach_with(r, log, name, 0, 0);
}

/* Takes one snapshot whole and returns the sum of the deltas of the series `name`; -1 if there was none. */
static double reader_take(struct reader *r, struct log *log, const char *name)
{
    struct log_next next;
    struct view view;
    struct rows rows = {0};
    double sum = 0;
    if (!log_next(log, r->cursor, &next)) return -1;
    view_begin(&view, &r->sel, 0, 0);
    CHECK(view_add(&view, next.snapshot, next.base));
    for (size_t i = 0; i < view.n; i++) {
        CHECK(item_rows(&view, &view.items[i], METRICS_INTERVAL, &rows));
        for (size_t k = 0; k < rows.n; k++)
            if (!strcmp(view.items[i].name, name) && rows.at[k].nature == METRICS_TOTAL)
                sum += metrics_row_number(&rows.at[k]);
    }
    log_settled(log, r->cursor, &next,
                &(struct log_outcome){.delivered = view.n - next.position, .points = view.n});
    log_done(log, r->cursor, &next);
    view_free(&view);
    rows_free(&rows);
    return sum;
}

static void append(struct log *log, struct fixture *f, uint64_t jobs, int want)
{
    metrics_counter_add(metrics_counter(f->registry, "jobs"), jobs);
    metrics_gauge_set(metrics_gauge(f->registry, "level"), (double)jobs);
    metrics_snapshot_t *s = fixture_sample(f, 10);
    CHECK_EQ_I64(log_append(log, s), want);
    metrics_snapshot_release(&s);
}

static struct ledger_account account(struct ledger *ledger, const char *name)
{
    struct ledger_page pages[LEDGER_BACKENDS];
    ledger_read(ledger, pages);
    struct ledger_account a = pages[ledger_open(ledger, name)].account[LEDGER_METRICS];
    if (!ledger_balanced(&a)) UNIT_FAIL("the ledger of %s is not balanced\n", name);
    return a;
}

/* Two cursors at different speeds get the same totals, each interval once; a segment never exported before
 * counts from zero. */
UNIT(log, cursors_are_independent)
{
    struct fixture f;
    struct reader fast, slow;
    fixture_open(&f);
    struct ledger *ledger = ledger_new();
    struct log *log = log_new(&wide, ledger);
    reader_attach(&fast, log, "fast");
    reader_attach(&slow, log, "slow");
    double got = 0, total = 0;
    for (uint64_t i = 1; i <= 5; i++) {
        append(log, &f, i * 10, 1);
        total += (double)i * 10;
        CHECK_NEAR(reader_take(&fast, log, "jobs"), (double)i * 10, 0);
    }
    CHECK_NEAR(reader_take(&fast, log, "jobs"), -1, 0);
    CHECK_EQ_U64(log_lag(log, slow.cursor).snapshots, 5);
    for (double v; (v = reader_take(&slow, log, "jobs")) >= 0;) got += v;
    CHECK_NEAR(got, total, 0);
    CHECK_EQ_U64(account(ledger, "fast").delivered, 10);
    CHECK_EQ_U64(account(ledger, "slow").delivered, 10);
    CHECK_EQ_U64(account(ledger, "slow").queued, 0);
    CHECK_EQ_U64(log_size(log).snapshots, 0);
    log_drop(log, fast.cursor, LEDGER_REMOVED);
    log_drop(log, slow.cursor, LEDGER_REMOVED);
    selection_free(&fast.sel);
    selection_free(&slow.sel);
    log_release(&log);
    ledger_free(&ledger);
    fixture_close(&f);
}

/* The same interval appended twice is one interval. */
UNIT(log, refuses_the_duplicate)
{
    struct fixture f;
    struct reader r;
    fixture_open(&f);
    struct ledger *ledger = ledger_new();
    struct log *log = log_new(&wide, ledger);
    reader_attach(&r, log, "r");
    metrics_counter_add(metrics_counter(f.registry, "jobs"), 3);
    metrics_snapshot_t *s = fixture_sample(&f, 10);
    CHECK_EQ_I64(log_append(log, s), 1);
    CHECK_EQ_I64(log_append(log, s), 0);
    metrics_snapshot_release(&s);
    CHECK_EQ_U64(account(ledger, "r").taken, 1);
    log_drop(log, r.cursor, LEDGER_SHUTDOWN);
    CHECK_EQ_U64(account(ledger, "r").dropped[LEDGER_SHUTDOWN], 1);
    selection_free(&r.sel);
    log_release(&log);
    ledger_free(&ledger);
    fixture_close(&f);
}

/* Thinned to a few kilobytes over 200 intervals: a reader that slept through gets the exact total, a reader
 * that was awake got every interval, and the ledger says what was merged and which levels were lost. */
UNIT(log, thinning_keeps_totals)
{
    struct fixture f;
    struct reader awake, asleep;
    fixture_open(&f);
    struct ledger *ledger = ledger_new();
    struct log *log = log_new(&(struct log_limits){4096, UINT64_MAX}, ledger);
    reader_attach(&awake, log, "awake");
    reader_attach(&asleep, log, "asleep");
    double total = 0, got = 0;
    uint64_t n = 0;
    for (uint64_t i = 1; i <= 200; i++) {
        append(log, &f, i, 1);
        total += (double)i;
        CHECK_NEAR(reader_take(&awake, log, "jobs"), (double)i, 0);
        if (log_size(log).bytes > 4096 + 2048)
            UNIT_FAIL("the log holds %" PRIu64 " bytes\n", log_size(log).bytes);
    }
    for (double v; (v = reader_take(&asleep, log, "jobs")) >= 0; n++) got += v;
    CHECK_NEAR(got, total, 0);
    CHECK(n > 2 && n < 100);
    struct ledger_account a = account(ledger, "asleep"), b = account(ledger, "awake");
    CHECK_EQ_U64(a.taken, 400);
    CHECK_EQ_U64(a.delivered, 2 * n);
    CHECK_EQ_U64(a.merged, 200 - n);
    CHECK_EQ_U64(a.dropped[LEDGER_THINNED], 200 - n);
    CHECK_EQ_U64(b.merged, 0);
    CHECK_EQ_U64(b.delivered, 400);
    log_drop(log, awake.cursor, LEDGER_REMOVED);
    log_drop(log, asleep.cursor, LEDGER_REMOVED);
    selection_free(&awake.sel);
    selection_free(&asleep.sel);
    log_release(&log);
    ledger_free(&ledger);
    fixture_close(&f);
}

/* Beyond max_lag the backlog of one reader comes as one interval; another reader still gets all of them. */
UNIT(log, max_lag_is_per_reader)
{
    struct fixture f;
    struct reader one, all;
    fixture_open(&f);
    struct ledger *ledger = ledger_new();
    struct log *log = log_new(&wide, ledger);
    reader_attach_with(&one, log, "one", UINT64_C(30500000000), 0);
    reader_attach(&all, log, "all");
    for (uint64_t i = 0; i < 10; i++) append(log, &f, 7, 1);
    /* Ten intervals of 10 s. The first comes alone: somebody may have sent it already. Then five are left of
     * those that are more than 30 s behind the newest, and they join the seventh. */
    CHECK_NEAR(reader_take(&one, log, "jobs"), 7, 0);
    CHECK_NEAR(reader_take(&one, log, "jobs"), 6 * 7, 0);
    CHECK_NEAR(reader_take(&one, log, "jobs"), 7, 0);
    CHECK_EQ_U64(account(ledger, "one").merged, 5);
    for (int i = 0; i < 10; i++) CHECK_NEAR(reader_take(&all, log, "jobs"), 7, 0);
    CHECK_EQ_U64(account(ledger, "all").merged, 0);
    log_drop(log, one.cursor, LEDGER_REMOVED);
    log_drop(log, all.cursor, LEDGER_REMOVED);
    CHECK_EQ_U64(account(ledger, "one").dropped[LEDGER_REMOVED], 4);
    selection_free(&one.sel);
    selection_free(&all.sel);
    log_release(&log);
    ledger_free(&ledger);
    fixture_close(&f);
}

/* Stuck with its first snapshot for 300 intervals: what waits for the backend stays within its queue_bytes,
 * however large the log may be; it is merged, not lost; and the reader that is awake gets every interval. */
UNIT(log, queue_bytes_is_kept)
{
    struct fixture f;
    struct reader awake, stuck;
    struct log_next next;
    fixture_open(&f);
    struct ledger *ledger = ledger_new();
    struct log *log = log_new(&wide, ledger);
    reader_attach(&awake, log, "awake");
    reader_attach_with(&stuck, log, "stuck", 0, 2048);
    double total = 0, got = 0;
    uint64_t most = 0, n = 0;
    for (uint64_t i = 1; i <= 300; i++) {
        append(log, &f, i, 1);
        total += (double)i;
        if (i == 1) REQUIRE(log_next(log, stuck.cursor, &next));
        CHECK_NEAR(reader_take(&awake, log, "jobs"), (double)i, 0);
        if (log_size(log).bytes > most) most = log_size(log).bytes;
    }
    /* The first and the newest come on top of it. */
    if (most > 2048 + 2 * 512) UNIT_FAIL("%" PRIu64 " bytes waited\n", most);
    log_undo(log, stuck.cursor, &next);
    for (double v; (v = reader_take(&stuck, log, "jobs")) >= 0; n++) got += v;
    CHECK_NEAR(got, total, 0);
    CHECK(n > 4 && n < 30);
    struct ledger_account a = account(ledger, "stuck");
    CHECK_EQ_U64(a.taken, 600);
    CHECK_EQ_U64(a.delivered, 2 * n);
    CHECK_EQ_U64(a.merged, 300 - n);
    CHECK_EQ_U64(a.dropped[LEDGER_THINNED], 300 - n);
    CHECK_EQ_U64(ledger_dropped(&a), 300 - n);
    log_drop(log, awake.cursor, LEDGER_REMOVED);
    log_drop(log, stuck.cursor, LEDGER_REMOVED);
    selection_free(&awake.sel);
    selection_free(&stuck.sel);
    log_release(&log);
    ledger_free(&ledger);
    fixture_close(&f);
}

/* Another backend needs the intervals one by one: they stay for that one, and the one with the bound gets
 * few. */
UNIT(log, queue_bytes_is_its_own)
{
    struct fixture f;
    struct reader all, few;
    fixture_open(&f);
    struct ledger *ledger = ledger_new();
    struct log *log = log_new(&wide, ledger);
    reader_attach(&all, log, "all");
    reader_attach_with(&few, log, "few", 0, 2048);
    double got = 0;
    uint64_t n = 0;
    for (uint64_t i = 0; i < 100; i++) {
        append(log, &f, 3, 1);
        if (i == 0) CHECK_NEAR(reader_take(&all, log, "jobs"), 3, 0); /* now they stand apart */
    }
    for (double v; (v = reader_take(&few, log, "jobs")) >= 0; n++) got += v;
    CHECK_NEAR(got, 300, 0);
    CHECK(n > 4 && n < 30);
    CHECK_EQ_U64(account(ledger, "few").delivered, 2 * n);
    CHECK_EQ_U64(account(ledger, "few").merged, 100 - n);
    for (uint64_t i = 1; i < 100; i++) CHECK_NEAR(reader_take(&all, log, "jobs"), 3, 0);
    CHECK_EQ_U64(account(ledger, "all").merged, 0);
    CHECK_EQ_U64(log_size(log).snapshots, 0);
    log_drop(log, all.cursor, LEDGER_REMOVED);
    log_drop(log, few.cursor, LEDGER_REMOVED);
    selection_free(&all.sel);
    selection_free(&few.sel);
    log_release(&log);
    ledger_free(&ledger);
    fixture_close(&f);
}

/* So little that not even one interval fits: given up and counted, nothing of it is kept, and the totals come
 * with what is delivered at last. A backend that keeps up loses nothing. */
UNIT(log, queue_bytes_too_small_for_one)
{
    struct fixture f;
    struct reader r;
    struct log_next next;
    fixture_open(&f);
    struct ledger *ledger = ledger_new();
    struct log *log = log_new(&wide, ledger);
    reader_attach_with(&r, log, "r", 0, 64);
    for (uint64_t i = 0; i < 10; i++) {
        append(log, &f, 2, 1);
        CHECK_NEAR(reader_take(&r, log, "jobs"), 2, 0);
    }
    CHECK_EQ_U64(account(ledger, "r").delivered, 20);
    append(log, &f, 2, 1);
    REQUIRE(log_next(log, r.cursor, &next));
    for (uint64_t i = 0; i < 10; i++) {
        append(log, &f, 2, 1);
        CHECK(log_size(log).snapshots <= 2);
    }
    log_undo(log, r.cursor, &next);
    CHECK_NEAR(reader_take(&r, log, "jobs"), 2, 0);
    CHECK_NEAR(reader_take(&r, log, "jobs"), 20, 0);
    CHECK_EQ_U64(account(ledger, "r").dropped[LEDGER_QUEUE_FULL], 18);
    CHECK_EQ_U64(account(ledger, "r").queued, 0);
    append(log, &f, 2, 1);
    CHECK_NEAR(reader_take(&r, log, "jobs"), 2, 0);
    CHECK_EQ_U64(log_size(log).snapshots, 0);
    log_drop(log, r.cursor, LEDGER_REMOVED);
    selection_free(&r.sel);
    log_release(&log);
    ledger_free(&ledger);
    fixture_close(&f);
}

/* A cursor that was left and taken up again goes on where it was, its queue counted for the new filter. */
UNIT(log, detach_and_attach)
{
    struct fixture f;
    struct reader first, second;
    fixture_open(&f);
    struct ledger *ledger = ledger_new();
    struct log *log = log_new(&wide, ledger);
    reader_attach(&first, log, "r");
    append(log, &f, 1, 1);
    CHECK_NEAR(reader_take(&first, log, "jobs"), 1, 0);
    append(log, &f, 2, 1);
    log_detach(log, first.cursor);
    append(log, &f, 4, 1);
    CHECK_EQ_U64(account(ledger, "r").queued, 2);
    char *names[] = {"jobs"};
    static const struct option_tags no_tags;
    second = (struct reader){.settings = {.name = "r", .include = {names, 1}}};
    CHECK(selection_compile(&second.sel, &sum_backend, &second.settings, &no_tags));
    CHECK_EQ_I64(log_attach(log, "r", &second.sel, true),
                 LEDGER_NONE); /* there is a queue to be counted anew */
    CHECK_EQ_U64(account(ledger, "r").queued, 2);
    second.cursor = log_attach(log, "r", &second.sel, false);
    CHECK_EQ_I64(log_attach(log, "r", &second.sel, false), LEDGER_NONE); /* it is taken */
    CHECK_EQ_I64(second.cursor, first.cursor);
    CHECK_EQ_U64(account(ledger, "r").queued, 2);
    CHECK_EQ_U64(account(ledger, "r").dropped[LEDGER_REMOVED], 1);
    CHECK_NEAR(reader_take(&second, log, "jobs"), 2, 0);
    CHECK_NEAR(reader_take(&second, log, "jobs"), 4, 0);
    log_drop(log, second.cursor, LEDGER_REMOVED);
    selection_free(&first.sel);
    selection_free(&second.sel);
    log_release(&log);
    ledger_free(&ledger);
    fixture_close(&f);
}

/* Accepted in part, and then the filter changes, so that nobody knows where to go on: what is left of the
 * interval is counted as removed, and what was accepted of it does not come a second time. */
UNIT(log, filter_changes_in_the_middle)
{
    struct fixture f;
    struct reader first, second;
    struct log_next next;
    fixture_open(&f);
    struct ledger *ledger = ledger_new();
    struct log *log = log_new(&wide, ledger);
    reader_attach(&first, log, "r");
    append(log, &f, 1, 1);
    CHECK_NEAR(reader_take(&first, log, "jobs"), 1, 0);
    append(log, &f, 2, 1);
    REQUIRE(log_next(log, first.cursor, &next));
    log_settled(log, first.cursor, &next,
                &(struct log_outcome){.delivered = 1, .points = 1}); /* jobs, not level */
    log_undo(log, first.cursor, &next);
    log_detach(log, first.cursor);
    append(log, &f, 4, 1);
    char *names[] = {"jobs"};
    static const struct option_tags no_tags;
    second = (struct reader){.settings = {.name = "r", .include = {names, 1}}};
    CHECK(selection_compile(&second.sel, &sum_backend, &second.settings, &no_tags));
    second.cursor = log_attach(log, "r", &second.sel, false);
    REQUIRE(second.cursor != LEDGER_NONE);
    CHECK_NEAR(reader_take(&second, log, "jobs"), 4, 0);
    CHECK_NEAR(reader_take(&second, log, "jobs"), -1, 0);
    CHECK_EQ_U64(account(ledger, "r").dropped[LEDGER_REMOVED], 1);
    CHECK_EQ_U64(account(ledger, "r").delivered, 4);
    CHECK_EQ_U64(account(ledger, "r").queued, 0);
    log_drop(log, second.cursor, LEDGER_REMOVED);
    selection_free(&first.sel);
    selection_free(&second.sel);
    log_release(&log);
    ledger_free(&ledger);
    fixture_close(&f);
}

/* --- With a file --- */

static struct log *reopen(const char *path, struct ledger *ledger)
{
    struct log *log = NULL;
    struct buf why = {0};
    if (log_open(&wide, ledger, path, false, &log, &why) != STORE_OK)
        UNIT_FAIL("cannot open %s: %s\n", path, buf_text(&why));
    buf_free(&why);
    REQUIRE(log);
    return log;
}

static void log_path(char path[80], const struct fixture *f)
{
    snprintf(path, 80, "%s.log", f->path);
    unlink(path);
}

/* Breaks if a successor repeats, skips or recounts what its predecessor had queued, delivered or half
 * delivered. */
UNIT(log, goes_on_from_its_file)
{
    struct fixture f;
    struct reader r, late;
    struct log_next next;
    char path[80];
    fixture_open(&f);
    log_path(path, &f);
    double got = 0, total = 0;
    for (uint64_t life = 1; life <= 6; life++) {
        /* Each life has a ledger of its own, as another process would. */
        struct ledger *ledger = ledger_new();
        struct log *log = reopen(path, ledger);
        reader_attach(&r, log, "r");
        reader_attach(&late, log, "late"); /* never takes anything: its queue grows over all lives */
        for (uint64_t i = 0; i < 3; i++) {
            append(log, &f, life * 10 + i, 1);
            total += (double)(life * 10 + i);
        }
        got += reader_take(&r, log, "jobs");
        /* One of the two readings, and then the end: the next life gets the other. */
        CHECK(log_next(log, r.cursor, &next));
        if (!next.position)
            log_settled(log, r.cursor, &next, &(struct log_outcome){.delivered = 1, .points = 1});
        log_undo(log, r.cursor, &next);
        struct ledger_account a = account(ledger, "r"), l = account(ledger, "late");
        CHECK_EQ_U64(a.taken, life * 6);
        CHECK_EQ_U64(l.taken, life * 6);
        CHECK_EQ_U64(l.queued, life * 6);
        selection_free(&r.sel);
        selection_free(&late.sel);
        log_release(&log);
        ledger_free(&ledger);
    }
    struct ledger *ledger = ledger_new();
    struct log *log = reopen(path, ledger);
    reader_attach(&r, log, "r");
    for (double v; (v = reader_take(&r, log, "jobs")) >= 0;) got += v;
    CHECK_NEAR(got, total, 0);
    CHECK_EQ_U64(account(ledger, "r").delivered, 36);
    CHECK_EQ_U64(account(ledger, "r").queued, 0);
    log_drop_detached(log, NULL, NULL, LEDGER_REMOVED);
    CHECK_EQ_U64(account(ledger, "late").dropped[LEDGER_REMOVED], 36);
    selection_free(&r.sel);
    log_spent(log);
    log_release(&log);
    CHECK(access(path, F_OK) != 0);
    ledger_free(&ledger);
    fixture_close(&f);
}

/* Breaks if a damaged record or file stops an exporter from starting, or is passed over in silence. */
UNIT(log, damage_is_set_aside)
{
    struct fixture f;
    struct reader r;
    char path[80], aside[96], command[256];
    fixture_open(&f);
    log_path(path, &f);
    snprintf(aside, sizeof aside, "%s.damaged", path);
    struct ledger *ledger = ledger_new();
    struct log *log = reopen(path, ledger);
    reader_attach(&r, log, "r");
    for (uint64_t i = 1; i <= 4; i++) append(log, &f, i, 1);
    selection_free(&r.sel);
    log_release(&log);
    ledger_free(&ledger);
    /* One wrong byte in the second record. */
    sqlite3 *db;
    REQUIRE(sqlite3_open(path, &db) == SQLITE_OK);
    REQUIRE(sqlite3_exec(db, "UPDATE entries SET bytes = x'00' || substr(bytes, 2) WHERE seq = 1", NULL, NULL,
                         NULL) == SQLITE_OK);
    sqlite3_close(db);
    ledger = ledger_new();
    log = reopen(path, ledger);
    reader_attach(&r, log, "r");
    CHECK_EQ_U64(account(ledger, "r").dropped[LEDGER_DAMAGED], 2);
    double got = 0;
    for (double v; (v = reader_take(&r, log, "jobs")) >= 0;) got += v;
    CHECK_NEAR(got, 1 + 2 + 3 + 4, 0); /* totals close the gap */
    selection_free(&r.sel);
    log_release(&log);
    ledger_free(&ledger);
    /* Rubbish in the file. */
    snprintf(command, sizeof command, "head -c 20000 /dev/urandom > %s", path);
    REQUIRE(system(command) == 0);
    ledger = ledger_new();
    log = reopen(path, ledger);
    CHECK(access(aside, F_OK) == 0);
    reader_attach(&r, log, "r");
    append(log, &f, 5, 1);
    selection_free(&r.sel);
    log_spent(log);
    log_release(&log);
    unlink(aside);
    ledger_free(&ledger);
    fixture_close(&f);
}

/* Breaks if two exporters write one file, or follow a link to somebody else's. */
UNIT(log, two_do_not_share_a_file)
{
    struct fixture f;
    struct log *second;
    struct buf why = {0};
    char path[80];
    fixture_open(&f);
    log_path(path, &f);
    struct ledger *ledger = ledger_new();
    struct log *log = reopen(path, ledger);
    CHECK_EQ_I64(log_open(&wide, ledger, path, false, &second, &why), STORE_BUSY);
    CHECK(why.len > 0);
    log_spent(log);
    log_release(&log);
    REQUIRE(symlink("/etc/hostname", path) == 0);
    buf_reset(&why);
    CHECK_EQ_I64(log_open(&wide, ledger, path, false, &second, &why), STORE_FAILED);
    CHECK(strstr(buf_text(&why), "not a plain file") != NULL);
    unlink(path);
    buf_free(&why);
    ledger_free(&ledger);
    fixture_close(&f);
}
