/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: what the writer calls complete is valid JSON, whatever it is given. */
#include "unit.h"

#include "json.h"

#include <jansson.h>

/* Commas, nesting and key/value pairs come out as JSON that another parser reads the same. */
UNIT(json, structure)
{
    struct buf b = {0};
    struct json j;
    jsonw_begin(&j, &b);
    jsonw_object(&j);
    jsonw_key_str(&j, "a", "x");
    jsonw_key(&j, "b");
    jsonw_array(&j);
    jsonw_u64(&j, UINT64_MAX);
    jsonw_i64(&j, -5);
    jsonw_object(&j);
    jsonw_object_end(&j);
    jsonw_array(&j);
    jsonw_array_end(&j);
    jsonw_null(&j);
    jsonw_bool(&j, true);
    jsonw_array_end(&j);
    jsonw_key_f64(&j, "c", 0.1);
    jsonw_object_end(&j);
    CHECK(jsonw_complete(&j));
    CHECK_STR(buf_text(&b), "{\"a\":\"x\",\"b\":[18446744073709551615,-5,{},[],null,true],\"c\":0.1}");
    buf_free(&b);
}

/* Every byte from 1 to 255, and broken UTF-8 of each sort, gives text that a strict parser accepts. */
UNIT(json, any_bytes_are_valid_json)
{
    static const char *const broken[] = {"\xc0\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80",
                                         "\xe2\x82", "\xff",         "\xf0\x9f\x98"};
    char all[256];
    struct buf b = {0};
    struct json j;
    for (int i = 0; i < 255; i++) all[i] = (char)(i + 1);
    all[255] = '\0';
    jsonw_begin(&j, &b);
    jsonw_array(&j);
    jsonw_str(&j, all);
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) jsonw_str(&j, broken[i]);
    jsonw_str(&j, "\xf0\x9f\x98\x80 \xc3\xa9");
    jsonw_array_end(&j);
    CHECK(jsonw_complete(&j));
    json_error_t error;
    json_t *read = json_loads(buf_text(&b), 0, &error);
    if (!read) UNIT_FAIL("not JSON: %s at %d in %s\n", error.text, error.position, buf_text(&b));
    CHECK_STR(json_string_value(json_array_get(read, 7)), "\xf0\x9f\x98\x80 \xc3\xa9");
    CHECK_STR(json_string_value(json_array_get(read, 1)), "\xef\xbf\xbd\xef\xbf\xbd");
    json_decref(read);
    buf_free(&b);
}

/* What JSON cannot say becomes null, never a bare NaN. */
UNIT(json, no_bare_nan)
{
    struct buf b = {0};
    struct json j;
    jsonw_begin(&j, &b);
    jsonw_array(&j);
    jsonw_f64(&j, NAN);
    jsonw_f64(&j, INFINITY);
    jsonw_array_end(&j);
    CHECK_STR(buf_text(&b), "[null,null]");
    buf_free(&b);
}

/* Each misuse marks the buffer as failed instead of writing something that is not JSON. */
UNIT(json, misuse_is_caught)
{
    struct buf b = {0};
    struct json j;
    jsonw_begin(&j, &b);
    jsonw_object(&j);
    jsonw_u64(&j, 1);
    CHECK(!buf_ok(&b));
    buf_reset(&b);
    jsonw_begin(&j, &b);
    jsonw_array(&j);
    jsonw_object_end(&j);
    CHECK(!buf_ok(&b));
    buf_reset(&b);
    jsonw_begin(&j, &b);
    jsonw_array(&j);
    jsonw_key(&j, "k");
    CHECK(!buf_ok(&b));
    buf_reset(&b);
    jsonw_begin(&j, &b);
    for (int i = 0; i <= JSON_DEPTH; i++) jsonw_array(&j);
    CHECK(!buf_ok(&b));
    buf_reset(&b);
    jsonw_begin(&j, &b);
    jsonw_object(&j);
    CHECK(!jsonw_complete(&j));
    buf_free(&b);
}
