/* SPDX-License-Identifier: Apache-2.0 */
/* mtxctl check - whether every structure of the segment is sound. */
#include "input.h"
#include "prove.h"
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

/* Test the kernel as well; a segment that this user may not write keeps the note that it has. */
static enum metrics_proof check_kernel(const char *path)
{
    enum metrics_proof proof;
    metrics_prove(path, &proof, NULL);
    return proof;
}

static void check_say_kernel(struct check *check, enum metrics_proof proof)
{
    static const char *const words[] = {"untested", "works", "broken"};
    if (check->cli->json)
        jsonw_key_str(&check->json, "kernel", words[proof]);
    else if (proof == METRICS_PROOF_BROKEN)
        buf_str(&check->cli->out,
                "this kernel does not restart sequences that it interrupts: restart the programs that "
                "use the segment; they use atomic lanes then\n");
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
    enum metrics_proof proof = check_kernel(path);
    if (cli->json) {
        jsonw_array_end(&check.json);
        jsonw_key_u64(&check.json, "count", (uint64_t)n);
        check_say_kernel(&check, proof);
        jsonw_object_end(&check.json);
        buf_char(&cli->out, '\n');
    } else {
        show_text(&cli->out, path);
        buf_printf(&cli->out, n ? ": %d damages\n" : ": sound\n", n);
        check_say_kernel(&check, proof);
    }
    return n ? CLI_NO : CLI_OK;
}

const struct command command_check = {
    .name = "check",
    .args = "[PATH]",
    .summary = "check every structure of the segment and report each damage",
    .text =
        "Checks the whole file: header, index, records, families, storage, slots, reservoirs. Each "
        "damage is reported with its byte offset in the file. Processes may go on writing meanwhile.\n"
        "\n"
        "Readers leave out damaged series; the others are not affected. To repair a damaged segment, "
        "delete the file and restart the processes that write to it.\n"
        "\n"
        "It also tests whether the kernel restarts sequences that it interrupts (some arm64 kernels do not), and "
        "notes that in the segment, if it may write there: programs that start later choose their lanes by it.",
    .examples = "mtxctl check\n"
                "mtxctl check /var/tmp/saved.seg && echo sound\n",
    .exits = {[CLI_OK] = "the segment is sound",
              [CLI_NO] = "damage was found",
              [CLI_SEGMENT] = "the segment does not exist, or too little of it is left to be checked"},
    .most = 1,
    .run = check_run,
};
