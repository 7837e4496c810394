/* SPDX-License-Identifier: Apache-2.0 */
/*
 * apptuit_chart.h - values over time as a chart of block characters. Pure, but for memory.
 */
#ifndef TOOLS_APPTUIT_CHART_H
#define TOOLS_APPTUIT_CHART_H

#include "buf.h"

#include <jansson.h>

/* Appends a chart of [time, value] pairs, whose times are whole seconds from `start` to `end`: one column for each part
 * of the time, as high as the mean of its values. Nothing but a line if there are no finite values. */
void apptuit_chart(const json_t *points, double start, double end, size_t width, struct buf *out);

#endif
