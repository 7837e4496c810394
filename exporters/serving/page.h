/* SPDX-License-Identifier: Apache-2.0 */
/*
 * page.h - the page of a scraped backend: the current numbers, printed while they are sent, in the form that
 * the client prefers, compressed if it accepts that.
 *
 *     plan      the text that does not change while the series are the same; kept from scrape to scrape
 *     edition   the numbers of one moment; scrapes within FRESH_NS share one
 *     stream    the page of one client: made piece by piece, each piece when the client has taken the one
 *               before, so that a page is never whole in memory
 *
 * A slow client keeps its edition in memory, but delays nobody. Its page is broken off after PAGE_LONGEST, or
 * when it holds the oldest of too many editions.
 *
 * Thread-safe, except page_free().
 */
#ifndef EXPORTERS_PAGE_H
#define EXPORTERS_PAGE_H

#include "config.h"
#include "sampler.h"
#include "serve.h"

struct page;

#define PAGE_LONGEST (60 * CLOCK_SECOND) /* a client may take this long for a page */
enum { PAGE_EDITIONS = 4 };              /* that exist at the same time */

/* All of it belongs to the caller and must outlive the page. */
struct page_options {
    const struct config_backend *backend;
    const struct option_tags *tags; /* of the configuration */
    struct sampler *sampler;
    struct meta *meta; /* may be NULL */
    const metrics_clock_t *clock;
    enum segment_tag segment_tag;
};

/* The caller frees it. NULL without memory. */
struct page *page_new(const struct page_options *options);

/* Frees it when all its answers have been released; *page
 * becomes NULL. It may be NULL before. Not thread-safe. */
void page_free(struct page **page);

/* Answers a scrape: a serve_fn whose `arg` is the page. */
void page_answer(void *arg, const struct serve_request *request, struct serve_answer *answer);

/* Appends the whole page in the backend's media type number `form` to `out`, and one line for each series
 * that is left out to `notes` (may be NULL): for --once. False without memory. */
bool page_print(struct page *page, unsigned form, struct buf *out, struct buf *notes);

/* The path to serve it at, as configured; belongs to the configuration. */
const char *page_path(const struct page *page);

#endif
