/* SPDX-License-Identifier: Apache-2.0 */
/* mtxctl unique - adds an element to a set. */
#include "writing.h"

#include <string.h>

/* The element may contain anything, even an =, so it is not looked at as a tag. */
static int unique_run(struct cli *cli)
{
    struct writing w;
    const char *element = cli->args[1];
    int code = writing_parse(cli, 2, &w);
    if (code == CLI_OK) code = writing_open(&w);
    if (code == CLI_OK)
        metrics_set_add(metrics_set_v(w.registry, w.name_tags, w.n), element, strlen(element));
    return writing_close(&w, code);
}

const struct command command_unique = {
    .name = "unique",
    .args = "NAME ELEMENT [KEY=VALUE...]",
    .summary = "add an element to a set",
    .text = "Adds ELEMENT (any text) to the set with that name and those tags. A set counts the distinct "
            "elements of each interval. " WRITING_TEXT,
    .examples = "mtxctl unique logins alice\n",
    .exits = {WRITING_EXITS},
    .least = 2,
    .most = -1,
    .run = unique_run,
};
