/* SPDX-License-Identifier: Apache-2.0 */
#include "cli.h"

#include "nearest.h"
#include "quantity.h"

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { CLI_ROWS = 32, CLI_FLOW = 1 << 16 };

static const char *cli_segment_path;
static bool cli_json_wanted, cli_help_wanted;

static const struct cli_option cli_common_rows[] = {
    {.name = "segment",
     .letter = 's',
     .type = CLI_TEXT,
     .value = &cli_segment_path,
     .arg = "PATH",
     .help = "the segment file; $MTX_SEGMENT, or else /dev/shm/mtx-<uid>.seg, unless given"},
    {.name = "json", .letter = 'j', .type = CLI_FLAG, .value = &cli_json_wanted, .help = "answer in JSON"},
    {.name = "help", .letter = 'h', .type = CLI_FLAG, .value = &cli_help_wanted, .help = "this text"},
    {.name = NULL},
};

const struct cli_option *cli_common(const struct command *command)
{
    return cli_common_rows + (command->no_segment ? 1 : 0);
}

/* --- Saying --- */

static void cli_say(const struct cli *cli, const char *format, va_list ap, bool hint)
{
    struct buf line = {0};
    buf_printf(&line, "mtxctl %s: ", cli->command->name);
    buf_vprintf(&line, format, ap);
    if (hint) buf_printf(&line, " (see mtxctl %s --help)", cli->command->name);
    buf_char(&line, '\n');
    fputs(buf_text(&line), stderr);
    buf_free(&line);
}

int cli_fail(const struct cli *cli, enum cli_code code, const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    cli_say(cli, format, ap, false);
    va_end(ap);
    return code;
}

int cli_usage(const struct cli *cli, const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    cli_say(cli, format, ap, true);
    va_end(ap);
    return CLI_USAGE;
}

void cli_flush(struct cli *cli)
{
    size_t done = 0;
    while (done < cli->out.len && !cli->broken) {
        ssize_t n = write(STDOUT_FILENO, cli->out.data + done, cli->out.len - done);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) cli->broken = true;
        done += n > 0 ? (size_t)n : 0;
    }
    if (cli->out.failed) cli->broken = true;
    buf_reset(&cli->out);
}

void cli_flow(struct cli *cli)
{
    if (cli->out.len >= CLI_FLOW || cli->out.failed) cli_flush(cli);
}

/* --- One value --- */

static bool cli_in_range(const struct cli_option *row, double v)
{
    return (row->min == 0 && row->max == 0) || (v >= row->min && v <= row->max);
}

/* "an integer from 1 to 100": what a row takes. */
static void cli_wants(const struct cli_option *row, struct buf *out)
{
    bool time = row->type == CLI_DURATION;
    buf_str(out, time ? "a duration such as 500ms, 2s, 1m" : "an integer");
    if (row->min == 0 && row->max == 0) return;
    buf_str(out, time ? ", from " : " from ");
    time ? buf_duration(out, (uint64_t)row->min) : buf_i64(out, (int64_t)row->min);
    buf_str(out, " to ");
    time ? buf_duration(out, (uint64_t)row->max) : buf_i64(out, (int64_t)row->max);
}

static bool cli_set_number(const struct cli_option *row, const char *text, struct buf *why)
{
    int64_t i = 0;
    uint64_t ns = 0;
    bool time = row->type == CLI_DURATION;
    bool good = time ? quantity_duration(text, &ns) : quantity_integer(text, &i);
    if (!good || !cli_in_range(row, time ? (double)ns : (double)i)) {
        buf_printf(why, "--%s takes ", row->name);
        cli_wants(row, why);
        buf_printf(why, ", not \"%s\"", text);
        return false;
    }
    if (time)
        *(uint64_t *)row->value = ns;
    else
        *(int64_t *)row->value = i;
    return true;
}

static bool cli_set_choice(const struct cli_option *row, const char *text, struct buf *why)
{
    for (int i = 0; row->choices[i]; i++)
        if (!strcmp(row->choices[i], text)) {
            *(int *)row->value = i;
            return true;
        }
    buf_printf(why, "--%s takes one of", row->name);
    for (int i = 0; row->choices[i]; i++) buf_printf(why, "%s %s", i ? "," : "", row->choices[i]);
    buf_printf(why, "; not \"%s\"", text);
    return false;
}

