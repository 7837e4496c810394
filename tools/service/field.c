/* SPDX-License-Identifier: Apache-2.0 */
#include "field.h"

#include "clock.h"
#include "command_help.h"
#include "instant.h"
#include "nearest.h"
#include "quantity.h"
#include "transport_http.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- One value --- */

bool field_time(const char *text, uint64_t *ns, struct buf *why)
{
    uint64_t now = clock_wall(&clock_system), ago = 0;
    if (!strcmp(text, "now")) {
        *ns = now;
        return true;
    }
    if (*text != '-') return instant_text(text, ns, why);
    if (!quantity_duration(text + 1, &ago) || ago > now) {
        buf_printf(why, "\"%.100s\" is not a time before now, such as -1h", text);
        return false;
    }
    *ns = now - ago;
    return true;
}

bool field_choice(const char *what, const char *text, const char *const *choices, struct buf *why)
{
    const char *near = NULL;
    for (size_t i = 0; choices[i]; i++) {
        if (!strcmp(choices[i], text)) return true;
        near = nearest_of(text, near, choices[i]);
    }
    buf_printf(why, "%s \"%.100s\" is not one of", what, text);
    for (size_t i = 0; choices[i]; i++) buf_printf(why, "%s %s", i ? "," : "", choices[i]);
    if (near) buf_printf(why, "; did you mean %s?", near);
    return false;
}

bool field_uuid(const char *text, struct buf *why)
{
    bool good = strlen(text) == 36;
    for (int i = 0; i < 36 && good; i++) {
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        good = dash ? text[i] == '-' : isxdigit((unsigned char)text[i]) != 0;
    }
    if (!good) buf_printf(why, "\"%.100s\" is not a UUID such as 7b3bf470-9456-11e8-9eb6-529269fb1459", text);
    return good;
}

static bool field_is_blank(const char *text)
{
    return text[strspn(text, " \t\r\n")] == '\0';
}

bool field_text(const char *what, const char *text, size_t most, struct buf *why)
{
    size_t n = strlen(text);
    json_t *utf8 = n > most ? NULL : json_stringn(text, n);
    bool control = false;
    for (const char *c = text; *c; c++)
        control = control || *c == 127 || ((unsigned char)*c < 32 && *c != '\n' && *c != '\t');
    if (n > most)
        buf_printf(why, "%s is too long: it has %zu bytes, at most %zu are allowed", what, n, most);
    else if (field_is_blank(text))
        buf_printf(why, "%s is empty", what);
    else if (!utf8)
        buf_printf(why, "%s is not UTF-8", what);
    else if (control)
        buf_printf(why, "%s has a control character", what);
    bool good = utf8 && !control && !field_is_blank(text);
    json_decref(utf8);
    return good;
}

static json_t *field_number(const struct field *row, const char *text, struct buf *why)
{
    int64_t whole;
    double number;
    bool is_whole = quantity_integer(text, &whole), limited = row->least || row->top;
    if (is_whole && limited && (whole < row->least || whole > row->top)) {
        buf_printf(why, "%s is an integer from %lld to %lld, not %.40s", row->name, (long long)row->least,
                   (long long)row->top, text);
        return NULL;
    }
    if (is_whole) return json_integer(whole);
    if (row->type == FIELD_NUMBER && quantity_float(text, &number)) return json_real(number);
    buf_printf(why, "%s is %s, not \"%.100s\"", row->name,
               row->type == FIELD_NUMBER ? "a number" : "an integer", text);
    return NULL;
}

static json_t *field_instant(const struct field *row, const char *text, struct buf *why)
{
    uint64_t ns;
    buf_printf(why, "%s: ", row->name);
    if (!field_time(text, &ns, why)) return NULL;
    return json_integer((json_int_t)(ns / (row->type == FIELD_TIME ? 1000000000 : 1000000)));
}

static json_t *field_bool(const struct field *row, const char *text, struct buf *why)
{
    if (!strcmp(text, "true") || !strcmp(text, "yes")) return json_true();
    if (!strcmp(text, "false") || !strcmp(text, "no")) return json_false();
    buf_printf(why, "%s is true or false, not \"%.100s\"", row->name, text);
    return NULL;
}

