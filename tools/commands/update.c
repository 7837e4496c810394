/* SPDX-License-Identifier: Apache-2.0 */
/* mtxctl update - records a value in a histogram. */
#include "writing.h"

static int update_run(struct cli *cli)
{
    struct writing w;
    double value;
    int code = writing_parse(cli, 2, &w);
    if (code == CLI_OK) code = writing_number(cli, cli->args[1], &value);
    if (code == CLI_OK) code = writing_open(&w);
    if (code == CLI_OK) metrics_histogram_update(metrics_histogram_v(w.registry, w.name_tags, w.n), value);
    return writing_close(&w, code);
}

const struct command command_update = {
    .name = "update",
    .args = "NAME VALUE [KEY=VALUE...]",
    .summary = "record a value in a histogram",
    .text = "Records VALUE, a number, in the histogram with that name and those tags. To record how long a "
            "command takes, use mtxctl time. " WRITING_TEXT,
    .examples = "mtxctl update backup.files 1532 disk=sda\n",
    .exits = {WRITING_EXITS},
    .least = 2,
    .most = -1,
    .run = update_run,
};
