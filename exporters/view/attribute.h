/* SPDX-License-Identifier: Apache-2.0 */
/*
 * attribute.h - the words of the option `attributes`: sum, mean, p99, m1_rate... and the groups `quantiles`,
 * `rates`, `all`. A series' plain value and its count are always sent.
 *
 * Pure.
 */
#ifndef EXPORTERS_ATTRIBUTE_H
#define EXPORTERS_ATTRIBUTE_H

#include "option.h"

#include <mtx/snapshot.h>

#define ATTRIBUTE_QUANTILES 32

struct attributes {
    uint32_t mask;                         /* METRICS_ATTR() bits */
    double quantiles[ATTRIBUTE_QUANTILES]; /* from 0 to 1, ascending, none twice */
    size_t quantile_count;
};

/* What a list of words stands for. The words have been checked; of more than ATTRIBUTE_QUANTILES quantiles
 * the rest is ignored. */
void attributes_compile(const struct option_list *words, struct attributes *out);

/* True for a word of the option; false with the reason, which names the nearest word. For option tables. */
bool attribute_check(const char *word, struct buf *why);

/* p50 is 0.5, p99 is 0.99, p999 and p99.9 are 0.999. False for any other word; *out is unchanged then. */
bool attribute_quantile(const char *word, double *out);

#endif
