/* SPDX-License-Identifier: Apache-2.0 */
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base.h"

uint64_t base_hash(const void *key, size_t n)
{
    return XXH3_64bits(key, n);
}
