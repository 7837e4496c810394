/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mtxctl run - runs a command with its own segment and exporter, and reports once more at its end.
 *
 * At the end, in this order: the command dies and stays a zombie, so that its pid is not given to another
 * process; the locks of its gauges, which the kernel released, are taken over (hold.h); the exporter is asked
 * to finish: it takes its last snapshot, in which the gauges are still alive, and delivers it; the gauges are
 * released; the command is reaped; a segment that was created for it is removed.
 */
#include "child.h"
#include "clock.h"
#include "input.h"
#include "json.h"
#include "reporter.h"

#include "hold.h"

#include <mtx/metrics.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *run_segment, *run_config, *run_interval, *run_exporter;
static uint64_t run_deadline;
static bool run_keep;

static const struct cmd_option run_options[] = {
    {.name = "segment",
     .letter = 's',
     .type = CMD_TEXT,
     .value = &run_segment,
     .arg = "PATH",
     .help = "use this segment (default $MTX_SEGMENT) instead of creating one"},
    {.name = "config",
     .letter = 'c',
     .type = CMD_TEXT,
     .value = &run_config,
     .arg = "FILE",
     .help = "configuration of mtx-exporter (default $MTX_EXPORTER_CONFIG; without either, a table of "
             "what the command recorded is printed on stderr)"},
    {.name = "interval",
     .letter = 'i',
     .type = CMD_TEXT,
     .value = &run_interval,
     .arg = "TIME",
     .help = "how often to report while the command runs, such as 10s (default: as the configuration "
             "says)"},
    {.name = "deadline",
     .letter = 'd',
     .type = CMD_DURATION,
     .value = &run_deadline,
     .arg = "TIME",
     .def = "15s",
     .min = 0,
     .max = 3600e9,
     .help = "how long the last report may take after the command has ended"},
    {.name = "keep",
     .letter = 'k',
     .type = CMD_FLAG,
     .value = &run_keep,
     .help = "keep the segment that was created for the command, and print its path"},
    {.name = "exporter",
     .type = CMD_TEXT,
     .value = &run_exporter,
     .arg = "PROGRAM",
     .help = "the mtx-exporter to start (default: the one beside mtxctl, else the one in PATH)"},
    {.name = NULL},
};

struct run {
    struct cli *cli;
    struct child child;
    struct reporter reporter;
    bool reported; /* our own reporter was started */
    char path[4096];
    bool ours;            /* the segment was created for this command */
    bool usable;          /* it could be opened */
    uint64_t since;       /* its age in nanoseconds when the command began */
    metrics_hold_t *hold; /* keeps others from claiming the command's slots */
    uint32_t held;        /* slots of the command whose gauges were held */
};

/* --- The segment --- */

static void run_choose(struct run *run)
{
    const char *env = getenv("MTX_SEGMENT"), *given = run_segment;
    if (!given && env && *env) given = env;
    run->ours = !given;
    if (given)
        snprintf(run->path, sizeof run->path, "%s", given);
    else
        snprintf(run->path, sizeof run->path, "/dev/shm/mtx-%u-run-%ld.seg", (unsigned)geteuid(),
                 (long)getpid());
    setenv("MTX_SEGMENT", run->path, 1);
}

/* Created before the command starts, so that the exporter can follow it from the first moment. */
static bool run_make(struct run *run)
{
    metrics_error_t error = {0};
    metrics_options_t options = {
        .size = sizeof options, .path = run->path, .attach = run->ours ? METRICS_RESET : METRICS_KEEP};
    metrics_registry_t *registry = metrics_open(&options, &error);
    bool good = metrics_status(registry, NULL) >= 0;
    metrics_close(&registry);
    if (!good) cli_fail(run->cli, CLI_SEGMENT, "%s; the command runs, but nothing is reported", error.text);
    return good;
}

static bool run_facts(const struct run *run, metrics_segment_info_t *facts)
{
    metrics_reader_t *reader = metrics_reader_open(run->path, NULL, NULL);
    bool good = reader && !metrics_reader_info(reader, facts, NULL);
    metrics_reader_close(&reader);
    return good;
}

static void run_remove(struct run *run)
{
    if (!run->ours) return;
    if (run_keep) {
        struct buf line = {0};
        buf_printf(&line, "mtxctl run: the segment is kept at %s\n", run->path);
        cli_warn(&line);
        return;
    }
    unlink(run->path);
}

/* --- The exporter --- */

/* If an exporter already leads the segment, that one reports it. */
static void run_report(struct run *run)
{
    struct reporter_options options = {run_exporter, run->path, run_config, run_interval,
                                       run->ours && !run_keep};
    metrics_segment_info_t facts;
    if (!run->usable || !run_facts(run, &facts)) return;
    run->since = facts.age_ns;
    if (facts.leader) {
        if (run_config || run_interval)
            fprintf(
                stderr,
                "mtxctl run: another mtx-exporter already leads %s: --config and --interval have no effect\n",
                run->path);
        return;
    }
    run->reported = reporter_start(run->cli, &run->child, &options, &run->reporter);
}

