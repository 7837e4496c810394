/* SPDX-License-Identifier: Apache-2.0 */
/*
 * values.h - the rows of readings: which are wanted, which of two snapshots belong together, and what happened between
 * them. Pure.
 */
#ifndef TOOLS_VALUES_H
#define TOOLS_VALUES_H

#include "attribute.h"
#include "cli.h"
#include "view.h"

#include <mtx/snapshot.h>

/* The row of the same attribute, parameter and worker, or NULL. `hint`: the index where it probably is. */
const metrics_row_t *values_same(const struct rows *rows, const metrics_row_t *like, size_t hint);

/* What happened between two values of a row: now - before, before = 0 if NULL (the series is new). */
double values_delta(const metrics_row_t *now, const metrics_row_t *before);

/* --attributes: which rows are shown. Words: value, count, mean, p99, m1_rate ..., as they are printed. */
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

/* The options for these words; CLI_USAGE with the mistake said. */
int values_wanted(const struct cli *cli, const struct cmd_list *words, struct values_wanted *wanted);

#endif
