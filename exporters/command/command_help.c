/* SPDX-License-Identifier: Apache-2.0 */
#include "command_help.h"

#include <string.h>

enum { CMD_WIDTH = 80, CMD_OPTION_COLUMN = 26, CMD_EXIT_COLUMN = 5 };

/* A line that is being filled: everything from column `indent` on. */
struct cmd_paragraph {
    struct buf *out;
    size_t indent, at; /* at: the column where the next byte goes */
};

static void cmd_word(struct cmd_paragraph *p, const char *word, size_t n)
{
    if (p->at > p->indent && p->at + 1 + n > CMD_WIDTH) {
        buf_char(p->out, '\n');
        p->at = 0;
    }
    size_t blanks = p->at < p->indent ? p->indent - p->at : p->at > p->indent;
    buf_fill(p->out, ' ', blanks);
    buf_mem(p->out, word, n);
    p->at += blanks + n;
}

/* at: the column that the line has reached. */
static void cmd_paragraph(struct buf *out, const char *text, size_t n, size_t indent, size_t at)
{
    struct cmd_paragraph p = {out, indent, at};
    for (const char *end = text + n; text < end;) {
        size_t word = strcspn(text, " \n"), rest = (size_t)(end - text);
        if (word > rest) word = rest;
        cmd_word(&p, text, word);
        for (text += word; text < end && (*text == ' ' || *text == '\n');) text++;
    }
    buf_char(out, '\n');
}

void cmd_wrap(struct buf *out, const char *text, size_t indent)
{
    while (*text) {
        size_t n = strcspn(text, "\n");
        if (!n || *text == ' ') {
            buf_fill(out, ' ', n ? indent : 0);
            buf_mem(out, text, n);
            buf_char(out, '\n');
        } else {
            cmd_paragraph(out, text, n, indent, 0);
        }
        text += n + (text[n] == '\n');
    }
}

void cmd_help_item(struct buf *out, const char *left, const char *text, size_t column)
{
    size_t used = strlen(left) + 2;
    buf_printf(out, "  %s", left);
    if (used + 2 > column) {
        buf_char(out, '\n');
        used = 0;
    }
    cmd_paragraph(out, text, strlen(text), column, used);
}

static void cmd_help_option(struct buf *out, const struct cmd_option *row)
{
    struct buf left = {0}, text = {0};
    if (row->letter)
        buf_printf(&left, "-%c, --%s", row->letter, row->name);
    else
        buf_printf(&left, "    --%s", row->name);
    if (row->type != CMD_FLAG) buf_printf(&left, " %s", row->arg);
    buf_str(&text, row->help);
    if (row->type == CMD_CHOICE) {
        buf_str(&text, ":");
        for (int i = 0; row->choices[i]; i++) buf_printf(&text, "%s %s", i ? "," : "", row->choices[i]);
    }
    if (row->def) buf_printf(&text, " (default %s)", row->def);
    cmd_help_item(out, buf_text(&left), buf_text(&text), CMD_OPTION_COLUMN);
    buf_free(&left);
    buf_free(&text);
}

void cmd_help_options(struct buf *out, const struct cmd_line *line)
{
    for (int i = 0; i < CMD_TABLES; i++)
        for (const struct cmd_option *row = line->tables[i]; row && row->name; row++)
            cmd_help_option(out, row);
}

void cmd_help_exits(struct buf *out, const char *const *texts, int n)
{
    for (int i = 0; i < n; i++) {
        char code[] = {(char)('0' + i), '\0'};
        if (texts[i]) cmd_help_item(out, code, texts[i], CMD_EXIT_COLUMN);
    }
}
