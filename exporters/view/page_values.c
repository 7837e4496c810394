/* SPDX-License-Identifier: Apache-2.0 */
#include "page_values.h"

const metrics_reading_t *page_values_reading(const struct page_values *v, uint32_t item)
{
    for (const struct page_part *part = v->parts, *end = part + v->part_count; part < end; part++)
        if (item - part->from < part->n) return metrics_snapshot_reading(part->snapshot, item - part->from);
    return NULL;
}

bool page_values_rows(const struct page_values *v, uint32_t item, struct rows *rows)
{
    if (v->view)
        return item < v->view->n && item_rows(v->view, &v->view->items[item], METRICS_LIFETIME, rows);
    const metrics_reading_t *reading = page_values_reading(v, item);
    if (reading) return reading_rows(v->selection, reading, NULL, METRICS_LIFETIME, rows);
    return item == 0 && v->level && rows_set(rows, v->level, 1);
}

uint64_t page_values_start(const struct page_values *v, uint32_t item)
{
    if (v->view) return v->view->items[item].start_wall_ns;
    const metrics_reading_t *reading = page_values_reading(v, item);
    return reading ? metrics_reading_start(reading) : 0;
}
