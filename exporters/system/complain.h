/* SPDX-License-Identifier: Apache-2.0 */
/*
 * complain.h - a trouble that lasts is told at once, then at growing intervals (10 s doubling to an hour),
 * and its end is told once. A struct complain set to zero is in order; it belongs to one thread at a time.
 */
#ifndef EXPORTERS_COMPLAIN_H
#define EXPORTERS_COMPLAIN_H

#include <stdbool.h>
#include <stdint.h>

struct complain {
    bool failing;
    uint64_t since;  /* when the trouble began */
    uint64_t next;   /* say nothing before */
    uint64_t pause;  /* after the next line */
    uint64_t silent; /* failures since the last line */
};

/* It failed at `now` (monotonic). True if it is time for a line, which the caller writes; *repeated = how
 * often it failed without one. */
bool complain_due(struct complain *c, uint64_t now, uint64_t *repeated);

/* The same with the line: perhaps "message key=who reason=... repeated=...". True if one was written. */
bool complain(struct complain *c, uint64_t now, const char *message, const char *key, const char *who,
              const char *reason);

/* It works: one line "message key=who after=..." if it was failing before, with how long that lasted. */
void complain_over(struct complain *c, uint64_t now, const char *message, const char *key, const char *who);

#endif
