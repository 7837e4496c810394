/* SPDX-License-Identifier: Apache-2.0 */
/*
 * values.h - the rows of readings: which are wanted, which rows of two snapshots belong together, and what
 * happened between them. Nothing here owns memory. Safe in any thread, but for values_wanted(), which prints.
 */
#ifndef TOOLS_VALUES_H
#define TOOLS_VALUES_H

#include "attribute.h"
#include "cli.h"
#include "view.h"

#include <mtx/snapshot.h>

/* The row of the same attribute, parameter and worker, or NULL. `hint`: the index where it probably is. */
const metrics_row_t *values_same(const struct rows *rows, const metrics_row_t *like, size_t hint);

/* now - before, in the unit of the row; before may be NULL (the series is new) and counts as 0. */
double values_delta(const metrics_row_t *now, const metrics_row_t *before);

/* The row for --attributes: which rows are shown, by the words under which they are printed. */
#define VALUES_ATTRIBUTES_ROW(VARIABLE, DEFAULT)                                                         \
    {                                                                                                    \
        .name = "attributes", .letter = 'a', .type = CMD_LIST, .value = &(VARIABLE), .arg = "LIST",      \
        .def = (DEFAULT),                                                                                \
        .help = "the attributes to show: value, count, sum, mean, min, max, stddev, p50, p99, m1_rate, " \
                "quantiles, rates, buckets, all"                                                         \
    }

struct values_wanted {
    struct attributes attributes;
    metrics_row_options_t options; /* points into .attributes */
};

/* The options for these words, valid as long as `wanted`. CLI_OK, or CLI_USAGE after printing the mistake. */
int values_wanted(const struct cli *cli, const struct cmd_list *words, struct values_wanted *wanted);

#endif
