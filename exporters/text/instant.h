/* SPDX-License-Identifier: Apache-2.0 */
/* instant.h - reads a moment as people and programs write it. Pure; safe in any thread. */
#ifndef EXPORTERS_INSTANT_H
#define EXPORTERS_INSTANT_H

#include "buf.h"

/*
 * A number counts from 1970, in the unit that its size tells: seconds (with a fraction) below 9.2e9,
 * milliseconds from 1e11 below 9.2e12, microseconds from 1e14 below 9.2e15, nanoseconds from 1e17 below
 * 9.2e18. That is every moment from March 1973 to 2261 in each of them, and no number means two. What lies
 * between or below 0 is refused, with the reason.
 */
bool instant_number(long double number, uint64_t *ns, struct buf *why);

/* 2026-01-31T23:59:58.123Z or with +01:00 in place of the Z (RFC 3339; a blank may stand for the T, seconds
 * may be missing), or a number as above. Without a zone it is refused, with the reason: nobody knows which.
 */
bool instant_text(const char *text, uint64_t *ns, struct buf *why);

#endif
