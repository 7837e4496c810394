/* SPDX-License-Identifier: Apache-2.0 */
/*
 * quantity.h - reads numbers, lengths of time and sizes as people write them, whole or not at all. The
 * decimal sign is the dot in every locale. Pure; safe in any thread.
 */
#ifndef EXPORTERS_QUANTITY_H
#define EXPORTERS_QUANTITY_H

#include <stdbool.h>
#include <stdint.h>

/* Each returns false and leaves *out alone if `text` is anything else, blanks around it included. */
bool quantity_integer(const char *text, int64_t *out);
bool quantity_float(const char *text, double *out);      /* finite; no hexadecimal, no "inf", no "nan" */
bool quantity_duration(const char *text, uint64_t *out); /* ns us ms s m h d; a bare number only if it is 0 */
bool quantity_size(const char *text, uint64_t *out);     /* B KiB MiB GiB TiB, kB MB GB TB; likewise */

#endif
