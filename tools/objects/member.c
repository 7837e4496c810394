/* SPDX-License-Identifier: Apache-2.0 */
#include "member.h"

#include "field.h"
#include "nearest.h"

#include <string.h>

static const struct member *member_find(const struct member *rows, const char *name)
{
    while (rows->name && strcmp(rows->name, name)) rows++;
    return rows->name ? rows : NULL;
}

static bool member_unknown(const char *what, const char *name, const struct member *rows, struct buf *why)
{
    const char *near = NULL;
    for (const struct member *row = rows; row->name; row++) near = nearest_of(name, near, row->name);
    buf_printf(why, "%s member \"%.100s\" is not one of", what, name);
    for (const struct member *row = rows; row->name; row++)
        buf_printf(why, "%s %s", row == rows ? "" : ",", row->name);
    if (near) buf_printf(why, "; did you mean %s?", near);
    return false;
}

static bool member_text(const struct member *row, const char *what, const json_t *value, struct buf *why)
{
    struct buf name = {0};
    const char *text = json_string_value(value);
    buf_printf(&name, "%s %s", what, row->name);
    bool good =
        text && (!*text || field_text(buf_text(&name), text, row->most ? row->most : FIELD_MOST, why));
    buf_free(&name);
    return good;
}

static bool member_tags(const json_t *tags, struct buf *why)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)tags, key, value)
    {
        const char *text = json_string_value(value);
        if (!field_text("the key of a tag", key, FIELD_TAG_KEY, why)) return false;
        if (!field_text("the value of a tag", text ? text : "", FIELD_TAG_VALUE, why)) return false;
    }
    return json_is_object(tags);
}

static bool member_fits(const struct member *row, const char *what, const json_t *value, struct buf *why)
{
    switch (row->type) {
    case MEMBER_TEXT: return member_text(row, what, value, why);
    case MEMBER_NUMBER: return json_is_number(value);
    case MEMBER_WHOLE: return json_is_integer(value) && json_integer_value(value) >= row->least;
    case MEMBER_BOOL: return json_is_boolean(value);
    case MEMBER_LIST: return json_is_array(value);
    case MEMBER_TAGS: return member_tags(value, why);
    case MEMBER_MAP: return json_is_object(value);
    case MEMBER_ANY: return true;
    }
    return false;
}

static void member_wants(const struct member *row, const char *what, struct buf *why)
{
    static const char *const words[] = {
        [MEMBER_TEXT] = "a text",        [MEMBER_NUMBER] = "a number", [MEMBER_WHOLE] = "an integer",
        [MEMBER_BOOL] = "true or false", [MEMBER_LIST] = "a list",     [MEMBER_TAGS] = "a map of texts",
        [MEMBER_MAP] = "a map"};
    buf_printf(why, "%s %s is %s", what, row->name, words[row->type]);
    if (row->least) buf_printf(why, ", at least %lld", (long long)row->least);
}

bool member_check(const json_t *object, const char *what, const struct member *rows, struct buf *why)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)object, key, value)
    {
        const struct member *row = member_find(rows, key);
        if (!row) return member_unknown(what, key, rows, why);
        if (json_is_null(value) || member_fits(row, what, value, why)) continue;
        if (!why->len) member_wants(row, what, why);
        return false;
    }
    return true;
}
