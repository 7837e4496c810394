/* SPDX-License-Identifier: Apache-2.0 */
/* mtxctl gauge - sets a gauge that keeps its value after mtxctl has ended. */
#include "writing.h"

#include <math.h>
#include <string.h>

/* A family either belongs to living processes or is persistent, so it is declared before its first series. */
static int gauge_declare(struct writing *w)
{
    metrics_error_t error = {0};
    metrics_family_t family = {.size = sizeof family, .persistent = 1};
    int wrong = metrics_describe(w->registry, w->name_tags[0], &family, &error);
    if (wrong == METRICS_E_SETTINGS)
        return cli_fail(
            w->cli, CLI_REFUSED,
            "%s belongs to the processes that set it (or has other settings), so a value set by mtxctl "
            "would disappear at once; choose another name, or declare it .persistent in the program",
            w->name_tags[0]);
    return wrong ? cli_fail(w->cli, CLI_REFUSED, "%s", error.text) : CLI_OK;
}

static int gauge_run(struct cli *cli)
{
    struct writing w;
    double value = NAN;
    int code = writing_parse(cli, 2, &w);
    if (code == CLI_OK && strcmp(cli->args[1], "none")) code = writing_number(cli, cli->args[1], &value);
    if (code == CLI_OK) code = writing_open(&w);
    if (code == CLI_OK) code = gauge_declare(&w);
    if (code == CLI_OK) metrics_gauge_set(metrics_gauge_v(w.registry, w.name_tags, w.n), value);
    return writing_close(&w, code);
}

const struct command command_gauge = {
    .name = "gauge",
    .args = "NAME VALUE [KEY=VALUE...]",
    .summary = "set a gauge that outlives mtxctl",
    .text = "Sets the gauge with that name and those tags to VALUE, a number; \"none\" removes the value. "
            "Gauges usually belong to a process and disappear with it. This one is persistent: it keeps "
            "its value until it is set again. A name that processes use for gauges of their own is "
            "refused. " WRITING_TEXT,
    .examples = "mtxctl gauge backup.last_success \"$(date +%s)\" host=db1\n"
                "mtxctl gauge temperature -12.5\n"
                "mtxctl gauge maintenance none\n",
    .exits = {WRITING_EXITS},
    .least = 2,
    .most = -1,
    .run = gauge_run,
};
