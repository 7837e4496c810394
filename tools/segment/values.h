/* SPDX-License-Identifier: Apache-2.0 */
/* values.h - the rows of one reading at a time, however many there are. */
#ifndef TOOLS_VALUES_H
#define TOOLS_VALUES_H

#include "cli.h"

#include <mtx/snapshot.h>

/* All zeros is empty. The rows are valid until the next values_expand(). */
struct values {
    metrics_row_t *items;
    size_t n, room;
};

/* False if memory is short. base and options may be NULL. */
bool values_expand(struct values *rows, const metrics_reading_t *now, const metrics_reading_t *base,
                   const metrics_row_options_t *options);
void values_free(struct values *rows);

/* The row of the same attribute, parameter and worker, or NULL. `hint`: where it probably stands. */
const metrics_row_t *values_same(const struct values *rows, const metrics_row_t *like, size_t hint);

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

enum { VALUES_QUANTILES = 32 };
struct values_wanted {
    metrics_row_options_t options; /* points into this struct */
    double quantiles[VALUES_QUANTILES];
};

/* The options for these words; CLI_USAGE with the mistake said. */
int values_wanted(const struct cli *cli, const struct cmd_list *words, struct values_wanted *wanted);

#endif
