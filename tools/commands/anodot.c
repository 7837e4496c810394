/* SPDX-License-Identifier: Apache-2.0 */
/* mtxctl anodot - schemas, watermarks and keys of Anodot. */
#include "anodot_objects.h"

static const struct cmd_option anodot_options[] = {SETTINGS_ROWS, {.name = NULL}};

static const struct call *const tables[] = {anodot_schema_calls, anodot_calls_table, NULL};
static const struct calls anodot_calls = {.service = &anodot_service, .tables = tables};

static int anodot_run(struct cli *cli)
{
    return calls_run(&anodot_calls, cli);
}

static void anodot_more(char **args, int n, struct buf *out)
{
    calls_help(&anodot_calls, "mtxctl anodot", args, n, out);
}

const struct command command_anodot = {
    .name = "anodot",
    .args = "CALL [ARGUMENT...] [FIELD=VALUE...]",
    .summary = "schemas, watermarks and keys of Anodot",
    .text =
        "Lists, shows, makes and deletes the schemas of protocol 3.0, sends watermarks, and asks the service whether "
        "it accepts the keys.\n"
        "\n"
        "The keys are those of the backend anodot30: in a configuration (--config), in ANODOT_ACCESS_KEY (schemas) "
        "and ANODOT_TOKEN (watermarks), or in --set access_key_file=FILE. A request is sent once and not tried "
        "again. --dry-run sends only what has to be read first, and prints the request that would change something.\n"
        "\n"
        "A time is a number of seconds, 2026-01-31T23:59:58Z, now, or -1h.",
    .examples = "mtxctl anodot token check\n"
                "mtxctl anodot schema create web dimensions=dc measurement=\"hits sum\"\n"
                "mtxctl anodot schema create-from-segment 'http.*' --dry-run\n"
                "mtxctl anodot watermark web time=now\n",
    .more = anodot_more,
    .options = anodot_options,
    .exits = {TALK_EXITS},
    .least = 1,
    .most = -1,
    .run = anodot_run,
};
