/* SPDX-License-Identifier: Apache-2.0 */
#include "seam_net.h"

#include "seam_threads.h"
#include "shared.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { FDS = 8, STUCK_MS = 120000 };

static int nudge = -1;
static _Thread_local bool patient; /* the service has said that this thread's request waits */

void net_begin(int fd)
{
    nudge = fd;
}

static int poll_really(struct pollfd *fds, nfds_t n, int timeout)
{
    static int (*real)(struct pollfd *, nfds_t, int);
    if (!real) *(void **)(void *)&real = dlsym(RTLD_NEXT, "poll");
    return real(fds, n, timeout);
}

/* True if the service answers, or does what else shows at the socket; false if it lets the request wait. */
static bool poll_answered(const struct pollfd *fds, nfds_t n)
{
    struct pollfd all[FDS];
    char byte;
    memcpy(all, fds, n * sizeof *fds);
    all[n] = (struct pollfd){.fd = nudge, .events = POLLIN};
    if (poll_really(all, n + 1, STUCK_MS) <= 0) abort();
    return !(all[n].revents & POLLIN) || read(nudge, &byte, 1) != 1;
}

int poll(struct pollfd *fds, nfds_t n, int timeout)
{
    if (nudge < 0 || n >= FDS || !timeout) return poll_really(fds, n, timeout);
    shared_step();
    int ready = poll_really(fds, n, 0);
    if (ready) return ready;
    if (!patient && poll_answered(fds, n)) return poll_really(fds, n, 0);
    patient = true;
    ready = threads_poll(fds, n, timeout);
    patient = ready == 0;
    return ready;
}

/* A new connection, a new request. */
int connect(int fd, const struct sockaddr *address, socklen_t n)
{
    static int (*real)(int, const struct sockaddr *, socklen_t);
    if (!real) *(void **)(void *)&real = dlsym(RTLD_NEXT, "connect");
    patient = false;
    return real(fd, address, n);
}
