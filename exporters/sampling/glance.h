/* SPDX-License-Identifier: Apache-2.0 */
/*
 * glance.h - a look at all segments that were asked for, without leading them: for --check, and for --once
 * beside another exporter.
 *
 * Not thread-safe: one thread at a time for each struct glance.
 */
#ifndef EXPORTERS_GLANCE_H
#define EXPORTERS_GLANCE_H

#include "segment_tag.h"

#include <mtx/snapshot.h>

struct glimpse {
    char *path;
    const char *tag; /* the value of SEGMENT_TAG, a part of `path`; NULL: no tag */
    metrics_reader_t *reader;
    metrics_snapshot_t *snapshot; /* NULL: `error` says why */
    metrics_error_t error;
};

struct glance {
    struct glimpse *at; /* in the order of asking; what matches a pattern, by name */
    size_t n;
};

/* Reads each segment of these paths and patterns (none = the default path). glance_free() gives it back, in any case.
 * False without memory. */
bool glance_take(const struct option_list *segments, struct glance *glance);
void glance_free(struct glance *glance);

/* Appends a line of a comment for each name of which several segments have the same series. */
void glance_print_common(const struct glance *glance, struct buf *out);

#endif