/* Splits a copy that lives as long as the program. */
static bool cli_set_list(const struct cli_option *row, const char *text, struct buf *why)
{
    struct cli_list *list = row->value;
    size_t items = 1, len = strlen(text);
    bool good = len && text[0] != ',' && text[len - 1] != ',' && !strstr(text, ",,");
    for (const char *c = text; *c; c++) items += *c == ',';
    const char **grown = good ? realloc(list->items, (list->n + items) * sizeof *grown) : NULL;
    if (grown) list->items = grown;
    char *rest = grown ? strdup(text) : NULL;
    if (!rest) {
        buf_printf(why, "--%s takes a list separated by commas, not \"%s\"", row->name, text);
        return false;
    }
    while (rest) list->items[list->n++] = strsep(&rest, ",");
    return true;
}

static bool cli_set_word(const struct cli_option *row, const char *text, struct buf *why)
{
    struct cli_list *list = row->value;
    const char **grown = realloc(list->items, (list->n + 1) * sizeof *grown);
    if (!grown) {
        buf_str(why, "out of memory");
        return false;
    }
    list->items = grown;
    list->items[list->n++] = text;
    return true;
}

static bool cli_set(const struct cli_option *row, const char *text, struct buf *why)
{
    switch (row->type) {
    case CLI_FLAG: *(bool *)row->value = true; return true;
    case CLI_TEXT: *(const char **)row->value = text; return true;
    case CLI_LIST: return cli_set_list(row, text, why);
    case CLI_WORDS: return cli_set_word(row, text, why);
    case CLI_INTEGER:
    case CLI_DURATION: return cli_set_number(row, text, why);
    case CLI_CHOICE: return cli_set_choice(row, text, why);
    }
    return false;
}

/* --- The command line --- */

/* The rows of a command in getopt's form: val = 256 + index into rows[]. */
struct cli_forms {
    const struct cli_option *rows[CLI_ROWS];
    struct option longs[CLI_ROWS + 1];
    char shorts[2 * CLI_ROWS + 4];
    int n;
};

static void cli_form_rows(struct cli_forms *f, const struct cli_option *row)
{
    char *s = f->shorts + strlen(f->shorts);
    for (; row && row->name && f->n < CLI_ROWS; row++, f->n++) {
        int takes = row->type == CLI_FLAG ? no_argument : required_argument;
        f->rows[f->n] = row;
        f->longs[f->n] = (struct option){row->name, takes, NULL, 256 + f->n};
        if (row->letter) *s++ = row->letter;
        if (row->letter && takes == required_argument) *s++ = ':';
    }
    *s = '\0';
}

static const struct cli_option *cli_row(const struct cli_forms *f, int c)
{
    if (c >= 256) return f->rows[c - 256];
    for (int i = 0; i < f->n; i++)
        if (f->rows[i]->letter == c) return f->rows[i];
    return NULL;
}

static int cli_unknown(const struct cli *cli, const struct cli_forms *f, const char *word)
{
    char name[64];
    const char *near = NULL;
    if (strncmp(word, "--", 2)) return cli_usage(cli, "there is no option -%c", optopt);
    snprintf(name, sizeof name, "%.*s", (int)strcspn(word + 2, "="), word + 2);
    if (strchr(word, '=') && optopt >= 256)
        return cli_usage(cli, "--%s takes no argument", f->rows[optopt - 256]->name);
    for (int i = 0; i < f->n; i++) near = nearest_of(name, near, f->rows[i]->name);
    if (near) return cli_usage(cli, "there is no option --%s; did you mean --%s?", name, near);
    return cli_usage(cli, "there is no option --%s", name);
}

