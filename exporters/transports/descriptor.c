/* SPDX-License-Identifier: Apache-2.0 */
#include "descriptor.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DESCRIPTOR_PATIENCE_MS 5000

/* Waits until the descriptor takes bytes; false if it does not for too long. */
static bool descriptor_wait(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLOUT};
    int ready;
    do ready = poll(&p, 1, DESCRIPTOR_PATIENCE_MS);
    while (ready < 0 && errno == EINTR);
    return ready > 0;
}

/* How many bytes were written; if not all, errno says why. */
static size_t descriptor_write(int fd, const char *data, size_t n)
{
    size_t done = 0;
    while (done < n) {
        /* A blocking terminal is asked first, too: it may have been stopped with control-S. */
        if (!descriptor_wait(fd)) {
            errno = ETIMEDOUT;
            return done;
        }
        size_t piece = n - done < 4096 ? n - done : 4096;
        ssize_t got = write(fd, data + done, piece);
        if (got > 0)
            done += (size_t)got;
        else if (got < 0 && errno != EINTR && errno != EAGAIN)
            return done;
    }
    return done;
}

void descriptor_send(int fd, const struct payload *payload, struct answer *answer)
{
    struct stat st;
    bool file = !fstat(fd, &st) && S_ISREG(st.st_mode);
    off_t from = file ? st.st_size : 0;
    size_t done = descriptor_write(fd, payload->body.data, payload->body.len);
    if (done == payload->body.len) {
        answer->outcome = OUTCOME_SENT;
        return;
    }
    int error = errno;
    buf_str(&answer->why, strerror(error));
    bool undone = !done || (file && !ftruncate(fd, from));
    answer->outcome = error != EPIPE && undone ? OUTCOME_RETRY : OUTCOME_DROP;
}
