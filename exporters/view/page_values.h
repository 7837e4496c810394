/* SPDX-License-Identifier: Apache-2.0 */
/*
 * page_values.h - how a scraped backend makes its page: a plan of all that does not change while the series stay
 * the same, printed piece by piece with the numbers of one moment.
 */
#ifndef EXPORTERS_PAGE_VALUES_H
#define EXPORTERS_PAGE_VALUES_H

#include "view.h"

#define PAGES_BROKEN SIZE_MAX

/* Items [from, from + n) are the readings of a snapshot. */
struct page_part {
    const metrics_snapshot_t *snapshot;
    uint32_t from, n;
};

/* The numbers. Immutable; any number of threads may read them. */
struct page_values {
    const struct view *view; /* if not NULL, items are places in it, and the rest is not looked at */
    const struct selection *selection;
    const struct page_part *parts; /* in the order of `from` */
    size_t part_count;
    const metrics_row_t *level; /* if not NULL, item 0 is this */
};

/* The reading of an item; NULL if it is the level, or none. Not for values of a view. */
const metrics_reading_t *page_values_reading(const struct page_values *values, uint32_t item);

/* The rows of an item. False without memory, or if there is no such item. */
bool page_values_rows(const struct page_values *values, uint32_t item, struct rows *rows);

/* When it began, on the wall clock; 0 = nobody knows. */
uint64_t page_values_start(const struct page_values *values, uint32_t item);

struct backend_pages {
    /* A plan for the batch's view, whose items will be meant by their numbers. It keeps nothing of the batch.
     * NULL without memory. What is left out is told in batch->notes. */
    void *(*plan)(const struct batch *batch);
    void (*forget)(void **plan);
    /* True if the plan, made for the same series, is still right for these numbers. */
    bool (*fits)(const void *plan, const struct page_values *values);
    /* Begins to print in one of the forms; all that is given outlives the printer. NULL without memory. */
    void *(*begin)(const void *plan, const struct page_values *values, const void *settings, unsigned form);
    /* The next piece, at most n >= 1 bytes: how many; 0 at the end, PAGES_BROKEN without memory. */
    size_t (*print)(void *printer, char *to, size_t n);
    void (*end)(void **printer);
};

#endif
