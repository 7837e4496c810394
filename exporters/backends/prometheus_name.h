/* SPDX-License-Identifier: Apache-2.0 */
/*
 * prometheus_name.h - how our names, units and numbers look to Prometheus, in all forms of its pages.
 *
 * Pure.
 */
#ifndef EXPORTERS_PROMETHEUS_NAME_H
#define EXPORTERS_PROMETHEUS_NAME_H

#include "buf.h"

/* A base unit, the part of a unit's name that appears in a metric's name. */
struct prometheus_unit {
    const char *base; /* "seconds", "bytes"...; "" if the unit cannot be measured (requests, things) */
    /* Our values times `times` by `per`: 1 by 1000 for milliseconds, since a thousandth is not a double. */
    double times, per;
};

/* The base unit of a unit, by its name. */
struct prometheus_unit prometheus_unit(const char *unit);

/* The same in a byte: a number for the unit's name, 0 for all that cannot be measured; and back. */
unsigned char prometheus_unit_number(const char *unit);
struct prometheus_unit prometheus_unit_numbered(unsigned char number);

/*
 * Appends the family's name without type suffix: "http.request.time", "seconds", "" gives
 * http_request_time_seconds. Other characters become one underscore, an old `_total` and a unit spelt out at
 * the end are cut off, the base unit is appended. `part` ("min", "m1_rate"; "" = none) comes before the unit.
 */
void prometheus_family_name(const char *name, const char *unit, const char *part, struct buf *out);

/* Appends a label's name: letters, digits and underscores. Names that mean something to Prometheus (le,
 * quantile, those that begin with two underscores) or to us (mtx_name) become tag_... */
void prometheus_label_name(const char *key, struct buf *out);

/* Append a label's value or a help text, escaped, as valid UTF-8. A help text escapes quotes in OpenMetrics
 * only. */
void prometheus_label_value(const char *value, struct buf *out);
void prometheus_help(const char *help, bool openmetrics, struct buf *out);

/* True if a text needs no escape in any place and form. */
bool prometheus_is_plain(const char *text);

/* Appends the canonical form of `le` and `quantile`, which are part of a series' identity: 0.005, 1.0, 1e+06,
 * +Inf. */
void prometheus_number(double v, struct buf *out);

#endif
