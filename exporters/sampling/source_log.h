/* SPDX-License-Identifier: Apache-2.0 */
/*
 * source_log.h - where the log of a segment has its file. One file per incarnation, whose number is in the
 * name.
 *
 * All functions are thread-safe.
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

/* Appends a pattern for glob(3) that finds the files of all incarnations of `segments`, which may be a pattern
 * itself; in a state_dir, those of all segments. */
void source_log_pattern(const char *segments, const struct source_log *log, struct buf *out);

/* The segment at that path, as its log's file names it; the caller frees owner->segment. False, with NULL in
 * it, if there is no such file, or without memory. */
bool source_owner(const char *path, uint64_t incarnation, struct log_owner *owner);

/* The path with the working directory before it, if it is relative; the caller frees it. NULL without memory. */
char *source_absolute(const char *path);

/* True if the path leads to another file system now than when the owner's segment was there, without a boot in
 * between: that segment may be alive, in another container. */
bool source_is_elsewhere(const struct log_owner *owner);

/* True if a file of that name is such a file beside a segment, or belongs to one, and so is not a segment. */
bool source_is_log(const char *path);

#endif
