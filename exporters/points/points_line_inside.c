/* SPDX-License-Identifier: Apache-2.0 */
#include "points_line_inside.h"

#include "json.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

bool point_line_wrong(struct point_line *l, const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    buf_vprintf(l->why, format, ap);
    va_end(ap);
    return false;
}

const char *point_line_quoted(struct point_line *l, const json_t *value)
{
    char *text = value ? json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT | JSON_REAL_PRECISION(15)) : NULL;
    const char *copy =
        points_text(l->points, "%.60s%s", text ? text : "?", text && strlen(text) > 60 ? "..." : "");
    free(text);
    return copy;
}

const char *point_line_as_text(struct point_line *l, const json_t *v)
{
    struct buf text = {0};
    if (json_is_string(v))
        buf_str(&text, json_string_value(v));
    else if (json_is_integer(v))
        buf_i64(&text, json_integer_value(v));
    else if (json_is_real(v))
        buf_f64(&text, json_real_value(v));
    else
        buf_str(&text, json_is_true(v) ? "true" : json_is_false(v) ? "false" : "null");
    const char *copy = points_text(l->points, "%s", buf_text(&text));
    buf_free(&text);
    return copy;
}

bool point_line_is_number(const json_t *v)
{
    return json_is_number(v) && isfinite(json_number_value(v));
}
