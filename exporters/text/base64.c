/* SPDX-License-Identifier: Apache-2.0 */
#include "base64.h"

void base64(struct buf *out, const void *data, size_t n)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const unsigned char *b = data;
    for (size_t i = 0; i < n; i += 3) {
        uint32_t three =
            (uint32_t)b[i] << 16 | (i + 1 < n ? (uint32_t)b[i + 1] << 8 : 0) | (i + 2 < n ? b[i + 2] : 0);
        buf_char(out, digits[three >> 18]);
        buf_char(out, digits[three >> 12 & 63]);
        buf_char(out, i + 1 < n ? digits[three >> 6 & 63] : '=');
        buf_char(out, i + 2 < n ? digits[three & 63] : '=');
    }
}
