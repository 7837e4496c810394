/* SPDX-License-Identifier: Apache-2.0 */
#include "difference.h"

#include "table.h"

#include <string.h>

static bool is_nothing(const json_t *v)
{
    return !v || json_is_null(v) || (json_is_object(v) && !json_object_size(v)) ||
           (json_is_array(v) && !json_array_size(v));
}

static bool is_same(const json_t *have, const json_t *want)
{
    if (is_nothing(want)) return is_nothing(have);
    if (json_is_number(want))
        return json_is_number(have) && json_number_value(have) == json_number_value(want);
    return json_equal(have, want);
}

static void tell(const json_t *v, struct buf *out)
{
    if (is_nothing(v))
        buf_str(out, "nothing");
    else
        table_value(v, out);
}

static size_t compare(const json_t *have, const json_t *want, const char *path, struct buf *out);

static size_t compare_member(const json_t *have, const json_t *want, const char *path, const char *name,
                             struct buf *out)
{
    struct buf inner = {0};
    buf_printf(&inner, "%s%s%s", path, *path && *name != '[' ? "." : "", name);
    size_t n = compare(have, want, buf_text(&inner), out);
    buf_free(&inner);
    return n;
}

static size_t compare(const json_t *have, const json_t *want, const char *path, struct buf *out)
{
    const char *key;
    json_t *value;
    size_t i, n = 0;
    if (json_is_object(want) && json_is_object(have) && !is_nothing(want)) {
        json_object_foreach((json_t *)(uintptr_t)want, key, value) n +=
            compare_member(json_object_get(have, key), value, path, key, out);
        return n;
    }
    if (json_is_array(want) && json_is_array(have) && json_array_size(want) == json_array_size(have)) {
        json_array_foreach((json_t *)(uintptr_t)want, i, value)
        {
            struct buf at = {0};
            buf_printf(&at, "[%zu]", i);
            n += compare_member(json_array_get(have, i), value, path, buf_text(&at), out);
            buf_free(&at);
        }
        return n;
    }
    if (is_same(have, want)) return 0;
    buf_printf(out, "    %s: ", path);
    tell(have, out);
    buf_str(out, " -> ");
    tell(want, out);
    buf_char(out, '\n');
    return 1;
}

size_t difference(const json_t *have, const json_t *want, struct buf *out)
{
    return compare(have, want, "", out);
}
