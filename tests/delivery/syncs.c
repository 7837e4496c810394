/* SPDX-License-Identifier: Apache-2.0 */
/* syncs.c - preloaded into the exporter, notes in the file $MTX_SYNCS which files are synced to the disk. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static int note(int fd, long call)
{
    char link[64], line[4096];
    const char *to = getenv("MTX_SYNCS");
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, line, sizeof line - 1);
    int out = to && n > 0 ? open(to, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600) : -1;
    if (out >= 0) {
        line[n++] = '\n';
        if (write(out, line, (size_t)n) != n) abort();
        close(out);
    }
    return (int)syscall(call, fd);
}

int fsync(int fd)
{
    return note(fd, SYS_fsync);
}

int fdatasync(int fd)
{
    return note(fd, SYS_fdatasync);
}
