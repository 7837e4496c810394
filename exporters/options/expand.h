/* SPDX-License-Identifier: Apache-2.0 */
/*
 * expand.h - values that stand outside the configuration file: ${VAR} from the environment, text from a file.
 */
#ifndef EXPORTERS_EXPAND_H
#define EXPORTERS_EXPAND_H

#include "buf.h"

/* Looks up an environment variable: getenv(), or a test's own. NULL = not set. */
typedef const char *expand_env_fn(const char *name);

/* Appends `text` with every ${VAR} replaced; $${ stands for a literal ${ and every other $ for itself.
 * False, with the reason appended to `why`, if a variable is not set or the braces are wrong. */
bool expand_text(const char *text, expand_env_fn *env, struct buf *out, struct buf *why);

/* Appends the contents of a file, less the newlines at its end: the form in which orchestrators hand over
 * secrets. False, with the reason, if it cannot be read, holds a NUL, or exceeds 64 KiB. */
bool expand_file(const char *path, struct buf *out, struct buf *why);

#endif
