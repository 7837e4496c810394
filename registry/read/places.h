/* SPDX-License-Identifier: Apache-2.0 */
/* places.h - what a reader has found where: records by offset, in the file and in the catalog. */
#ifndef METRICS_REGISTRY_PLACES_H
#define METRICS_REGISTRY_PLACES_H

#include "taking.h"

enum { METRICS__RECORD_MOST = 8192 }; /* bytes of a record that a reader may have to look at: any of ours */

/*
 * The record at an offset if it is whole, as in shm/index.c, else NULL (see also r->trouble). It is in the
 * window and valid until that moves: its first *have bytes, at least RECORD_KEY; do not look beyond them.
 */
const struct segment_record *metrics__record_in(struct metrics_reader *r, struct metrics__window *w,
                                                uint64_t offset, uint64_t *have);

/*
 * The catalog's word for an offset (a multiple of SEGMENT_ALIGN): 0 = not known, else its number and whether
 * it is a family's. Enter one that is not known, before it is put at its number: false without memory.
 */
uint32_t metrics__catalog_known(const struct metrics__catalog *c, uint64_t offset);
bool metrics__catalog_enter(struct metrics__catalog *c, uint64_t offset, size_t number, bool family);
static inline bool metrics__slot_is_family(uint32_t word)
{
    return word & 1;
}
static inline size_t metrics__slot_number(uint32_t word)
{
    return (word & 0xffffff) / 2 - 1;
}

#endif
