/* SPDX-License-Identifier: Apache-2.0 */
/* point.c - single values with a time of their own. */
#include <math.h>

#include "event.h"

void metrics_point_at(metrics_points_t *points, enum metrics_point_type type, double value, uint64_t wall_ns,
                      const metrics_field_t *fields, size_t n)
{
    struct metrics__event_point part = {value, wall_ns};
    if (!isfinite(value)) {
        if (points->kind.h.seg) segment_lose(points->kind.h.seg, LOSS_VALUE, NULL, 0);
        return;
    }
    metrics__event_put(&(struct metrics__event){.kind = &points->kind,
                                                .time = metrics__event_time(&points->kind, metrics_now()),
                                                .small = (uint8_t)type,
                                                .part = &part,
                                                .fields = fields,
                                                .count = n});
}

void metrics_point(metrics_points_t *points, double value)
{
    metrics_point_at(points, METRICS_POINT_GAUGE, value, 0, NULL, 0);
}

METRICS__EVENT_FRONT_END(points, EVENT_POINT)
METRICS__EVENT_SITE(points, EVENT_POINT)
