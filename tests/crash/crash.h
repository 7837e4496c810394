/* SPDX-License-Identifier: Apache-2.0 */
/* crash.h - what the program that is killed and the one that kills it agree on. */
#ifndef METRICS_TESTS_CRASH_H
#define METRICS_TESTS_CRASH_H

#include <stdint.h>

/* Kinds with a total, one series each: CRASH_KIND(name, what creates it, what adds one to it). */
#define CRASH_KINDS(X)                                             \
    X(counter, metrics_counter, metrics_counter_inc(h))            \
    X(updown, metrics_updown, metrics_updown_inc(h))               \
    X(meter, metrics_meter, metrics_meter_mark(h, 1))              \
    X(buckets, metrics_histogram, metrics_histogram_update(h, 3))  \
    X(bounds, metrics_histogram, metrics_histogram_update(h, 3))   \
    X(decaying, metrics_histogram, metrics_histogram_update(h, 3)) \
    X(uniform, metrics_histogram, metrics_histogram_update(h, 3))  \
    X(sliding, metrics_histogram, metrics_histogram_update(h, 3))  \
    X(recent, metrics_histogram, metrics_histogram_update(h, 3))   \
    X(timer, metrics_timer, metrics_timer_update(h, 3000000000u))
enum crash_kind {
#define CRASH_KIND(NAME, FIND, UPDATE) CRASH_##NAME,
    CRASH_KINDS(CRASH_KIND)
#undef CRASH_KIND
        CRASH_KIND_COUNT
};

enum { CRASH_WORDS = 1024 }; /* positions of events: 5 and one per CPU */

/* The victim's own account, in a file that outlives it: an
 * update counts in `begun` before and in `done` after. */
struct crash_ledger {
    uint64_t begun[CRASH_KIND_COUNT], done[CRASH_KIND_COUNT];
    uint64_t finished;                /* it came to its end */
    uint64_t lines_begun, lines_done; /* events */
    /* A leader's log: entry [entries & 1] is the last one, written before it is counted. */
    struct {
        uint64_t lines, words[CRASH_WORDS], n;
    } log[2];
    uint64_t entries;
};

enum { CRASH_UPDATES = 3, CRASH_SLOTS = 20, CRASH_LINE = 1200 };

/* What line i of a round says: some are longer than a cell of the atomic ring. */
static inline int crash_line_length(int i)
{
    return 5 + i * 600 % CRASH_LINE;
}

#endif
