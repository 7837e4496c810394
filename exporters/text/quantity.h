/* SPDX-License-Identifier: Apache-2.0 */
/*
 * quantity.h - reads numbers, durations and sizes as people write them. The decimal sign is the dot in every
 * locale.
 *
 * Thread-safe.
 */
#ifndef EXPORTERS_QUANTITY_H
#define EXPORTERS_QUANTITY_H

#include <stdbool.h>
#include <stdint.h>

/* Each reads the whole of `text`. False, with *out unchanged, if the text is anything else or out of the
 * range of *out; blanks at the ends are not allowed. */
bool quantity_integer(const char *text, int64_t *out);
bool quantity_whole(const char *text, uint64_t *out);
bool quantity_float(const char *text, double *out); /* finite; no hexadecimal, no "inf", no "nan" */

/* A number and its unit; only 0 may lack one. */
bool quantity_duration(const char *text, uint64_t *out); /* nanoseconds; ns us ms s m h d */
bool quantity_size(const char *text, uint64_t *out);     /* bytes; B KiB MiB GiB TiB kB MB GB TB */

#endif
