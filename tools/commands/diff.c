/* SPDX-License-Identifier: Apache-2.0 */
/* mtxctl diff - the differences between two snapshots. */
#include "grid.h"
#include "match.h"
#include "values.h"
#include "show.h"
#include "input.h"

#include <stdlib.h>
#include <string.h>

static struct cmd_list diff_only;
static bool diff_everything;

static const struct cmd_option diff_options[] = {
    {.name = "only",
     .letter = 'o',
     .type = CMD_LIST,
     .value = &diff_only,
     .arg = "GLOB,...",
     .help = "compare only series whose names match one of these patterns"},
    {.name = "all",
     .letter = 'a',
     .type = CMD_FLAG,
     .value = &diff_everything,
     .help = "also compare rates, quantiles and statistics, which change with time alone"},
    {.name = NULL},
};

/* What happened to a series. */
enum diff_fate { DIFF_CHANGED, DIFF_ADDED, DIFF_GONE, DIFF_RESTARTED };
static const char *const diff_words[] = {"changed", "added", "gone", "restarted"};
static const char *const diff_marks[] = {"~", "+", "-", "*"};

struct diff {
    struct cli *cli;
    metrics_snapshot_t *before, *after;
    metrics_row_options_t options;
    struct rows old_rows, new_rows;
    struct grid grid;
    struct json json;
    double seconds;
    size_t differences;
};

/* --- One row --- */

static bool diff_counts(const metrics_row_t *row)
{
    return diff_everything || row->nature == METRICS_TOTAL || row->nature == METRICS_LEVEL ||
           row->nature == METRICS_FACT;
}

static void diff_text(struct diff *d, enum diff_fate fate, const metrics_row_t *was, const metrics_row_t *now)
{
    struct grid *grid = &d->grid;
    const metrics_row_t *row = now ? now : was;
    grid_cell(grid, diff_marks[fate]);
    show_series(&grid->text, row->reading, row->worker);
    grid_end_cell(grid);
    show_attribute(&grid->text, row);
    grid_end_cell(grid);
    if (was) show_value(&grid->text, was);
    grid_end_cell(grid);
    if (now) show_value(&grid->text, now);
    grid_end_cell(grid);
    if (was && now && fate == DIFF_CHANGED) {
        double delta = values_delta(now, was);
        if (delta > 0) buf_char(&grid->text, '+');
        buf_f64_short(&grid->text, delta, 6);
    }
    grid_end_cell(grid);
    if (was && now && fate == DIFF_CHANGED && now->nature == METRICS_TOTAL && d->seconds > 0) {
        buf_f64_short(&grid->text, values_delta(now, was) / d->seconds, 4);
        buf_str(&grid->text, "/s");
    }
    grid_end_cell(grid);
    grid_cell(grid, row->unit ? row->unit : "");
}

static void diff_json_side(struct json *j, const char *key, const metrics_row_t *row)
{
    jsonw_key(j, key);
    if (row)
        row_json_value(row, j);
    else
        jsonw_null(j);
}

static void diff_object(struct diff *d, enum diff_fate fate, const metrics_row_t *was,
                        const metrics_row_t *now)
{
    struct json *j = &d->json;
    const metrics_row_t *row = now ? now : was;
    jsonw_object(j);
    jsonw_key_str(j, "change", diff_words[fate]);
    show_json_series(j, row->reading);
    char suffix[32];
    jsonw_key_str(j, "attribute", metrics_row_suffix(row, suffix, sizeof suffix));
    if (row->worker >= 0) jsonw_key_u64(j, "worker", (uint64_t)row->worker);
    diff_json_side(j, "before", was);
    diff_json_side(j, "after", now);
    if (was && now && fate == DIFF_CHANGED) {
        jsonw_key_f64(j, "delta", values_delta(now, was));
        if (now->nature == METRICS_TOTAL && d->seconds > 0)
            jsonw_key_f64(j, "rate", values_delta(now, was) / d->seconds);
    }
    jsonw_object_end(j);
}

static void diff_row(struct diff *d, enum diff_fate fate, const metrics_row_t *was, const metrics_row_t *now)
{
    if (!diff_counts(now ? now : was)) return;
    if (fate == DIFF_CHANGED && was && now && metrics_row_number(was) == metrics_row_number(now) &&
        values_delta(now, was) == 0)
        return;
    d->differences++;
    if (d->cli->json)
        diff_object(d, fate, was, now);
    else
        diff_text(d, fate, was, now);
}

