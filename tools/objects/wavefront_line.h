/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wavefront_line.h - lines as a Wavefront proxy reads them: what it refuses, with its code and the place. Pure, but for
 * memory; thread-safe.
 */
#ifndef TOOLS_WAVEFRONT_LINE_H
#define TOOLS_WAVEFRONT_LINE_H

#include "buf.h"

#include <stdint.h>

/* What a line has to be: the f= of a request. AUTO: as on a port of a proxy, the line decides. */
enum wavefront_format {
    WAVEFRONT_AUTO,
    WAVEFRONT_METRIC,
    WAVEFRONT_HISTOGRAM,
    WAVEFRONT_TRACE,
    WAVEFRONT_SPAN_LOGS,
    WAVEFRONT_EVENT,
    WAVEFRONT_SOURCE_TAG,
    WAVEFRONT_FORMATS
};
extern const char *const wavefront_formats[]; /* ends with NULL */

/* Lengths in UTF-16 units, as the receiver counts. */
struct wavefront_lengths {
    size_t name, distribution, source, tags, key, value;
};
extern const struct wavefront_lengths wavefront_tenant, wavefront_fallback;

struct wavefront_check {
    enum wavefront_format format;
    const struct wavefront_lengths *lengths;
    uint64_t now_ns; /* times far from it are refused */
};

struct wavefront_fault {
    int code;      /* 300 for WF-300 */
    size_t column; /* in characters, from 1 */
    struct buf why;
};

/* Checks n bytes of a line without its newline. False with the fault, whose text the caller frees. An empty line is
 * skipped by receivers, so it is right. */
bool wavefront_line(const struct wavefront_check *check, const char *line, size_t n,
                    struct wavefront_fault *fault);

/* Appends a text in double quotes: quotes and newlines escaped, blanks at the ends removed. */
void wavefront_quote(struct buf *out, const char *text);

#endif
