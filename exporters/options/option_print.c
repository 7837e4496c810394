/* SPDX-License-Identifier: Apache-2.0 */
/* option_print.c - what people see of an option table: the current settings, the help, a sample file. */
#include "option.h"

#include <string.h>

/* A plain YAML scalar where that is safe, else one in double quotes. */
static void option_print_text(const char *text, struct buf *out)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./%-";
    size_t n = strlen(text);
    if (n && strspn(text, plain) == n && text[0] != '-' && text[0] != '%') {
        buf_str(out, text);
        return;
    }
    buf_char(out, '"');
    for (; *text; text++) {
        if (*text == '"' || *text == '\\') buf_char(out, '\\');
        if (*text == '\n')
            buf_str(out, "\\n");
        else if ((unsigned char)*text < 0x20)
            buf_printf(out, "\\x%02x", (unsigned)*text);
        else
            buf_char(out, *text);
    }
    buf_char(out, '"');
}

static void option_print_list(const struct option_list *list, struct buf *out)
{
    buf_char(out, '[');
    for (size_t i = 0; i < list->n; i++) {
        buf_str(out, i ? ", " : "");
        option_print_text(list->items[i], out);
    }
    buf_char(out, ']');
}

static void option_print_tags(const struct option_tags *tags, struct buf *out)
{
    buf_char(out, '{');
    for (size_t i = 0; i < tags->n; i++) {
        buf_str(out, i ? ", " : "");
        option_print_text(tags->items[i].key, out);
        buf_str(out, ": ");
        option_print_text(tags->items[i].value, out);
    }
    buf_char(out, '}');
}

static void option_print_string(const struct option *row, const char *text, struct buf *out)
{
    struct buf shown = {0};
    if (row->show && text) row->show(text, &shown);
    option_print_text(row->show ? buf_text(&shown) : text ? text : "", out);
    buf_free(&shown);
}

void option_print(const struct option *row, const void *settings, struct buf *out)
{
    const void *field = (const char *)settings + row->offset;
    switch (row->type) {
    case OPTION_STRING: option_print_string(row, *(char *const *)field, out); break;
    case OPTION_SECRET: buf_str(out, *(char *const *)field ? "\"***\"" : "\"\""); break;
    case OPTION_BOOL: buf_str(out, *(const bool *)field ? "true" : "false"); break;
    case OPTION_INTEGER: buf_i64(out, *(const int64_t *)field); break;
    case OPTION_FLOAT: buf_f64(out, *(const double *)field); break;
    case OPTION_DURATION: buf_duration(out, *(const uint64_t *)field); break;
    case OPTION_SIZE: buf_size(out, *(const uint64_t *)field); break;
    case OPTION_LIST:
    case OPTION_GLOBS: option_print_list(field, out); break;
    case OPTION_TAGS: option_print_tags(field, out); break;
    case OPTION_CHOICE: option_print_text(row->choices[*(const int *)field], out); break;
    case OPTION_SECTION: buf_str(out, "{}"); break;
    }
}

void option_print_number(enum option_type type, double v, struct buf *out)
{
    if (type == OPTION_DURATION)
        buf_duration(out, (uint64_t)v);
    else if (type == OPTION_SIZE)
        buf_size(out, (uint64_t)v);
    else
        buf_f64(out, v);
}

void option_print_all(const struct option *rows, const void *settings, unsigned indent, struct buf *out)
{
    for (const struct option *o = rows; o->name; o++) {
        buf_fill(out, ' ', indent);
        buf_printf(out, "%s:", o->name);
        if (o->type == OPTION_SECTION) {
            buf_char(out, '\n');
            option_print_all(o->rows, (const char *)settings + o->offset, indent + 2, out);
            continue;
        }
        buf_char(out, ' ');
        option_print(o, settings, out);
        buf_char(out, '\n');
    }
}

/* The short word for a type in the help. */
static const char *option_type_word(enum option_type type)
{
    static const char *const words[] = {[OPTION_STRING] = "text",         [OPTION_SECRET] = "secret",
                                        [OPTION_BOOL] = "true|false",     [OPTION_INTEGER] = "whole number",
                                        [OPTION_FLOAT] = "number",        [OPTION_DURATION] = "duration",
                                        [OPTION_SIZE] = "size",           [OPTION_LIST] = "list",
                                        [OPTION_GLOBS] = "list of globs", [OPTION_TAGS] = "map",
                                        [OPTION_CHOICE] = "choice",       [OPTION_SECTION] = "section"};
    return words[type];
}

static void option_help_type(const struct option *o, struct buf *out)
{
    if (o->type == OPTION_CHOICE)
        for (int i = 0; o->choices[i]; i++) buf_printf(out, "%s%s", i ? "|" : "", o->choices[i]);
    else
        buf_str(out, option_type_word(o->type));
}

static void option_help_row(const struct option *o, unsigned indent, struct buf *out)
{
    size_t from = out->len;
    buf_fill(out, ' ', indent);
    buf_printf(out, "%s ", o->name);
    option_help_type(o, out);
    if (o->type != OPTION_SECTION && out->len - from < 34) buf_fill(out, ' ', 34 - (out->len - from));
    buf_printf(out, "  %s", o->help);
    if (o->required) buf_str(out, " (required)");
    for (const char *at = o->env ? o->env : ""; *at; at += strcspn(at, " "), at += strspn(at, " "))
        buf_printf(out, "%s$%.*s", at == o->env ? " (or " : ", ", (int)strcspn(at, " "), at);
    if (o->env) buf_char(out, ')');
    if (o->def && *o->def) buf_printf(out, " (default %s)", o->def);
    if (o->min != 0 || o->max != 0) {
        buf_str(out, " (");
        option_print_number(o->type, o->min, out);
        buf_str(out, " to ");
        option_print_number(o->type, o->max, out);
        buf_str(out, option_type_word(o->type)[0] == 'l' ? " items)" : ")");
    }
    if (o->type == OPTION_SECRET) buf_printf(out, " (or %s_file: a file that contains it)", o->name);
    buf_char(out, '\n');
}

void option_help(const struct option *rows, unsigned indent, struct buf *out)
{
    for (const struct option *o = rows; o->name; o++) {
        option_help_row(o, indent, out);
        if (o->type == OPTION_SECTION) option_help(o->rows, indent + 2, out);
    }
}

/* The default as YAML: lists in brackets, tags in braces. */
static void option_sample_value(const struct option *o, struct buf *out)
{
    const char *def = o->def ? o->def : "";
    if (o->type == OPTION_LIST || o->type == OPTION_GLOBS)
        buf_printf(out, "[%s]", def);
    else if (o->type == OPTION_TAGS)
        buf_printf(out, "{%s}", def);
    else
        option_print_text(def, out);
}

void option_sample(const struct option *rows, unsigned indent, struct buf *out)
{
    for (const struct option *o = rows; o->name; o++) {
        buf_fill(out, ' ', indent);
        buf_printf(out, "# %s\n", o->help);
        buf_fill(out, ' ', indent);
        /* An option without a default is a comment, because an empty value would be a mistake. */
        bool given = (o->def && *o->def) || o->type == OPTION_SECTION;
        buf_printf(out, "%s%s:", given ? "" : "# ", o->name);
        if (o->type == OPTION_SECTION) {
            buf_char(out, '\n');
            option_sample(o->rows, indent + 2, out);
            continue;
        }
        buf_char(out, ' ');
        option_sample_value(o, out);
        buf_char(out, '\n');
    }
}
