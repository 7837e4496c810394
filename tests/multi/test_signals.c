/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Promise: updates are async-signal-safe: a handler that updates the same series as the code it interrupted
 * loses nothing, a last update from a SIGSEGV handler is in the next snapshot, errno is left alone, and a
 * handler that sets a gauge for the first time while its own thread forks does not wait for itself.
 *
 * A handler that leaves by siglongjmp() abandons the update it interrupted: that update is made or not made
 * (a distribution may have its count and not its sample), nothing else is touched and nothing waits for it.
 * Not promised for the first set of a gauge in a process, which takes a lock: metrics_prepare() does that
 * before.
 *
 * The storm is a timer's, 10,000 per second, with restartable sequences and (in a process of its own)
 * without.
 */
#include "multi.h"

#include <setjmp.h>

enum { COUNTER, UPDOWN, METER, DECAYING, UNIFORM, SLIDING, WINDOW, BUCKETS, TIMER, GAUGE, KINDS };
static const struct {
    const char *name, *row;
} series[KINDS] = {{"counter", "count"}, {"updown", "value"},  {"meter", "count"},  {"decaying", "count"},
                   {"uniform", "count"}, {"sliding", "count"}, {"window", "count"}, {"buckets", "count"},
                   {"timer", "count"},   {"gauge", "value"}};
/* A storm lasts so long, and on until so many signals came (a tenth of it: jumps). */
enum { STORM_NS = 100000, STORM_MS = 1500, WANTED = 1000, SERIES_ERRNO = 4711, ELEMENTS = 200 };

static metrics_counter_t *counter;
static metrics_updown_t *updown;
static metrics_meter_t *meter;
static metrics_histogram_t *histogram[KINDS];
static metrics_gauge_t *gauge;
static metrics_timer_t *timer;
static metrics_set_t *set;
static volatile uint64_t handled, disturbed;

static void update(int kind, uint64_t i)
{
    uint64_t element = i % ELEMENTS;
    switch (kind) {
    case COUNTER: metrics_counter_inc(counter); break;
    case UPDOWN: metrics_updown_inc(updown); break;
    case METER: metrics_meter_mark(meter, 1); break;
    case TIMER: metrics_timer_update(timer, 1000); break;
    case GAUGE: metrics_gauge_add(gauge, 1); break;
    case KINDS: metrics_set_add(set, &element, sizeof element); break;
    default: metrics_histogram_update(histogram[kind], 1);
    }
}

static void update_all(uint64_t i)
{
    for (int kind = 0; kind <= KINDS; kind++) update(kind, i);
}

static void open_series(void)
{
    static const double bounds[] = {0.5, 1, 2};
    const metrics_family_t families[] = {
        {.size = sizeof *families, .reservoir = METRICS_RESERVOIR_UNIFORM, .samples = 64},
        {.size = sizeof *families, .reservoir = METRICS_RESERVOIR_SLIDING, .samples = 64},
        {.size = sizeof *families, .reservoir = METRICS_RESERVOIR_SLIDING_TIME, .samples = 64},
        {.size = sizeof *families, .reservoir = METRICS_BUCKETS, .bounds = bounds, .bound_count = 3}};
    metrics_registry_t *r = test_open(NULL);
    for (int i = 0; i < 4; i++) metrics_describe(r, series[UNIFORM + i].name, &families[i], NULL);
    counter = metrics_counter(r, "counter");
    updown = metrics_updown(r, "updown");
    meter = metrics_meter(r, "meter");
    for (int i = DECAYING; i <= BUCKETS; i++) histogram[i] = metrics_histogram(r, series[i].name);
    gauge = metrics_gauge(r, "gauge");
    timer = metrics_timer(r, "timer");
    set = metrics_set(r, "set");
    /* Take the process slot now: the first set of a gauge is dropped in a handler that interrupts a fork. */
    metrics_prepare(r);
}

/* --- The storm --- */

static uint64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static timer_t storm_begin(void (*handler)(int))
{
    timer_t storm;
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
    const struct itimerspec every = {{0, STORM_NS}, {0, STORM_NS}};
    signal(SIGUSR1, handler);
    if (timer_create(CLOCK_MONOTONIC, &event, &storm) || timer_settime(storm, 0, &every, NULL)) exit(1);
    return storm;
}

static void storm_end(timer_t storm)
{
    signal(SIGUSR1, SIG_IGN);
    timer_delete(storm);
}

static void on_storm(int signal)
{
    int saved = errno;
    (void)signal;
    errno = SERIES_ERRNO + 1;
    update_all(handled++);
    if (errno != SERIES_ERRNO + 1) disturbed++;
    errno = saved;
}

static void check_storm(void)
{
    uint64_t n = 0, over = now_ms() + STORM_MS;
    timer_t storm = storm_begin(on_storm);
    while (now_ms() < over || handled <= (uint64_t)multi_dose(WANTED))
        for (int i = 0; i < 100; i++, n++) {
            errno = SERIES_ERRNO;
            update_all(n);
            if (errno != SERIES_ERRNO) disturbed++;
        }
    storm_end(storm);
    double all = (double)(n + handled);
    printf("     %" PRIu64 " updates of %d kinds, %" PRIu64 " signals (%.0f a second)\n", n, KINDS + 1,
           (uint64_t)handled, (double)handled * 1000 / (double)(now_ms() + STORM_MS - over));
    EXPECT_EQ(disturbed, 0, "updates after which errno was another");
    for (int k = 0; k < KINDS; k++)
        EXPECT_EQ(multi_number(series[k].name, NULL, series[k].row), all, series[k].name);
    for (int k = DECAYING; k <= BUCKETS; k++)
        EXPECT_EQ(multi_number(series[k].name, NULL, "sum"), all, "its sum");
    EXPECT_EQ(multi_number("set", NULL, "value"), ELEMENTS, "distinct elements");
}

