/* SPDX-License-Identifier: Apache-2.0 */
/* main.c - mtx-exporter: arguments, signals, exit codes. */
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

struct arguments {
    const char *config, *segment, *interval, *log;
    bool once, check, help, version, sample;
};

/* One row per argument; the help is made from it. */
static const struct argument {
    const char *name;
    char letter;
    const char *value; /* what stands for the value in the help; NULL = it takes none */
    size_t offset;
    const char *help;
} argument_rows[] = {
    {"config", 'c', "FILE", offsetof(struct arguments, config),
     "read this configuration (default $MTX_EXPORTER_CONFIG)"},
    {"segment", 's', "PATH", offsetof(struct arguments, segment),
     "report this segment, whatever the configuration says"},
    {"interval", 'i', "TIME", offsetof(struct arguments, interval),
     "report this often, whatever the configuration says"},
    {"log", 0, "PLACE", offsetof(struct arguments, log),
     "keep the log in a \"file\" or in \"memory\", whatever the configuration says"},
    {"once", '1', NULL, offsetof(struct arguments, once), "take one snapshot, hand it to every backend, end"},
    {"check", 0, NULL, offsetof(struct arguments, check),
     "check the configuration, print what is in force, end"},
    {"sample", 0, NULL, offsetof(struct arguments, sample), "print a commented sample configuration, end"},
    {"help", 'h', NULL, offsetof(struct arguments, help), "print this, end"},
    {"version", 'V', NULL, offsetof(struct arguments, version), "print the version, end"},
};
enum { ARGUMENTS = sizeof argument_rows / sizeof *argument_rows };

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

static void help_arguments(struct buf *out)
{
    for (size_t i = 0; i < ARGUMENTS; i++) {
        const struct argument *a = &argument_rows[i];
        size_t from = out->len;
        if (a->letter)
            buf_printf(out, "  -%c, --%s", a->letter, a->name);
        else
            buf_printf(out, "      --%s", a->name);
        if (a->value) buf_printf(out, " %s", a->value);
        buf_fill(out, ' ', out->len - from < 26 ? 26 - (out->len - from) : 2);
        buf_printf(out, "%s\n", a->help);
    }
}

static void help_backends(struct buf *out)
{
    for (const struct backend *const *b = backends; *b; b++)
        buf_printf(out, "  %-12s %s\n", (*b)->name, (*b)->summary);
}

static int main_help(void)
{
    struct buf out = {0};
    buf_str(&out,
            "mtx-exporter reads the shared-memory segment into which the processes of a server write their\n"
            "metrics, and reports it to every configured backend. One runs beside each segment.\n\n"
            "  mtx-exporter [OPTIONS]             report until SIGTERM\n"
            "  mtx-exporter backends [NAME]       list the backends, or explain the options of one\n\n"
            "Without a configuration it reports the segment $MTX_SEGMENT (or /dev/shm/mtx-<uid>.seg) every "
            "10 s as a\n"
            "table on standard output, and on http://127.0.0.1:9464/metrics for Prometheus to scrape. It "
            "waits for a\n"
            "segment that is not there yet.\n\nOptions:\n");
    help_arguments(&out);
    buf_str(&out, "\nBackends:\n");
    help_backends(&out);
    buf_str(&out, "\nConfiguration (YAML; ${VAR} in any value is taken from the environment):\n");
    config_help(&out);
    buf_str(&out,
            "\nSignals: SIGHUP reads the configuration again (a bad one is refused and the old one stays) "
            "and opens\n"
            "files anew; SIGTERM and SIGINT take a last snapshot, deliver what is queued, and end with 0.\n"
            "Exit: 0 = well, 1 = a mistake in the configuration or a failure, 2 = wrong arguments.\n\n"
            "Example:\n"
            "  segment: /dev/shm/shop.seg\n"
            "  interval: 10s\n"
            "  tags: {service: shop}\n"
            "  backends:\n"
            "    - type: prometheus\n"
            "    - type: file\n"
            "      path: /var/log/shop/metrics.jsonl\n"
            "      exclude: [\"mtx.*\"]\n");
    return main_print(&out);
}

