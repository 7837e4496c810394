/* SPDX-License-Identifier: Apache-2.0 */
/*
 * source_log.h - where the log of a segment has its file. One file per incarnation, whose number is in the
 * name.
 *
 * All functions are pure, so they are thread-safe.
 */
#ifndef EXPORTERS_SOURCE_LOG_H
#define EXPORTERS_SOURCE_LOG_H

#include "log.h"

/* Where and how much log. */
struct source_log {
    struct log_limits limits;
    bool memory;     /* no file */
    char *state_dir; /* the file's folder, for what must survive a reboot; NULL = beside the segment */
};

/* The name of the file for the segment at that path; the caller frees it. NULL without memory. */
char *source_log_path(const char *path, uint64_t incarnation, const struct source_log *log);

/* Appends a pattern for glob(3) that finds the files of all incarnations; `segments` may
 * be a pattern itself. */
void source_log_pattern(const char *segments, const struct source_log *log, struct buf *out);

/* True if a file of that name is such a file beside a segment, or belongs to one, and so is not a segment. */
bool source_is_log(const char *path);

#endif
