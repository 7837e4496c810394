/* SPDX-License-Identifier: Apache-2.0 */
#include "points_line_inside.h"

#include "instant.h"
#include "nearest.h"
#include "printable.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *const common_fields[] = {"name", "type", "value", "time", "tags", NULL};

/* --- Fields --- */

static bool is_pair(const json_t *v)
{
    return json_array_size(v) == 2 && point_line_is_number(json_array_get(v, 0)) &&
           point_line_is_number(json_array_get(v, 1));
}

static bool is_text_list(const json_t *v)
{
    json_t *one;
    size_t i;
    bool good = json_is_array(v);
    json_array_foreach((json_t *)(uintptr_t)v, i, one) good = good && json_is_string(one);
    return good;
}

static bool is_text_or_list(const json_t *v)
{
    return json_is_string(v) || is_text_list(v);
}

static bool is_text(const json_t *v)
{
    return json_is_string(v);
}

static bool all_of_list(const json_t *v, bool (*is)(const json_t *))
{
    json_t *one;
    size_t i;
    bool good = json_is_array(v);
    json_array_foreach((json_t *)(uintptr_t)v, i, one) good = good && is(one);
    return good;
}

static bool all_of_map(const json_t *v, bool (*is)(const json_t *))
{
    const char *key;
    json_t *one;
    bool good = json_is_object(v);
    json_object_foreach((json_t *)(uintptr_t)v, key, one) good = good && is(one);
    return good;
}

static bool has_shape(enum point_shape shape, const json_t *v)
{
    switch (shape) {
    case POINT_TEXT: return json_is_string(v);
    case POINT_WHOLE: return json_is_integer(v);
    case POINT_ANY_NUMBER: return point_line_is_number(v);
    case POINT_YES_NO: return json_is_boolean(v);
    case POINT_TEXTS: return is_text_list(v);
    case POINT_PAIRS: return all_of_list(v, is_pair);
    case POINT_NUMBER_MAP: return all_of_map(v, point_line_is_number);
    case POINT_LISTS_MAP: return all_of_map(v, is_text_or_list);
    case POINT_TEXT_OR_MAP: return json_is_string(v) || all_of_map(v, is_text);
    case POINT_OBJECT: return json_is_object(v);
    }
    return false;
}

static bool is_choice(const struct point_own *own, const char *text)
{
    for (size_t i = 0; own->choices[i]; i++)
        if (!strcmp(own->choices[i], text)) return true;
    return false;
}

/* True if a string, or each of a list or a map, is one of the row's choices. */
static bool check_choices(struct point_line *l, const struct point_own *own, const json_t *v)
{
    const char *key;
    json_t *one;
    size_t i;
    bool good = !json_is_string(v) || is_choice(own, json_string_value(v));
    json_array_foreach((json_t *)(uintptr_t)v, i, one) good = good && is_choice(own, json_string_value(one));
    json_object_foreach((json_t *)(uintptr_t)v, key, one) good =
        good && is_choice(own, json_string_value(one));
    if (good) return true;
    point_line_wrong(l, "%s is %s, expected one of: ", own->name, point_line_quoted(l, v));
    point_put_choices(own, l->why);
    return false;
}

/* "gauge" among "gauge counter". */
static bool is_among(const char *words, const char *word)
{
    size_t n = strlen(word);
    for (const char *at = words; *at; at += strspn(at, " ")) {
        size_t m = strcspn(at, " ");
        if (m == n && !memcmp(at, word, n)) return true;
        at += m;
    }
    return false;
}

static bool check_own(struct point_line *l, const struct point_own *own, const json_t *v)
{
    if (own->words && !is_among(own->words, l->word->word))
        return point_line_wrong(l, "a %s has no %s (only for: %s): remove it, or give another type",
                                l->word->word, own->name, own->words);
    if (!has_shape(own->shape, v))
        return point_line_wrong(l, "%s is %s, expected %s", own->name, point_line_quoted(l, v),
                                point_shape_words(own->shape));
    return !own->choices || check_choices(l, own, v);
}

static const struct point_own *find_own(const struct backend_points *backend, const char *name)
{
    for (const struct point_own *o = backend->own; o && o->name; o++)
        if (!strcmp(o->name, name)) return o;
    return NULL;
}

