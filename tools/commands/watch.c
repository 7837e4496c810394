/* SPDX-License-Identifier: Apache-2.0 */
/* mtxctl watch - prints what changes, interval by interval. */
#include "clock.h"
#include "grid.h"
#include "match.h"
#include "values.h"
#include "show.h"
#include "input.h"

#include <signal.h>
#include <time.h>

static uint64_t watch_interval;
static int64_t watch_count;
static bool watch_changed;
static struct cmd_list watch_attributes;

static const struct cmd_option watch_options[] = {
    {.name = "interval",
     .letter = 'i',
     .type = CMD_DURATION,
     .value = &watch_interval,
     .arg = "TIME",
     .def = "2s",
     .min = 10e6,
     .max = 86400e9,
     .help = "time between two tables"},
    {.name = "count",
     .letter = 'n',
     .type = CMD_INTEGER,
     .value = &watch_count,
     .arg = "N",
     .min = 1,
     .max = 1e9,
     .help = "end after this many intervals instead of by a signal"},
    {.name = "changed",
     .letter = 'c',
     .type = CMD_FLAG,
     .value = &watch_changed,
     .help = "print only what has changed since the last table"},
    VALUES_ATTRIBUTES_ROW(watch_attributes, "value,count,mean,p50,p99,max"),
    {.name = NULL},
};

struct watch {
    struct cli *cli;
    struct match match;
    struct values_wanted wanted;
    struct rows rows, before;
    struct json json;
    metrics_reader_t *reader;
    metrics_snapshot_t *base, *now;
    double seconds; /* from base to now */
    bool replaced;  /* base and now are of different segments */
};

static const metrics_snapshot_header_t *watch_head(const metrics_snapshot_t *snapshot)
{
    return metrics_snapshot_header(snapshot);
}

/* --- One row --- */

static bool watch_has_delta(const metrics_row_t *row)
{
    return row->nature == METRICS_TOTAL || row->nature == METRICS_LEVEL || row->nature == METRICS_BUCKET;
}

static void watch_line(struct watch *w, struct grid *grid, const metrics_row_t *row,
                       const metrics_row_t *before)
{
    show_series(&grid->text, row->reading, row->worker);
    grid_end_cell(grid);
    show_attribute(&grid->text, row);
    grid_end_cell(grid);
    show_value_short(&grid->text, row);
    grid_end_cell(grid);
    if (watch_has_delta(row) && (before || row->nature != METRICS_LEVEL)) {
        double delta = values_delta(row, before);
        if (delta > 0) buf_char(&grid->text, '+');
        buf_f64_short(&grid->text, delta, 6);
    }
    grid_end_cell(grid);
    if (row->nature == METRICS_TOTAL && w->seconds > 0) {
        buf_f64_short(&grid->text, values_delta(row, before) / w->seconds, 4);
        buf_str(&grid->text, "/s");
    }
    grid_end_cell(grid);
    grid_cell(grid, row->unit ? row->unit : "");
}

static void watch_object(struct watch *w, const metrics_row_t *row, const metrics_row_t *before)
{
    show_json_row_open(&w->json, row);
    if (watch_has_delta(row) && (before || row->nature != METRICS_LEVEL))
        jsonw_key_f64(&w->json, "delta", values_delta(row, before));
    if (row->nature == METRICS_TOTAL && w->seconds > 0)
        jsonw_key_f64(&w->json, "rate", values_delta(row, before) / w->seconds);
    jsonw_object_end(&w->json);
}

/* --- One interval --- */

static bool watch_expand(struct watch *w, const metrics_reading_t *reading)
{
    const metrics_reading_t *base = metrics_snapshot_find(w->base, reading);
    bool good = rows_expand(&w->rows, reading, NULL, &w->wanted.options);
    w->before.n = 0;
    if (good && base) good = rows_expand(&w->before, base, NULL, &w->wanted.options);
    if (!good) w->cli->out.failed = true;
    return good && w->rows.n;
}

static bool watch_differs(const metrics_row_t *row, const metrics_row_t *before)
{
    return !before || metrics_row_number(row) != metrics_row_number(before) || values_delta(row, before) != 0;
}

static void watch_reading(struct watch *w, struct grid *grid, const metrics_reading_t *reading)
{
    bool open = false;
    if (!match_reading(&w->match, reading) || !watch_expand(w, reading)) return;
    for (size_t i = 0; i < w->rows.n; i++) {
        const metrics_row_t *row = &w->rows.at[i], *before = values_same(&w->before, row, i);
        if (watch_changed && !watch_differs(row, before)) continue;
        if (!w->cli->json) {
            watch_line(w, grid, row, before);
            continue;
        }
        if (!open) {
            jsonw_object(&w->json);
            show_json_series(&w->json, reading);
            jsonw_key(&w->json, "values");
            jsonw_array(&w->json);
            open = true;
        }
        watch_object(w, row, before);
    }
    if (open) {
        jsonw_array_end(&w->json);
        jsonw_object_end(&w->json);
    }
}

