/* SPDX-License-Identifier: Apache-2.0 */
/* invoke.h - one invocation of a command: its command line, its help or its run, its output. One thread. */
#ifndef TOOLS_INVOKE_H
#define TOOLS_INVOKE_H

#include "cli.h"

/* Parses, runs, and writes what is left in cli->out. argv[0] is the command's name. Returns the exit code;
 * what was wrong has been printed to stderr. */
int invoke(const struct command *command, int argc, char **argv);

#endif
