/* SPDX-License-Identifier: Apache-2.0 */
/*
 * match.h - which series a command is about: arguments without "=" are patterns for names (any of them),
 * those with one are tags (all of them), whose values may be patterns.
 *
 * A struct match points into the command line and owns nothing. A function that returns int has printed what
 * was wrong and returns the exit code. match_reading(), match_name() and match_tag() are pure; the others are for one thread.
 */
#ifndef TOOLS_MATCH_H
#define TOOLS_MATCH_H

#include "cli.h"

#include <mtx/snapshot.h>

enum { MATCH_MOST = 64 };

struct match {
    const char *globs[MATCH_MOST];
    size_t glob_count;
    metrics_tag_t tags[MATCH_MOST];
    size_t tag_count;
};

/* From the arguments from index `from` on, which are split in place. CLI_OK or CLI_USAGE. */
int match_parse(const struct cli *cli, int from, struct match *match);

/* From the patterns of a list option. CLI_OK or CLI_USAGE. */
int match_globs(const struct cli *cli, const struct cmd_list *patterns, struct match *match);

bool match_reading(const struct match *match, const metrics_reading_t *reading);

/* Parts of it: whether one of the patterns matches the name; whether one of n tags is the one that is wanted. */
bool match_name(const struct match *match, const char *name);
bool match_tag(const metrics_tag_t *wanted, const metrics_tag_t *tags, size_t n);

/* Prints that nothing matched, perhaps with the name that was meant; returns CLI_NO. */
int match_none(const struct cli *cli, const struct match *match, const metrics_snapshot_t *snapshot);

/* For the help of every command that uses it. */
#define MATCH_ARGS "[GLOB...] [KEY=VALUE...]"
#define MATCH_TEXT                                                                                       \
    "A GLOB is a shell pattern for names (quote it: 'http.*'); if there are several, a name must match " \
    "one of them. KEY=VALUE selects the series with that tag; VALUE may be a pattern; if there are "     \
    "several, all must match. Without either, every series is selected."

#endif