static int main_backends(const char *name)
{
    struct buf out = {0};
    const char *best = NULL;
    if (!name) {
        help_backends(&out);
        return main_print(&out);
    }
    const struct backend *b = backend_find(name);
    if (b) {
        buf_printf(&out, "%s: %s\n\n", b->name, b->summary);
        option_help(backend_options(b), 2, &out);
        return main_print(&out);
    }
    for (const struct backend *const *o = backends; *o; o++) best = nearest_of(name, best, (*o)->name);
    fprintf(stderr, "mtx-exporter: there is no backend \"%s\"", name);
    if (best) fprintf(stderr, " (did you mean %s?)", best);
    fprintf(stderr, "; `mtx-exporter backends` lists them\n");
    return EXIT_USAGE;
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

static const struct argument *argument_find(const char *text, const char **value)
{
    for (size_t i = 0; i < ARGUMENTS; i++) {
        const struct argument *a = &argument_rows[i];
        size_t n = strlen(a->name);
        *value = NULL;
        if (a->letter && text[0] == '-' && text[1] == a->letter && !text[2]) return a;
        if (strncmp(text, "--", 2) || strncmp(text + 2, a->name, n)) continue;
        if (!text[n + 2]) return a;
        if (text[n + 2] != '=' || !a->value) continue;
        *value = text + n + 3;
        return a;
    }
    return NULL;
}

static bool arguments_wrong(const char *text)
{
    const char *best = NULL;
    for (size_t i = 0; i < ARGUMENTS && !strncmp(text, "--", 2); i++)
        best = nearest_of(text + 2, best, argument_rows[i].name);
    fprintf(stderr, "mtx-exporter: unknown argument \"%s\"", text);
    if (best) fprintf(stderr, " (did you mean --%s?)", best);
    fprintf(stderr, "; try --help\n");
    return false;
}

static bool arguments_parse(struct arguments *out, char **argv)
{
    for (char **at = argv + 1; *at; at++) {
        const char *value;
        const struct argument *a = argument_find(*at, &value);
        if (!a) return arguments_wrong(*at);
        void *field = (char *)out + a->offset;
        if (!a->value) {
            *(bool *)field = true;
            continue;
        }
        if (!value) value = *++at;
        if (!value) {
            fprintf(stderr, "mtx-exporter: --%s needs a value: --%s %s\n", a->name, a->name, a->value);
            return false;
        }
        *(const char **)field = value;
    }
    return true;
}

/* An argument in place of what the configuration says: the same row reads it. */
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

/* The configuration that the arguments mean; NULL after the mistakes were printed. Warnings are printed,
 * too. */
static struct config *main_config(const struct arguments *a)
{
    struct buf mistakes = {0};
    const char *env = getenv("MTX_EXPORTER_CONFIG");
    const char *path = a->config ? a->config : env && *env ? env : NULL;
    struct config *config =
        path ? config_load(path, main_env, &mistakes) : config_default(main_env, &mistakes);
    bool good = config && arguments_override(config, "segment", a->segment, &mistakes);
    good = good && arguments_override(config, "interval", a->interval, &mistakes);
    good = good && arguments_override(config, "log", a->log, &mistakes);
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

static void main_reload(struct exporter *exporter, const struct arguments *a)
{
    struct buf why = {0};
    struct config *config = main_config(a);
    if (!config || !exporter_reload(exporter, config, &why)) {
        say(SAY_ERROR, "the configuration is bad; the old one stays", "reason",
            config ? buf_text(&why) : "see the lines above", NULL);
        config_free(&config);
    }
    buf_free(&why);
}

static int main_run(struct config *config, const struct arguments *a, const sigset_t *signals)
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
        if (signal == SIGHUP) main_reload(exporter, a);
    }
    say(SAY_INFO, "ending: last snapshot, then what is queued", NULL);
    exporter_stop(&exporter);
    return 0;
}

/* glibc would raise this limit to the largest block that was ever freed; then what a page of many series
 * takes while it is planned, or a snapshot while it is packed, stays in the heap for ever. */
static void main_memory(void)
{
    mallopt(M_MMAP_THRESHOLD, 512 * 1024);
}

int main(int argc, char **argv)
{
    struct arguments a = {0};
    sigset_t signals;
    (void)argc;
    if (argv[1] && !strcmp(argv[1], "backends")) return main_backends(argv[2]);
    if (!arguments_parse(&a, argv)) return EXIT_USAGE;
    if (a.help) return main_help();
    if (a.sample) return main_sample();
    if (a.version) {
        puts("mtx-exporter " METRICS_VERSION);
        return 0;
    }
    struct config *config = main_config(&a);
    if (!config) return EXIT_MISTAKE;
    if (a.check) return main_check(config);
    main_memory();
    signal(SIGPIPE, SIG_IGN);
    /* All threads inherit this mask; the main thread takes the signals in turn. */
    sigemptyset(&signals);
    sigaddset(&signals, SIGHUP);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
    return a.once ? exporter_once(config) : main_run(config, &a, &signals);
}
