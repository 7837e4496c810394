/* SPDX-License-Identifier: Apache-2.0 */
/* mtxctl inc - adds one to a counter. */
#include "writing.h"

static int inc_run(struct cli *cli)
{
    struct writing w;
    int code = writing_parse(cli, 1, &w);
    if (code == CLI_OK) code = writing_open(&w);
    if (code == CLI_OK) metrics_counter_inc(metrics_counter_v(w.registry, w.name_tags, w.n));
    return writing_close(&w, code);
}

const struct command command_inc = {
    .name = "inc",
    .args = "NAME [KEY=VALUE...]",
    .summary = "add one to a counter",
    .text = "Adds 1 to the counter with that name and those tags. " WRITING_TEXT,
    .examples = "mtxctl inc deploys service=shop\n",
    .exits = {WRITING_EXITS},
    .least = 1,
    .most = -1,
    .run = inc_run,
};
