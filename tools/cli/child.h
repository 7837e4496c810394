/* SPDX-License-Identifier: Apache-2.0 */
/*
 * child.h - runs a command in our place: signals are passed on to it, its exit status becomes ours.
 *
 * Signals that are sent to mtxctl (by kill, by a supervisor) are passed on to the command. Those that the
 * terminal sends have already reached it, as it stays in our process group, and are not sent twice.
 *
 * For one command in a process of one thread; a struct child owns no memory.
 */
#ifndef TOOLS_CHILD_H
#define TOOLS_CHILD_H

#include "cli.h"

#include <signal.h>
#include <sys/types.h>

/* For .exit_child of the commands that end with the status of the one they ran. */
#define CHILD_EXIT                                                                                  \
    "The exit status of COMMAND; 128 + N if signal N ended it; 127 if it was not found; 126 if it " \
    "could not be started."

/* The exit status of a shell when a command cannot be started or was ended by a signal. */
enum { CHILD_CANNOT_RUN = 126, CHILD_NOT_FOUND = 127, CHILD_SIGNALLED = 128 };

struct child {
    pid_t pid;
    sigset_t held;   /* SIGCHLD and the signals that are passed on: blocked here, waited for */
    sigset_t before; /* the mask that we were started with; every child gets it */
};

/* Blocks the signals. Call it before anything else is started. */
void child_begin(struct child *child);

/* Starts argv[0] (searched in PATH) with our environment. Returns 0, or the exit code after printing why. */
int child_spawn(const struct cli *cli, struct child *child, char **argv);

/* Called for every other child that ended and was reaped meanwhile (orphans too, if we are process 1). */
typedef void child_other_fn(void *arg, const siginfo_t *ended);

/* Waits for the command to end, passing signals on. It stays a zombie until child_reap(), so that its pid is
 * not given to another process. Returns its exit status as a shell does: 128 + n if signal n ended it. */
int child_wait(struct child *child, child_other_fn *other, void *arg);
void child_reap(struct child *child);

/* The same exit status, from a siginfo of waitid(). */
int child_status(const siginfo_t *ended);

#endif
