/* SPDX-License-Identifier: Apache-2.0 */
/*
 * text.h - what names, tags, units and help texts may be. Writers refuse anything else; readers leave out
 * what breaks these rules, so code that prints a name may rely on them. Pure.
 */
#ifndef METRICS_REGISTRY_TEXT_H
#define METRICS_REGISTRY_TEXT_H

#include <stdbool.h>
#include <stddef.h>

/* Well-formed UTF-8 (RFC 3629, section 4)? Overlong forms, surrogates and what is above U+10FFFF are not. */
bool metrics__is_utf8(const char *text, size_t n);

/* What is wrong with a name or tag key (value = false), or with a tag's value; NULL = nothing. */
const char *metrics__text_wrong(const char *text, size_t n, bool value);

/* Replace each byte that is not part of well-formed UTF-8 by '?'. */
void metrics__text_repair(char *text, size_t n);

/* At most `most` bytes of a text, not cut within a character. */
size_t metrics__text_cut(const char *text, size_t most);

#endif
