/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: a parser accepts what the JSON writer calls complete, in whatever order it was called. */
#include <jansson.h>
#include <string.h>

#include "fuzz.h"
#include "json.h"
#include "walk.h"

static void call(struct json *j, uint8_t op, const char *text, size_t n)
{
    char key[16] = "";
    double f = 0;
    memcpy(key, text, n < 15 ? n : 15);
    memcpy(&f, text, n < 8 ? n : 8);
    switch (op % 12) {
    case 0: jsonw_object(j); break;
    case 1: jsonw_object_end(j); break;
    case 2: jsonw_array(j); break;
    case 3: jsonw_array_end(j); break;
    case 4: jsonw_key(j, key); break;
    case 5: jsonw_str(j, key); break;
    case 6: jsonw_mem(j, text, n < 64 ? n : 64); break;
    case 7: jsonw_u64(j, op); break;
    case 8: jsonw_f64(j, f); break;
    case 9: jsonw_bool(j, op > 99); break;
    case 10: jsonw_key_f64(j, key, f); break;
    default: jsonw_key_str(j, key, key); break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct buf out = {0};
    struct json j;
    jsonw_begin(&j, &out);
    for (size_t i = 0; i < n && i < 256; i++) {
        call(&j, data[i], (const char *)data + i + 1, n - i - 1);
        if (jsonw_complete(&j)) break;
    }
    if (out.len && buf_ok(&out) && jsonw_complete(&j)) {
        json_error_t error;
        json_t *back =
            json_loadb(out.data, out.len, JSON_DECODE_ANY | JSON_ALLOW_NUL | JSON_DECODE_INT_AS_REAL, &error);
        /* jansson, unlike RFC 8259, refuses numbers that overflow a double; the writer makes none. */
        FUZZ_HOLDS(back, error.text);
        json_decref(back);
        FUZZ_HOLDS(walk_is_utf8(out.data, out.len), "JSON is UTF-8");
    }
    buf_free(&out);
    return 0;
}
