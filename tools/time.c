/* SPDX-License-Identifier: Apache-2.0 */
/* mtxctl time - how long a command takes. */
#include "child.h"
#include "clock.h"
#include "json.h"
#include "writing.h"

#include <stdio.h>
#include <stdlib.h>

static bool time_status_tag;

static const struct cli_option time_options[] = {
    {.name = "status-tag",
     .letter = 't',
     .type = CLI_FLAG,
     .value = &time_status_tag,
     .help = "add the tag status=ok (exit status 0) or status=error"},
    {.name = NULL},
};

/* Standard output is the command's, so what --json says goes to stderr. */
static void time_json(const struct writing *w, uint64_t ns, int status, bool recorded)
{
    struct buf out = {0};
    struct json j;
    jsonw_begin(&j, &out);
    jsonw_object(&j);
    jsonw_key_str(&j, "name", w->name_tags[0]);
    jsonw_key(&j, "tags");
    jsonw_object(&j);
    for (size_t i = 1; i + 1 < w->n; i += 2) jsonw_key_str(&j, w->name_tags[i], w->name_tags[i + 1]);
    jsonw_object_end(&j);
    jsonw_key_f64(&j, "seconds", (double)ns / 1e9);
    jsonw_key_u64(&j, "exit_status", (uint64_t)status);
    jsonw_key(&j, "recorded");
    jsonw_bool(&j, recorded);
    jsonw_object_end(&j);
    buf_char(&out, '\n');
    fputs(buf_text(&out), stderr);
    buf_free(&out);
}

/* The segment is opened only now: a command may take hours, and its duration belongs to the segment of its
 * end. What goes wrong here is told, but the command's own status comes through. */
static void time_record(struct writing *w, uint64_t ns, int status)
{
    metrics_error_t error = {0};
    bool json = w->cli->json;
    if (time_status_tag) {
        w->name_tags[w->n++] = "status";
        w->name_tags[w->n++] = status ? "error" : "ok";
    }
    bool recorded = writing_open(w) == CLI_OK;
    if (recorded) metrics_timer_update(metrics_timer_v(w->registry, w->name_tags, w->n), ns);
    if (recorded && metrics_status(w->registry, &error)) {
        recorded = false;
        cli_fail(w->cli, CLI_REFUSED, "%s", error.text);
    }
    if (json) time_json(w, ns, status, recorded);
    if (w->registry) metrics_close(&w->registry);
}

static int time_run(struct cli *cli)
{
    struct writing w;
    struct child child;
    int code = writing_parse(cli, 1, &w);
    if (code != CLI_OK) return writing_close(&w, code);
    child_begin(&child);
    uint64_t start = clock_mono(&clock_system);
    code = child_spawn(cli, &child, cli->child);
    if (!code) {
        code = child_wait(&child, NULL, NULL);
        uint64_t ns = clock_mono(&clock_system) - start;
        child_reap(&child);
        time_record(&w, ns, code);
    }
    free(w.name_tags);
    return code;
}

const struct command command_time = {
    .name = "time",
    .args = "NAME [KEY=VALUE...] -- COMMAND [ARGUMENT...]",
    .summary = "run a command and record how long it took",
    .text =
        "Runs COMMAND and records its duration in the timer of that name and those tags, also if it fails. "
        "Signals sent to mtxctl are passed on to it. If the duration cannot be recorded, a line on stderr "
        "says why, and the exit status is the command's all the same. A command that cannot be started is "
        "not recorded.\n"
        "\n"
        "The series and the segment are made if they are new. --json prints what was recorded on stderr, "
        "since standard output belongs to the command.",
    .examples = "mtxctl time backup.time disk=sda -- rsync -a /home /backup\n"
                "mtxctl time --status-tag build.time -- make -j4\n",
    .options = time_options,
    .exit_child =
        "That of COMMAND; 128 + N if signal N ended it; 127 if it was not found, 126 if it could not be "
        "started.",
    .child = true,
    .least = 1,
    .most = -1,
    .run = time_run,
};