static bool unknown(struct point_line *l, const char *name)
{
    const char *near = NULL;
    for (size_t i = 0; common_fields[i]; i++) near = nearest_of(name, near, common_fields[i]);
    for (const struct point_own *o = l->reader->backend->own; o && o->name; o++)
        near = nearest_of(name, near, o->name);
    point_line_wrong(l, "there is no field \"%.60s\"", name);
    if (near) return point_line_wrong(l, "; did you mean %s?", near);
    buf_str(l->why, ": remove it; known fields:");
    for (size_t i = 0; common_fields[i]; i++) point_line_wrong(l, "%s %s", i ? "," : "", common_fields[i]);
    for (const struct point_own *o = l->reader->backend->own; o && o->name; o++)
        point_line_wrong(l, ", %s", o->name);
    return false;
}

static bool check_fields(struct point_line *l)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)l->root, key, value)
    {
        bool common = false;
        for (size_t i = 0; common_fields[i]; i++) common = common || !strcmp(key, common_fields[i]);
        const struct point_own *own = common ? NULL : find_own(l->reader->backend, key);
        if (!common && !own) return unknown(l, key);
        if (own && !check_own(l, own, value)) return false;
    }
    return true;
}

const struct point_word *point_word_find(const struct backend_points *backend, const char *word,
                                         struct buf *why)
{
    const char *near = NULL;
    for (const struct point_word *w = backend->words; w->word; w++) {
        if (!strcmp(w->word, word)) return w;
        near = nearest_of(word, near, w->word);
    }
    buf_printf(why, "there is no type \"%.60s\"; known types: ", word);
    for (const struct point_word *w = backend->words; w->word; w++)
        buf_printf(why, "%s%s", w == backend->words ? "" : ", ", w->word);
    if (near) buf_printf(why, " (did you mean %s?)", near);
    return NULL;
}

static bool read_word(struct point_line *l)
{
    const json_t *type = json_object_get(l->root, "type");
    l->word = l->reader->backend->words;
    if (!type) return true;
    if (!json_is_string(type))
        return point_line_wrong(l, "type is %s, expected a string", point_line_quoted(l, type));
    l->word = point_word_find(l->reader->backend, json_string_value(type), l->why);
    return l->word != NULL;
}

/* --- What all points have --- */

static const char *own_text(const struct point_line *l, const char *name)
{
    const struct point_own *own = find_own(l->reader->backend, name);
    return own ? json_string_value(json_object_get(l->root, name)) : NULL;
}

static bool read_name(struct point_line *l, struct point *p)
{
    const json_t *name = json_object_get(l->root, "name");
    if (name && !json_is_string(name))
        return point_line_wrong(l, "name is %s, expected a string", point_line_quoted(l, name));
    const char *text = name ? json_string_value(name) : "";
    const struct points_by_hand *hand = l->reader->backend->hand;
    bool needed = !hand || !hand->nameless || l->word->type != POINT_FIELDS ||
                  !json_object_get(l->root, hand->nameless);
    if (!*text && needed)
        return point_line_wrong(l, "name is %s: give one, such as \"name\": \"orders\"",
                                name ? "empty" : "missing");
    p->name = *text && *l->reader->prefix ? points_text(l->points, "%s%s", l->reader->prefix, text) : text;
    return true;
}

static bool read_time(struct point_line *l, struct point *p)
{
    const struct points_by_hand *hand = l->reader->backend->hand;
    const json_t *time = json_object_get(l->root, "time");
    struct buf why = {0};
    bool good = true;
    if (json_is_integer(time))
        good = instant_number((long double)json_integer_value(time), &p->time_ns, &why);
    else if (json_is_real(time))
        good = instant_number((long double)json_real_value(time), &p->time_ns, &why);
    else if (json_is_string(time))
        good = instant_text(json_string_value(time), &p->time_ns, &why);
    else if (time && !json_is_null(time))
        good =
            point_line_wrong(l, "time is %s, expected a number or a string such as \"2026-01-31T23:59:58Z\"",
                             point_line_quoted(l, time));
    if (why.len) point_line_wrong(l, "time: %s", buf_text(&why));
    buf_free(&why);
    if (good && !p->time_ns && hand && hand->timed) p->time_ns = l->reader->now_ns;
    return good;
}

/* A tag's value as text; NULL with the reason. */
static const char *tag_text(struct point_line *l, const char *key, const json_t *v)
{
    static const char *const plain[] = {"true", "false", NULL};
    const struct points_by_hand *hand = l->reader->backend->hand;
    const char *const *constants = hand && hand->constants ? hand->constants : plain;
    if (json_is_string(v)) return json_string_value(v);
    if (json_is_number(v)) return point_line_as_text(l, v);
    const char *text = json_is_true(v)    ? constants[0]
                       : json_is_false(v) ? constants[1]
                       : json_is_null(v)  ? constants[2]
                                          : NULL;
    if (!text) point_line_wrong(l, "the tag %.60s is %s, expected a string", key, point_line_quoted(l, v));
    return text;
}

