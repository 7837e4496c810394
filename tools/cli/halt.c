/* SPDX-License-Identifier: Apache-2.0 */
#include "halt.h"

#include "clock.h"

#include <poll.h>
#include <signal.h>
#include <stddef.h>

static volatile sig_atomic_t halt_signals;
static sigset_t halt_open; /* the mask while waiting */

static void halt_note(int signal)
{
    (void)signal;
    if (halt_signals < 2) halt_signals++;
}

void halt_begin(void)
{
    static const int signals[] = {SIGINT, SIGTERM};
    struct sigaction note = {.sa_handler = halt_note};
    sigset_t ours;
    /* When a service hangs up, a request has failed; we go on. */
    signal(SIGPIPE, SIG_IGN);
    sigemptyset(&ours);
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) sigaddset(&ours, signals[i]);
    sigprocmask(SIG_BLOCK, &ours, NULL);
    sigprocmask(SIG_BLOCK, NULL, &halt_open);
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) {
        struct sigaction was;
        /* A signal that was ignored when we started stays ignored. */
        if (!sigaction(signals[i], NULL, &was) && was.sa_handler == SIG_IGN) continue;
        sigaction(signals[i], &note, NULL);
        sigdelset(&halt_open, signals[i]);
    }
}

unsigned halt_count(void)
{
    return (unsigned)halt_signals;
}

void halt_wait(int fd, uint64_t until)
{
    struct pollfd file = {.fd = fd, .events = POLLIN};
    uint64_t now = clock_mono(&clock_system), left = until > now ? until - now : 0;
    struct timespec t = {(time_t)(left / CLOCK_SECOND), (long)(left % CLOCK_SECOND)};
    ppoll(&file, fd < 0 ? 0 : 1, until == CLOCK_NEVER ? NULL : &t, &halt_open);
}
