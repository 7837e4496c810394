/* SPDX-License-Identifier: Apache-2.0 */
#include "command_line.h"

#include "nearest.h"
#include "quantity.h"

#include <ctype.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CMD_ROWS = 32 };

/* --- One value --- */

static bool cmd_in_range(const struct cmd_option *row, double v)
{
    return (row->min == 0 && row->max == 0) || (v >= row->min && v <= row->max);
}

/* "an integer from 1 to 100": what a row takes. */
static void cmd_wants(const struct cmd_option *row, struct buf *out)
{
    bool time = row->type == CMD_DURATION;
    buf_str(out, time ? "a duration such as 500ms, 2s, 1m" : "an integer");
    if (row->min == 0 && row->max == 0) return;
    buf_str(out, time ? ", from " : " from ");
    time ? buf_duration(out, (uint64_t)row->min) : buf_i64(out, (int64_t)row->min);
    buf_str(out, " to ");
    time ? buf_duration(out, (uint64_t)row->max) : buf_i64(out, (int64_t)row->max);
}

static bool cmd_set_number(const struct cmd_option *row, const char *text, struct buf *why)
{
    int64_t i = 0;
    uint64_t ns = 0;
    bool time = row->type == CMD_DURATION;
    bool good = time ? quantity_duration(text, &ns) : quantity_integer(text, &i);
    if (!good || !cmd_in_range(row, time ? (double)ns : (double)i)) {
        buf_printf(why, "--%s takes ", row->name);
        cmd_wants(row, why);
        buf_printf(why, ", not \"%s\"", text);
        return false;
    }
    if (time)
        *(uint64_t *)row->value = ns;
    else
        *(int64_t *)row->value = i;
    return true;
}

