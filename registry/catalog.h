/* SPDX-License-Identifier: Apache-2.0 */
/* catalog.h - what the two files that fill a reader's catalog share: catalog.c series, family_read.c
 * families. */
#ifndef METRICS_REGISTRY_CATALOG_H
#define METRICS_REGISTRY_CATALOG_H

#include "taking.h"

enum { METRICS__RECORD_MOST = 8192 }; /* bytes of a record that a reader may have to look at: any of ours */

/*
 * The record at an offset if it is whole, as in shm/index.c, else NULL (see also r->trouble). The first
 * *have bytes from its start stand in the window, at least as many as RECORD_KEY; look at no others.
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

/*
 * The family at that offset as series of a kind have it; read once. NULL if it is damaged, or without memory
 * (catalog->pool.failed), or if the file cannot be read (r->trouble).
 */
struct metrics__family_read *metrics__family_find(struct metrics_reader *r, uint64_t offset, unsigned kind);

/*
 * Texts that have come since. A family that has got one goes on as another: its `newer`. 0; -1 as above.
 */
int metrics__families_refresh(struct metrics_reader *r);

#endif
