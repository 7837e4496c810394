/* SPDX-License-Identifier: Apache-2.0 */
/*
 * instant.h - reads a point in time as people and programs write it. *ns counts nanoseconds since 1970 (UTC).
 *
 * Pure. Thread-safe.
 */
#ifndef EXPORTERS_INSTANT_H
#define EXPORTERS_INSTANT_H

#include "buf.h"

/*
 * A number counts from 1970. Its size decides the unit:
 *
 *     from 0     below 9.2e9     seconds, with a fraction
 *     from 1e11  below 9.2e12    milliseconds
 *     from 1e14  below 9.2e15    microseconds
 *     from 1e17  below 9.2e18    nanoseconds
 *
 * Each unit covers all times from March 1973 to 2261, and no number has two meanings. False, with the reason
 * appended to `why`, for any other number; *ns is unchanged then.
 */
bool instant_number(long double number, uint64_t *ns, struct buf *why);

/* A number as above, or RFC 3339: 2026-01-31T23:59:58.123Z, or an offset such as +01:00 in place of the Z;
 * there may be a blank in place of the T, and the seconds may be left out. False, with the reason appended to
 * `why`, for any other text, also if the zone is missing. */
bool instant_text(const char *text, uint64_t *ns, struct buf *why);

#endif