/* getopt_long's next option into its variable. */
static int cli_next_option(struct cli *cli, const struct cli_forms *f, int argc, char **argv)
{
    const char *word = argv[optind];
    int c = getopt_long(argc, argv, f->shorts, f->longs, NULL);
    if (c == ':' && optopt >= 256)
        return cli_usage(cli, "--%s needs its argument, %s", cli_row(f, optopt)->name,
                         cli_row(f, optopt)->arg);
    if (c == ':') return cli_usage(cli, "-%c needs its argument, %s", optopt, cli_row(f, optopt)->arg);
    if (c == '?') return cli_unknown(cli, f, word);
    struct buf why = {0};
    bool good = cli_set(cli_row(f, c), optarg, &why);
    if (!good) cli_usage(cli, "%s", buf_text(&why));
    buf_free(&why);
    return good ? CLI_OK : CLI_USAGE;
}

/* -5 and -.5 are arguments: no option is a digit. */
static bool cli_is_argument(const char *word)
{
    return word[0] != '-' || !word[1] || isdigit((unsigned char)word[1]) || word[1] == '.';
}

/* Options may stand anywhere before "--"; the order of the arguments is kept. */
static int cli_parse(struct cli *cli, const struct cli_forms *f, int argc, char **argv)
{
    int code = CLI_OK;
    optind = 1, opterr = 0;
    while (optind < argc && code == CLI_OK) {
        if (!strcmp(argv[optind], "--")) {
            optind++;
            break;
        }
        if (!cli_is_argument(argv[optind]))
            code = cli_next_option(cli, f, argc, argv);
        else if (cli->command->child_first)
            break;
        else
            cli->args[cli->n++] = argv[optind++];
    }
    if (cli->command->child)
        cli->child = optind < argc ? argv + optind : NULL;
    else
        while (optind < argc) cli->args[cli->n++] = argv[optind++];
    return code;
}

/* Scalars before the command line is read; a list only if the command line gave none, since it would grow. */
static int cli_defaults(const struct cli *cli, const struct cli_forms *f, bool lists)
{
    for (int i = 0; i < f->n; i++) {
        const struct cli_option *row = f->rows[i];
        if (!row->def || (row->type == CLI_LIST) != lists) continue;
        if (lists && ((struct cli_list *)row->value)->n) continue;
        struct buf why = {0};
        bool good = cli_set(row, row->def, &why);
        if (!good) cli_fail(cli, CLI_FAILED, "the default of --%s: %s", row->name, buf_text(&why));
        buf_free(&why);
        if (!good) return CLI_FAILED;
    }
    return CLI_OK;
}

static int cli_check_arity(const struct cli *cli)
{
    const struct command *c = cli->command;
    if (c->child && !cli->child && !c->child_first)
        return cli_usage(cli, "the command to run stands after --: mtxctl %s %s", c->name, c->args);
    if (c->child && !cli->child) return cli_usage(cli, "which command? mtxctl %s %s", c->name, c->args);
    if (cli->n < c->least || (c->most >= 0 && cli->n > c->most))
        return cli_usage(cli, "it takes %s", *c->args ? c->args : "no arguments");
    return CLI_OK;
}

static int cli_end(struct cli *cli, int code)
{
    cli_flush(cli);
    buf_free(&cli->out);
    free(cli->args);
    return cli->broken ? cli_fail(cli, CLI_FAILED, "cannot write the output: %s", strerror(errno)) : code;
}

int cli_run(const struct command *command, int argc, char **argv)
{
    struct cli_forms forms = {.shorts = "+:"};
    struct cli cli = {.command = command, .args = calloc((size_t)argc + 1, sizeof *cli.args)};
    if (!cli.args) return cli_fail(&cli, CLI_FAILED, "out of memory");
    cli_form_rows(&forms, command->options);
    cli_form_rows(&forms, cli_common(command));
    int code = cli_defaults(&cli, &forms, false);
    if (code == CLI_OK) code = cli_parse(&cli, &forms, argc, argv);
    if (code == CLI_OK) code = cli_defaults(&cli, &forms, true);
    cli.segment = cli_segment_path;
    cli.json = cli_json_wanted;
    if (code == CLI_OK && cli_help_wanted) {
        cli_help(command, cli.args, cli.n, &cli.out);
        return cli_end(&cli, CLI_OK);
    }
    if (code == CLI_OK) code = cli_check_arity(&cli);
    if (code == CLI_OK) code = command->run(&cli);
    return cli_end(&cli, code);
}
