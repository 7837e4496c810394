/* SPDX-License-Identifier: Apache-2.0 */
/*
 * writing.h - one update of one series from the command line: name and tags, the segment opened for writing,
 * and whether the segment accepted it.
 *
 * A function that returns int has printed what was wrong and returns the exit code; CLI_OK = success. For one
 * thread.
 */
#ifndef TOOLS_WRITING_H
#define TOOLS_WRITING_H

#include "cli.h"

#include <mtx/metrics.h>

struct writing {
    struct cli *cli;
    metrics_registry_t *registry;
    const char **name_tags; /* as metrics_counter_v() takes them; the words are of the command line */
    size_t n;
};

/* Reads the name and the key=value arguments; nothing is opened yet. tags: the index of the first of them.
 * writing_close() in any case. */
int writing_parse(struct cli *cli, int tags, struct writing *w);

/* Opens the segment; creates it if it does not exist. */
int writing_open(struct writing *w);

/* Closes, frees, prints what the segment refused. code: the exit code so far; returns the final one. */
int writing_close(struct writing *w, int code);

/* A number from the arguments: 0 or more, any integer, any finite number. CLI_OK or CLI_USAGE. */
int writing_count(const struct cli *cli, const char *text, uint64_t *out);
int writing_integer(const struct cli *cli, const char *text, int64_t *out);
int writing_number(const struct cli *cli, const char *text, double *out);

/* For the help and the exit codes of the commands that use it. */
#define WRITING_TEXT                                                                                   \
    "The series and the segment are created if they do not exist. Nothing is printed, or with --json " \
    "what was recorded."
#define WRITING_EXITS                                          \
    [CLI_SEGMENT] = "the segment cannot be opened or created", \
    [CLI_REFUSED] =                                            \
        "the segment refused the series: another kind of that name, full, a limit, an invalid name"

#endif
