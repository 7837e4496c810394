/* SPDX-License-Identifier: Apache-2.0 */
/*
 * page.h - the page of a scraped backend: the numbers of this moment, printed while they are sent, in the
 * form that the client wants, compressed if it likes.
 *
 * What of a page does not change while the series stay the same, its plan, is kept from one scrape to the
 * next. Scrapes within FRESH_NS share their numbers (an *edition*), not the text: that is made anew for each,
 * piece by piece, when the client has taken the piece before, so that no page is ever whole in memory. A slow
 * client holds its edition, and delays nobody; it is broken off when its page takes too long, or when there
 * are too many editions that only slow clients hold.
 *
 * The functions are thread-safe unless they say otherwise.
 */
#ifndef EXPORTERS_PAGE_H
#define EXPORTERS_PAGE_H

#include "config.h"
#include "sampler.h"
#include "serve.h"

struct page;

/* How long a client may take for a page, and how many editions there may be at once. */
#define PAGE_LONGEST (60 * CLOCK_SECOND)
enum { PAGE_EDITIONS = 4 };

struct page_options {
    const struct config_backend *backend; /* must outlive the page */
    const struct option_tags *tags;
    struct sampler *sampler;
    struct meta *meta; /* may be NULL */
    const metrics_clock_t *clock;
};

/* NULL without memory. */
struct page *page_new(const struct page_options *options);

/* All answers must have been released. */
void page_free(struct page **page);

/* A serve_fn; arg is the page. */
void page_answer(void *arg, const struct serve_request *request, struct serve_answer *answer);

/* Appends the page to `out`, for --once and --check; the notes on what was left out to `notes` (may be
 * NULL). */
bool page_print(struct page *page, unsigned form, struct buf *out, struct buf *notes);

const char *page_path(const struct page *page);

#endif
