/* SPDX-License-Identifier: Apache-2.0 */
/* mtxctl add - adds a number to a counter or an updown. */
#include "writing.h"

static bool add_updown;

static const struct cmd_option add_options[] = {
    {.name = "updown",
     .letter = 'u',
     .type = CMD_FLAG,
     .value = &add_updown,
     .help = "the series is an updown, which can also fall: N may be negative"},
    {.name = NULL},
};

static int add_counter(struct writing *w)
{
    uint64_t n;
    int code = writing_count(w->cli, w->cli->args[1], &n);
    if (code == CLI_OK) code = writing_open(w);
    if (code == CLI_OK) metrics_counter_add(metrics_counter_v(w->registry, w->name_tags, w->n), n);
    return code;
}

static int add_to_updown(struct writing *w)
{
    int64_t n;
    int code = writing_integer(w->cli, w->cli->args[1], &n);
    if (code == CLI_OK) code = writing_open(w);
    if (code == CLI_OK) metrics_updown_add(metrics_updown_v(w->registry, w->name_tags, w->n), n);
    return code;
}

static int add_run(struct cli *cli)
{
    struct writing w;
    int code = writing_parse(cli, 2, &w);
    if (code == CLI_OK) code = add_updown ? add_to_updown(&w) : add_counter(&w);
    return writing_close(&w, code);
}

const struct command command_add = {
    .name = "add",
    .args = "NAME N [KEY=VALUE...]",
    .summary = "add a number to a counter",
    .text =
        "Adds the whole number N to the counter with that name and those tags. A counter only grows, so N "
        "must be 0 or more; with --updown, the series is an updown and N may be negative. " WRITING_TEXT,
    .examples = "mtxctl add backup.bytes 1048576 disk=sda\n"
                "mtxctl add --updown jobs.open -1\n",
    .options = add_options,
    .exits = {WRITING_EXITS},
    .least = 2,
    .most = -1,
    .run = add_run,
};