/* The reader's tags, overlaid by the line's own; or its own alone if it says so. */
static bool read_tags(struct point_line *l, struct point *p)
{
    const json_t *own = json_object_get(l->root, "tags"), *inherit = json_object_get(l->root, "inherit_tags");
    const char *key;
    json_t *value;
    if (own && !json_is_null(own) && !json_is_object(own))
        return point_line_wrong(l, "tags is %s, expected {\"key\": \"value\"}", point_line_quoted(l, own));
    size_t base = json_is_false(inherit) ? 0 : l->reader->tag_count, n = 0;
    metrics_tag_t *tags = region_alloc(&l->points->region, (base + json_object_size(own) + 1) * sizeof *tags);
    if (!tags) return point_line_wrong(l, "out of memory");
    for (size_t i = 0; i < base; i++)
        if (!json_object_get(own, l->reader->tags[i].key)) tags[n++] = l->reader->tags[i];
    json_object_foreach((json_t *)(uintptr_t)own, key, value)
    {
        const char *text = tag_text(l, key, value);
        if (!text) return false;
        if (!*key) return point_line_wrong(l, "a tag has an empty key: give it a name");
        tags[n++] = (metrics_tag_t){key, text};
    }
    tags_sort(tags, n);
    p->tags = tags;
    p->tag_count = n;
    return true;
}

/* --- A line --- */

static bool keep_root(struct point_lines *lines, json_t *root)
{
    if (lines->root_count == lines->root_room) {
        size_t room = lines->root_room ? 2 * lines->root_room : 64;
        json_t **roots = realloc(lines->roots, room * sizeof *roots);
        if (!roots) return false;
        lines->roots = roots;
        lines->root_room = room;
    }
    lines->roots[lines->root_count++] = root;
    return true;
}

static json_t *parse(const char *text, size_t n, struct buf *why)
{
    json_error_t error;
    json_t *root = json_loadb(text, n, JSON_REJECT_DUPLICATES, &error);
    /* Integers of more than 64 bits are valid numbers, too. */
    if (!root && json_error_code(&error) == json_error_numeric_overflow)
        root = json_loadb(text, n, JSON_REJECT_DUPLICATES | JSON_DECODE_INT_AS_REAL, &error);
    if (json_is_object(root)) return root;
    if (root)
        buf_str(why, "this is a list");
    else
        buf_printf(why, "this is not JSON: %s in column %d", error.text, error.column);
    buf_str(why, "; a line is one object, such as {\"name\": \"orders\", \"value\": 12}");
    json_decref(root);
    return NULL;
}

static bool read_line(struct point_line *l, size_t number)
{
    struct point like = {.line = number, .extra = l->root};
    if (!read_word(l) || !check_fields(l) || !read_name(l, &like) || !read_time(l, &like) ||
        !read_tags(l, &like))
        return false;
    like.type = l->word->type;
    like.source = own_text(l, "source");
    like.unit = own_text(l, "unit");
    return point_line_make_points(l, &like);
}

static bool add_line(struct point_lines *lines, struct point_reader *reader, const char *text, size_t n,
                     size_t line, struct buf *why)
{
    size_t before = lines->points.n;
    json_t *root = parse(text, n, why);
    if (!root) return false;
    struct point_line l = {.points = &lines->points, .reader = reader, .root = root, .why = why};
    bool good = read_line(&l, line);
    if (good && (lines->points.failed || lines->points.region.failed)) {
        buf_str(why, "out of memory");
        good = false;
    }
    if (good && keep_root(lines, root)) return true;
    if (good) buf_str(why, "out of memory");
    lines->points.n = before;
    json_decref(root);
    return false;
}

bool point_lines_add(struct point_lines *lines, struct point_reader *reader, const char *text, size_t n,
                     size_t line, struct buf *why)
{
    bool good = add_line(lines, reader, text, n, line, why);
    if (!good) printable_buf(why);
    return good;
}

void point_lines_reset(struct point_lines *lines)
{
    points_reset(&lines->points);
    for (size_t i = 0; i < lines->root_count; i++) json_decref(lines->roots[i]);
    lines->root_count = 0;
}

void point_lines_free(struct point_lines *lines)
{
    point_lines_reset(lines);
    points_free(&lines->points);
    free(lines->roots);
    *lines = (struct point_lines){.root_count = 0};
}