static json_t *field_one(const struct field *row, const char *text, struct buf *why)
{
    switch (row->type) {
    case FIELD_NUMBER:
    case FIELD_INTEGER: return field_number(row, text, why);
    case FIELD_TIME:
    case FIELD_MILLIS: return field_instant(row, text, why);
    case FIELD_BOOL: return field_bool(row, text, why);
    case FIELD_CHOICE: return field_choice(row->name, text, row->choices, why) ? json_string(text) : NULL;
    case FIELD_UUID:
    case FIELD_UUIDS: return field_uuid(text, why) ? json_string(text) : NULL;
    case FIELD_OWN: return row->read(text, why);
    default:
        return field_text(row->name, text, row->most ? row->most : FIELD_MOST, why) ? json_string(text)
                                                                                    : NULL;
    }
}

/* --- One word --- */

/* The row of a word; *key becomes what follows the dot of NAME.KEY. */
static const struct field *field_find(const struct field *rows, const char *name, const char **key)
{
    for (const struct field *row = rows; row && row->name; row++) {
        size_t n = strlen(row->name);
        bool map = row->type == FIELD_MAP && !strncmp(row->name, name, n) && name[n] == '.' && name[n + 1];
        *key = map ? name + n + 1 : NULL;
        if (map || (!strcmp(row->name, name) && row->type != FIELD_MAP)) return row;
    }
    return NULL;
}

static void field_unknown(const struct field *rows, const char *name, struct buf *why)
{
    const char *near = NULL;
    buf_printf(why, "there is no field \"%.100s\"", name);
    for (const struct field *row = rows; row && row->name; row++) near = nearest_of(name, near, row->name);
    if (near) buf_printf(why, "; did you mean %s?", near);
    for (const struct field *row = rows; !near && row && row->name; row++)
        buf_printf(why, "%s %s%s", row == rows ? "; the fields are" : ",", row->name,
                   row->type == FIELD_MAP ? ".KEY" : "");
}

/* Adds to the array of that name, which is made if it is not there. */
static void field_append(json_t *given, const char *name, json_t *value)
{
    json_t *list = json_object_get(given, name);
    if (!list) {
        list = json_array();
        json_object_set_new(given, name, list);
    }
    json_array_append_new(list, value);
}

static bool field_words(const struct field *row, const char *text, json_t *given, struct buf *why)
{
    char *items = strdup(text), *rest = items, *item;
    bool good = items != NULL;
    while (good && (item = strsep(&rest, ","))) {
        json_t *value = field_one(row, item, why);
        good = value != NULL;
        if (good) field_append(given, row->name, value);
    }
    free(items);
    return good;
}

static bool field_map(const struct field *row, const char *key, const char *text, json_t *given,
                      struct buf *why)
{
    json_t *map = json_object_get(given, row->name);
    if (!field_text("the key of a tag", key, FIELD_TAG_KEY, why)) return false;
    if (!field_text(key, text, row->most ? row->most : FIELD_TAG_VALUE, why)) return false;
    if (!map) {
        map = json_object();
        json_object_set_new(given, row->name, map);
    }
    json_object_set_new(map, key, json_string(text));
    return true;
}

static bool field_set(const struct field *row, const char *key, const char *text, json_t *given,
                      struct buf *why)
{
    struct buf wrong = {0};
    if (row->type == FIELD_MAP) return field_map(row, key, text, given, why);
    if (row->type == FIELD_WORDS || row->type == FIELD_UUIDS) return field_words(row, text, given, why);
    if (row->type != FIELD_OWN && json_object_get(given, row->name)) {
        buf_printf(why, "%s is given twice", row->name);
        return false;
    }
    json_t *value = field_one(row, text, &wrong);
    if (!value) buf_str(why, buf_text(&wrong));
    if (value && row->type == FIELD_OWN)
        field_append(given, row->name, value);
    else if (value)
        json_object_set_new(given, row->name, value);
    buf_free(&wrong);
    return value != NULL;
}

static bool field_word(const struct field *rows, const char *word, json_t *given, struct buf *why)
{
    const char *equals = strchr(word, '='), *key;
    char *name = strndup(word, equals ? (size_t)(equals - word) : strlen(word));
    const struct field *row = name ? field_find(rows, name, &key) : NULL;
    bool good = equals && row && field_set(row, key, equals + 1, given, why);
    if (!equals)
        buf_printf(why, "\"%.100s\" is not FIELD=VALUE", word);
    else if (!row)
        field_unknown(rows, name ? name : "", why);
    free(name);
    return good;
}

