/* SPDX-License-Identifier: Apache-2.0 */
#include "invoke.h"

#include "help.h"

#include <errno.h>
#include <string.h>

static int invoke_parse(struct cli *cli, const struct cmd_line *line, int argc, char **argv)
{
    struct cmd_given given;
    struct buf why = {0};
    bool good = cmd_parse(line, argc, argv, &given, &why);
    if (good && !cli_common.help) good = cmd_check_arity(line, &given, &why);
    if (!good) cli_usage(cli, "%s", buf_text(&why));
    buf_free(&why);
    cli->segment = cli_common.segment;
    cli->json = cli_common.json;
    cli->args = given.args;
    cli->n = given.n;
    cli->child = given.child;
    return good ? CLI_OK : CLI_USAGE;
}

static int invoke_end(struct cli *cli, int code)
{
    cli_flush(cli);
    buf_free(&cli->out);
    return cli->broken ? cli_fail(cli, CLI_FAILED, "cannot write the output: %s", strerror(errno)) : code;
}

int invoke(const struct command *command, int argc, char **argv)
{
    struct cli cli = {.command = command};
    struct cmd_line line = cli_line(command);
    int code = invoke_parse(&cli, &line, argc, argv);
    if (code == CLI_OK && cli_common.help)
        help_command(command, cli.args, cli.n, &cli.out);
    else if (code == CLI_OK)
        code = command->run(&cli);
    return invoke_end(&cli, code);
}
