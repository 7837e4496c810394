/* SPDX-License-Identifier: Apache-2.0 */
/*
 * page.h - the page of a scraped backend: fresh snapshots, encoded in the form that the client wants,
 * compressed if it likes. Made at most every FRESH_NS; concurrent scrapes share it. The functions are
 * thread-safe.
 */
#ifndef EXPORTERS_PAGE_H
#define EXPORTERS_PAGE_H

#include "config.h"
#include "sampler.h"
#include "serve.h"

struct page;

struct page_options {
    const struct config_backend *backend; /* must outlive the page */
    const struct option_tags *tags;
    struct sampler *sampler;
    struct meta *meta; /* may be NULL */
    const metrics_clock_t *clock;
};

/* NULL without memory. */
struct page *page_new(const struct page_options *options);

/* No request may be under way. Answers that are still being sent keep what they need. */
void page_free(struct page **page);

/* A serve_fn; arg is the page. */
void page_answer(void *arg, const struct serve_request *request, struct serve_answer *answer);

/* Appends the page to `out`, for --once and --check; the notes on what was left out to `notes` (may be NULL).
 */
bool page_print(struct page *page, unsigned form, struct buf *out, struct buf *notes);

const char *page_path(const struct page *page);

#endif
