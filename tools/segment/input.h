/* SPDX-License-Identifier: Apache-2.0 */
/*
 * input.h - where a command's numbers come from: the segment as it is now, or a saved snapshot.
 *
 * A function that returns int has printed what was wrong and returns the exit code for it; CLI_OK = success.
 * For one thread.
 */
#ifndef TOOLS_INPUT_H
#define TOOLS_INPUT_H

#include "cli.h"

#include <mtx/snapshot.h>

/* The row for --from, for every command that shows one snapshot. */
#define INPUT_FROM_ROW(VARIABLE)                                                                        \
    {                                                                                                   \
        .name = "from", .letter = 'f', .type = CMD_TEXT, .value = &(VARIABLE), .arg = "FILE",           \
        .help = "read a snapshot saved by mtxctl dump --msgpack instead of the segment (- is standard " \
                "input)"                                                                                \
    }

/* The path of the segment. Not to be freed: static, or of the command line. */
const char *input_path(const struct cli *cli);

/* Opens a reader of the segment; the caller closes it. */
int input_open(const struct cli *cli, metrics_reader_t **reader);

/* Prints why a segment could not be opened or read; if it is missing, also which others exist. */
int input_fail(const struct cli *cli, const char *path, const metrics_error_t *error);

/* Takes a snapshot of the segment or, if `from` is not NULL, loads the one saved in that file ("-": standard
 * input). The caller releases it. */
int input_take(const struct cli *cli, const char *from, metrics_snapshot_t **snapshot);

/* Appends the other segment files in /dev/shm and beside `path`, as "a, b"; nothing if none exist. */
void input_others(const char *path, struct buf *out);

#endif
