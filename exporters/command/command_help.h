/* SPDX-License-Identifier: Apache-2.0 */
/*
 * command_help.h - parts of a program's help text: paragraphs, options and exit statuses, wrapped to 80
 * columns. Everything is appended to a buffer of the caller's. Pure; safe in any thread.
 */
#ifndef EXPORTERS_COMMAND_HELP_H
#define EXPORTERS_COMMAND_HELP_H

#include "command_line.h"

/* Wraps paragraphs, each line indented; a line that begins with a blank is left as it is. */
void cmd_wrap(struct buf *out, const char *text, size_t indent);

/* "  left      text", the text wrapped in its own column. */
void cmd_help_item(struct buf *out, const char *left, const char *text, size_t column);

/* All options of the command line, one item each. */
void cmd_help_options(struct buf *out, const struct cmd_line *line);

/* One item for each status that has a text (not NULL), from 0 to n - 1; n is at most 10. */
void cmd_help_exits(struct buf *out, const char *const *texts, int n);

#endif
