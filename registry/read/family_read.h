/* SPDX-License-Identifier: Apache-2.0 */
/* family_read.h - families as a reader has them, in its catalog. The reader's thread alone. */
#ifndef METRICS_REGISTRY_FAMILY_READ_H
#define METRICS_REGISTRY_FAMILY_READ_H

#include "taking.h"

/*
 * The family at that offset as series of a kind have it; read once. It belongs to the catalog. NULL if it is
 * damaged, or without memory (catalog->pool.failed), or if the file cannot be read (r->trouble).
 */
struct metrics__family_read *metrics__family_find(struct metrics_reader *r, uint64_t offset, unsigned kind);

/* Read texts that were added since. A family that got one is replaced by its `newer`. 0; -1 as above. */
int metrics__families_refresh(struct metrics_reader *r);

#endif
