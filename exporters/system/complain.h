/* SPDX-License-Identifier: Apache-2.0 */
/*
 * complain.h - log lines about failures that last: one at once, then at growing intervals (10 s, doubling to
 * an hour), and one when they end.
 *
 * All zeros is the state without a failure. It owns nothing. Times are monotonic, in nanoseconds.
 *
 * Not thread-safe: one struct complain belongs to one thread at a time.
 */
#ifndef EXPORTERS_COMPLAIN_H
#define EXPORTERS_COMPLAIN_H

#include <stdbool.h>
#include <stdint.h>

struct complain {
    bool failing;
    uint64_t since;  /* when the failures began */
    uint64_t next;   /* no line before */
    uint64_t pause;  /* after the next line */
    uint64_t silent; /* failures since the last line */
};

/* Notes a failure at `now`. True if a line is due, which the caller writes; *repeated = how many failures
 * there were since the last line. */
bool complain_due(struct complain *c, uint64_t now, uint64_t *repeated);

/* For failures that no success ends: after an hour without one (and without a line) the intervals begin anew. Called
 * before complain_due(). */
void complain_rest(struct complain *c, uint64_t now);

/* Notes a failure at `now`, and writes the line "message key=who
 * reason=... repeated=..." if it is due. True if it wrote one. */
bool complain(struct complain *c, uint64_t now, const char *message, const char *key, const char *who,
              const char *reason);

/* Notes a success at `now`. If it ends a failure, writes the
 * line "message key=who after=..." with how long that lasted. */
void complain_over(struct complain *c, uint64_t now, const char *message, const char *key, const char *who);

#endif
