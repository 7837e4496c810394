/* SPDX-License-Identifier: Apache-2.0 */
/*
 * backoff.h - pauses between retries. Each is drawn at random below a bound that doubles ("full jitter"), so
 * that a thousand exporters do not come back to a server in step.
 *
 * Pure. Not thread-safe: one struct backoff belongs to one thread at a time.
 */
#ifndef EXPORTERS_BACKOFF_H
#define EXPORTERS_BACKOFF_H

#include <stdint.h>

struct backoff {
    uint64_t least, most; /* the first bound and the largest, in nanoseconds; set by the owner */
    unsigned tries;       /* failures in a row */
    uint64_t random;      /* set by the owner: any seed other than 0 */
};

/* After a failure: the next pause in nanoseconds, `asked` (what the server asked for) plus a random part in
 * [0, min(most, least * 2^tries)). */
uint64_t backoff_next(struct backoff *b, uint64_t asked);

/* After a success: the next bound is `least` again. */
void backoff_reset(struct backoff *b);

#endif