/* --- Out of a handler by siglongjmp() --- */

static sigjmp_buf start_again;
static volatile sig_atomic_t may_jump;
static volatile uint64_t jumps, done[KINDS + 1];

static void on_jump(int signal)
{
    (void)signal;
    if (!may_jump) return;
    may_jump = 0;
    jumps++;
    siglongjmp(start_again, 1);
}

static void check_jumps(void)
{
    double before[KINDS];
    for (int k = 0; k < KINDS; k++) before[k] = multi_number(series[k].name, NULL, series[k].row);
    uint64_t over = now_ms() + STORM_MS;
    timer_t storm = storm_begin(on_jump);
    sigsetjmp(start_again, 1);
    while (now_ms() < over || jumps <= (uint64_t)multi_dose(WANTED / 10)) {
        may_jump = 1;
        for (int k = 0; k <= KINDS; k++) update(k, done[k]), done[k]++;
        may_jump = 0;
    }
    storm_end(storm);
    printf("     %" PRIu64 " updates left by siglongjmp()\n", (uint64_t)jumps);
    for (int k = 0; k < KINDS; k++) {
        double got = multi_number(series[k].name, NULL, series[k].row) - before[k];
        EXPECT(got >= (double)done[k] && got <= (double)(done[k] + jumps),
               "%s: expected %" PRIu64 " to %" PRIu64 ", got %.0f", series[k].name, (uint64_t)done[k],
               (uint64_t)(done[k] + jumps), got);
    }
}

/* --- The last update --- */

static void on_crash(int signal)
{
    (void)signal;
    metrics_counter_add(counter, 1000000);
    metrics_histogram_update(histogram[BUCKETS], 1);
    _exit(0);
}

static int deeper(volatile int *above)
{
    volatile int here[1024];
    here[0] = above ? *above + 1 : 0;
    return here[0] < 0 ? 0 : deeper(here) + here[0];
}

/* With a stack that is all used up, the handler has only its alternate one. */
static void crash(void *overflow)
{
    static char stack[65536];
    const stack_t other = {.ss_sp = stack, .ss_size = sizeof stack};
    const struct sigaction action = {.sa_handler = on_crash, .sa_flags = SA_ONSTACK};
    sigaltstack(&other, NULL);
    sigaction(SIGSEGV, &action, NULL);
    if (overflow) _exit(deeper(NULL));
    *(volatile int *)mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) = 1;
}

static void check_crash(void *overflow, const char *what)
{
    int status;
    double before = multi_number("counter", NULL, "count"), seen = multi_number("buckets", NULL, "count");
    waitpid(multi_fork(crash, overflow), &status, 0);
    EXPECT(status == 0, "%s: wait status %#x", what, status);
    EXPECT_EQ(multi_number("counter", NULL, "count"), before + 1000000, "its last update");
    EXPECT_EQ(multi_number("buckets", NULL, "count"), seen + 1, "and that of a histogram");
}

/* --- A handler inside its own thread's fork --- */

static bool raising;
static uint64_t *raised;

static void on_raise(int signal)
{
    (void)signal;
    metrics_gauge_set(gauge, 1);
    update_all(0);
    __atomic_fetch_add(raised, 1, __ATOMIC_RELAXED);
}

/* Registered before the library's, so that it runs after it has locked and before it unlocks. */
static void inside_fork(void)
{
    if (raising) raise(SIGUSR2);
}

/* A new process: the set in the handler is its first. */
static void fork_with_handler(void *arg)
{
    (void)arg;
    multi_limit(60);
    signal(SIGUSR2, on_raise);
    raising = true;
    pid_t pid = fork();
    raising = false;
    metrics_gauge_set(gauge, 2);
    if (pid == 0) _exit(0);
    int status = -1;
    waitpid(pid, &status, 0);
    _exit(status != 0);
}

static void check_fork(void)
{
    int status = -1;
    raised = multi_shared(sizeof *raised);
    waitpid(multi_fork(fork_with_handler, NULL), &status, 0);
    EXPECT(status == 0, "handlers inside a fork come to their end: wait status %#x", status);
    /* Raised while the fork is under way, it waits for its end, and twice the same is once: signal(7). */
    EXPECT_EQ(*raised, 2, "handlers that ran (in the parent, in the child)");
}

/* The same again where no thread has a restartable sequence. */
static void check_without(void)
{
    int status = -1;
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        multi_sequences(false);
        execl("/proc/self/exe", "test_signals", "without", (char *)NULL);
        _exit(127);
    }
    waitpid(pid, &status, 0);
    EXPECT(status == 0, "without restartable sequences: wait status %#x", status);
}

int main(int argc, char **argv)
{
    (void)argv;
    multi_begin(100);
    pthread_atfork(inside_fork, inside_fork, inside_fork);
    open_series();
    check_storm();
    check_jumps();
    check_crash(NULL, "a handler of SIGSEGV");
    check_crash(counter, "a handler on an alternate stack");
    check_fork();
    if (argc == 1) check_without();
    return multi_end();
}
