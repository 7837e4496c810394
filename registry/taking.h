/* SPDX-License-Identifier: Apache-2.0 */
/* taking.h - what reader.c, snapshot.c and leader.c share about taking a snapshot. */
#ifndef METRICS_REGISTRY_TAKING_H
#define METRICS_REGISTRY_TAKING_H

#include "reading.h"

/* metrics_reader_open() into a given struct; end it with metrics__reader_end() also when it failed. */
int metrics__reader_init(struct metrics_reader *r, const char *path, const metrics_reader_options_t *options,
                         bool write, metrics_error_t *error);
void metrics__reader_end(struct metrics_reader *r);

/*
 * A snapshot whose interval part is the closed epoch that began at segment time `from`; epoch 0 = none.
 * Totals alone for whoever does not look at samples.
 */
metrics_snapshot_t *metrics__take(struct metrics_reader *r, enum metrics__depth depth, uint64_t epoch,
                                  uint64_t from, metrics_error_t *error);

#endif
