/* SPDX-License-Identifier: Apache-2.0 */
#include "backoff.h"

static uint64_t backoff_random(struct backoff *b)
{
    b->random ^= b->random << 13;
    b->random ^= b->random >> 7;
    b->random ^= b->random << 17;
    return b->random * UINT64_C(0x2545f4914f6cdd1d);
}

uint64_t backoff_next(struct backoff *b, uint64_t asked)
{
    uint64_t bound = b->most;
    if (b->tries < 40 && b->least < b->most >> b->tries) bound = b->least << b->tries;
    b->tries++;
    /* Scales the random number to [0, bound). */
    uint64_t pause = (uint64_t)(((unsigned __int128)backoff_random(b) * bound) >> 64);
    return asked + pause;
}

void backoff_reset(struct backoff *b)
{
    b->tries = 0;
}
