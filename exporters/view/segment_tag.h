/* SPDX-License-Identifier: Apache-2.0 */
/*
 * segment_tag.h - the tag that keeps the series of several segments apart.
 *
 * Two segments may each have a series of the same name and tags. They are two series, and stay two at every
 * backend: an exporter that is configured to follow several segments adds the tag `segment` to each series, so
 * that neither replaces the other or is added to it. It does so whether or not there are such series now, so that
 * no series changes its tags when another segment comes.
 *
 * Pure. Thread-safe.
 */
#ifndef EXPORTERS_SEGMENT_TAG_H
#define EXPORTERS_SEGMENT_TAG_H

#include "option.h"

#define SEGMENT_TAG "segment"

/* What the value of the tag is. */
enum segment_tag {
    SEGMENT_TAG_NONE, /* there is one segment: no tag */
    SEGMENT_TAG_FILE, /* the name of the segment's file; all segments are in one folder */
    SEGMENT_TAG_PATH, /* its whole path */
};

/* The same for the same paths and patterns, whatever they lead to now. */
enum segment_tag segment_tag(const struct option_list *segments);

/* The value for the segment at that path, a part of `path`; NULL for SEGMENT_TAG_NONE. */
const char *segment_tag_value(enum segment_tag tag, const char *path);

#endif