/* --- All of them --- */

bool fields_read(const struct field *rows, char *const *words, int n, json_t *given, struct buf *why)
{
    for (int i = 0; i < n; i++)
        if (!field_word(rows, words[i], given, why)) return false;
    for (const struct field *row = rows; row && row->name; row++)
        if (row->required && !json_object_get(given, row->name)) {
            buf_printf(why, "%s is missing: %s=..., %s", row->name, row->name, row->help);
            return false;
        }
    return true;
}

static void field_put(json_t *body, const char *key, json_t *value)
{
    const char *dot = strchr(key, '.');
    if (!dot) {
        json_object_set(body, key, value);
        return;
    }
    char *outer = strndup(key, (size_t)(dot - key));
    json_t *inner = outer ? json_object_get(body, outer) : NULL;
    if (outer && !json_is_object(inner)) {
        inner = json_object();
        json_object_set_new(body, outer, inner);
    }
    if (inner) field_put(inner, dot + 1, value);
    free(outer);
}

void fields_put(const struct field *rows, const json_t *given, json_t *body)
{
    for (const struct field *row = rows; row && row->name; row++) {
        json_t *value = json_object_get(given, row->name);
        if (value) field_put(body, row->key ? row->key : row->name, value);
    }
}

void field_query(struct buf *path, const char *key, const char *value)
{
    buf_char(path, strchr(buf_text(path), '?') ? '&' : '?');
    http_escape(path, key);
    buf_char(path, '=');
    http_escape(path, value);
}

static void field_query_value(struct buf *path, const char *key, const json_t *value)
{
    if (json_is_string(value)) {
        field_query(path, key, json_string_value(value));
        return;
    }
    char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_REAL_PRECISION(17));
    field_query(path, key, text ? text : "");
    free(text);
}

static void field_query_all(struct buf *path, const char *key, json_t *value)
{
    char inner[FIELD_TAG_KEY + 64];
    const char *name;
    json_t *one;
    size_t i;
    snprintf(inner, sizeof inner, "%s[]", key);
    json_array_foreach(value, i, one) field_query_value(path, inner, one);
    json_object_foreach(value, name, one)
    {
        snprintf(inner, sizeof inner, "%s[%s]", key, name);
        field_query_value(path, inner, one);
    }
    if (!json_is_array(value) && !json_is_object(value)) field_query_value(path, key, value);
}

void fields_query(const struct field *rows, const json_t *given, struct buf *path)
{
    for (const struct field *row = rows; row && row->name; row++) {
        json_t *value = json_object_get(given, row->name);
        if (value) field_query_all(path, row->key ? row->key : row->name, value);
    }
}

static const char *field_arg(const struct field *row)
{
    static const char *const words[] = {
        [FIELD_TEXT] = "TEXT",     [FIELD_NUMBER] = "NUMBER", [FIELD_INTEGER] = "N",
        [FIELD_TIME] = "TIME",     [FIELD_MILLIS] = "TIME",   [FIELD_BOOL] = "true|false",
        [FIELD_CHOICE] = "CHOICE", [FIELD_WORDS] = "A,B",     [FIELD_MAP] = "VALUE",
        [FIELD_UUID] = "UUID",     [FIELD_UUIDS] = "UUID,..", [FIELD_OWN] = "...",
    };
    return row->arg ? row->arg : words[row->type];
}

void fields_help(const struct field *rows, struct buf *out)
{
    for (const struct field *row = rows; row && row->name; row++) {
        struct buf left = {0}, text = {0};
        buf_printf(&left, "  %s%s=%s", row->name, row->type == FIELD_MAP ? ".KEY" : "", field_arg(row));
        buf_str(&text, row->help);
        for (size_t i = 0; row->type == FIELD_CHOICE && row->choices[i]; i++)
            buf_printf(&text, "%s %s", i ? "," : ":", row->choices[i]);
        if (row->required) buf_str(&text, " (required)");
        cmd_help_item(out, buf_text(&left), buf_text(&text), 30);
        buf_free(&left);
        buf_free(&text);
    }
}
