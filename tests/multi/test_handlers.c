/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Promise: a signal handler may fork, or leave by siglongjmp(), whatever library call of its own thread it interrupts:
 * finding, describing, retiring, polling, opening, closing. Nothing hangs afterwards, neither there nor in the child.
 */
#include "multi.h"

#include <setjmp.h>

/* A fork takes longer than a jump, and what is interrupted must come on. */
enum { ROUND_MS = 400, HANG_S = 60, JUMP_NS = 150000, FORK_NS = 5000000 };

static metrics_registry_t *registry;
static metrics_counter_t *forked;
static sigjmp_buf out;
static volatile sig_atomic_t armed;
static unsigned *signals; /* shared */
static const char *own_path;

/* --- What is interrupted --- */

static void find(int i)
{
    char number[16];
    snprintf(number, sizeof number, "%d", i % 5000);
    metrics_counter_inc(metrics_counter(registry, "found", "n", number));
}

static void describe(int i)
{
    char name[32];
    metrics_family_t f = {.size = sizeof f, .unit = "bytes", .help = "A family."};
    snprintf(name, sizeof name, "family.%d", i % 2000);
    metrics_describe(registry, name, &f, NULL);
}

static void retire(int i)
{
    char number[16];
    snprintf(number, sizeof number, "%d", i % 10);
    const char *list[] = {"retired", "n", number};
    metrics_counter_inc(metrics_counter_v(registry, list, 3));
    metrics_retire(registry, list, 3);
}

static double seven(void *arg)
{
    (void)arg;
    return 7;
}

static void poll(int i)
{
    char number[16];
    snprintf(number, sizeof number, "%d", i % 20);
    metrics_gauge_callback(metrics_gauge(registry, "polled", "n", number), seven, NULL);
    metrics_poll(registry);
    metrics_status(registry, NULL);
}

static void prepare(int i)
{
    (void)i;
    metrics_prepare(registry);
}

static void open_and_close(int i)
{
    metrics_options_t o = {.size = sizeof o, .path = own_path};
    (void)i;
    metrics_registry_t *r = metrics_open(&o, NULL);
    metrics_counter_inc(metrics_counter(r, "opened"));
    metrics_close(&r);
}

static const struct call {
    const char *name;
    void (*fn)(int i);
    int most; /* registries are never freed, and each attached one that is left behind is a descriptor */
} calls[] = {{"find", find, 1000000},       {"describe", describe, 1000000},
             {"retire", retire, 1000000},   {"poll", poll, 1000000},
             {"prepare", prepare, 1000000}, {"open and close", open_and_close, 300}};

/* --- Handlers --- */

static void fork_in_handler(int signal)
{
    (void)signal;
    int saved = errno;
    ++*signals;
    pid_t pid = fork();
    if (pid == 0) {
        metrics_counter_inc(forked);
        find(4999);
        poll(1);
        _exit(0);
    }
    if (pid > 0) waitpid(pid, NULL, 0);
    errno = saved;
}

static void leave(int signal)
{
    (void)signal;
    if (!armed) return;
    ++*signals;
    armed = 0;
    siglongjmp(out, 1);
}

static timer_t start_timer(void (*handler)(int))
{
    timer_t timer;
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
    struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART};
    long ns = handler == leave ? JUMP_NS : FORK_NS;
    struct itimerspec often = {{0, ns}, {0, ns}};
    sigaction(SIGUSR1, &action, NULL);
    timer_create(CLOCK_MONOTONIC, &event, &timer);
    timer_settime(timer, 0, &often, NULL);
    return timer;
}

static uint64_t now_ms(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

struct round {
    const struct call *call;
    bool leaves;
};

static void play(void *arg)
{
    const struct round *round = arg;
    volatile int i = 0;
    uint64_t end = now_ms() + ROUND_MS;
    alarm(HANG_S);
    start_timer(round->leaves ? leave : fork_in_handler);
    while (now_ms() < end && i < round->call->most) {
        i = i + 1;
        if (round->leaves && sigsetjmp(out, 1)) continue;
        armed = 1;
        round->call->fn(i);
        armed = 0;
    }
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    sigaction(SIGUSR1, &ignore, NULL);
    for (size_t c = 0; c < sizeof calls / sizeof *calls; c++) calls[c].fn(1); /* nothing was left locked */
}

static void play_all(bool leaves)
{
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        struct round round = {&calls[i], leaves};
        int status = 0;
        *signals = 0;
        waitpid(multi_fork(play, &round), &status, 0);
        EXPECT(status == 0 && *signals > 0, "%s, a handler that %s: status %x after %u signals",
               calls[i].name, leaves ? "leaves by siglongjmp()" : "forks", (unsigned)status, *signals);
    }
}

/* The first use of metrics_default() opens it once for all: a handler that leaves there must not leave it half open. */
static void use_default(void *arg)
{
    (void)arg;
    volatile int i = 0;
    alarm(HANG_S);
    start_timer(leave);
    if (!sigsetjmp(out, 1)) {
        armed = 1;
        for (i = 0; i < 2000000 && armed; i++) METRICS_INC("default");
    }
    metrics_counter_inc(metrics_counter(metrics_default(), "default"));
}

int main(void)
{
    int status, bad = 0;
    char path[128];
    multi_begin(170);
    metrics_options_t o = {.size = sizeof o, .segment_bytes = 256 << 20};
    registry = test_open(&o);
    own_path = test_path;
    forked = metrics_counter(registry, "forked");
    signals = multi_shared(sizeof *signals);
    play_all(false);
    play_all(true);
    EXPECT(multi_number("forked", NULL, "count") > 0, "children have counted");
    snprintf(path, sizeof path, "%s.default", test_path);
    setenv("MTX_SEGMENT", path, 1);
    for (int i = 0; i < multi_dose(200); i++) {
        waitpid(multi_fork(use_default, NULL), &status, 0);
        bad += status != 0;
        unlink(path);
    }
    EXPECT_EQ(bad, 0, "processes that hung or died in their first use of metrics_default()");
    return multi_end();
}
