/* SPDX-License-Identifier: Apache-2.0 */
#include "cli.h"

#include <ctype.h>
#include <string.h>

enum { HELP_WIDTH = 80, HELP_COLUMN = 26 };

/* One paragraph; `at` is the column where the next word would go. */
static void help_paragraph(struct buf *out, const char *text, size_t n, size_t indent, size_t at)
{
    const char *end = text + n;
    while (text < end) {
        size_t word = strcspn(text, " \n");
        if (word > (size_t)(end - text)) word = (size_t)(end - text);
        if (at > indent && at + 1 + word > HELP_WIDTH) {
            buf_char(out, '\n');
            at = 0;
        }
        if (at < indent) {
            buf_fill(out, ' ', indent - at);
            at = indent;
        } else if (at > indent) {
            buf_char(out, ' ');
            at++;
        }
        buf_mem(out, text, word);
        at += word;
        text += word;
        while (text < end && (*text == ' ' || *text == '\n')) text++;
    }
    buf_char(out, '\n');
}

void cli_wrap(struct buf *out, const char *text, size_t indent)
{
    while (*text) {
        size_t n = strcspn(text, "\n");
        if (!n || *text == ' ') {
            buf_fill(out, ' ', n ? indent : 0);
            buf_mem(out, text, n);
            buf_char(out, '\n');
        } else
            help_paragraph(out, text, n, indent, 0);
        text += n + (text[n] == '\n');
    }
}

/* "  left              text", the text wrapped in its own column. */
static void help_item(struct buf *out, const char *left, const char *text)
{
    size_t used = strlen(left) + 2;
    buf_printf(out, "  %s", left);
    if (used + 2 > HELP_COLUMN) {
        buf_char(out, '\n');
        used = 0;
    }
    help_paragraph(out, text, strlen(text), HELP_COLUMN, used);
}

static void help_option(struct buf *out, const struct cli_option *row)
{
    struct buf left = {0}, text = {0};
    if (row->letter)
        buf_printf(&left, "-%c, --%s", row->letter, row->name);
    else
        buf_printf(&left, "    --%s", row->name);
    if (row->type != CLI_FLAG) buf_printf(&left, " %s", row->arg);
    buf_str(&text, row->help);
    if (row->type == CLI_CHOICE) {
        buf_str(&text, ":");
        for (int i = 0; row->choices[i]; i++) buf_printf(&text, "%s %s", i ? "," : "", row->choices[i]);
    }
    if (row->def) buf_printf(&text, " (default %s)", row->def);
    help_item(out, buf_text(&left), buf_text(&text));
    buf_free(&left);
    buf_free(&text);
}

static void help_options(struct buf *out, const struct command *c)
{
    buf_str(out, "\nOptions:\n");
    for (const struct cli_option *row = c->options; row && row->name; row++) help_option(out, row);
    for (const struct cli_option *row = cli_common(c); row->name; row++) help_option(out, row);
}

static void help_exits(struct buf *out, const struct command *c)
{
    static const char *const common[CLI_CODES] = {
        [CLI_OK] = "done",
        [CLI_USAGE] = "the command line makes no sense; nothing was done",
        [CLI_SEGMENT] = "there is no segment, or it cannot be read",
        [CLI_FAILED] = "the system failed: memory, output",
    };
    buf_str(out, "\nExit status:\n");
    if (c->exit_child) cli_wrap(out, c->exit_child, 2);
    for (int i = 0; i < CLI_CODES; i++) {
        const char *text = c->exits[i] ? c->exits[i] : common[i];
        if (i == CLI_SEGMENT && c->no_segment && !c->exits[i]) continue;
        if (c->exit_child && i != CLI_USAGE) continue;
        char code[] = {(char)('0' + i), '\0'};
        if (text) help_item(out, code, text);
    }
}

void cli_help(const struct command *c, char **args, int n, struct buf *out)
{
    buf_printf(out, "mtxctl %s - %s\n\n", c->name, c->summary);
    buf_printf(out, "Usage: mtxctl %s [OPTION...]%s%s\n\n", c->name, *c->args ? " " : "", c->args);
    cli_wrap(out, c->text, 0);
    if (c->more) c->more(args, n, out);
    help_options(out, c);
    help_exits(out, c);
    if (!c->examples) return;
    buf_str(out, "\nExamples:\n");
    cli_wrap(out, c->examples, 2);
}
