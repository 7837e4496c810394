/* SPDX-License-Identifier: Apache-2.0 */
#include "standard.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

/* The lowest free number. It is open the wrong way round, so that what is printed to it is still an error.
 * Without a /dev: a pipe from which nothing comes. */
static int standard_dummy(int fd)
{
    int pipes[2], got = open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY);
    if (got >= 0) return got;
    if (pipe(pipes)) return -1;
    close(pipes[1]);
    return pipes[0];
}

bool standard_open(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        if (fcntl(fd, F_GETFD) >= 0 || errno != EBADF) continue;
        if (standard_dummy(fd) != fd) return false;
    }
    return true;
}
