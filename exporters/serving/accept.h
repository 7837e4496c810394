/* SPDX-License-Identifier: Apache-2.0 */
/*
 * accept.h - which of the forms that we have the client wants: HTTP's Accept and Accept-Encoding. Pure.
 */
#ifndef EXPORTERS_ACCEPT_H
#define EXPORTERS_ACCEPT_H

#include <stdbool.h>
#include <stddef.h>

/*
 * The index of the media type to answer with, out of n >= 1 (such as "text/plain; version=0.0.4;
 * charset=utf-8"; a `version` in the client's range must be ours, other parameters do not matter). The
 * highest q wins; of equals the one that was named more exactly, then the one named earlier, then the one
 * that stands first in `media`. No header (NULL), nothing but wildcards, or nothing that we have: 0.
 */
size_t accept_choose(const char *header, const char *const *media, size_t n);

/* True if the Accept-Encoding header (NULL: none) allows this coding with q > 0, by name or by a wildcard. */
bool accept_coding(const char *header, const char *coding);

#endif
