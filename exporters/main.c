/* SPDX-License-Identifier: Apache-2.0 */
/* main.c - mtx-exporter: command line, signals, exit codes. */
#include "about.h"
#include "config_load.h"
#include "exporter.h"
#include "file_limit.h"
#include "printable.h"
#include "say.h"
#include "standard.h"

#include <mtx/metrics.h>

#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What the command line said. */
struct arguments {
    const char *config, *segment, *interval, *log, *forget;
    bool once, check, help, version, sample;
};
static struct arguments given;
static bool wrong_arguments; /* one of them has a value that its row does not take */

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
    {.name = "forget",
     .type = CMD_TEXT,
     .value = &given.forget,
     .arg = "NAME",
     .help = "drop what is kept for the backend NAME, and exit; no exporter may be running"},
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

/* --- Texts --- */

static int main_print(struct buf *out)
{
    bool good = buf_ok(out) && fwrite(buf_text(out), 1, out->len, stdout) == out->len && !fflush(stdout);
    buf_free(out);
    return good ? 0 : EXIT_MISTAKE;
}

static int main_mistake(const char *why, const char *hint)
{
    struct buf line = {0};
    buf_printf(&line, "mtx-exporter: %s%s\n", why, hint);
    say_text(&line);
    buf_free(&line);
    return EXIT_USAGE;
}

/* What only prints something and ends. */
static int main_about(const struct cmd_given *words)
{
    struct buf out = {0}, why = {0};
    int code = 0;
    if (given.help)
        about_help(&main_line, &out);
    else if (given.sample)
        about_sample(&out);
    else if (given.version)
        buf_str(&out, "mtx-exporter " METRICS_VERSION "\n");
    else if (!about_backends(words->n > 1 ? words->args[1] : NULL, &out, &why))
        code = main_mistake(buf_text(&why), " (mtx-exporter backends lists them)");
    buf_free(&why);
    return code ? code : main_print(&out);
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
    if (!good) main_mistake(buf_text(&why), " (see mtx-exporter --help)");
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
    if (!good) buf_printf(mistakes, "mtx-exporter: --%s: %s\n", name, buf_text(&why));
    wrong_arguments = wrong_arguments || !good;
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
    say_text(&mistakes);
    buf_free(&mistakes);
    if (!good) config_free(&config);
    return config;
}

static int main_check(struct config *config)
{
    struct buf out = {0}, clean = {0}, mistakes = {0};
    config_print(config, &out);
    bool good = exporter_check(config, &out, &mistakes);
    config_free(&config);
    printable_lines(&clean, buf_text(&out), out.len);
    if (!buf_ok(&out)) clean.failed = true;
    buf_free(&out);
    int code = main_print(&clean);
    say_text(&mistakes);
    buf_free(&mistakes);
    return good ? code : EXIT_MISTAKE;
}

/* --- Running --- */

static void main_reload(struct exporter *exporter)
{
    struct buf why = {0};
    struct config *config = main_config();
    if (!config || !exporter_reload(exporter, config, &why)) {
        say(SAY_ERROR, "the configuration was rejected; the old one stays in effect", "reason",
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
    int signal = SIGHUP;
    while (sigwait(signals, &signal) || signal == SIGHUP)
        if (signal == SIGHUP) main_reload(exporter);
    /* After SIGXCPU a few seconds are left, before the kernel kills. */
    say(SAY_INFO, "ending: taking a last snapshot and delivering what is queued", "reason",
        signal == SIGXCPU ? "the limit on CPU time is reached" : NULL, NULL);
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
    static const int waited_for[] = {SIGHUP, SIGINT, SIGTERM, SIGXCPU};
    signal(SIGPIPE, SIG_IGN);
    file_limit_begin();
    sigemptyset(signals);
    for (size_t i = 0; i < sizeof waited_for / sizeof *waited_for; i++) sigaddset(signals, waited_for[i]);
    pthread_sigmask(SIG_BLOCK, signals, NULL);
}

int main(int argc, char **argv)
{
    struct cmd_given words;
    sigset_t signals;
    if (!standard_open()) return EXIT_MISTAKE;
    if (!arguments_parse(argc, argv, &words)) return EXIT_USAGE;
    if (given.help || given.sample || given.version || words.n) return main_about(&words);
    struct config *config = main_config();
    if (!config) return wrong_arguments ? EXIT_USAGE : EXIT_MISTAKE;
    if (given.check) return main_check(config);
    if (given.forget) return exporter_forget(config, given.forget);
    main_memory();
    main_block(&signals);
    return given.once ? exporter_once(config) : main_run(config, &signals);
}
