/* SPDX-License-Identifier: Apache-2.0 */
/* mtxctl check - whether every structure of the segment is sound. */
#include "input.h"
#include "show.h"

#include <inttypes.h>

struct check {
    struct cli *cli;
    struct json json;
};

static void check_damage(void *arg, uint64_t offset, const char *what)
{
    struct check *check = arg;
    if (check->cli->json) {
        jsonw_object(&check->json);
        jsonw_key_u64(&check->json, "offset", offset);
        jsonw_key_str(&check->json, "damage", what);
        jsonw_object_end(&check->json);
    } else {
        buf_printf(&check->cli->out, "offset %" PRIu64 " (0x%" PRIx64 "): ", offset, offset);
        show_text(&check->cli->out, what);
        buf_char(&check->cli->out, '\n');
    }
    cli_flow(check->cli);
}

static int check_run(struct cli *cli)
{
    struct check check = {.cli = cli};
    metrics_error_t error = {0};
    if (cli->n && cli->segment) return cli_usage(cli, "give the segment once, as PATH or with --segment");
    if (cli->n) cli->segment = cli->args[0];
    const char *path = input_path(cli);
    size_t before = cli->out.len;
    jsonw_begin(&check.json, &cli->out);
    if (cli->json) {
        jsonw_object(&check.json);
        jsonw_key_str(&check.json, "segment", path);
        jsonw_key(&check.json, "damages");
        jsonw_array(&check.json);
    }
    int n = metrics_segment_check(path, check_damage, &check, &error);
    if (n < 0) {
        buf_cut(&cli->out, before);
        return input_fail(cli, path, &error);
    }
    if (cli->json) {
        jsonw_array_end(&check.json);
        jsonw_key_u64(&check.json, "count", (uint64_t)n);
        jsonw_object_end(&check.json);
        buf_char(&cli->out, '\n');
    } else {
        show_text(&cli->out, path);
        buf_printf(&cli->out, n ? ": %d damages\n" : ": sound\n", n);
    }
    return n ? CLI_NO : CLI_OK;
}

const struct command command_check = {
    .name = "check",
    .args = "[PATH]",
    .summary = "check every structure of the segment and report each damage",
    .text = "Checks the whole file: header, index, records, families, storage, slots, reservoirs. Each "
            "damage is reported with its byte offset in the file. Processes may go on writing meanwhile.\n"
            "\n"
            "Readers leave out damaged series; the others are not affected. To repair a damaged segment, "
            "delete the file and restart the processes that write to it.",
    .examples = "mtxctl check\n"
                "mtxctl check /var/tmp/saved.seg && echo sound\n",
    .exits = {[CLI_OK] = "the segment is sound",
              [CLI_NO] = "damage was found",
              [CLI_SEGMENT] = "the segment does not exist, or too little of it is left to be checked"},
    .most = 1,
    .run = check_run,
};
