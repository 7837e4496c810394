/* SPDX-License-Identifier: Apache-2.0 */
/*
 * file_limit.h - a limit on the size of files (ulimit -f) makes a write fail, as a full disk does, instead of ending
 * the program.
 *
 * Not thread-safe: for the beginning of main(), and for what starts other programs.
 */
#ifndef EXPORTERS_FILE_LIMIT_H
#define EXPORTERS_FILE_LIMIT_H

#include <signal.h>

/* From now on SIGXFSZ is ignored. */
void file_limit_begin(void);

/* The signals that a program started by this one must have back: those whose ignoring it would inherit. */
void file_limit_changed(sigset_t *signals);

#endif
