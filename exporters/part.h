/* SPDX-License-Identifier: Apache-2.0 */
/*
 * part.h - one backend of the configuration at work: a consumer if it sends, a page if it is scraped, and the
 * configuration that it was made from, which may be an older one than the others'.
 *
 * A part, and the list that it is in, belong to their owner; nothing here locks.
 */
#ifndef EXPORTERS_PART_H
#define EXPORTERS_PART_H

#include "consumer.h"
#include "page.h"

struct part {
    struct part *next;
    struct config *config; /* a reference: the settings stand in it */
    const struct config_backend *backend;
    struct consumer *consumer; /* one of the two, the other is NULL */
    struct page *page;
    bool stays; /* while the configuration changes */
};

/* What a part is made with; all of it must outlive the part. */
struct part_options {
    struct sampler *sampler;
    struct ledger *ledger;
    struct meta *meta;
    struct wake *wake;
    const metrics_clock_t *clock;
};

/* NULL, with the reason, if the backend refuses its settings or memory is out. */
struct part *part_new(const struct part_options *options, struct config *config,
                      const struct config_backend *backend, struct buf *why);

/* Ends it, waiting for a payload that is under way; *part becomes NULL. */
void part_free(struct part **part);
void part_free_all(struct part **list);

const char *part_name(const struct part *part);

/* The first one of that name, or NULL. */
struct part *part_named(struct part *list, const char *name);

/* Puts one at the end of a list. */
void part_append(struct part **list, struct part *part);

#endif
