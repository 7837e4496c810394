/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Promise: a gauge shows a value that somebody has set, whatever happens between any two words that a reader
 * copies. The kernel's copy is not of one moment, nor in a known order. Here pread() copies word by word, upwards
 * or downwards, and something happens before one of the words: before each of them in turn.
 */
#include "worker.h"

#include <sys/syscall.h>

static metrics_registry_t *registry;

/* --- A slow kernel --- */

static struct {
    bool on, down;
    long words, at; /* copied so far; before which one it happens */
    void (*happen)(void);
} slow;

static void word_passes(void)
{
    if (slow.words++ != slow.at || !slow.happen) return;
    slow.on = false;
    slow.happen();
    slow.on = true;
}

/* Whole words in that order, like rep movsb and ldp on a bad day. */
ssize_t pread(int fd, void *buf, size_t n, off_t offset)
{
    enum { ROWS = 512 }; /* pairs are copied in pieces of at most so much; others pass as one word */
    if (slow.on && n > ROWS) word_passes();
    if (!slow.on || n > ROWS || n % 8) return syscall(SYS_pread64, fd, buf, n, offset);
    for (size_t i = 0; i < n; i += 8) {
        size_t at = slow.down ? n - 8 - i : i;
        word_passes();
        if (syscall(SYS_pread64, fd, (char *)buf + at, 8, offset + (off_t)at) != 8) return -1;
    }
    return (ssize_t)n;
}

/* --- What happens --- */

static metrics_gauge_t *gauge;
static pid_t other; /* the process whose gauge it is */

static void set_first(void)
{
    metrics_gauge_set(gauge, 5);
}

static void add_first(void)
{
    metrics_gauge_add(gauge, 5);
}

static void set_again(void)
{
    metrics_gauge_set(gauge, 3);
}

static void work(void *value)
{
    metrics_gauge_set(metrics_gauge(registry, *(double *)value ? "g" : "another"), *(double *)value);
    worker_ready();
    worker_stay();
}

static pid_t start(double value)
{
    static double v;
    v = value;
    return worker_start(work, &v, 1);
}

static void next_owner(void)
{
    worker_end(other);
    other = start(0);
}

static void next_setter(void)
{
    worker_end(other);
    other = start(9);
}

/* So that this process has a slot, and the group has its pairs: fresh but for one. */
static void prepare_fresh(void)
{
    metrics_gauge_set(metrics_gauge(registry, "another"), 1);
}

static void prepare_overtaken(void)
{
    metrics_gauge_set(gauge, 1);
    other = start(2);
}

static void prepare_other(void)
{
    metrics_gauge(registry, "another");
    other = start(7);
}

struct event {
    const char *name;
    void (*prepare)(void), (*happen)(void);
    double may[3]; /* what may be shown; NaN: nothing */
};

/* One reading in which it happens before word `at`. Is what is shown right? Sets how many words there were. */
static bool reads_right(const struct event *e, bool down, long at, double *shown)
{
    registry = test_open(&(metrics_options_t){.size = sizeof(metrics_options_t), .slots = 4});
    gauge = metrics_gauge(registry, "g");
    e->prepare();
    metrics_reader_t *reader = test_reader();
    slow.words = 0;
    slow.at = at;
    slow.down = down;
    slow.happen = e->happen;
    slow.on = true;
    metrics_snapshot_t *s = metrics_snapshot_take(reader, NULL);
    slow.on = false;
    *shown = test_number(test_find(s, "g", NULL), NULL, NULL, "value");
    metrics_snapshot_release(&s);
    metrics_reader_close(&reader);
    if (other) worker_end(other);
    other = 0;
    metrics_close(&registry);
    for (int i = 0; i < 3; i++)
        if (*shown == e->may[i] || (isnan(*shown) && isnan(e->may[i]))) return true;
    return false;
}

static void happens(const struct event *e, bool down)
{
    long wrong = 0, tried = 0;
    double shown, bad = 0;
    slow.words = 1;
    for (long at = 0; at < slow.words; at++, tried++)
        if (!reads_right(e, down, at, &shown)) wrong++, bad = shown;
    EXPECT(!wrong && tried > 8, "%s, words copied %s: %ld of %ld readings show what nobody set (%g)", e->name,
           down ? "downwards" : "upwards", wrong, tried, bad);
}

int main(void)
{
    static const struct event events[] = {
        {"the first set", prepare_fresh, set_first, {NAN, 5, 5}},
        {"the first add", prepare_fresh, add_first, {NAN, 5, 5}},
        {"a set after another process's", prepare_overtaken, set_again, {2, 3, 3}},
        {"a death, and the slot's next owner", prepare_other, next_owner, {NAN, 7, 7}},
        {"a death, and a next owner who sets it", prepare_other, next_setter, {NAN, 7, 9}},
    };
    multi_begin(170);
    worker_begin();
    for (size_t i = 0; i < sizeof events / sizeof *events; i++)
        for (int down = 0; down < 2; down++) happens(&events[i], down);
    return multi_end();
}
