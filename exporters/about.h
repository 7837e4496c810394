/* SPDX-License-Identifier: Apache-2.0 */
/*
 * about.h - what mtx-exporter says about itself: its help, its backends and their options, a sample
 * configuration. Everything is appended to a buffer of the caller's. Pure; safe in any thread.
 */
#ifndef EXPORTERS_ABOUT_H
#define EXPORTERS_ABOUT_H

#include "command_line.h"

/* Exit statuses of mtx-exporter, beside 0. */
enum { EXIT_MISTAKE = 1, EXIT_USAGE = 2 };

/* The whole help text, for a program with this command line. */
void about_help(const struct cmd_line *line, struct buf *out);

/* One backend and its options, or with NULL the list of all. False if no backend has that name, with the
 * reason in `why`. */
bool about_backends(const char *name, struct buf *out, struct buf *why);

/* A configuration with every option of every backend, commented. */
void about_sample(struct buf *out);

#endif
