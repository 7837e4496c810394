/* SPDX-License-Identifier: Apache-2.0 */
/* catalog.h - finding the series of a segment through its index. */
#ifndef METRICS_REGISTRY_CATALOG_H
#define METRICS_REGISTRY_CATALOG_H

#include "reading.h"

/*
 * Bring the reader's catalog up to date with the image just taken: new records, storage that has come since,
 * retired series, help texts. Records that make no sense are counted in catalog->damaged and left out. 0, or
 * -1 without memory (what was there stays).
 */
int metrics__catalog_update(struct metrics_reader *r);

#endif
