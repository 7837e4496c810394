/* SPDX-License-Identifier: Apache-2.0 */
/* mtxctl wavefront - lines of Wavefront's formats: checked, sent; events, spans, tags of sources. */
#include "wavefront_objects.h"

static const struct cmd_option wavefront_options[] = {SETTINGS_ROWS, {.name = NULL}};

static const struct call *const tables[] = {wavefront_lines_calls, wavefront_events_calls, NULL};
static const struct calls wavefront_calls = {.service = &wavefront_service, .tables = tables};

static int wavefront_run(struct cli *cli)
{
    return calls_run(&wavefront_calls, cli);
}

static void wavefront_more(char **args, int n, struct buf *out)
{
    calls_help(&wavefront_calls, "mtxctl wavefront", args, n, out);
}

const struct command command_wavefront = {
    .name = "wavefront",
    .args = "CALL [ARGUMENT...] [FIELD=VALUE...]",
    .summary = "check and send lines, events and spans of Wavefront",
    .text =
        "Checks lines as a Wavefront proxy does, and sends them, or an event, a span, a span's log, or a source's tag "
        "that is given here.\n"
        "\n"
        "Address and token are those of the backend wavefront: in a configuration (--config), in WAVEFRONT_TOKEN, or in "
        "--set url=... and --set mode=proxy. Through a proxy's socket (--set tcp=PROXY:30000), spans need a port for "
        "traces.\n"
        "\n"
        "A time is a number of seconds, 2026-01-31T23:59:58Z, now, or -1h.",
    .examples = "mtxctl wavefront validate lines.txt\n"
                "mtxctl wavefront send trace spans.txt --set url=http://proxy:2878 \\\n"
                "    --set mode=proxy\n"
                "mtxctl wavefront event \"deploy v42\" severity=info hosts=web-1,web-2\n",
    .more = wavefront_more,
    .options = wavefront_options,
    .exits = {[CLI_NO] = "lines would be refused, or the service refused the request",
              [CLI_SEGMENT] = "the service could not be reached, or could not answer now",
              [CLI_REFUSED] = "the service denied access (token, address)"},
    .no_segment = true,
    .least = 1,
    .most = -1,
    .run = wavefront_run,
};
