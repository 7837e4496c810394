/* SPDX-License-Identifier: Apache-2.0 */
/* invoke.h - one invocation of a command: command line, help or run, output. For one thread. */
#ifndef TOOLS_INVOKE_H
#define TOOLS_INVOKE_H

#include "cli.h"

/* Parses argv, runs the command, and writes what is left in cli->out. argv[0] is the command's name. Returns
 * the exit code; errors have been printed on stderr. */
int invoke(const struct command *command, int argc, char **argv);

#endif
