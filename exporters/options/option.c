/* SPDX-License-Identifier: Apache-2.0 */
#include "option.h"

#include "pattern.h"
#include "nearest.h"
#include "printable.h"
#include "quantity.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *option_field(const struct option *row, void *settings)
{
    return (char *)settings + row->offset;
}

static bool option_takes_file(const struct option *row)
{
    return row->type == OPTION_STRING || row->type == OPTION_SECRET;
}

const struct option *option_find(const struct option *rows, const char *name, bool *file)
{
    size_t n = strlen(name);
    bool suffix = n > 5 && !strcmp(name + n - 5, "_file");
    *file = false;
    for (const struct option *o = rows; o->name; o++)
        if (!strcmp(o->name, name)) return o;
    for (const struct option *o = rows; suffix && o->name; o++)
        if (option_takes_file(o) && strlen(o->name) == n - 5 && !strncmp(o->name, name, n - 5)) {
            *file = true;
            return o;
        }
    return NULL;
}

bool option_nearest(const struct option *rows, const char *wrong, struct buf *out)
{
    const char *best = NULL;
    for (const struct option *o = rows; o->name; o++) best = nearest_of(wrong, best, o->name);
    if (best) return buf_str(out, best), true;
    for (const struct option *o = rows; o->name; o++) {
        char name[80];
        if (!option_takes_file(o)) continue;
        snprintf(name, sizeof name, "%s_file", o->name);
        if (nearest_of(wrong, NULL, name)) return buf_str(out, name), true;
    }
    return false;
}

const char *option_wants(const struct option *row)
{
    switch (row->type) {
    case OPTION_STRING:
    case OPTION_SECRET: return "a text";
    case OPTION_BOOL: return "true or false";
    case OPTION_INTEGER: return "a whole number";
    case OPTION_FLOAT: return "a number";
    case OPTION_DURATION: return "a duration with its unit (ms, s, m, h), such as 10s";
    case OPTION_SIZE: return "a size with its unit (B, KiB, MiB, GiB), such as 16MiB";
    case OPTION_LIST: return "a list of texts";
    case OPTION_GLOBS: return "a list of names with * ? [] as wildcards";
    case OPTION_TAGS: return "a map of key: value";
    case OPTION_CHOICE: return "one of the known words";
    case OPTION_SECTION: return "a map of options";
    }
    return "a value";
}

/* --- Parsing --- */

static bool option_bool(const char *text, bool *out)
{
    static const char *const words[] = {"false", "true", "no", "yes", "off", "on",
                                        "0",     "1",    "n",  "y",   "f",   "t"};
    for (int i = 0; i < 12; i++)
        if (!strcasecmp(text, words[i])) return *out = i & 1, true;
    return false;
}

static bool option_in_range(const struct option *row, double v, const char *text, struct buf *why)
{
    if ((row->min == 0 && row->max == 0) || (v >= row->min && v <= row->max)) return true;
    buf_printf(why, "%s is out of range: %s goes from ", text, row->name);
    option_print_number(row->type, row->min, why);
    buf_str(why, " to ");
    option_print_number(row->type, row->max, why);
    return false;
}

static bool option_not(const struct option *row, const char *text, struct buf *why)
{
    buf_printf(why, "\"%s\" is not %s", text, option_wants(row));
    return false;
}

/* A number of any of the four types: reads it as the field's type, then checks its range. */
static bool option_parse_number(const struct option *row, void *field, const char *text, struct buf *why)
{
    union {
        int64_t i;
        uint64_t u;
        double d;
    } v;
    bool read = row->type == OPTION_INTEGER    ? quantity_integer(text, &v.i)
                : row->type == OPTION_FLOAT    ? quantity_float(text, &v.d)
                : row->type == OPTION_DURATION ? quantity_duration(text, &v.u)
                                               : quantity_size(text, &v.u);
    if (!read) return option_not(row, text, why);
    double as = row->type == OPTION_INTEGER ? (double)v.i : row->type == OPTION_FLOAT ? v.d : (double)v.u;
    if (!option_in_range(row, as, text, why)) return false;
    memcpy(field, &v, sizeof v);
    return true;
}

static bool option_parse_choice(const struct option *row, int *field, const char *text, struct buf *why)
{
    const char *best = NULL;
    for (int i = 0; row->choices[i]; i++) {
        if (!strcmp(text, row->choices[i])) return *field = i, true;
        best = nearest_of(text, best, row->choices[i]);
    }
    buf_printf(why, "\"%s\" is not one of", text);
    for (int i = 0; row->choices[i]; i++) buf_printf(why, "%s %s", i ? "," : "", row->choices[i]);
    if (best) buf_printf(why, " (did you mean %s?)", best);
    return false;
}

