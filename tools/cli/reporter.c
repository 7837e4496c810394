/* SPDX-License-Identifier: Apache-2.0 */
#include "reporter.h"

#include "clock.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* What is reported without a configuration: the command's metrics, without the exporter's own. */
static const char reporter_config[] = "http: {listen: \"off\"}\n"
                                      "verbosity: warn\n"
                                      "backends:\n"
                                      "  - type: console\n"
                                      "    exclude: [\"mtx.*\"]\n";

/* --- What to start --- */

/* The mtx-exporter in our own directory, else the bare name, to be searched in PATH. */
static const char *reporter_program(char path[PATH_MAX])
{
    ssize_t n = readlink("/proc/self/exe", path, PATH_MAX - 1);
    static const char name[] = "mtx-exporter";
    if (n <= 0) return name;
    path[n] = '\0';
    char *base = strrchr(path, '/');
    if (!base || (size_t)(base + 1 - path) + sizeof name > PATH_MAX) return name;
    memcpy(base + 1, name, sizeof name);
    return access(path, X_OK) ? name : path;
}

/* A descriptor of an unlinked file with the built-in configuration; -1 on error. */
static int reporter_config_file(void)
{
    char path[] = P_tmpdir "/mtxctl-run-XXXXXX";
    int fd = mkostemp(path, O_CLOEXEC);
    if (fd < 0) return -1;
    unlink(path);
    if (write(fd, reporter_config, sizeof reporter_config - 1) == (ssize_t)sizeof reporter_config - 1)
        return fd;
    close(fd);
    return -1;
}

static bool reporter_is_configured(const struct reporter_options *options)
{
    const char *env = getenv("MTX_EXPORTER_CONFIG");
    return options->config || (env && *env);
}

/* --- Starting --- */

/* In the child, between fork and exec. */
static void reporter_become(const struct reporter_options *options, const struct child *child, int config,
                            pid_t parent)
{
    char found[PATH_MAX], path[64];
    const char *program = options->program ? options->program : reporter_program(found);
    const char *argv[10] = {program, "--segment", options->segment};
    int n = 3, null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent) _exit(0);
    if (null >= 0) dup2(null, STDIN_FILENO);
    dup2(STDERR_FILENO, STDOUT_FILENO);
    if (config >= 0) fcntl(config, F_SETFD, 0);
    snprintf(path, sizeof path, "/proc/self/fd/%d", config);
    if (options->config || config >= 0) {
        argv[n++] = "--config";
        argv[n++] = options->config ? options->config : path;
    }
    if (options->memory) {
        argv[n++] = "--log";
        argv[n++] = "memory";
    }
    if (options->interval) {
        argv[n++] = "--interval";
        argv[n++] = options->interval;
    }
    sigprocmask(SIG_SETMASK, &child->before, NULL);
    execvp(program, (char *const *)argv);
    dprintf(STDERR_FILENO, "mtxctl run: cannot run %s: %s; nothing is reported (name it with --exporter)\n",
            program, strerror(errno));
    _exit(CHILD_NOT_FOUND);
}

bool reporter_start(const struct cli *cli, const struct child *child, const struct reporter_options *options,
                    struct reporter *reporter)
{
    *reporter = (struct reporter){.pid = 0};
    int config = reporter_is_configured(options) ? -1 : reporter_config_file();
    pid_t parent = getpid(), pid = fork();
    if (pid == 0) reporter_become(options, child, config, parent);
    if (config >= 0) close(config);
    if (pid > 0) reporter->pid = pid;
    if (pid < 0) cli_fail(cli, CLI_FAILED, "cannot start mtx-exporter: %s", strerror(errno));
    return pid > 0;
}

/* --- Ending --- */

void reporter_ended(struct reporter *reporter, const siginfo_t *ended)
{
    if (ended->si_pid != reporter->pid) return;
    reporter->pid = 0;
    reporter->status = child_status(ended);
}

bool reporter_pause(const struct child *child, uint64_t due)
{
    uint64_t now;
    while ((now = clock_mono(&clock_system)) < due) {
        uint64_t rest = due - now;
        struct timespec t = {(time_t)(rest / CLOCK_SECOND), (long)(rest % CLOCK_SECOND)};
        int signal = sigtimedwait(&child->held, NULL, &t);
        if (signal == SIGCHLD) return true;
        if (signal == SIGINT || signal == SIGTERM) return false;
    }
    return true;
}

bool reporter_gone(struct reporter *reporter)
{
    siginfo_t ended = {0};
    if (!reporter->pid) return true;
    if (waitid(P_PID, (id_t)reporter->pid, &ended, WEXITED | WNOHANG) || !ended.si_pid) return false;
    reporter_ended(reporter, &ended);
    return true;
}

bool reporter_finish(struct reporter *reporter, const struct child *child, uint64_t deadline)
{
    siginfo_t ended = {0};
    if (reporter_gone(reporter)) return true;
    kill(reporter->pid, SIGTERM);
    while (!reporter_gone(reporter)) {
        uint64_t now = clock_mono(&clock_system), soon = now + CLOCK_SECOND / 10;
        bool patient = now < deadline && reporter_pause(child, soon < deadline ? soon : deadline);
        if (patient) continue;
        kill(reporter->pid, SIGKILL);
        while (waitid(P_PID, (id_t)reporter->pid, &ended, WEXITED) && errno == EINTR) continue;
        reporter_ended(reporter, &ended);
        return false;
    }
    return true;
}