static void run_lost(const struct run *run)
{
    cli_fail(run->cli, CLI_FAILED, "mtx-exporter ended with status %d; nothing more is reported",
             run->reporter.status);
}

static void run_other(void *arg, const siginfo_t *ended)
{
    struct run *run = arg;
    bool was = run->reporter.pid != 0;
    reporter_ended(&run->reporter, ended);
    if (was && !run->reporter.pid) run_lost(run);
}

/* A short command may end before the exporter leads the segment; it is asked to finish only after that. */
static void run_await_leader(struct run *run, uint64_t deadline)
{
    metrics_segment_info_t facts = {.leader = 0};
    while (run->reporter.pid && clock_mono(&clock_system) < deadline) {
        if (!run_facts(run, &facts) || facts.leader) return;
        if (!reporter_pause(&run->child, clock_mono(&clock_system) + CLOCK_SECOND / 100)) return;
        if (reporter_gone(&run->reporter)) run_lost(run);
    }
}

/* The other exporter closes its interval at its own time, then reads what we hold, then notes that it has. */
static void run_await_other(const struct run *run, uint64_t deadline)
{
    metrics_segment_info_t facts;
    uint64_t open = metrics_hold_interval(run->hold);
    while (!metrics_hold_is_logged(run->hold, open) && run_facts(run, &facts) && facts.leader &&
           clock_mono(&clock_system) < deadline)
        if (!reporter_pause(&run->child, clock_mono(&clock_system) + CLOCK_SECOND / 50)) return;
}

static void run_last_report(struct run *run)
{
    uint64_t deadline = clock_mono(&clock_system) + run_deadline;
    if (!run->usable) return;
    run->held = metrics_hold_take(run->hold, (uint32_t)run->child.pid, run->since);
    if (run->reported) {
        run_await_leader(run, deadline);
        if (run->reporter.pid && !reporter_finish(&run->reporter, &run->child, deadline))
            cli_fail(run->cli, CLI_FAILED, "mtx-exporter was killed before its last report was delivered");
    } else if (run->held)
        run_await_other(run, deadline);
    metrics_hold_release(&run->hold);
}

/* --- All of it --- */

static void run_json(const struct run *run, int status)
{
    struct buf out = {0};
    struct json j;
    jsonw_begin(&j, &out);
    jsonw_object(&j);
    jsonw_key_str(&j, "segment", run->path);
    jsonw_key_u64(&j, "exit_status", (uint64_t)status);
    jsonw_key(&j, "reported");
    jsonw_bool(&j, run->reported && run->reporter.status == 0);
    jsonw_key_u64(&j, "slots_held", run->held);
    jsonw_object_end(&j);
    buf_char(&out, '\n');
    fputs(buf_text(&out), stderr);
    buf_free(&out);
}

static int run_run(struct cli *cli)
{
    struct run run = {.cli = cli};
    child_begin(&run.child);
    run_choose(&run);
    run.usable = run_make(&run);
    run_report(&run);
    if (run.usable) run.hold = metrics_hold_open(run.path, NULL);
    int code = child_spawn(cli, &run.child, cli->child);
    metrics_hold_process(run.hold, (uint32_t)run.child.pid);
    if (!code) code = child_wait(&run.child, run_other, &run);
    run_last_report(&run);
    child_reap(&run.child);
    run_remove(&run);
    if (cli->json) run_json(&run, code);
    return code;
}

const struct command command_run = {
    .name = "run",
    .args = "[--] COMMAND [ARGUMENT...]",
    .summary = "run a command with its own segment and exporter",
    .text = "For jobs, cron and tests. Creates a segment for the command (unless --segment or $MTX_SEGMENT "
            "names one), starts mtx-exporter beside it, and runs COMMAND with MTX_SEGMENT set. When COMMAND "
            "ends, however soon, what it recorded is reported one last time, and the segment is removed.\n"
            "\n"
            "A gauge normally ends with its process, but gauges that COMMAND itself had set when it ended "
            "are still in the last report: mtxctl takes the place of the dead process until then. (Gauges "
            "of its child processes end with them, as always; mtxctl gauge sets one that stays.)\n"
            "\n"
            "Signals sent to mtxctl are passed on to COMMAND. After COMMAND has ended, SIGINT or SIGTERM "
            "cuts the last report short. Problems with the metrics are reported on stderr; they neither "
            "stop COMMAND nor change its exit status. Standard output belongs to COMMAND: the output of "
            "mtx-exporter goes to stderr, and so does the summary of --json. If mtxctl itself is killed, "
            "mtx-exporter reports once more and ends, but the segment stays.\n"
            "\n"
            "If another mtx-exporter already leads the segment, none is started. If COMMAND has set gauges, "
            "mtxctl then waits for the next interval of that exporter, at most --deadline.",
    .examples = "mtxctl run -- ./nightly-job --all\n"
                "mtxctl run --config /etc/mtx/jobs.yaml --interval 30s -- ./import.sh\n"
                "MTX_SEGMENT=/dev/shm/shop.seg mtxctl run -- ./maintenance\n",
    .options = run_options,
    .exit_child = CHILD_EXIT,
    .no_segment = true,
    .child = true,
    .child_first = true,
    .most = 0,
    .run = run_run,
};
