/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reporter.h - our own mtx-exporter beside a command: it is found, started, asked to finish and waited for.
 *
 * For one thread, after child_begin(). Nothing here owns memory.
 */
#ifndef TOOLS_REPORTER_H
#define TOOLS_REPORTER_H

#include "child.h"

struct reporter_options {
    const char *program; /* NULL: beside mtxctl, else in PATH */
    const char *segment;
    const char *config;   /* NULL: $MTX_EXPORTER_CONFIG, else a table on stderr */
    const char *interval; /* NULL: as the configuration says */
    bool memory;          /* keep its log in memory: the segment is removed at the end */
};

struct reporter {
    pid_t pid;  /* 0 = none runs */
    int status; /* after it has ended */
};

/* Starts it in a process group of its own, so that signals from the terminal do not reach it; it ends by
 * itself when we die. Its standard output goes to our stderr. False after printing why. */
bool reporter_start(const struct cli *cli, const struct child *child, const struct reporter_options *options,
                    struct reporter *reporter);

/* Records the end of the reporter, if that is the child that has ended. */
void reporter_ended(struct reporter *reporter, const siginfo_t *ended);

/* True if it has ended; reaps it. */
bool reporter_gone(struct reporter *reporter);

/* Sends SIGTERM, so that it takes a last snapshot and delivers what is queued; waits until the monotonic time
 * `deadline` in nanoseconds, then kills it. A SIGINT or SIGTERM that we receive ends the wait at once. False
 * if it was killed. */
bool reporter_finish(struct reporter *reporter, const struct child *child, uint64_t deadline);

/* Waits until `due` (monotonic, nanoseconds) or until one of our children ends. False if SIGINT or SIGTERM
 * came meanwhile. */
bool reporter_pause(const struct child *child, uint64_t due);

#endif