static void watch_begin(struct watch *w)
{
    struct buf *out = &w->cli->out;
    if (w->cli->json) {
        jsonw_begin(&w->json, out);
        jsonw_object(&w->json);
        show_json_snapshot(&w->json, watch_head(w->now));
        jsonw_key_f64(&w->json, "seconds", w->seconds);
        jsonw_key(&w->json, "replaced");
        jsonw_bool(&w->json, w->replaced);
        jsonw_key(&w->json, "readings");
        jsonw_array(&w->json);
        return;
    }
    buf_str(out, "--- ");
    buf_time(out, watch_head(w->now)->wall_ns);
    buf_str(out, "  (");
    buf_f64_short(out, w->seconds, 4);
    buf_str(out, w->replaced ? " s; the segment was replaced: all values start again)\n" : " s)\n");
}

static void watch_show(struct watch *w)
{
    struct grid grid = {.columns = 6, .right = 1 << 2 | 1 << 3 | 1 << 4};
    uint64_t from = watch_head(w->base)->wall_ns, to = watch_head(w->now)->wall_ns;
    w->replaced = watch_head(w->base)->incarnation != watch_head(w->now)->incarnation;
    /* The monotonic clock measures lengths, but two segments may be of two boots. */
    if (!w->replaced) {
        from = watch_head(w->base)->monotonic_ns;
        to = watch_head(w->now)->monotonic_ns;
    }
    w->seconds = to > from ? (double)(to - from) / 1e9 : 0;
    watch_begin(w);
    for (size_t i = 0; i < metrics_snapshot_count(w->now); i++)
        watch_reading(w, &grid, metrics_snapshot_reading(w->now, i));
    grid_print(&grid, 0, &w->cli->out);
    if (w->cli->json) {
        jsonw_array_end(&w->json);
        jsonw_object_end(&w->json);
        buf_char(&w->cli->out, '\n');
    }
    cli_flush(w->cli);
}

/* --- The loop --- */

/* Follows the path to a new segment; while the path leads to none, the old segment is still shown. */
static int watch_take(struct watch *w, metrics_snapshot_t **snapshot)
{
    metrics_error_t error = {0};
    if (metrics_reader_replaced(w->reader)) {
        metrics_reader_t *fresh = metrics_reader_open(w->cli->segment, NULL, &error);
        if (fresh) {
            metrics_reader_close(&w->reader);
            w->reader = fresh;
        }
    }
    *snapshot = metrics_snapshot_take(w->reader, &error);
    return *snapshot ? CLI_OK : input_fail(w->cli, input_path(w->cli), &error);
}

/* Waits until `due`; false if a signal asks to end. */
static bool watch_wait(const sigset_t *ends, uint64_t due)
{
    uint64_t now;
    while ((now = clock_mono(&clock_system)) < due) {
        uint64_t rest = due - now;
        struct timespec t = {(time_t)(rest / CLOCK_SECOND), (long)(rest % CLOCK_SECOND)};
        if (sigtimedwait(ends, NULL, &t) > 0) return false;
    }
    return true;
}

static int watch_loop(struct watch *w, const sigset_t *ends)
{
    uint64_t due = clock_mono(&clock_system);
    int code = watch_take(w, &w->base);
    for (int64_t i = 0; code == CLI_OK && !w->cli->broken && (!watch_count || i < watch_count); i++) {
        due += watch_interval;
        if (!watch_wait(ends, due)) break;
        code = watch_take(w, &w->now);
        if (code != CLI_OK) break;
        watch_show(w);
        metrics_snapshot_release(&w->base);
        w->base = w->now;
        w->now = NULL;
    }
    return code;
}

static int watch_run(struct cli *cli)
{
    struct watch w = {.cli = cli};
    sigset_t ends;
    int code = match_parse(cli, 0, &w.match);
    if (code == CLI_OK) code = values_wanted(cli, &watch_attributes, &w.wanted);
    sigemptyset(&ends);
    sigaddset(&ends, SIGINT);
    sigaddset(&ends, SIGTERM);
    sigprocmask(SIG_BLOCK, &ends, NULL);
    if (code == CLI_OK) code = input_open(cli, &w.reader);
    if (code != CLI_OK) return code;
    code = watch_loop(&w, &ends);
    metrics_snapshot_release(&w.base);
    metrics_reader_close(&w.reader);
    rows_free(&w.rows);
    rows_free(&w.before);
    return code;
}

const struct command command_watch = {
    .name = "watch",
    .args = MATCH_ARGS,
    .summary = "print what changes, interval by interval",
    .text = "After each interval, prints the value of each series, its change since the interval began and, "
            "for totals, the rate per second. The first table appears after the first interval. SIGINT "
            "(Ctrl-C) or SIGTERM ends it with status 0.\n"
            "\n"
            "If the segment is deleted and created again, watch follows it and says so. With --json, each "
            "interval is one document on one line.\n"
            "\n" MATCH_TEXT,
    .examples =
        "mtxctl watch 'http.*'\n"
        "mtxctl watch --changed --interval 500ms\n"
        "mtxctl watch --count 1 --interval 10s --json http.requests | jq '.readings[].values[].rate'\n",
    .options = watch_options,
    .most = -1,
    .run = watch_run,
};
