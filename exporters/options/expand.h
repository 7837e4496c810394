/* SPDX-License-Identifier: Apache-2.0 */
/*
 * expand.h - values from outside the configuration file: ${VAR} from the environment, text from another file.
 *
 * Thread-safe if `env` is.
 */
#ifndef EXPORTERS_EXPAND_H
#define EXPORTERS_EXPAND_H

#include "buf.h"

/* Looks up an environment variable: getenv(), or a test's own function. NULL if it is not set. The value
 * belongs to the environment. */
typedef const char *expand_env_fn(const char *name);

/* Appends `text` with each ${VAR} replaced by the variable's value. $${ is a literal ${; all other $ are
 * literal. False, with the reason appended to `why`, if a variable is not set or the braces are wrong; what
 * was appended to `out` until then stays. */
bool expand_text(const char *text, expand_env_fn *env, struct buf *out, struct buf *why);

/* Appends the contents of a file. False, with the reason appended to `why` and the contents of `out`
 * unchanged, if it cannot be read, is longer than `most` bytes, or is a FIFO to which nothing is written for
 * five seconds. */
bool expand_read(const char *path, size_t most, struct buf *out, struct buf *why);

/* Appends the contents of a file without the newlines at its end: the form in which orchestrators pass
 * secrets. False, with the reason appended to `why` and `out` unchanged, if it cannot be read, contains a
 * NUL, or is longer than 64 KiB. */
bool expand_file(const char *path, struct buf *out, struct buf *why);

#endif
