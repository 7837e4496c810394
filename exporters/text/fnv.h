/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fnv.h - FNV-1a, a 64-bit hash of bytes for tables and short names; no defence against who chooses the bytes.
 * http://www.isthe.com/chongo/tech/comp/fnv/
 *
 * Pure. Thread-safe.
 */
#ifndef EXPORTERS_FNV_H
#define EXPORTERS_FNV_H

#include <stddef.h>
#include <stdint.h>

/* The hash of no bytes. */
#define FNV_BEGIN UINT64_C(0xcbf29ce484222325)

/* The hash of what `hash` is the hash of, and n more bytes. */
static inline uint64_t fnv(uint64_t hash, const void *bytes, size_t n)
{
    for (const unsigned char *c = bytes, *end = c + n; c < end; c++)
        hash = (hash ^ *c) * UINT64_C(0x100000001b3);
    return hash;
}

#endif
