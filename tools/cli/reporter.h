/* SPDX-License-Identifier: Apache-2.0 */
/* reporter.h - an mtx-exporter of our own beside a command: found, started, asked to finish, waited for. */
#ifndef TOOLS_REPORTER_H
#define TOOLS_REPORTER_H

#include "child.h"

struct reporter_options {
    const char *program; /* NULL: beside mtxctl, else in PATH */
    const char *segment;
    const char *config;   /* NULL: $MTX_EXPORTER_CONFIG, else a table of the command's series on stderr */
    const char *interval; /* NULL: what the configuration says */
    bool memory;          /* its log needs no file: the segment goes with us */
};

struct reporter {
    pid_t pid;  /* 0 = none runs */
    int status; /* once it has ended */
};

/* Starts it, in a process group of its own, so that the terminal's signals do not reach it; it ends by itself
 * when we die. Its standard output goes to our stderr. False, with the reason said. */
bool reporter_start(const struct cli *cli, const struct child *child, const struct reporter_options *options,
                    struct reporter *reporter);

/* One of our children has ended: if it was the reporter, note that. */
void reporter_ended(struct reporter *reporter, const siginfo_t *ended);

/* Has it ended? Reaps it then. */
bool reporter_gone(struct reporter *reporter);

/* Sends SIGTERM, upon which it takes a last snapshot and delivers what is queued, and waits until the
 * monotonic time `deadline`, then kills it. SIGINT or SIGTERM to us ends the wait at once. False if it had to
 * be killed. */
bool reporter_finish(struct reporter *reporter, const struct child *child, uint64_t deadline);

/* Waits until `due` (monotonic) or until one of our children ends. False if SIGINT or SIGTERM came
 * meanwhile. */
bool reporter_pause(const struct child *child, uint64_t due);

#endif
