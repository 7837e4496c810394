/* SPDX-License-Identifier: Apache-2.0 */
/* mtxctl mark - records events in a meter. */
#include "writing.h"

#include <string.h>

static int mark_run(struct cli *cli)
{
    struct writing w;
    uint64_t n = 1;
    bool counted = cli->n > 1 && !strchr(cli->args[1], '=');
    int code = writing_parse(cli, counted ? 2 : 1, &w);
    if (code == CLI_OK && counted) code = writing_count(cli, cli->args[1], &n);
    if (code == CLI_OK) code = writing_open(&w);
    if (code == CLI_OK) metrics_meter_mark(metrics_meter_v(w.registry, w.name_tags, w.n), n);
    return writing_close(&w, code);
}

const struct command command_mark = {
    .name = "mark",
    .args = "NAME [N] [KEY=VALUE...]",
    .summary = "record an event (or N) in a meter",
    .text = "Records one event, or N, in the meter with that name and those tags. A meter keeps a total and "
            "its rates over 1, 5 and 15 minutes. " WRITING_TEXT,
    .examples = "mtxctl mark mails.received\n"
                "mtxctl mark mails.received 12 folder=inbox\n",
    .exits = {WRITING_EXITS},
    .least = 1,
    .most = -1,
    .run = mark_run,
};
