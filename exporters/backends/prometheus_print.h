/* SPDX-License-Identifier: Apache-2.0 */
/*
 * prometheus_print.h - prints a planned page with the numbers of one moment, piece by piece: what is not
 * asked for is not made, and only the current piece is kept.
 *
 * Not thread-safe: one thread at a time for each printer. Any number of printers may print one plan.
 */
#ifndef EXPORTERS_PROMETHEUS_PRINT_H
#define EXPORTERS_PROMETHEUS_PRINT_H

#include "page_values.h"
#include "prometheus_family.h"

struct prometheus_settings {
    struct backend_common common;
    bool created;
    int64_t bucket_limit;
};

struct prometheus_printer;

/* Makes a printer, which prometheus_printer_free() gives back. All arguments must outlive it. NULL without
 * memory. */
struct prometheus_printer *prometheus_printer_new(const struct prometheus_page *page,
                                                  const struct page_values *values,
                                                  const struct prometheus_settings *settings,
                                                  bool openmetrics);

/* Writes the next piece of the page, at most n >= 1 bytes, and returns how many; 0 at its end; PAGES_BROKEN
 * without memory. */
size_t prometheus_print(struct prometheus_printer *printer, char *to, size_t n);

/* How many samples were printed so far. */
size_t prometheus_printed(const struct prometheus_printer *printer);

/* Frees the printer; *printer becomes NULL. */
void prometheus_printer_free(struct prometheus_printer **printer);

/* True if the items whose rows may come and go have those that the plan was made for. False also without
 * memory. Thread-safe. */
bool prometheus_page_fits(const struct prometheus_page *page, const struct page_values *values);

#endif
