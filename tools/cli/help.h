/* SPDX-License-Identifier: Apache-2.0 */
/* help.h - the help text of a command, made from its struct. For one thread. */
#ifndef TOOLS_HELP_H
#define TOOLS_HELP_H

#include "cli.h"

/* Appends the whole text to out. args: the n words given beside --help. */
void help_command(const struct command *command, char **args, int n, struct buf *out);

#endif
