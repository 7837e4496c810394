/* SPDX-License-Identifier: Apache-2.0 */
/* mtxctl get - prints the values of some series. */
#include "grid.h"
#include "match.h"
#include "values.h"
#include "show.h"
#include "input.h"

static const char *get_from;
static bool get_bare;
static struct cmd_list get_attributes;

static const struct cmd_option get_options[] = {
    VALUES_ATTRIBUTES_ROW(get_attributes, "all"),
    {.name = "value",
     .letter = 'v',
     .type = CMD_FLAG,
     .value = &get_bare,
     .help = "print only the numbers, one per line, for scripts"},
    INPUT_FROM_ROW(get_from),
    {.name = NULL},
};

struct get {
    struct cli *cli;
    struct match match;
    struct values_wanted wanted;
    struct rows rows;
    struct grid grid;
    struct json json;
    size_t matched, shown;
};

static void get_line(struct get *get, const metrics_reading_t *reading, const metrics_row_t *row)
{
    struct grid *grid = &get->grid;
    if (get_bare) {
        show_value(&get->cli->out, row);
        buf_char(&get->cli->out, '\n');
        return;
    }
    show_series(&grid->text, reading, row->worker);
    grid_end_cell(grid);
    show_attribute(&grid->text, row);
    grid_end_cell(grid);
    show_value(&grid->text, row);
    grid_end_cell(grid);
    grid_cell(grid, row->unit ? row->unit : "");
}

static void get_reading(struct get *get, const metrics_reading_t *reading)
{
    if (!rows_expand(&get->rows, reading, NULL, &get->wanted.options)) get->cli->out.failed = true;
    get->matched++;
    get->shown += get->rows.n;
    if (get->cli->json && get->rows.n)
        show_json_reading(&get->json, reading, &get->rows);
    else
        for (size_t i = 0; i < get->rows.n; i++) get_line(get, reading, &get->rows.at[i]);
    cli_flow(get->cli);
}

static int get_all(struct get *get, const metrics_snapshot_t *snapshot)
{
    struct cli *cli = get->cli;
    jsonw_begin(&get->json, &cli->out);
    if (cli->json) {
        jsonw_object(&get->json);
        show_json_snapshot(&get->json, metrics_snapshot_header(snapshot));
        jsonw_key(&get->json, "readings");
        jsonw_array(&get->json);
    }
    for (size_t i = 0; i < metrics_snapshot_count(snapshot); i++) {
        const metrics_reading_t *reading = metrics_snapshot_reading(snapshot, i);
        if (match_reading(&get->match, reading)) get_reading(get, reading);
    }
    if (cli->json) {
        jsonw_array_end(&get->json);
        jsonw_object_end(&get->json);
        buf_char(&cli->out, '\n');
    }
    grid_print(&get->grid, 0, &cli->out);
    rows_free(&get->rows);
    if (!get->matched) return match_none(cli, &get->match, snapshot);
    if (!get->shown)
        return cli_fail(cli, CLI_NO, "%zu series match, but none has such a value now", get->matched);
    return CLI_OK;
}

static int get_run(struct cli *cli)
{
    struct get get = {.cli = cli, .grid = {.columns = 4, .right = 1 << 2}};
    metrics_snapshot_t *snapshot = NULL;
    int code = match_parse(cli, 0, &get.match);
    if (code == CLI_OK) code = values_wanted(cli, &get_attributes, &get.wanted);
    if (code == CLI_OK) code = input_take(cli, get_from, &snapshot);
    if (code != CLI_OK) return code;
    code = get_all(&get, snapshot);
    metrics_snapshot_release(&snapshot);
    return code;
}

const struct command command_get = {
    .name = "get",
    .args = "GLOB... [KEY=VALUE...]",
    .summary = "print the values of series",
    .text = "Prints one line per value of each series: name and tags, attribute, value, unit. Counters and "
            "updowns have one value, gauges one or none (if the process that set it is dead), distributions "
            "many. Integers are exact; other numbers have 15 digits (with --json, all of them). Rates are "
            "current, whether or not an exporter is running.\n"
            "\n" MATCH_TEXT,
    .examples = "mtxctl get http.requests status=200\n"
                "mtxctl get --value --attributes count http.requests status=200    # 1234\n"
                "mtxctl get http.request.time --attributes count,p50,p99.9,m1_rate\n",
    .options = get_options,
    .exits = {[CLI_NO] = "no series matches, or none of them has such a value now"},
    .least = 1,
    .most = -1,
    .run = get_run,
};
