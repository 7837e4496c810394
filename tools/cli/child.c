/* SPDX-License-Identifier: Apache-2.0 */
#include "child.h"

#include "file_limit.h"

#include <errno.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

void child_begin(struct child *child)
{
    static const int passed[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2};
    *child = (struct child){.pid = 0};
    sigemptyset(&child->held);
    sigaddset(&child->held, SIGCHLD);
    for (size_t i = 0; i < sizeof passed / sizeof *passed; i++) sigaddset(&child->held, passed[i]);
    /* If our parent left SIGCHLD ignored, the kernel would reap our children and report nothing. */
    signal(SIGCHLD, SIG_DFL);
    sigprocmask(SIG_BLOCK, &child->held, &child->before);
}

int child_spawn(const struct cli *cli, struct child *child, char **argv)
{
    posix_spawnattr_t attr;
    sigset_t back;
    file_limit_changed(&back);
    posix_spawnattr_init(&attr);
    posix_spawnattr_setsigmask(&attr, &child->before);
    posix_spawnattr_setsigdefault(&attr, &back);
    posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    int error = posix_spawnp(&child->pid, argv[0], NULL, &attr, argv, environ);
    posix_spawnattr_destroy(&attr);
    if (!error) return 0;
    child->pid = 0;
    cli_fail(cli, CLI_FAILED, "cannot run %s: %s", argv[0], strerror(error));
    return error == ENOENT ? CHILD_NOT_FOUND : CHILD_CANNOT_RUN;
}

int child_status(const siginfo_t *ended)
{
    return ended->si_code == CLD_EXITED ? ended->si_status : CHILD_SIGNALLED + ended->si_status;
}

/* Looks at every child that has ended: true if the command is one of them; the others are reaped. */
static bool child_ended(struct child *child, siginfo_t *ended, child_other_fn *other, void *arg)
{
    for (;;) {
        *ended = (siginfo_t){0};
        if (waitid(P_ALL, 0, ended, WEXITED | WNOHANG | WNOWAIT) || !ended->si_pid) return false;
        if (ended->si_pid == child->pid) return true;
        while (waitpid(ended->si_pid, NULL, 0) < 0 && errno == EINTR) continue;
        if (other) other(arg, ended);
    }
}

int child_wait(struct child *child, child_other_fn *other, void *arg)
{
    siginfo_t got, ended;
    while (!child_ended(child, &ended, other, arg)) {
        int signal = sigwaitinfo(&child->held, &got);
        /* Codes above 0 come from the kernel: the terminal has sent the signal to the whole process group. */
        if (signal > 0 && signal != SIGCHLD && got.si_code <= 0) kill(child->pid, signal);
    }
    return child_status(&ended);
}

void child_reap(struct child *child)
{
    while (child->pid > 0 && waitpid(child->pid, NULL, 0) < 0 && errno == EINTR) continue;
    child->pid = 0;
}
