/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Promise: a process that had no free descriptor at its first gauge gets a weak slot, and a firm one at the next
 * metrics_poll() or metrics_prepare() after descriptors are free again. A weak one that has fallen is taken back, or
 * replaced if another process has it: no gauge is lost for longer than until the next poll.
 */
#include "multi.h"

#include <fcntl.h>
#include <sys/resource.h>

static int taken[256], taken_count;
static metrics_registry_t *registry;
static metrics_gauge_t *gauge;
static int *turn; /* shared: which step a child may take */

static void take_descriptors(void)
{
    struct rlimit limit = {128, 4096};
    setrlimit(RLIMIT_NOFILE, &limit);
    for (int fd; taken_count < 256 && (fd = open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0;)
        taken[taken_count++] = fd;
}
static void give_descriptors(void)
{
    while (taken_count) close(taken[--taken_count]);
}

/* Opens and closes a descriptor of the file: what makes a weak lock fall. */
static void drop_weak_lock(void)
{
    close(open(test_path, O_RDONLY | O_CLOEXEC));
}

/* --- What others see --- */

struct seen {
    int living, weak;
    double value;
};

static void count_process(void *arg, const metrics_process_t *p)
{
    struct seen *seen = arg;
    seen->living += p->alive;
    seen->weak += p->alive && p->weak;
}

static void look(void *arg)
{
    struct seen *seen = arg;
    metrics_reader_t *reader = test_reader();
    *seen = (struct seen){0};
    metrics_reader_processes(reader, count_process, seen);
    metrics_reader_close(&reader);
    seen->value = multi_number("level", NULL, "value");
}

/* In a process of its own, whose descriptors say nothing to this one's locks. */
static struct seen from_outside(void)
{
    static struct seen *seen;
    if (!seen) seen = multi_shared(sizeof *seen);
    waitpid(multi_fork(look, seen), NULL, 0);
    return *seen;
}

static void expect(const char *what, int living, int weak, double value)
{
    struct seen s = from_outside();
    EXPECT(s.living == living && s.weak == weak && (s.value == value || (isnan(value) && isnan(s.value))),
           "%s: %d living, %d weak, %g; expected %d, %d, %g", what, s.living, s.weak, s.value, living, weak,
           value);
}

/* --- The steps --- */

static void first_set_without_descriptors(void)
{
    take_descriptors();
    metrics_gauge_set(gauge, 1);
    give_descriptors();
    expect("no descriptor at the first set", 1, 1, 1);
}

static void becomes_firm(void (*by)(metrics_registry_t *), const char *what)
{
    first_set_without_descriptors();
    by(registry);
    expect(what, 1, 0, 1);
    drop_weak_lock();
    metrics_gauge_set(gauge, 2);
    expect("  after a descriptor of the file was closed", 1, 0, 2);
}

static void by_poll(void *arg)
{
    (void)arg;
    becomes_firm(metrics_poll, "firm after a poll");
    _exit(multi_end());
}
static void by_prepare(void *arg)
{
    (void)arg;
    becomes_firm(metrics_prepare, "firm after a preparation");
    _exit(multi_end());
}

static void fallen(void *arg)
{
    (void)arg;
    first_set_without_descriptors();
    drop_weak_lock();
    expect("the weak lock has fallen", 0, 0, NAN);
    metrics_poll(registry);
    expect("taken back", 1, 0, 1);
    _exit(multi_end());
}

/* While descriptors are still missing, a poll keeps what there is. */
static void still_none(void *arg)
{
    (void)arg;
    first_set_without_descriptors();
    take_descriptors();
    metrics_poll(registry);
    metrics_gauge_set(gauge, 3);
    give_descriptors();
    expect("still no descriptor at a poll", 1, 1, 3);
    metrics_poll(registry);
    expect("firm after the next one", 1, 0, 3);
    _exit(multi_end());
}

static void be_another(void *arg)
{
    (void)arg;
    metrics_gauge_set(metrics_gauge(registry, "other"), 1);
    *(volatile int *)turn = 1;
    for (;;) pause();
}

static void taken_by_another(void *arg)
{
    (void)arg;
    first_set_without_descriptors();
    drop_weak_lock();
    pid_t other = multi_fork(be_another, NULL);
    while (!*(volatile int *)turn) multi_sleep_ms(1);
    metrics_poll(registry);
    metrics_gauge_set(gauge, 4);
    expect("another process had taken the slot", 2, 0, 4);
    kill(other, SIGKILL);
    waitpid(other, NULL, 0);
    expect("  and has died", 1, 0, 4);
    _exit(multi_end());
}

int main(void)
{
    static void (*const steps[])(void *) = {by_poll, by_prepare, fallen, still_none, taken_by_another};
    multi_begin(60);
    registry = test_open(NULL);
    gauge = metrics_gauge(registry, "level");
    turn = multi_shared(sizeof *turn);
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        int status = 0;
        *(volatile int *)turn = 0;
        waitpid(multi_fork(steps[i], NULL), &status, 0);
        EXPECT(status == 0, "step %zu: status %x", i, (unsigned)status);
    }
    return multi_end();
}