static bool option_add(const struct option *row, struct option_list *list, const char *text, struct buf *why)
{
    const char *fault = row->type == OPTION_GLOBS ? pattern_fault(text) : NULL;
    if (fault) {
        buf_printf(why, "the pattern \"%s\" %s", text, fault);
        return false;
    }
    char **items = realloc(list->items, (list->n + 1) * sizeof *items);
    if (items) list->items = items;
    char *copy = items ? strdup(text) : NULL;
    if (!copy) return buf_str(why, "out of memory"), false;
    list->items[list->n++] = copy;
    return true;
}

bool option_tags_add(struct option_tags *tags, const char *key, const char *value, struct buf *why)
{
    if (!*key) return buf_str(why, "a tag's key is empty"), false;
    if (!printable_check_utf8(key, why) || !printable_check_utf8(value, why)) return false;
    if (option_tag_value(tags, key)) {
        buf_printf(why, "the tag %s is given twice", key);
        return false;
    }
    struct option_tag *items = realloc(tags->items, (tags->n + 1) * sizeof *items);
    if (items) tags->items = items;
    struct option_tag tag = {strdup(key), strdup(value)};
    if (!items || !tag.key || !tag.value) {
        free(tag.key);
        free(tag.value);
        return buf_str(why, "out of memory"), false;
    }
    tags->items[tags->n++] = tag;
    return true;
}

static bool option_parse_pair(struct option_tags *tags, const char *text, struct buf *why)
{
    const char *equals = strchr(text, '=');
    if (!equals) {
        buf_printf(why, "\"%s\" is not of the form key=value", text);
        return false;
    }
    char *key = strndup(text, (size_t)(equals - text));
    bool done = key && option_tags_add(tags, key, equals + 1, why);
    if (!key) buf_str(why, "out of memory");
    free(key);
    return done;
}

static bool option_parse_string(char **field, const char *text, struct buf *why)
{
    char *copy = strdup(text);
    if (!copy) return buf_str(why, "out of memory"), false;
    free(*field);
    *field = copy;
    return true;
}

bool option_parse(const struct option *row, void *settings, const char *text, struct buf *why)
{
    void *field = option_field(row, settings);
    /* A newline would begin another header of a request, or another line; JSON has to be UTF-8. */
    if (row->type == OPTION_SECRET ? !printable_check(text, why) : !printable_check_utf8(text, why))
        return false;
    if (row->check && !row->check(text, why)) return false;
    switch (row->type) {
    case OPTION_STRING:
    case OPTION_SECRET: return option_parse_string(field, text, why);
    case OPTION_BOOL: return option_bool(text, field) || option_not(row, text, why);
    case OPTION_INTEGER:
    case OPTION_FLOAT:
    case OPTION_DURATION:
    case OPTION_SIZE: return option_parse_number(row, field, text, why);
    case OPTION_CHOICE: return option_parse_choice(row, field, text, why);
    case OPTION_LIST:
    case OPTION_GLOBS: return option_add(row, field, text, why);
    case OPTION_TAGS: return option_parse_pair(field, text, why);
    case OPTION_SECTION: return option_parse(row->rows, field, text, why);
    }
    return false;
}

/* --- Whole structs --- */

static bool option_is_list(const struct option *row)
{
    return row->type == OPTION_LIST || row->type == OPTION_GLOBS || row->type == OPTION_TAGS;
}

/* The default of a list is its items, separated by commas. */
static bool option_default(const struct option *row, void *settings, struct buf *why)
{
    if (!option_is_list(row)) return option_parse(row, settings, row->def, why);
    char *items = strdup(row->def), *rest = items, *item;
    bool done = items != NULL;
    while (done && (item = strsep(&rest, ",")))
        done = option_parse(row, settings, item + strspn(item, " "), why);
    free(items);
    return done;
}

void option_defaults(const struct option *rows, void *settings)
{
    struct buf why = {0};
    for (const struct option *o = rows; o->name; o++) {
        if (o->type == OPTION_SECTION) option_defaults(o->rows, option_field(o, settings));
        if (!o->def || option_default(o, settings, &why)) continue;
        fprintf(stderr, "the default of the option %s: %s\n", o->name, buf_text(&why));
        abort();
    }
}

static const char *option_variable(const struct option *row, expand_env_fn *env, char name[64])
{
    for (const char *at = row->env; *at; at += strspn(at, " ")) {
        size_t n = strcspn(at, " ");
        snprintf(name, 64, "%.*s", (int)n, at);
        const char *value = env(name);
        if (value && *value) return value;
        at += n;
    }
    return NULL;
}

static void option_take(const struct option *o, void *settings, const char *name, const char *value,
                        struct buf *warnings)
{
    struct buf reason = {0};
    if (option_is_list(o)) option_clear(o, settings);
    if (!option_parse(o, settings, value, &reason)) {
        buf_printf(warnings, "$%s is ignored: %s\n", name, buf_text(&reason));
        buf_reset(&reason);
        if (option_is_list(o) && o->def) option_default(o, settings, &reason);
    }
    buf_free(&reason);
}

