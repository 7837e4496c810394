/* SPDX-License-Identifier: Apache-2.0 */
/* mtxctl chouette - the lists in Redis that the collection agent empties. */
#include "chouette.h"

static const struct cmd_option chouette_options[] = {SETTINGS_ROWS, CALL_YES_ROW, {.name = NULL}};

static const struct call *const tables[] = {chouette_calls_table, NULL};
static const struct calls chouette_calls = {.service = &chouette_service, .tables = tables};

static int chouette_run(struct cli *cli)
{
    return calls_run(&chouette_calls, cli);
}

static void chouette_more(char **args, int n, struct buf *out)
{
    calls_help(&chouette_calls, "mtxctl chouette", args, n, out);
}

const struct command command_chouette = {
    .name = "chouette",
    .args = "CALL [QUEUE] [FIELD=VALUE...]",
    .summary = "the lists in Redis between servers and the Chouette agent",
    .text =
        "A QUEUE is raw (metrics that the agent has yet to aggregate), wrapped (metrics that wait for the "
        "service) or logs; without one, all three are meant.\n"
        "\n"
        "Some records end the agent, or keep it from sending anything: bad finds them, prune removes them. Redis is "
        "the one of the backend chouette: in a configuration (--config), in REDIS_HOST and REDIS_PORT, or in --set.\n",
    .examples = "mtxctl chouette queues --set host=127.0.0.1\n"
                "mtxctl chouette bad raw\n"
                "mtxctl chouette prune before=-4h bad=true --yes\n",
    .more = chouette_more,
    .options = chouette_options,
    .exits = {[CLI_NO] = "there are bad records",
              [CLI_SEGMENT] = "Redis could not be reached, or could not answer",
              [CLI_REFUSED] = "Redis denied access"},
    .no_segment = true,
    .least = 1,
    .most = -1,
    .run = chouette_run,
};
