/* SPDX-License-Identifier: Apache-2.0 */
/* histogram.c - a distribution of doubles. */
#include "distribution.h"

void metrics_histogram_update(metrics_histogram_t *h, double value)
{
    metrics__distribution_update(&h->d, value, value);
}

METRICS__FRONT_END(histogram)
METRICS__SITE_RESOLVER(histogram)

static metrics_histogram_t noop;

const struct metrics__kind metrics__kind_histogram = {
    .number = KIND_histogram,
    .name = "histogram",
    .handle_size = sizeof(metrics_histogram_t),
    .overflows = true,
    .noop = &noop,
    .bind = metrics__distribution_bind,
};
