/* SPDX-License-Identifier: Apache-2.0 */
/*
 * page_values.h - how a scraped backend makes its page: a plan of all that does not change while the series
 * stay the same, printed piece by piece with the numbers of one moment.
 *
 * The functions of this header only read what they are given, but for `rows`. Thread-safe; a struct rows
 * belongs to one thread at a time.
 */
#ifndef EXPORTERS_PAGE_VALUES_H
#define EXPORTERS_PAGE_VALUES_H

#include "view.h"

/* What print() of struct backend_pages returns without memory. */
#define PAGES_BROKEN SIZE_MAX

/* Items [from, from + n) are the readings of a snapshot. */
struct page_part {
    const metrics_snapshot_t *snapshot;
    uint32_t from, n;
};

/* The numbers of one moment. It owns nothing, and nobody changes it. */
struct page_values {
    const struct view *view; /* if not NULL, items are places in it, and the other members are not used */
    const struct selection *selection;
    const struct page_part *parts; /* in the order of `from` */
    size_t part_count;
    const metrics_row_t *level; /* if not NULL, this is item 0 */
};

/* The reading of an item, as long as its snapshot lives; NULL if the item is the level, or does not exist.
 * Not for values of a view. */
const metrics_reading_t *page_values_reading(const struct page_values *values, uint32_t item);

/* The rows of an item, valid until the next call with the same `rows`. False without memory, or if there is
 * no such item. */
bool page_values_rows(const struct page_values *values, uint32_t item, struct rows *rows);

/* When the item began, wall time in ns; 0 = not known. */
uint64_t page_values_start(const struct page_values *values, uint32_t item);

/* plan() and fits() may be called by several threads at once, and one plan may be printed by several; a
 * printer belongs to one thread at a time. */
struct backend_pages {
    /* A plan for the batch's view, which will mean its items by their numbers; forget() gives it back. It
     * keeps nothing of the batch. NULL without memory. What is left out is reported in batch->notes. */
    void *(*plan)(const struct batch *batch);
    /* Frees a plan; *plan becomes NULL. */
    void (*forget)(void **plan);
    /* True if the plan, made for the same series, is still right for these numbers. */
    bool (*fits)(const void *plan, const struct page_values *values);
    /* Begins to print in one of the forms: a printer, which end() gives back. All arguments must outlive it.
     * NULL without memory. */
    void *(*begin)(const void *plan, const struct page_values *values, const void *settings, unsigned form);
    /* Writes the next piece, at most n >= 1 bytes, and returns how many; 0 at the end, PAGES_BROKEN without
     * memory. */
    size_t (*print)(void *printer, char *to, size_t n);
    /* Frees a printer; *printer becomes NULL. */
    void (*end)(void **printer);
};

#endif
