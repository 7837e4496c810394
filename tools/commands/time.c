/* SPDX-License-Identifier: Apache-2.0 */
/* mtxctl time - records how long a command takes. */
#include "child.h"
#include "clock.h"
#include "halt.h"
#include "json.h"
#include "sending.h"
#include "writing.h"

#include <stdio.h>
#include <stdlib.h>

static bool time_status_tag, time_milliseconds;
static const char *time_backend;

static const struct cmd_option time_options[] = {
    {.name = "status-tag",
     .letter = 't',
     .type = CMD_FLAG,
     .value = &time_status_tag,
     .help = "add the tag status=ok (exit status 0) or status=error"},
    {.name = "send",
     .type = CMD_TEXT,
     .value = &time_backend,
     .arg = "BACKEND",
     .help = "send the duration to a service, as mtxctl send does, instead of recording it in the segment"},
    {.name = "milliseconds",
     .letter = 'm',
     .type = CMD_FLAG,
     .value = &time_milliseconds,
     .help = "with --send: in whole milliseconds instead of seconds"},
    SENDING_ROWS,
    {.name = NULL},
};

/* Standard output belongs to the command, so the JSON goes to stderr. */
static void time_json(const struct writing *w, uint64_t ns, int status, const char *what, bool done)
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
    jsonw_key(&j, what);
    jsonw_bool(&j, done);
    jsonw_object_end(&j);
    buf_char(&out, '\n');
    fputs(buf_text(&out), stderr);
    buf_free(&out);
}

/* The segment is opened only now: a command may take hours, and its duration belongs to the segment that
 * exists when it ends. Errors are printed, but the exit status stays that of the command. */
static void time_record(struct writing *w, uint64_t ns, int status)
{
    metrics_error_t error = {0};
    bool json = w->cli->json;
    bool recorded = writing_open(w) == CLI_OK;
    if (recorded) metrics_timer_update(metrics_timer_v(w->registry, w->name_tags, w->n), ns);
    if (recorded && metrics_status(w->registry, &error)) {
        recorded = false;
        cli_fail(w->cli, CLI_REFUSED, "%s", error.text);
    }
    if (json) time_json(w, ns, status, "recorded", recorded);
    if (w->registry) metrics_close(&w->registry);
}

/* --- To a service --- */

/* The duration as a line for mtxctl send. */
static void time_line(const struct writing *w, const struct backend_points *points, uint64_t ns,
                      struct buf *out)
{
    struct json j;
    jsonw_begin(&j, out);
    jsonw_object(&j);
    jsonw_key_str(&j, "name", w->name_tags[0]);
    if (points->hand && points->hand->duration) jsonw_key_str(&j, "type", points->hand->duration);
    if (time_milliseconds)
        jsonw_key_u64(&j, "value", (ns + 500000) / 1000000);
    else
        jsonw_key_f64(&j, "value", (double)ns / 1e9);
    jsonw_key_u64(&j, "time", clock_wall(&clock_system) / 1000); /* microseconds */
    jsonw_key(&j, "tags");
    jsonw_object(&j);
    for (size_t i = 1; i + 1 < w->n; i += 2) jsonw_key_str(&j, w->name_tags[i], w->name_tags[i + 1]);
    jsonw_object_end(&j);
    jsonw_object_end(&j);
}

static void time_deliver(struct sending *s, const struct writing *w, uint64_t ns)
{
    struct point_lines lines = {.root_count = 0};
    struct buf line = {0}, why = {0};
    time_line(w, s->points, ns, &line);
    if (point_lines_add(&lines, sending_reader(s), buf_text(&line), line.len, 0, &why))
        sending_points(s, lines.points.at, lines.points.n);
    else
        sending_refuse(s, &(struct refusal){.points = 1, .why = why.data});
    sending_done(s);
    point_lines_free(&lines);
    buf_free(&line);
    buf_free(&why);
}

/* Standard output belongs to the command, so the requests of a dry run go to stderr as well. */
static void time_send(struct sending *s, struct writing *w, uint64_t ns, int status)
{
    halt_begin();
    time_deliver(s, w, ns);
    if (s->shown.json.len) buf_printf(&w->cli->out, "[%s]\n", buf_text(&s->shown.json));
    fputs(buf_text(&w->cli->out), stderr);
    buf_reset(&w->cli->out);
    if (w->cli->json) time_json(w, ns, status, "sent", s->accepted > 0 && !settings_options.dry);
}

static int time_prepare(struct cli *cli, struct sending *s)
{
    const struct settings_options *o = &settings_options;
    if (time_backend) return sending_open(s, cli, time_backend);
    if (o->config || o->instance || o->set.n || sending_options.tags.n || o->dry || o->secrets ||
        time_milliseconds)
        return cli_usage(cli,
                         "--config, --backend, --set, --tag, --dry-run, --show-secrets and --milliseconds "
                         "need --send");
    return CLI_OK;
}

/* --- The command --- */

static void time_note(struct sending *s, struct writing *w, uint64_t ns, int status)
{
    if (time_status_tag) {
        w->name_tags[w->n++] = "status";
        w->name_tags[w->n++] = status ? "error" : "ok";
    }
    if (time_backend)
        time_send(s, w, ns, status);
    else
        time_record(w, ns, status);
}

static int time_run(struct cli *cli)
{
    struct writing w;
    struct child child;
    struct sending s = {.cli = cli};
    int code = writing_parse(cli, 1, &w);
    if (code == CLI_OK) code = time_prepare(cli, &s);
    if (code != CLI_OK) {
        sending_close(&s);
        return writing_close(&w, code);
    }
    child_begin(&child);
    uint64_t start = clock_mono(&clock_system);
    code = child_spawn(cli, &child, cli->child);
    if (!code) {
        code = child_wait(&child, NULL, NULL);
        uint64_t ns = clock_mono(&clock_system) - start;
        child_reap(&child);
        time_note(&s, &w, ns, code);
    }
    sending_close(&s);
    free(w.name_tags);
    return code;
}

const struct command command_time = {
    .name = "time",
    .args = "NAME [KEY=VALUE...] -- COMMAND [ARGUMENT...]",
    .summary = "run a command and record how long it took",
    .text = "Runs COMMAND and records its duration in the timer with that name and those tags, even if it "
            "fails. Signals sent to mtxctl are passed on to COMMAND. If the duration cannot be recorded, a "
            "line on stderr says why; the exit status is still that of COMMAND. A command that cannot be "
            "started is not recorded.\n"
            "\n"
            "The series and the segment are created if they do not exist. --json prints what was recorded "
            "on stderr, since standard output belongs to COMMAND.\n"
            "\n"
            "With --send, the duration goes to a service instead: as a histogram if the service has such a "
            "type, else as a gauge, with the time at which the command ended (see mtxctl send --help).",
    .examples = "mtxctl time backup.time disk=sda -- rsync -a /home /backup\n"
                "mtxctl time --status-tag build.time -- make -j4\n"
                "mtxctl time --send chouette --milliseconds backup.time -- rsync -a /home /backup\n",
    .options = time_options,
    .exit_child = CHILD_EXIT,
    .child = true,
    .least = 1,
    .most = -1,
    .run = time_run,
};
