/* SPDX-License-Identifier: Apache-2.0 */
/* mtxctl librato - metrics, annotations, spaces, charts and alerts of Librato and AppOptics. */
#include "librato.h"

static const struct cmd_option librato_options[] = {SETTINGS_ROWS, CALL_YES_ROW, {.name = NULL}};

static const struct call *const tables[] = {librato_metrics_calls,
                                            librato_annotations_calls,
                                            librato_spaces_calls,
                                            librato_alerts_calls,
                                            librato_apply_calls,
                                            librato_generate_calls,
                                            NULL};
static const struct calls librato_calls = {.service = &librato_service, .tables = tables};

static int librato_run(struct cli *cli)
{
    return calls_run(&librato_calls, cli);
}

static void librato_more(char **args, int n, struct buf *out)
{
    calls_help(&librato_calls, "mtxctl librato", args, n, out);
}

const struct command command_librato = {
    .name = "librato",
    .args = "CALL [ARGUMENT...] [FIELD=VALUE...]",
    .summary = "metrics, annotations, spaces, charts and alerts of Librato",
    .text =
        "Lists, shows, makes, changes and deletes what Librato (AppOptics) keeps for an account.\n"
        "\n"
        "User and token are those of the backend librato: in a configuration (--config), in LIBRATO_USER and "
        "LIBRATO_TOKEN, or in --set token_file=FILE. A request is sent once and not tried again. --dry-run sends "
        "only what has to be read first, and prints the request that would change something.\n"
        "\n"
        "A time is a number of seconds, 2026-01-31T23:59:58Z, now, or -1h.",
    .examples = "mtxctl librato metrics list 'web.*'\n"
                "mtxctl librato annotations post deploys title=\"v42\" start=now\n"
                "mtxctl librato alerts create slow condition=\"above http.time 0.5\"\n",
    .more = librato_more,
    .options = librato_options,
    .exits = {TALK_EXITS},
    .least = 1,
    .most = -1,
    .run = librato_run,
};
