/* SPDX-License-Identifier: Apache-2.0 */
#include "cli.h"

#include "printable.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

enum { CLI_FLOW = 1 << 16 };

const char *const cli_exits[CLI_CODES] = {
    [CLI_OK] = "done",
    [CLI_NO] = "completed with a negative result: no match, differences found, damage found",
    [CLI_USAGE] = "invalid command line; nothing was done",
    [CLI_SEGMENT] = "the segment does not exist or cannot be read",
    [CLI_REFUSED] = "the segment refused the series: another kind, full, a limit",
    [CLI_FAILED] = "a system failure: out of memory, or the output could not be written",
};

struct cli_common cli_common;

static const struct cmd_option cli_common_rows[] = {
    {.name = "segment",
     .letter = 's',
     .type = CMD_TEXT,
     .value = &cli_common.segment,
     .arg = "PATH",
     .help = "the segment file (default $MTX_SEGMENT, else /dev/shm/mtx-<uid>.seg)"},
    {.name = "json", .letter = 'j', .type = CMD_FLAG, .value = &cli_common.json, .help = "print JSON"},
    {.name = "help", .letter = 'h', .type = CMD_FLAG, .value = &cli_common.help, .help = "print this help"},
    {.name = NULL},
};

struct cmd_line cli_line(const struct command *c)
{
    static char program[32];
    snprintf(program, sizeof program, "mtxctl %s", c->name);
    return (struct cmd_line){
        .program = program,
        .args = c->args,
        .tables = {c->options, cli_common_rows + (c->no_segment ? 1 : 0)},
        .least = c->least,
        .most = c->most,
        .child = c->child,
        .child_first = c->child_first,
    };
}

/* --- Messages --- */

void cli_warn(struct buf *lines)
{
    struct buf clean = {0};
    printable_lines(&clean, buf_text(lines), lines->len);
    fputs(buf_text(&clean), stderr);
    buf_free(&clean);
    buf_free(lines);
}

static void cli_say(const struct cli *cli, const char *format, va_list ap, bool hint)
{
    struct buf line = {0};
    buf_printf(&line, "mtxctl %s: ", cli->command->name);
    buf_vprintf(&line, format, ap);
    if (hint) buf_printf(&line, " (see mtxctl %s --help)", cli->command->name);
    buf_char(&line, '\n');
    cli_warn(&line);
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

/* --- Output --- */

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
