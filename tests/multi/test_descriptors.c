/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Promise: in a program that starts without descriptor 0, 1 or 2, nothing that the libraries open gets these numbers:
 * what the program prints never lands in a segment.
 */
#include "multi.h"

#include <dirent.h>
#include <fcntl.h>

/* Which of 0, 1, 2 are open, as bits. */
static int low(void)
{
    int open = 0;
    for (int fd = 0; fd <= 2; fd++) open |= fcntl(fd, F_GETFD) < 0 ? 0 : 1 << fd;
    return open;
}

/* What a program prints without checking. */
static void print_noise(void)
{
    static const char text[] = "warning: cannot reach the database\n";
    for (int fd = 1; fd <= 2; fd++)
        if (write(fd, text, sizeof text - 1) < 0) continue;
}

static int *seen; /* shared: descriptors of 0 to 2 that were open although the program had closed them */

static void step(int closed)
{
    *seen |= low() & closed;
    print_noise();
}

static void use(metrics_registry_t *r, int closed)
{
    metrics_error_t error;
    metrics_counter_inc(metrics_counter(r, "n"));
    metrics_gauge_set(metrics_gauge(r, "g"), 1);
    step(closed);
    metrics_reader_t *reader = metrics_reader_open(test_path, NULL, &error);
    step(closed);
    metrics_snapshot_t *s = reader ? metrics_snapshot_take(reader, &error) : NULL;
    step(closed);
    if (s) metrics_snapshot_release(&s);
    metrics_reader_close(&reader);
    metrics_segment_check(test_path, NULL, NULL, &error);
    step(closed);
}

/* Create or attach, in a process that has closed some; and so in its child. */
static void program(void *arg)
{
    int closed = *(int *)arg;
    metrics_error_t error;
    metrics_options_t o = {.size = sizeof o, .path = test_path};
    int null = fcntl(open("/dev/null", O_RDWR | O_CLOEXEC), F_DUPFD_CLOEXEC, 3);
    for (int fd = 0; fd <= 2; fd++) dup2(null, fd);
    for (int fd = 0; fd <= 2; fd++)
        if (closed & 1 << fd) close(fd);
    metrics_registry_t *r = metrics_open(&o, &error);
    step(closed);
    use(r, closed);
    pid_t pid = fork();
    if (pid == 0) use(r, closed), _exit(0);
    waitpid(pid, NULL, 0);
    o.attach = METRICS_RESET;
    metrics_close(&r);
    r = metrics_open(&o, &error);
    step(closed);
    use(r, closed);
}

static void damage(void *arg, uint64_t offset, const char *what)
{
    printf("     damage at %llu: %s\n", (unsigned long long)offset, what);
    ++*(int *)arg;
}

static void without(int closed)
{
    int damages = 0;
    metrics_error_t error = {0};
    *seen = 0;
    test_unlink();
    waitpid(multi_fork(program, &closed), NULL, 0);
    EXPECT(*seen == 0, "closed:%s%s%s; found open: %d", closed & 1 ? " 0" : "", closed & 2 ? " 1" : "",
           closed & 4 ? " 2" : "", *seen);
    int n = metrics_segment_check(test_path, damage, &damages, &error);
    EXPECT(n == 0, "  the segment is sound: %s", error.text);
    EXPECT_EQ(multi_number("n", NULL, "count"), 1, "  and counts");
}

int main(void)
{
    multi_begin(60);
    test_place();
    seen = multi_shared(sizeof *seen);
    for (int closed = 1; closed < 8; closed++) without(closed);
    return multi_end();
}
