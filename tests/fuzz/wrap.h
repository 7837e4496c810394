/* SPDX-License-Identifier: Apache-2.0 */
/* wrap.h - msgpack of the input's as the bytes of a
 * snapshot: prefix, length and a zlib stream that stores. */
#ifndef FUZZ_WRAP_H
#define FUZZ_WRAP_H

#include <stddef.h>
#include <stdint.h>

enum { WRAP_MAX = 1 << 20 };

/* how: bits 0-1 of an input's first byte. 0 = the bytes as they are, 1 = wrapped, 2 = deflated, 3 = wrapped
 * with a length of the input's own. The result lives until the next call. */
const uint8_t *wrap_bytes(uint8_t how, const uint8_t *data, size_t n, size_t *length);

#endif
