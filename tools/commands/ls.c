/* SPDX-License-Identifier: Apache-2.0 */
/* mtxctl ls - lists the series. */
#include "grid.h"
#include "match.h"
#include "nearest.h"
#include "show.h"
#include "input.h"

#include <string.h>

static const char *ls_from, *ls_kind;
static bool ls_names;

static const struct cmd_option ls_options[] = {
    {.name = "names",
     .letter = 'n',
     .type = CMD_FLAG,
     .value = &ls_names,
     .help = "print only the names, each once"},
    {.name = "kind",
     .letter = 'k',
     .type = CMD_TEXT,
     .value = &ls_kind,
     .arg = "KIND",
     .help = "list only this kind: counter, updown, gauge, meter, histogram, timer, set, info"},
    INPUT_FROM_ROW(ls_from),
    {.name = NULL},
};

struct ls {
    struct cli *cli;
    struct grid grid;
    struct json json;
    const char *last; /* the name printed last, for --names */
    size_t shown;
};

static void ls_text(struct ls *ls, const metrics_reading_t *reading)
{
    const char *unit = metrics_reading_unit(reading);
    if (ls_names) {
        show_word(&ls->cli->out, metrics_reading_name(reading));
        buf_char(&ls->cli->out, '\n');
        cli_flow(ls->cli);
        return;
    }
    grid_cell(&ls->grid, metrics_reading_kind(reading));
    grid_cell(&ls->grid, *unit ? unit : "-");
    show_series(&ls->grid.text, reading, -1);
    grid_end_cell(&ls->grid);
}

static void ls_json(struct ls *ls, const metrics_reading_t *reading)
{
    if (ls_names)
        jsonw_str(&ls->json, metrics_reading_name(reading));
    else {
        jsonw_object(&ls->json);
        show_json_series(&ls->json, reading);
        jsonw_object_end(&ls->json);
    }
    cli_flow(ls->cli);
}

static void ls_reading(struct ls *ls, const metrics_reading_t *reading)
{
    const char *name = metrics_reading_name(reading);
    if (ls_kind && strcmp(ls_kind, metrics_reading_kind(reading))) return;
    ls->shown++;
    /* Readings are sorted by name, so equal names are neighbours. */
    if (ls_names && ls->last && !strcmp(ls->last, name)) return;
    ls->last = name;
    if (ls->cli->json)
        ls_json(ls, reading);
    else
        ls_text(ls, reading);
}

static const char *const ls_kinds[] = {"counter", "updown", "gauge", "meter", "histogram",
                                       "timer",   "set",    "info",  NULL};

/* A kind that is unknown here may be one of a later version: then the segment has it. */
static bool ls_is_kind(const metrics_snapshot_t *snapshot)
{
    for (const char *const *kind = ls_kinds; *kind; kind++)
        if (!strcmp(ls_kind, *kind)) return true;
    for (size_t i = 0; i < metrics_snapshot_count(snapshot); i++)
        if (!strcmp(ls_kind, metrics_reading_kind(metrics_snapshot_reading(snapshot, i)))) return true;
    return false;
}

static int ls_check_kind(const struct cli *cli, const metrics_snapshot_t *snapshot)
{
    const char *near = NULL;
    if (!ls_kind || ls_is_kind(snapshot)) return CLI_OK;
    for (const char *const *kind = ls_kinds; *kind; kind++) near = nearest_of(ls_kind, near, *kind);
    return near ? cli_usage(cli, "there is no kind \"%s\"; did you mean %s?", ls_kind, near)
                : cli_usage(cli, "there is no kind \"%s\"", ls_kind);
}

static int ls_all(struct cli *cli, const struct match *match, const metrics_snapshot_t *snapshot)
{
    struct ls ls = {.cli = cli, .grid = {.columns = 3}};
    jsonw_begin(&ls.json, &cli->out);
    if (cli->json) {
        jsonw_object(&ls.json);
        show_json_snapshot(&ls.json, metrics_snapshot_header(snapshot));
        jsonw_key(&ls.json, ls_names ? "names" : "series");
        jsonw_array(&ls.json);
    }
    for (size_t i = 0; i < metrics_snapshot_count(snapshot); i++) {
        const metrics_reading_t *reading = metrics_snapshot_reading(snapshot, i);
        if (match_reading(match, reading)) ls_reading(&ls, reading);
    }
    if (cli->json) {
        jsonw_array_end(&ls.json);
        jsonw_object_end(&ls.json);
        buf_char(&cli->out, '\n');
    }
    grid_print(&ls.grid, 0, &cli->out);
    return ls.shown ? CLI_OK : match_none(cli, match, snapshot);
}

static int ls_run(struct cli *cli)
{
    struct match match;
    metrics_snapshot_t *snapshot = NULL;
    int code = match_parse(cli, 0, &match);
    if (code == CLI_OK) code = input_take(cli, ls_from, &snapshot);
    if (code != CLI_OK) return code;
    code = ls_check_kind(cli, snapshot);
    if (code == CLI_OK) code = ls_all(cli, &match, snapshot);
    metrics_snapshot_release(&snapshot);
    return code;
}

const struct command command_ls = {
    .name = "ls",
    .args = MATCH_ARGS,
    .summary = "list the series",
    .text = "Prints one line per series: kind, unit (- if it has none), name and tags. Names and tags are "
            "printed in the form that mtxctl accepts, so they can be pasted into another command.\n"
            "\n" MATCH_TEXT,
    .examples = "mtxctl ls\n"
                "mtxctl ls 'http.*' status='5*'\n"
                "mtxctl ls --names                  # families\n"
                "mtxctl ls --json | jq '.series[] | select(.kind == \"timer\").name'\n",
    .options = ls_options,
    .exits = {[CLI_NO] = "no series matches"},
    .most = -1,
    .run = ls_run,
};
