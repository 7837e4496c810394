/* SPDX-License-Identifier: Apache-2.0 */
/* mtxctl.c - finds the command that is wanted and runs it; the general help. */
#include "command_help.h"
#include "help.h"
#include "invoke.h"
#include "file_limit.h"
#include "nearest.h"
#include "standard.h"

#include <mtx/metrics.h>

#include <stdio.h>
#include <string.h>

#define COMMAND(NAME) extern const struct command command_##NAME;
#include "commands.def"
#undef COMMAND

static const struct command *const commands[] = {
#define COMMAND(NAME) &command_##NAME,
#include "commands.def"
#undef COMMAND
    NULL,
};

static const char mtxctl_text[] =
    "mtxctl reads the shared-memory segment in which the processes of a server record their metrics. It "
    "works beside them and beside mtx-exporter without disturbing them, and none of them needs to be "
    "running.\n"
    "\n"
    "The segment is the file given with --segment, else $MTX_SEGMENT, else /dev/shm/mtx-<uid>.seg.\n"
    "\n"
    "Series are selected by shell patterns for their names (quote them: 'http.*') and by tags as "
    "key=value, where the value may also be a pattern. --json prints one JSON document; watch prints one "
    "per line.";

static void mtxctl_help(struct buf *out)
{
    buf_str(out, "Usage: mtxctl COMMAND [OPTION...] [ARGUMENT...]\n\n");
    cmd_wrap(out, mtxctl_text, 0);
    buf_str(out, "\nCommands:\n");
    for (size_t i = 0; commands[i]; i++) cmd_help_item(out, commands[i]->name, commands[i]->summary, 13);
    buf_str(out, "\nExit status:\n");
    cmd_help_exits(out, cli_exits, CLI_CODES);
    buf_str(out, "  send, librato, anodot, apptuit, wavefront, chouette: 1 something was refused,\n"
                 "     3 the service cannot be reached, 4 it refused access\n"
                 "  time and run: the exit status of the command that they ran\n"
                 "\nmtxctl COMMAND --help explains a command.\n");
}

static const struct command *mtxctl_find(const char *name)
{
    for (size_t i = 0; commands[i]; i++)
        if (!strcmp(commands[i]->name, name)) return commands[i];
    return NULL;
}

static int mtxctl_unknown(const char *name)
{
    const char *near = NULL;
    for (size_t i = 0; commands[i]; i++) near = nearest_of(name, near, commands[i]->name);
    struct buf line = {0};
    buf_printf(&line, "mtxctl: there is no %s \"%s\"", *name == '-' ? "option" : "command", name);
    if (near) buf_printf(&line, "; did you mean %s?", near);
    buf_str(&line,
            *name == '-' ? " (options follow the command; see mtxctl --help)\n" : " (see mtxctl --help)\n");
    cli_warn(&line);
    return CLI_USAGE;
}

static int mtxctl_print(struct buf *text)
{
    bool good = buf_ok(text) && fputs(buf_text(text), stdout) != EOF && fflush(stdout) == 0;
    buf_free(text);
    return good ? CLI_OK : CLI_FAILED;
}

int main(int argc, char **argv)
{
    struct buf text = {0};
    const char *word = argc > 1 ? argv[1] : NULL;
    if (!standard_open()) return CLI_FAILED;
    file_limit_begin();
    if (!word) {
        mtxctl_help(&text);
        fputs(buf_text(&text), stderr);
        buf_free(&text);
        return CLI_USAGE;
    }
    bool help = !strcmp(word, "help") || !strcmp(word, "--help") || !strcmp(word, "-h");
    if (!strcmp(word, "--version") || !strcmp(word, "-V")) {
        buf_str(&text, "mtxctl " METRICS_VERSION "\n");
        return mtxctl_print(&text);
    }
    if (help && argc < 3) {
        mtxctl_help(&text);
        return mtxctl_print(&text);
    }
    const struct command *command = mtxctl_find(help ? argv[2] : word);
    if (!command) return mtxctl_unknown(help ? argv[2] : word);
    if (help) {
        help_command(command, argv + 3, argc - 3, &text);
        return mtxctl_print(&text);
    }
    return invoke(command, argc - 1, argv + 1);
}
