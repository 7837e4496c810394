/* SPDX-License-Identifier: Apache-2.0 */
/*
 * job.c - a program that records: job [WORD...]; does what each word says, in turn.
 *
 *     count=N gauge=X time=NS     records in the counter job.count, the gauge job.level, the timer job.time
 *     fill=N                      makes N counters of the family job.fill, tag n
 *     say=TEXT                    prints a line on standard output
 *     ready=FILE                  makes that file
 *     wait                        waits: SIGTERM ends it with 0, SIGUSR1 prints "usr1" and it waits on
 *     until=FILE                  waits (a minute at most) until that file exists
 *     raise=N exit=N              raises a signal, ends with that status
 */
#include <mtx/metrics.h>

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *value_of(const char *word, const char *key)
{
    size_t n = strlen(key);
    return strncmp(word, key, n) || word[n] != '=' ? NULL : word + n + 1;
}

static void wait_for_signals(void)
{
    sigset_t set;
    int signal = 0;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGUSR1);
    sigprocmask(SIG_BLOCK, &set, NULL);
    while (!sigwait(&set, &signal) && signal == SIGUSR1) {
        puts("usr1");
        fflush(stdout);
    }
}

static void fill(int n)
{
    char text[16];
    for (int i = 0; i < n; i++) {
        snprintf(text, sizeof text, "%d", i);
        metrics_counter_inc(metrics_counter(metrics_default(), "job.fill", "n", text));
    }
}

static void wait_for_file(const char *path)
{
    for (int i = 0; i < 6000 && access(path, F_OK); i++) usleep(10000);
}

static void make_file(const char *path)
{
    int fd = open(path, O_CREAT | O_WRONLY, 0600);
    if (fd >= 0) close(fd);
}

static void say(const char *text)
{
    puts(text);
    fflush(stdout);
}

static void record(const char *word)
{
    const char *v;
    metrics_registry_t *r = metrics_default();
    if ((v = value_of(word, "count")))
        metrics_counter_add(metrics_counter(r, "job.count"), strtoull(v, NULL, 10));
    if ((v = value_of(word, "gauge"))) metrics_gauge_set(metrics_gauge(r, "job.level"), strtod(v, NULL));
    if ((v = value_of(word, "time")))
        metrics_timer_update(metrics_timer(r, "job.time"), strtoull(v, NULL, 10));
    if ((v = value_of(word, "fill"))) fill(atoi(v));
}

int main(int argc, char **argv)
{
    const char *v;
    for (int i = 1; i < argc; i++) {
        record(argv[i]);
        if ((v = value_of(argv[i], "say"))) say(v);
        if ((v = value_of(argv[i], "ready"))) make_file(v);
        if ((v = value_of(argv[i], "until"))) wait_for_file(v);
        if ((v = value_of(argv[i], "raise"))) raise(atoi(v));
        if ((v = value_of(argv[i], "exit"))) return atoi(v);
        if (!strcmp(argv[i], "wait")) wait_for_signals();
    }
    return 0;
}
