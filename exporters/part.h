/* SPDX-License-Identifier: Apache-2.0 */
/*
 * part.h - a running backend: a consumer if it sends, a page if it is scraped, and the configuration that it
 * was made from, which may be older than the current one.
 *
 * Not thread-safe: a part, and the list that it is in, are protected by their owner's lock.
 */
#ifndef EXPORTERS_PART_H
#define EXPORTERS_PART_H

#include "consumer.h"
#include "page.h"

struct part {
    struct part *next;
    struct config *config;                /* a reference, for the settings in it */
    const struct config_backend *backend; /* of that configuration */
    struct consumer *consumer;            /* either this or the page; the other is NULL */
    struct page *page;
    bool stays; /* while the configuration is replaced: it is in the new one, too */
};

/* What a part needs; all of it belongs to the caller and must outlive the part. */
struct part_options {
    struct sampler *sampler;
    struct ledger *ledger;
    struct meta *meta;
    struct wake *wake;
    const metrics_clock_t *clock;
};

/* Makes a part, which the caller frees; it retains the configuration, and its consumer is not started yet.
 * NULL, with the reason appended to `why`, if the backend refuses its settings, or without memory. */
struct part *part_new(const struct part_options *options, struct config *config,
                      const struct config_backend *backend, struct buf *why);

/* Ends and frees it, after the payload that it is sending; *part becomes NULL. It may be NULL before. */
void part_free(struct part **part);

/* The same for each part of a list. */
void part_free_all(struct part **list);

/* The backend's name; belongs to the part. */
const char *part_name(const struct part *part);

/* The first part of that name, or NULL. */
struct part *part_named(struct part *list, const char *name);

/* Appends the part to the list, which owns it from then on. */
void part_append(struct part **list, struct part *part);

#endif
