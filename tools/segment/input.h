/* SPDX-License-Identifier: Apache-2.0 */
/*
 * input.h - where a command's numbers come from: the segment as it is now, or a snapshot that was saved.
 *
 * Each function says on stderr what went wrong and returns the exit code for it (CLI_OK = it worked).
 */
#ifndef TOOLS_INPUT_H
#define TOOLS_INPUT_H

#include "cli.h"

#include <mtx/snapshot.h>

/* The row for --from, which all commands that show one snapshot have. */
#define INPUT_FROM_ROW(VARIABLE)                                                                        \
    {                                                                                                   \
        .name = "from", .letter = 'f', .type = CMD_TEXT, .value = &(VARIABLE), .arg = "FILE",           \
        .help = "read a snapshot saved by mtxctl dump --msgpack instead of the segment (- is standard " \
                "input)"                                                                                \
    }

/* The path of the segment that the command is about. Static or the command line's. */
const char *input_path(const struct cli *cli);

/* A reader of the segment; the caller closes it. */
int input_open(const struct cli *cli, metrics_reader_t **reader);

/* Says why a segment could not be opened or read; names other segments if this one is missing. */
int input_fail(const struct cli *cli, const char *path, const metrics_error_t *error);

/* A snapshot of the segment now, or the one saved in the file `from` if that is not NULL; the caller releases
 * it. */
int input_take(const struct cli *cli, const char *from, metrics_snapshot_t **snapshot);

/* The other segment files that lie where segments usually do, as "a, b"; nothing if there are none. */
void input_others(const char *path, struct buf *out);

#endif