static bool cmd_set_choice(const struct cmd_option *row, const char *text, struct buf *why)
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
static bool cmd_set_list(const struct cmd_option *row, const char *text, struct buf *why)
{
    struct cmd_list *list = row->value;
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

static bool cmd_set_word(const struct cmd_option *row, const char *text, struct buf *why)
{
    struct cmd_list *list = row->value;
    const char **grown = realloc(list->items, (list->n + 1) * sizeof *grown);
    if (!grown) {
        buf_str(why, "out of memory");
        return false;
    }
    list->items = grown;
    list->items[list->n++] = text;
    return true;
}

static bool cmd_set(const struct cmd_option *row, const char *text, struct buf *why)
{
    switch (row->type) {
    case CMD_FLAG: *(bool *)row->value = true; return true;
    case CMD_TEXT: *(const char **)row->value = text; return true;
    case CMD_LIST: return cmd_set_list(row, text, why);
    case CMD_WORDS: return cmd_set_word(row, text, why);
    case CMD_INTEGER:
    case CMD_DURATION: return cmd_set_number(row, text, why);
    case CMD_CHOICE: return cmd_set_choice(row, text, why);
    }
    return false;
}

/* --- The rows for getopt_long --- */

/* val of a long form = CMD_LONG + index into rows[]. */
enum { CMD_LONG = 256 };
struct cmd_forms {
    const struct cmd_option *rows[CMD_ROWS];
    struct option longs[CMD_ROWS + 1];
    char shorts[2 * CMD_ROWS + 4];
    int n;
};

static void cmd_form_rows(struct cmd_forms *f, const struct cmd_option *row)
{
    char *s = f->shorts + strlen(f->shorts);
    for (; row && row->name && f->n < CMD_ROWS; row++, f->n++) {
        int takes = row->type == CMD_FLAG ? no_argument : required_argument;
        f->rows[f->n] = row;
        f->longs[f->n] = (struct option){row->name, takes, NULL, CMD_LONG + f->n};
        if (row->letter) *s++ = row->letter;
        if (row->letter && takes == required_argument) *s++ = ':';
    }
    *s = '\0';
}

/* The row of getopt's val, or of a letter; NULL if no row has it. */
static const struct cmd_option *cmd_row(const struct cmd_forms *f, int c)
{
    if (c >= CMD_LONG) return f->rows[c - CMD_LONG];
    for (int i = 0; i < f->n; i++)
        if (f->rows[i]->letter == c) return f->rows[i];
    return NULL;
}

/* --- Options --- */

static void cmd_unknown(const struct cmd_forms *f, const char *word, struct buf *why)
{
    char name[64];
    const char *near = NULL;
    if (strncmp(word, "--", 2)) {
        buf_printf(why, "there is no option -%c", optopt);
        return;
    }
    if (strchr(word, '=') && optopt >= CMD_LONG) {
        buf_printf(why, "--%s takes no argument", cmd_row(f, optopt)->name);
        return;
    }
    snprintf(name, sizeof name, "%.*s", (int)strcspn(word + 2, "="), word + 2);
    for (int i = 0; i < f->n; i++) near = nearest_of(name, near, f->rows[i]->name);
    buf_printf(why, "there is no option --%s", name);
    if (near) buf_printf(why, "; did you mean --%s?", near);
}

/* getopt_long's next option into its variable. */
static bool cmd_next_option(const struct cmd_forms *f, int argc, char **argv, struct buf *why)
{
    const char *word = argv[optind];
    int c = getopt_long(argc, argv, f->shorts, f->longs, NULL);
    if (c == ':' && optopt >= CMD_LONG)
        buf_printf(why, "--%s needs its argument, %s", cmd_row(f, optopt)->name, cmd_row(f, optopt)->arg);
    else if (c == ':')
        buf_printf(why, "-%c needs its argument, %s", optopt, cmd_row(f, optopt)->arg);
    else if (c == '?')
        cmd_unknown(f, word, why);
    else
        return cmd_set(cmd_row(f, c), optarg, why);
    return false;
}

/* Scalars before the command line is read; a list only if the command line gave none, since it would grow. */
static bool cmd_defaults(const struct cmd_forms *f, bool lists, struct buf *why)
{
    for (int i = 0; i < f->n; i++) {
        const struct cmd_option *row = f->rows[i];
        if (!row->def || (row->type == CMD_LIST) != lists) continue;
        if (lists && ((struct cmd_list *)row->value)->n) continue;
        if (!cmd_set(row, row->def, why)) return false;
    }
    return true;
}

/* --- The command line --- */

/* -5 and -.5 are arguments, unless an option is called so. */
static bool cmd_is_argument(const struct cmd_forms *f, const char *word)
{
    if (word[0] != '-' || !word[1]) return true;
    return (isdigit((unsigned char)word[1]) || word[1] == '.') && !cmd_row(f, word[1]);
}

static bool cmd_walk(const struct cmd_line *line, const struct cmd_forms *f, int argc, char **argv,
                     struct cmd_given *given, struct buf *why)
{
    opterr = 0, optind = 0;
    getopt_long(1, argv, f->shorts, f->longs, NULL); /* forgets an earlier command line; optind becomes 1 */
    while (optind < argc) {
        if (!strcmp(argv[optind], "--")) {
            optind++;
            break;
        }
        if (!cmd_is_argument(f, argv[optind])) {
            if (!cmd_next_option(f, argc, argv, why)) return false;
        } else if (line->child_first) {
            break;
        } else {
            given->args[given->n++] = argv[optind++];
        }
    }
    if (line->child)
        given->child = optind < argc ? argv + optind : NULL;
    else
        while (optind < argc) given->args[given->n++] = argv[optind++];
    return true;
}

bool cmd_parse(const struct cmd_line *line, int argc, char **argv, struct cmd_given *given, struct buf *why)
{
    struct cmd_forms forms = {.shorts = "+:"};
    for (int i = 0; i < CMD_TABLES; i++) cmd_form_rows(&forms, line->tables[i]);
    *given = (struct cmd_given){.args = argv + 1};
    return cmd_defaults(&forms, false, why) && cmd_walk(line, &forms, argc, argv, given, why) &&
           cmd_defaults(&forms, true, why);
}

bool cmd_check_arity(const struct cmd_line *line, const struct cmd_given *given, struct buf *why)
{
    if (line->child && !given->child && !line->child_first)
        buf_printf(why, "the command to run must follow --: %s %s", line->program, line->args);
    else if (line->child && !given->child)
        buf_printf(why, "no command to run was given: %s %s", line->program, line->args);
    else if (given->n < line->least || (line->most >= 0 && given->n > line->most))
        buf_printf(why, "it takes %s", *line->args ? line->args : "no arguments");
    else
        return true;
    return false;
}