void option_environment(const struct option *rows, void *settings, expand_env_fn *env, option_given_fn *given,
                        const void *arg, struct buf *warnings)
{
    char name[64];
    for (const struct option *o = rows; o->name; o++) {
        const char *value = o->env && !(given && given(arg, o)) ? option_variable(o, env, name) : NULL;
        if (value) option_take(o, settings, name, value, warnings);
    }
}

void option_clear(const struct option *row, void *settings)
{
    void *field = option_field(row, settings);
    if (option_takes_file(row)) {
        free(*(char **)field);
        *(char **)field = NULL;
    } else if (row->type == OPTION_TAGS) {
        option_tags_free(field);
    } else if (option_is_list(row)) {
        struct option_list *list = field;
        for (size_t i = 0; i < list->n; i++) free(list->items[i]);
        free(list->items);
        *list = (struct option_list){0};
    } else if (row->type == OPTION_SECTION) {
        option_release(row->rows, field);
    }
}

void option_release(const struct option *rows, void *settings)
{
    for (const struct option *o = rows; o->name; o++) option_clear(o, settings);
}

/* The number of items of a list or of tags; 1 for a text that is not empty. */
static size_t option_count(const struct option *row, const void *settings)
{
    const void *field = (const char *)settings + row->offset;
    if (option_takes_file(row)) return *(char *const *)field && **(char *const *)field;
    if (row->type == OPTION_TAGS) return ((const struct option_tags *)field)->n;
    return option_is_list(row) ? ((const struct option_list *)field)->n : 1;
}

bool option_complete(const struct option *rows, const void *settings, const char *prefix, struct buf *why)
{
    bool complete = true;
    for (const struct option *o = rows; o->name; o++) {
        size_t n = option_count(o, settings);
        bool bounded = option_is_list(o) && (o->min != 0 || o->max != 0);
        if (o->type == OPTION_SECTION &&
            !option_complete(o->rows, (const char *)settings + o->offset, prefix, why))
            complete = false;
        if (o->required && !n) {
            buf_printf(why, "%s%s is missing: %s\n", prefix, o->name, o->help);
            complete = false;
        } else if (bounded && ((double)n < o->min || (double)n > o->max)) {
            buf_printf(why, "%s%s has %zu items; %g to %g are allowed\n", prefix, o->name, n, o->min, o->max);
            complete = false;
        }
    }
    return complete;
}

/* --- Tags --- */

void option_tags_free(struct option_tags *tags)
{
    for (size_t i = 0; i < tags->n; i++) {
        free(tags->items[i].key);
        free(tags->items[i].value);
    }
    free(tags->items);
    *tags = (struct option_tags){0};
}

const char *option_tag_value(const struct option_tags *tags, const char *key)
{
    for (size_t i = 0; i < tags->n; i++)
        if (!strcmp(tags->items[i].key, key)) return tags->items[i].value;
    return NULL;
}

/* --- Comparing --- */

static bool option_same_text(const char *a, const char *b)
{
    return a && b ? !strcmp(a, b) : a == b;
}

static bool option_same_list(const struct option_list *a, const struct option_list *b)
{
    size_t i = 0;
    while (i < a->n && i < b->n && !strcmp(a->items[i], b->items[i])) i++;
    return i == a->n && i == b->n;
}

bool option_tags_equal(const struct option_tags *a, const struct option_tags *b)
{
    size_t i = 0;
    while (i < a->n && i < b->n && !strcmp(a->items[i].key, b->items[i].key) &&
           !strcmp(a->items[i].value, b->items[i].value))
        i++;
    return i == a->n && i == b->n;
}

static bool option_same(const struct option *row, const void *a, const void *b)
{
    switch (row->type) {
    case OPTION_STRING:
    case OPTION_SECRET: return option_same_text(*(char *const *)a, *(char *const *)b);
    case OPTION_BOOL: return *(const bool *)a == *(const bool *)b;
    case OPTION_INTEGER: return *(const int64_t *)a == *(const int64_t *)b;
    case OPTION_FLOAT: return memcmp(a, b, sizeof(double)) == 0;
    case OPTION_DURATION:
    case OPTION_SIZE: return *(const uint64_t *)a == *(const uint64_t *)b;
    case OPTION_CHOICE: return *(const int *)a == *(const int *)b;
    case OPTION_LIST:
    case OPTION_GLOBS: return option_same_list(a, b);
    case OPTION_TAGS: return option_tags_equal(a, b);
    case OPTION_SECTION: return option_equal(row->rows, a, b);
    }
    return false;
}

bool option_equal(const struct option *rows, const void *a, const void *b)
{
    for (const struct option *o = rows; o->name; o++)
        if (!option_same(o, (const char *)a + o->offset, (const char *)b + o->offset)) return false;
    return true;
}