/* --- One series --- */

/* A series without a row to show (a gauge that is not set) counts as a difference, too. */
static void diff_bare(struct diff *d, enum diff_fate fate, const metrics_reading_t *reading)
{
    d->differences++;
    if (d->cli->json) {
        jsonw_object(&d->json);
        jsonw_key_str(&d->json, "change", diff_words[fate]);
        show_json_series(&d->json, reading);
        jsonw_object_end(&d->json);
        return;
    }
    grid_cell(&d->grid, diff_marks[fate]);
    show_series(&d->grid.text, reading, -1);
    grid_end_cell(&d->grid);
    for (int i = 2; i < 8; i++) grid_cell(&d->grid, "");
}

/* Either may be NULL. */
static void diff_series(struct diff *d, const metrics_reading_t *was, const metrics_reading_t *now)
{
    const metrics_reading_t *same = now ? metrics_snapshot_find(d->before, now) : NULL;
    enum diff_fate fate = !was ? DIFF_ADDED : !now ? DIFF_GONE : same ? DIFF_CHANGED : DIFF_RESTARTED;
    size_t found = d->differences;
    bool good = true;
    d->old_rows.n = d->new_rows.n = 0;
    if (was) good = rows_expand(&d->old_rows, was, NULL, &d->options);
    if (now) good = good && rows_expand(&d->new_rows, now, NULL, &d->options);
    if (!good) d->cli->out.failed = true;
    for (size_t i = 0; i < d->new_rows.n; i++)
        diff_row(d, fate, values_same(&d->old_rows, &d->new_rows.at[i], i), &d->new_rows.at[i]);
    for (size_t i = 0; i < d->old_rows.n; i++)
        if (!values_same(&d->new_rows, &d->old_rows.at[i], i)) diff_row(d, fate, &d->old_rows.at[i], NULL);
    if (fate != DIFF_CHANGED && d->differences == found) diff_bare(d, fate, now ? now : was);
    cli_flow(d->cli);
}

/* --- Two snapshots --- */

/* By name, then tags: the order in which both snapshots are walked side by side. */
static int diff_order(const metrics_reading_t *a, const metrics_reading_t *b)
{
    size_t na, nb;
    const metrics_tag_t *ta = metrics_reading_tags(a, &na), *tb = metrics_reading_tags(b, &nb);
    int order = strcmp(metrics_reading_name(a), metrics_reading_name(b));
    for (size_t i = 0; !order && i < na && i < nb; i++) {
        order = strcmp(ta[i].key, tb[i].key);
        if (!order) order = strcmp(ta[i].value, tb[i].value);
    }
    return order ? order : (na > nb) - (na < nb);
}

static int diff_compare(const void *a, const void *b)
{
    return diff_order(*(const metrics_reading_t *const *)a, *(const metrics_reading_t *const *)b);
}

/* The readings that --only selects, in diff_order(). The caller frees the list; NULL without memory. */
static const metrics_reading_t **diff_sorted(const metrics_snapshot_t *s, const struct match *only, size_t *n)
{
    size_t count = metrics_snapshot_count(s);
    const metrics_reading_t **list = calloc(count + 1, sizeof *list);
    *n = 0;
    for (size_t i = 0; list && i < count; i++) {
        const metrics_reading_t *reading = metrics_snapshot_reading(s, i);
        if (match_reading(only, reading)) list[(*n)++] = reading;
    }
    if (list) qsort(list, *n, sizeof *list, diff_compare);
    return list;
}

static int diff_walk(struct diff *d, const struct match *only)
{
    size_t olds = 0, news = 0, o = 0, n = 0;
    const metrics_reading_t **was = diff_sorted(d->before, only, &olds);
    const metrics_reading_t **now = diff_sorted(d->after, only, &news);
    bool good = was && now;
    while (good && (o < olds || n < news)) {
        int order = o == olds ? 1 : n == news ? -1 : diff_order(was[o], now[n]);
        diff_series(d, order <= 0 ? was[o] : NULL, order >= 0 ? now[n] : NULL);
        o += order <= 0;
        n += order >= 0;
    }
    free(was);
    free(now);
    return good ? CLI_OK : cli_fail(d->cli, CLI_FAILED, "out of memory");
}

