/* SPDX-License-Identifier: Apache-2.0 */
/*
 * backoff.h - pauses between tries: each drawn at random below a bound that doubles ("full jitter"), so that
 * a thousand exporters do not come back to a server in step. Pure; one thread at a time.
 */
#ifndef EXPORTERS_BACKOFF_H
#define EXPORTERS_BACKOFF_H

#include <stdint.h>

struct backoff {
    uint64_t least, most; /* bounds of the bound; set by the owner */
    unsigned tries;       /* failures in a row */
    uint64_t random;      /* any seed but 0 */
};

/* The next pause: at random in [0, min(most, least * 2^tries)), on top of what the other side asked for. */
uint64_t backoff_next(struct backoff *b, uint64_t asked);

/* It worked. */
void backoff_reset(struct backoff *b);

#endif
