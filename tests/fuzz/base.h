/* SPDX-License-Identifier: Apache-2.0 */
/*
 * base.h - the valid segments from which all hostile ones are made, and the places of everything in them.
 *
 * They are built by the library itself at start-up and then made the same in every process (times, noise and
 * tokens are overwritten), so that an input means the same tomorrow. One thread.
 */
#ifndef FUZZ_BASE_H
#define FUZZ_BASE_H

#include <stddef.h>
#include <stdint.h>

#include "layout.h"

enum { BASES = 3, BASE_RECORDS = 128, BASE_ROOM = 512 << 10 };

struct base {
    unsigned char *bytes; /* the whole file */
    size_t size, used;    /* used: arena_next */
    uint64_t records[BASE_RECORDS];
    uint64_t entries[BASE_RECORDS]; /* where the index entry of each is */
    size_t count;
};

/* All of them, built at the first call; aborts when they cannot be built. */
const struct base *base_get(unsigned i);

/* The hash that is part of the format (XXH3_64bits). */
uint64_t base_hash(const void *key, size_t n);

/* Set the header's checksum right in a file's bytes. */
void base_seal(unsigned char *bytes);

/* The path of the file that a hostile segment is put into: /dev/shm, one per process. */
const char *base_path(void);

/* Segment time 0 of every base on CLOCK_MONOTONIC, and a moment a little later. */
#define BASE_CREATED UINT64_C(1000000000000)
#define BASE_NOW     (BASE_CREATED + UINT64_C(60000000000))

#endif
