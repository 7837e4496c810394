/* SPDX-License-Identifier: Apache-2.0 */
/* main.c - mtx-exporter: command line, signals, exit codes. */
#include "command_help.h"
#include "config_load.h"
#include "exporter.h"
#include "nearest.h"
#include "say.h"

#include <mtx/metrics.h>

#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { EXIT_MISTAKE = 1, EXIT_USAGE = 2 };

/* What the command line said. */
struct arguments {
    const char *config, *segment, *interval, *log;
    bool once, check, help, version, sample;
};
static struct arguments given;

static const struct cmd_option argument_rows[] = {
    {.name = "config",
     .letter = 'c',
     .type = CMD_TEXT,
     .value = &given.config,
     .arg = "FILE",
     .help = "read this configuration (default $MTX_EXPORTER_CONFIG)"},
    {.name = "segment",
     .letter = 's',
     .type = CMD_TEXT,
     .value = &given.segment,
     .arg = "PATH",
     .help = "report this segment, whatever the configuration says"},
    {.name = "interval",
     .letter = 'i',
     .type = CMD_TEXT,
     .value = &given.interval,
     .arg = "TIME",
     .help = "report this often, whatever the configuration says"},
    {.name = "log",
     .type = CMD_TEXT,
     .value = &given.log,
     .arg = "PLACE",
     .help = "keep the log in a \"file\" or in \"memory\", whatever the configuration says"},
    {.name = "once",
     .letter = '1',
     .type = CMD_FLAG,
     .value = &given.once,
     .help = "take one snapshot, send it to every backend, and exit"},
    {.name = "check",
     .type = CMD_FLAG,
     .value = &given.check,
     .help = "check the configuration, print the settings in effect, and exit"},
    {.name = "sample",
     .type = CMD_FLAG,
     .value = &given.sample,
     .help = "print a commented sample configuration and exit"},
    {.name = "help",
     .letter = 'h',
     .type = CMD_FLAG,
     .value = &given.help,
     .help = "print this help and exit"},
    {.name = "version",
     .letter = 'V',
     .type = CMD_FLAG,
     .value = &given.version,
     .help = "print the version and exit"},
    {.name = NULL},
};

static const struct cmd_line main_line = {
    .program = "mtx-exporter", .args = "[backends [NAME]]", .tables = {argument_rows}, .most = 2};

static const char *main_env(const char *name)
{
    return getenv(name);
}

static int main_print(struct buf *out)
{
    bool good = buf_ok(out) && fwrite(buf_text(out), 1, out->len, stdout) == out->len && !fflush(stdout);
    buf_free(out);
    return good ? 0 : EXIT_MISTAKE;
}

/* --- Help --- */

static const char help_text[] =
    "mtx-exporter reads the shared-memory segment into which the processes of a server write their metrics, "
    "and reports it to every configured backend. Run one beside each segment.\n"
    "\n"
    "  mtx-exporter [OPTION...]         report until SIGTERM\n"
    "  mtx-exporter backends [NAME]     list the backends, or explain the options of one\n"
    "\n"
    "Without a configuration it reports the segment $MTX_SEGMENT (or /dev/shm/mtx-<uid>.seg) every 10 s: as "
    "a table on standard output, and for Prometheus to scrape at http://127.0.0.1:9464/metrics. If the "
    "segment does not exist yet, it waits for it.\n";

static const char help_signals[] =
    "\nSignals:\n"
    "SIGHUP reads the configuration again (an invalid one is rejected and the old one stays in effect) and "
    "reopens files. SIGTERM and SIGINT take a last snapshot, deliver what is queued, and exit with 0.\n"
    "\nExit status:\n";

static const char *const help_exits[] = {
    [0] = "done",
    [EXIT_MISTAKE] = "the configuration is invalid, or something failed",
    [EXIT_USAGE] = "invalid command line; nothing was done",
};

static const char help_example[] = "\nExample:\n"
                                   "  segment: /dev/shm/shop.seg\n"
                                   "  interval: 10s\n"
                                   "  tags: {service: shop}\n"
                                   "  backends:\n"
                                   "    - type: prometheus\n"
                                   "    - type: file\n"
                                   "      path: /var/log/shop/metrics.jsonl\n"
                                   "      exclude: [\"mtx.*\"]\n";

static void main_list_backends(struct buf *out)
{
    for (const struct backend *const *b = backends; *b; b++)
        cmd_help_item(out, (*b)->name, (*b)->summary, 15);
}

static int main_help(void)
{
    struct buf out = {0};
    cmd_wrap(&out, help_text, 0);
    buf_str(&out, "\nOptions:\n");
    cmd_help_options(&out, &main_line);
    buf_str(&out, "\nBackends:\n");
    main_list_backends(&out);
    buf_str(&out, "\nConfiguration (YAML; ${VAR} in any value is taken from the environment):\n");
    config_help(&out);
    cmd_wrap(&out, help_signals, 0);
    cmd_help_exits(&out, help_exits, sizeof help_exits / sizeof *help_exits);
    buf_str(&out, help_example);
    return main_print(&out);
}

static int main_unknown_backend(const char *name)
{
    const char *best = NULL;
    for (const struct backend *const *o = backends; *o; o++) best = nearest_of(name, best, (*o)->name);
    fprintf(stderr, "mtx-exporter: there is no backend \"%s\"", name);
    if (best) fprintf(stderr, " (did you mean %s?)", best);
    fprintf(stderr, "; `mtx-exporter backends` lists them\n");
    return EXIT_USAGE;
}

