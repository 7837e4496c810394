/* SPDX-License-Identifier: Apache-2.0 */
/* histogram_rows.c - a distribution of doubles. */
#include "taking.h"

static bool load(const struct metrics__taking *t, struct metrics_reading *out)
{
    return metrics__distribution_load(t, out, 1);
}

const struct metrics__kind_read metrics__kind_read_histogram = {"histogram", load,
                                                                metrics__distribution_rows};
