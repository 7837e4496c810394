/* SPDX-License-Identifier: Apache-2.0 */
/*
 * accept.h - which of our forms the client prefers: HTTP's Accept and Accept-Encoding.
 *
 * Pure. Thread-safe.
 */
#ifndef EXPORTERS_ACCEPT_H
#define EXPORTERS_ACCEPT_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Chooses one of n >= 1 media types, such as "text/plain; version=0.0.4; charset=utf-8", and returns its
 * index. A media range of the header matches a type if the names match and, where the range has a `version`,
 * the versions are equal; other parameters are ignored. Of the types that match:
 *
 *     1. the highest q wins;
 *     2. then the one whose range is more specific;
 *     3. then the one whose range comes first in the header;
 *     4. then the one that comes first in `media`.
 *
 * 0 without a header (NULL), or if no type matches.
 */
size_t accept_choose(const char *header, const char *const *media, size_t n);

/* True if the Accept-Encoding header (NULL = none) allows
 * this coding, by name or by a wildcard, with q > 0, and does not prefer "identity", which is none. */
bool accept_coding(const char *header, const char *coding);

#endif
