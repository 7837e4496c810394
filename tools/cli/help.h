/* SPDX-License-Identifier: Apache-2.0 */
/* help.h - the help text of a command, made from its struct. Not for two threads at once. */
#ifndef TOOLS_HELP_H
#define TOOLS_HELP_H

#include "cli.h"

/* Appends the whole of it. args: the n words given beside --help. */
void help_command(const struct command *command, char **args, int n, struct buf *out);

#endif