static int main_backends(const char *name)
{
    struct buf out = {0};
    const struct backend *b = name ? backend_find(name) : NULL;
    if (name && !b) return main_unknown_backend(name);
    if (b) {
        buf_printf(&out, "%s: %s\n\n", b->name, b->summary);
        option_help(backend_options(b), 2, &out);
    } else {
        main_list_backends(&out);
    }
    return main_print(&out);
}

static int main_sample(void)
{
    struct buf out = {0};
    config_sample(&out);
    buf_str(&out,
            "# where to report; `mtx-exporter backends NAME` explains the options of each type\nbackends:\n");
    for (const struct backend *const *b = backends; *b; b++) {
        buf_printf(&out, "  # %s\n  - type: %s\n", (*b)->summary, (*b)->name);
        option_sample(backend_options(*b), 4, &out);
    }
    return main_print(&out);
}

/* --- Arguments --- */

static bool arguments_parse(int argc, char **argv, struct cmd_given *words)
{
    struct buf why = {0};
    bool good = cmd_parse(&main_line, argc, argv, words, &why);
    if (good && !given.help) good = cmd_check_arity(&main_line, words, &why);
    if (good && words->n && strcmp(words->args[0], "backends")) {
        good = false;
        buf_printf(&why, "there is no command \"%s\"; the only one is backends", words->args[0]);
    }
    if (!good) fprintf(stderr, "mtx-exporter: %s (see mtx-exporter --help)\n", buf_text(&why));
    buf_free(&why);
    return good;
}

/* An option replaces what the configuration says; the configuration's own row reads it. */
static bool arguments_override(struct config *config, const char *name, const char *value,
                               struct buf *mistakes)
{
    struct buf why = {0};
    if (!value) return true;
    bool good = config_override(config, name, value, &why);
    if (!good) buf_printf(mistakes, "--%s: %s\n", name, buf_text(&why));
    buf_free(&why);
    return good;
}

/* The configuration that the command line asks for; NULL if it is invalid. Mistakes and warnings have been
 * printed. The caller frees it. */
static struct config *main_config(void)
{
    struct buf mistakes = {0};
    const char *env = getenv("MTX_EXPORTER_CONFIG");
    const char *path = given.config ? given.config : env && *env ? env : NULL;
    struct config *config =
        path ? config_load(path, main_env, &mistakes) : config_default(main_env, &mistakes);
    bool good = config && arguments_override(config, "segment", given.segment, &mistakes);
    good = good && arguments_override(config, "interval", given.interval, &mistakes);
    good = good && arguments_override(config, "log", given.log, &mistakes);
    good = good && config_sound(config, &mistakes);
    fputs(buf_text(&mistakes), stderr);
    buf_free(&mistakes);
    if (!good) config_free(&config);
    return config;
}

static int main_check(struct config *config)
{
    struct buf out = {0};
    config_print(config, &out);
    exporter_check(config, &out);
    config_free(&config);
    return main_print(&out);
}

/* --- Running --- */

static void main_reload(struct exporter *exporter)
{
    struct buf why = {0};
    struct config *config = main_config();
    if (!config || !exporter_reload(exporter, config, &why)) {
        say(SAY_ERROR, "the configuration is invalid; the old one stays in effect", "reason",
            config ? buf_text(&why) : "see the lines above", NULL);
        config_free(&config);
    }
    buf_free(&why);
}

static int main_run(struct config *config, const sigset_t *signals)
{
    struct buf why = {0};
    struct exporter *exporter = exporter_start(config, &why);
    if (!exporter) {
        say(SAY_ERROR, "cannot start", "reason", buf_text(&why), NULL);
        config_free(&config);
    }
    buf_free(&why);
    if (!exporter) return EXIT_MISTAKE;
    for (int signal = 0; signal != SIGTERM && signal != SIGINT;) {
        if (sigwait(signals, &signal)) continue;
        if (signal == SIGHUP) main_reload(exporter);
    }
    say(SAY_INFO, "ending: last snapshot, then what is queued", NULL);
    exporter_stop(&exporter);
    return 0;
}

/* glibc would raise this limit to the largest block ever freed; after that, the memory for planning a page of
 * many series, or for packing a snapshot, would stay in the heap for ever. */
static void main_memory(void)
{
    mallopt(M_MMAP_THRESHOLD, 512 * 1024);
}

/* All threads inherit the mask; the main thread waits for these signals. */
static void main_block(sigset_t *signals)
{
    signal(SIGPIPE, SIG_IGN);
    sigemptyset(signals);
    sigaddset(signals, SIGHUP);
    sigaddset(signals, SIGINT);
    sigaddset(signals, SIGTERM);
    pthread_sigmask(SIG_BLOCK, signals, NULL);
}

static int main_version(void)
{
    puts("mtx-exporter " METRICS_VERSION);
    return 0;
}

int main(int argc, char **argv)
{
    struct cmd_given words;
    sigset_t signals;
    if (!arguments_parse(argc, argv, &words)) return EXIT_USAGE;
    if (given.help) return main_help();
    if (given.sample) return main_sample();
    if (given.version) return main_version();
    if (words.n) return main_backends(words.n > 1 ? words.args[1] : NULL);
    struct config *config = main_config();
    if (!config) return EXIT_MISTAKE;
    if (given.check) return main_check(config);
    main_memory();
    main_block(&signals);
    return given.once ? exporter_once(config) : main_run(config, &signals);
}
