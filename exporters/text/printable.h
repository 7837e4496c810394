/* SPDX-License-Identifier: Apache-2.0 */
/*
 * printable.h - text from outside (a service, the environment, a file) that people read: UTF-8, on one line,
 * without what controls a terminal.
 *
 * Pure. Thread-safe, but a buffer belongs to one thread at a time.
 */
#ifndef EXPORTERS_PRINTABLE_H
#define EXPORTERS_PRINTABLE_H

#include "buf.h"

/* Appends n bytes: each control character (also U+0080 to U+009F) becomes a blank, each byte that is not
 * UTF-8 becomes U+FFFD. */
void printable(struct buf *out, const char *text, size_t n);

/* Does the same to each of several lines, and keeps their newlines. */
void printable_lines(struct buf *out, const char *text, size_t n);

/* Does what printable() does to all that a buffer holds. */
void printable_buf(struct buf *b);

/* True if the text has no control character (bytes below 32, and 127). False, with the reason appended to
 * `why`, which does not quote the text: it may be a secret. */
bool printable_check(const char *text, struct buf *why);

/* True if it is also UTF-8, without U+0080 to U+009F. */
bool printable_check_utf8(const char *text, struct buf *why);

#endif