static void diff_head(struct diff *d)
{
    const metrics_snapshot_header_t *a = metrics_snapshot_header(d->before),
                                    *b = metrics_snapshot_header(d->after);
    struct buf *out = &d->cli->out;
    bool same = a->incarnation == b->incarnation;
    uint64_t from = same ? a->monotonic_ns : a->wall_ns, to = same ? b->monotonic_ns : b->wall_ns;
    d->seconds = to > from ? (double)(to - from) / 1e9 : 0;
    jsonw_begin(&d->json, out);
    if (d->cli->json) {
        jsonw_object(&d->json);
        jsonw_key(&d->json, "before");
        jsonw_object(&d->json);
        show_json_snapshot(&d->json, a);
        jsonw_object_end(&d->json);
        jsonw_key(&d->json, "after");
        jsonw_object(&d->json);
        show_json_snapshot(&d->json, b);
        jsonw_object_end(&d->json);
        jsonw_key_f64(&d->json, "seconds", d->seconds);
        jsonw_key(&d->json, "differences");
        jsonw_array(&d->json);
        return;
    }
    buf_str(out, "# from ");
    buf_time(out, a->wall_ns);
    buf_str(out, " to ");
    buf_time(out, b->wall_ns);
    buf_str(out, " (");
    buf_f64_short(out, d->seconds, 6);
    buf_str(out, same ? " s)\n" : " s), two different segments\n");
}

static int diff_both(struct diff *d, const struct match *only)
{
    d->options = (metrics_row_options_t){.size = sizeof d->options, .attributes = METRICS_ATTRS_DEFAULT};
    diff_head(d);
    int code = diff_walk(d, only);
    if (d->cli->json) {
        jsonw_array_end(&d->json);
        jsonw_object_end(&d->json);
        buf_char(&d->cli->out, '\n');
    }
    grid_print(&d->grid, 0, &d->cli->out);
    rows_free(&d->old_rows);
    rows_free(&d->new_rows);
    return code != CLI_OK ? code : d->differences ? CLI_NO : CLI_OK;
}

static int diff_run(struct cli *cli)
{
    struct diff d = {.cli = cli, .grid = {.columns = 8, .right = 1 << 3 | 1 << 4 | 1 << 5 | 1 << 6}};
    if (cli->n == 2 && !strcmp(cli->args[0], "-") && !strcmp(cli->args[1], "-"))
        return cli_usage(cli, "only one of the two snapshots can be standard input");
    struct match only;
    int code = match_globs(cli, &diff_only, &only);
    if (code == CLI_OK) code = input_take(cli, cli->args[0], &d.before);
    if (code == CLI_OK) code = input_take(cli, cli->n > 1 ? cli->args[1] : NULL, &d.after);
    if (code == CLI_OK) code = diff_both(&d, &only);
    metrics_snapshot_release(&d.before);
    metrics_snapshot_release(&d.after);
    return code;
}

const struct command command_diff = {
    .name = "diff",
    .args = "BEFORE [AFTER]",
    .summary = "compare two saved snapshots, or a saved one with the segment",
    .text = "BEFORE and AFTER are files written by mtxctl dump --msgpack (- is standard input); without "
            "AFTER, BEFORE is compared with the segment as it is now. Each line shows a value that differs: "
            "what it was, what it is and, for totals, how fast it grew. Marks: ~ changed, + new series, - "
            "series that no longer exists, * series with the same name and tags that started again.\n"
            "\n"
            "Totals, levels and facts are compared; --all adds the rest.",
    .examples = "mtxctl dump --msgpack before.mtx; ./load-test; mtxctl diff before.mtx\n"
                "mtxctl diff monday.mtx friday.mtx --only 'http.*,db.*' --json\n",
    .options = diff_options,
    .exits = {[CLI_OK] = "no differences",
              [CLI_NO] = "differences were found",
              [CLI_SEGMENT] = "a snapshot or the segment does not exist or cannot be read"},
    .least = 1,
    .most = 2,
    .run = diff_run,
};
