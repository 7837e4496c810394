/* SPDX-License-Identifier: Apache-2.0 */
#include "wrap.h"

#include <string.h>
#include <zlib.h>

const uint8_t *wrap_bytes(uint8_t how, const uint8_t *data, size_t n, size_t *length)
{
    static uint8_t out[WRAP_MAX];
    uLongf room = sizeof out - 16;
    uint64_t claim = n;
    *length = n;
    if ((how & 3) == 0 || n > WRAP_MAX / 2) return data;
    if ((how & 3) == 3 && n >= 8) {
        memcpy(&claim, data, sizeof claim);
        data += 8;
        n -= 8;
    }
    memcpy(out, "mtxsnap1", 8);
    memcpy(out + 8, &claim, 8);
    compress2(out + 16, &room, data, n, (how & 3) == 2 ? 1 : 0);
    *length = 16 + room;
    return out;
}
