/* SPDX-License-Identifier: Apache-2.0 */
/* mtxctl apptuit - queries, and keys of metrics. */
#include "apptuit_objects.h"

static const struct cmd_option options[] = {{.name = "start",
                                             .type = CMD_TEXT,
                                             .value = &apptuit_options.start,
                                             .arg = "TIME",
                                             .help = "query: the first time, such as -1h"},
                                            {.name = "end",
                                             .type = CMD_TEXT,
                                             .value = &apptuit_options.end,
                                             .arg = "TIME",
                                             .help = "query: the last time; now if not given"},
                                            {.name = "csv",
                                             .type = CMD_FLAG,
                                             .value = &apptuit_options.csv,
                                             .help = "query: print comma-separated values"},
                                            {.name = "chart",
                                             .type = CMD_FLAG,
                                             .value = &apptuit_options.chart,
                                             .help = "query: draw a chart of each series"},
                                            SETTINGS_ROWS,
                                            {.name = NULL}};

static const struct call *const tables[] = {apptuit_calls_table, NULL};
static const struct calls apptuit_calls = {.service = &apptuit_service, .tables = tables};

static int apptuit_run(struct cli *cli)
{
    return calls_run(&apptuit_calls, cli);
}

static void apptuit_more(char **args, int n, struct buf *out)
{
    calls_help(&apptuit_calls, "mtxctl apptuit", args, n, out);
}

const struct command command_apptuit = {
    .name = "apptuit",
    .args = "CALL ARGUMENT...",
    .summary = "ask Apptuit for series; encode and decode its keys",
    .text =
        "Asks the service for series of a time, or reads and writes the keys under which its client keeps metrics "
        "in a registry.\n"
        "\n"
        "Address and token are those of the backend apptuit: in a configuration (--config), in APPTUIT_API_TOKEN, "
        "or in --set token_file=FILE. A request is sent once and not tried again.\n"
        "\n"
        "A time is a number of seconds, 2026-01-31T23:59:58Z, now, or -1h.",
    .examples = "mtxctl apptuit query 'fetch(\"cpu.load\")' --start -1h --chart\n"
                "mtxctl apptuit query 'fetch(\"cpu.load\")' --start -1d --csv > load.csv\n"
                "mtxctl apptuit encode cpu.load host=web-7\n"
                "mtxctl apptuit decode 'cpu.load{\"host\": \"web-7\"}'\n",
    .more = apptuit_more,
    .options = options,
    .exits = {[CLI_NO] = "the query has no result, or the service refused it",
              [CLI_SEGMENT] = "the service could not be reached, or could not answer now",
              [CLI_REFUSED] = "the service denied access (token, address)"},
    .no_segment = true,
    .least = 1,
    .most = -1,
    .run = apptuit_run,
};
