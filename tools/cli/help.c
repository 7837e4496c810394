/* SPDX-License-Identifier: Apache-2.0 */
#include "help.h"

#include "command_help.h"

static void help_exits(const struct command *c, struct buf *out)
{
    const char *texts[CLI_CODES] = {NULL};
    for (int i = 0; i < CLI_CODES; i++) {
        bool general = i != CLI_NO && i != CLI_REFUSED && (i != CLI_SEGMENT || !c->no_segment);
        texts[i] = c->exits[i] ? c->exits[i] : general ? cli_exits[i] : NULL;
        if (c->exit_child && i != CLI_USAGE) texts[i] = NULL;
    }
    buf_str(out, "\nExit status:\n");
    if (c->exit_child) cmd_wrap(out, c->exit_child, 2);
    cmd_help_exits(out, texts, CLI_CODES);
}

void help_command(const struct command *c, char **args, int n, struct buf *out)
{
    struct cmd_line line = cli_line(c);
    buf_printf(out, "%s - %s\n\n", line.program, c->summary);
    buf_printf(out, "Usage: %s [OPTION...]%s%s\n\n", line.program, *c->args ? " " : "", c->args);
    cmd_wrap(out, c->text, 0);
    if (c->more) c->more(args, n, out);
    buf_str(out, "\nOptions:\n");
    cmd_help_options(out, &line);
    help_exits(c, out);
    if (!c->examples) return;
    buf_str(out, "\nExamples:\n");
    cmd_wrap(out, c->examples, 2);
}
