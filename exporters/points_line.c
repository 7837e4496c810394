/* SPDX-License-Identifier: Apache-2.0 */
#include "points_line.h"

#include "instant.h"
#include "json.h"
#include "nearest.h"
#include "quantity.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The line in work. */
struct line {
    struct points *points;
    struct point_reader *reader;
    const json_t *root;
    const struct point_word *word;
    struct buf *why;
};

static const char *const common_fields[] = {"name", "type", "value", "time", "tags", NULL};

static bool wrong(struct line *l, const char *format, ...) __attribute__((format(printf, 2, 3)));
static bool wrong(struct line *l, const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    buf_vprintf(l->why, format, ap);
    va_end(ap);
    return false;
}

/* A value as it was written, cut to what a message bears. Valid until the points are. */
static const char *quoted(struct line *l, const json_t *value)
{
    char *text = value ? json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT | JSON_REAL_PRECISION(15)) : NULL;
    const char *copy =
        points_text(l->points, "%.60s%s", text ? text : "?", text && strlen(text) > 60 ? "..." : "");
    free(text);
    return copy;
}

/* A number or a constant as text: the shortest that reads back as the same. */
static const char *as_text(struct line *l, const json_t *v)
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

/* --- Fields ------------------------------------------------------------------------------------------------
 */

static bool is_number(const json_t *v)
{
    return json_is_number(v) && isfinite(json_number_value(v));
}

static bool is_pair(const json_t *v)
{
    return json_array_size(v) == 2 && is_number(json_array_get(v, 0)) && is_number(json_array_get(v, 1));
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
    case POINT_ANY_NUMBER: return is_number(v);
    case POINT_YES_NO: return json_is_boolean(v);
    case POINT_TEXTS: return is_text_list(v);
    case POINT_PAIRS: return all_of_list(v, is_pair);
    case POINT_NUMBER_MAP: return all_of_map(v, is_number);
    case POINT_LISTS_MAP: return all_of_map(v, is_text_or_list);
    case POINT_TEXT_OR_MAP: return json_is_string(v) || all_of_map(v, is_text);
    case POINT_OBJECT: return json_is_object(v);
    }
    return false;
}

static const char *shape_words(enum point_shape shape)
{
    switch (shape) {
    case POINT_TEXT: return "a text";
    case POINT_WHOLE: return "a whole number";
    case POINT_ANY_NUMBER: return "a number";
    case POINT_YES_NO: return "true or false";
    case POINT_TEXTS: return "a list of texts: [\"a\", \"b\"]";
    case POINT_PAIRS: return "a list of pairs: [[1, 2], [3, 4]]";
    case POINT_NUMBER_MAP: return "numbers by name: {\"a\": 1, \"b\": 2}";
    case POINT_LISTS_MAP: return "lists by name: {\"a\": [\"x\", \"y\"]}";
    case POINT_TEXT_OR_MAP: return "a text, or texts by name: {\"a\": \"x\"}";
    case POINT_OBJECT: return "an object: {...}";
    }
    return "a value";
}

static bool is_choice(const struct point_own *own, const char *text)
{
    for (size_t i = 0; own->choices[i]; i++)
        if (!strcmp(own->choices[i], text)) return true;
    return false;
}

static void put_choices(const struct point_own *own, struct buf *out)
{
    for (size_t i = 0; own->choices[i]; i++) buf_printf(out, "%s%s", i ? ", " : "", own->choices[i]);
}

/* A text, the texts of a list or those of a map are of the row's choices. */
static bool check_choices(struct line *l, const struct point_own *own, const json_t *v)
{
    const char *key;
    json_t *one;
    size_t i;
    bool good = !json_is_string(v) || is_choice(own, json_string_value(v));
    json_array_foreach((json_t *)(uintptr_t)v, i, one) good = good && is_choice(own, json_string_value(one));
    json_object_foreach((json_t *)(uintptr_t)v, key, one) good =
        good && is_choice(own, json_string_value(one));
    if (good) return true;
    wrong(l, "%s is %s; there are: ", own->name, quoted(l, v));
    put_choices(own, l->why);
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

static bool check_own(struct line *l, const struct point_own *own, const json_t *v)
{
    if (own->words && !is_among(own->words, l->word->word))
        return wrong(l, "a %s has no %s (that is for: %s): take it out, or give another type", l->word->word,
                     own->name, own->words);
    if (!has_shape(own->shape, v))
        return wrong(l, "%s is %s, wanted is %s", own->name, quoted(l, v), shape_words(own->shape));
    return !own->choices || check_choices(l, own, v);
}

static const struct point_own *find_own(const struct backend_points *backend, const char *name)
{
    for (const struct point_own *o = backend->own; o && o->name; o++)
        if (!strcmp(o->name, name)) return o;
    return NULL;
}

static bool unknown(struct line *l, const char *name)
{
    const char *near = NULL;
    for (size_t i = 0; common_fields[i]; i++) near = nearest_of(name, near, common_fields[i]);
    for (const struct point_own *o = l->reader->backend->own; o && o->name; o++)
        near = nearest_of(name, near, o->name);
    wrong(l, "there is no field \"%.60s\"", name);
    if (near) return wrong(l, "; did you mean %s?", near);
    buf_str(l->why, ": take it out; known are");
    for (size_t i = 0; common_fields[i]; i++) wrong(l, "%s %s", i ? "," : "", common_fields[i]);
    for (const struct point_own *o = l->reader->backend->own; o && o->name; o++) wrong(l, ", %s", o->name);
    return false;
}

static bool check_fields(struct line *l)
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
    buf_printf(why, "there is no type \"%.60s\"; there are: ", word);
    for (const struct point_word *w = backend->words; w->word; w++)
        buf_printf(why, "%s%s", w == backend->words ? "" : ", ", w->word);
    if (near) buf_printf(why, " (did you mean %s?)", near);
    return NULL;
}

static bool read_word(struct line *l)
{
    const json_t *type = json_object_get(l->root, "type");
    l->word = l->reader->backend->words;
    if (!type) return true;
    if (!json_is_string(type)) return wrong(l, "type is %s, wanted is a text", quoted(l, type));
    l->word = point_word_find(l->reader->backend, json_string_value(type), l->why);
    return l->word != NULL;
}

/* --- What all points have ----------------------------------------------------------------------------------
 */

static const char *own_text(const struct line *l, const char *name)
{
    const struct point_own *own = find_own(l->reader->backend, name);
    return own ? json_string_value(json_object_get(l->root, name)) : NULL;
}

static bool read_name(struct line *l, struct point *p)
{
    const json_t *name = json_object_get(l->root, "name");
    if (name && !json_is_string(name)) return wrong(l, "name is %s, wanted is a text", quoted(l, name));
    const char *text = name ? json_string_value(name) : "";
    const struct points_by_hand *hand = l->reader->backend->hand;
    bool needed = !hand || !hand->nameless || l->word->type != POINT_FIELDS ||
                  !json_object_get(l->root, hand->nameless);
    if (!*text && needed)
        return wrong(l, "name is %s: give one, such as \"name\": \"orders\"", name ? "empty" : "missing");
    p->name = *text && *l->reader->prefix ? points_text(l->points, "%s%s", l->reader->prefix, text) : text;
    return true;
}

static bool read_time(struct line *l, struct point *p)
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
        good = wrong(l, "time is %s, wanted is a number or a text such as \"2026-01-31T23:59:58Z\"",
                     quoted(l, time));
    if (why.len) wrong(l, "time: %s", buf_text(&why));
    buf_free(&why);
    if (good && !p->time_ns && hand && hand->timed) p->time_ns = l->reader->now_ns;
    return good;
}

/* A tag's value as text; NULL with the reason. */
static const char *tag_text(struct line *l, const char *key, const json_t *v)
{
    static const char *const plain[] = {"true", "false", NULL};
    const struct points_by_hand *hand = l->reader->backend->hand;
    const char *const *constants = hand && hand->constants ? hand->constants : plain;
    if (json_is_string(v)) return json_string_value(v);
    if (json_is_number(v)) return as_text(l, v);
    const char *text = json_is_true(v)    ? constants[0]
                       : json_is_false(v) ? constants[1]
                       : json_is_null(v)  ? constants[2]
                                          : NULL;
    if (!text) wrong(l, "the tag %.60s is %s, wanted is a text", key, quoted(l, v));
    return text;
}

static int tag_order(const void *a, const void *b)
{
    return strcmp(((const metrics_tag_t *)a)->key, ((const metrics_tag_t *)b)->key);
}

/* The reader's tags, overlaid by the line's own; or its own alone if it says so. */
static bool read_tags(struct line *l, struct point *p)
{
    const json_t *own = json_object_get(l->root, "tags"), *inherit = json_object_get(l->root, "inherit_tags");
    const char *key;
    json_t *value;
    if (own && !json_is_null(own) && !json_is_object(own))
        return wrong(l, "tags is %s, wanted is {\"key\": \"value\"}", quoted(l, own));
    size_t base = json_is_false(inherit) ? 0 : l->reader->tag_count, n = 0;
    metrics_tag_t *tags = region_alloc(&l->points->region, (base + json_object_size(own) + 1) * sizeof *tags);
    if (!tags) return wrong(l, "out of memory");
    for (size_t i = 0; i < base; i++)
        if (!json_object_get(own, l->reader->tags[i].key)) tags[n++] = l->reader->tags[i];
    json_object_foreach((json_t *)(uintptr_t)own, key, value)
    {
        const char *text = tag_text(l, key, value);
        if (!text) return false;
        if (!*key) return wrong(l, "a tag has an empty key: give it a name");
        tags[n++] = (metrics_tag_t){key, text};
    }
    qsort(tags, n, sizeof *tags, tag_order);
    p->tags = tags;
    p->tag_count = n;
    return true;
}

/* --- Values ------------------------------------------------------------------------------------------------
 */

static void set_f64(struct point *p, double v)
{
    p->value_type = METRICS_F64;
    p->value.f = v;
}

/* A number, or a text that is one, as the services' clients take it. Integers stay integers. */
static bool read_number(struct line *l, const json_t *v, struct point *p)
{
    double factor = l->word->factor != 0 ? l->word->factor : 1, f;
    int64_t i = json_integer_value(v);
    bool text = json_is_string(v), whole = json_is_integer(v);
    if (text) whole = quantity_integer(json_string_value(v), &i);
    if (whole && (factor == 1 || (factor == -1 && i != INT64_MIN))) {
        p->value_type = METRICS_I64;
        p->value.i = factor == 1 ? i : -i;
        return true;
    }
    if (text && !quantity_float(json_string_value(v), &f))
        return wrong(l, "value is %s, wanted is a finite number", quoted(l, v));
    set_f64(p, (text ? f : json_number_value(v)) * factor);
    return isfinite(p->value.f) || wrong(l, "value is beyond what a double holds");
}

static struct point *another(struct line *l, const struct point *like)
{
    struct point *p = points_add(l->points, like);
    p->item = l->reader->next_item++;
    return p;
}

/* What is said of one of the measurements, in {"hits": "sum"} or in a word for all. */
static const char *said_of(const struct line *l, const char *field, const char *name)
{
    const json_t *v = json_object_get(l->root, field);
    return json_is_object(v) ? json_string_value(json_object_get(v, name)) : json_string_value(v);
}

static bool is_sum(const struct line *l, const char *name)
{
    const char *aggregation = said_of(l, "aggregation", name);
    return aggregation && !strcmp(aggregation, "sum");
}

static bool make_number(struct line *l, const struct point *like, const json_t *v)
{
    struct point p = *like;
    if (!read_number(l, v, &p)) return false;
    if (p.type == POINT_FIELDS) {
        if (!*p.name) return wrong(l, "name is missing: it is what the value is called");
        p.type = is_sum(l, p.name) ? POINT_DELTA : POINT_GAUGE;
    }
    another(l, &p);
    return true;
}

static bool check_numbers(struct line *l, const json_t *list)
{
    json_t *one;
    size_t i;
    if (!json_array_size(list)) return wrong(l, "value is an empty list: give at least one number");
    json_array_foreach((json_t *)(uintptr_t)list, i, one) if (!is_number(one)) return wrong(
        l, "value holds %s, wanted are finite numbers", quoted(l, one));
    return true;
}

static bool make_summary_of_list(struct line *l, const struct point *like, const json_t *list)
{
    struct point *p = another(l, like);
    struct point_summary *s = &p->summary;
    json_t *one;
    size_t i;
    p->type = POINT_SUMMARY;
    json_array_foreach((json_t *)(uintptr_t)list, i, one)
    {
        double v = json_number_value(one);
        s->min = s->count && s->min < v ? s->min : v;
        s->max = s->count && s->max > v ? s->max : v;
        s->sum += v;
        s->sum_squares += v * v;
        s->count++;
    }
    return isfinite(s->sum) || wrong(l, "the sum of the values is beyond what a double holds");
}

static bool make_distribution(struct line *l, const struct point *like, const json_t *list, bool pairs)
{
    size_t n = json_array_size(list);
    metrics_centroid_t *centroids = region_alloc(&l->points->region, n * sizeof *centroids);
    if (!n) return wrong(l, "%s is an empty list: give at least one", pairs ? "centroids" : "value");
    if (!centroids) return wrong(l, "out of memory");
    struct point *p = another(l, like);
    for (size_t i = 0; i < n; i++) {
        const json_t *one = json_array_get(list, i);
        double weight = pairs ? json_number_value(json_array_get(one, 1)) : 1;
        if (weight < 0 || weight != floor(weight) || weight > 9007199254740992.0)
            return wrong(l, "centroids holds %s: a pair is [mean, count], and a count is a whole number",
                         quoted(l, one));
        centroids[i] = (metrics_centroid_t){json_number_value(pairs ? json_array_get(one, 0) : one), weight};
        p->summary.count += (uint64_t)weight;
    }
    p->centroids = centroids;
    p->centroid_count = n;
    return true;
}

static bool make_samples(struct line *l, const struct point *like, const json_t *list)
{
    json_t *one;
    size_t i;
    json_array_foreach((json_t *)(uintptr_t)list, i, one) if (!make_number(l, like, one)) return false;
    return true;
}

static bool make_numbers(struct line *l, const struct point *like, const json_t *list)
{
    if (!check_numbers(l, list)) return false;
    if (like->type == POINT_DISTRIBUTION) return make_distribution(l, like, list, false);
    if (like->type == POINT_SAMPLE) return make_samples(l, like, list);
    return make_summary_of_list(l, like, list);
}

static bool make_set(struct line *l, const struct point *like, const json_t *list)
{
    size_t n = json_array_size(list);
    const char **texts = region_alloc(&l->points->region, (n + 1) * sizeof *texts);
    if (!texts) return wrong(l, "out of memory");
    for (size_t i = 0; i < n; i++) {
        const json_t *one = json_array_get(list, i);
        if (!json_is_string(one) && !is_number(one) && !json_is_boolean(one))
            return wrong(l, "value holds %s, wanted are texts and numbers", quoted(l, one));
        texts[i] = json_is_string(one) ? json_string_value(one) : as_text(l, one);
    }
    struct point *p = another(l, like);
    p->elements = texts;
    p->element_count = n;
    return true;
}

static double number_or_nan(const struct line *l, const char *name)
{
    const json_t *v = json_object_get(l->root, name);
    return v ? json_number_value(v) : NAN;
}

static bool make_summary(struct line *l, const struct point *like)
{
    json_int_t count = json_integer_value(json_object_get(l->root, "count"));
    if (count < 1) return wrong(l, "count is %lld: it begins with 1", (long long)count);
    if (!json_object_get(l->root, "sum")) return wrong(l, "sum is missing: count and sum go together");
    struct point *p = another(l, like);
    p->type = POINT_SUMMARY;
    p->summary = (struct point_summary){.count = (uint64_t)count,
                                        .sum = number_or_nan(l, "sum"),
                                        .min = number_or_nan(l, "min"),
                                        .max = number_or_nan(l, "max"),
                                        .sum_squares = number_or_nan(l, "sum_squares")};
    return true;
}

static bool make_fields(struct line *l, const struct point *like, const json_t *map)
{
    size_t n = json_object_size(map), i = 0;
    struct point_field *fields = region_alloc(&l->points->region, n * sizeof *fields);
    const char *key;
    json_t *value;
    if (!n) return wrong(l, "measurements is empty: give at least one, such as {\"hits\": 12}");
    if (!fields) return wrong(l, "out of memory");
    json_object_foreach((json_t *)(uintptr_t)map, key, value)
    {
        fields[i++] = (struct point_field){key, json_number_value(value), is_sum(l, key)};
    }
    struct point *p = another(l, like);
    p->type = POINT_FIELDS;
    p->fields = fields;
    p->field_count = n;
    return true;
}

/* [[time, value], ...] of one series. */
static bool make_series(struct line *l, const struct point *like, const json_t *list)
{
    json_t *one;
    size_t i;
    if (json_object_get(l->root, "time"))
        return wrong(l, "time stands beside points, each of which has its own: take it out");
    json_array_foreach((json_t *)(uintptr_t)list, i, one)
    {
        const json_t *time = json_array_get(one, 0);
        struct point p = *like;
        struct buf why = {0};
        bool good = instant_number(json_is_integer(time) ? (long double)json_integer_value(time)
                                                         : (long double)json_real_value(time),
                                   &p.time_ns, &why);
        if (!good) wrong(l, "points holds %s: %s", quoted(l, one), buf_text(&why));
        buf_free(&why);
        if (!good || !make_number(l, &p, json_array_get(one, 1))) return false;
    }
    return true;
}

static bool make_instead(struct line *l, const struct point *like, const json_t *instead)
{
    if (json_object_get(l->root, "value"))
        return wrong(l, "value and %s exclude each other: take one of them out", l->word->instead);
    if (!strcmp(l->word->instead, "count")) return make_summary(l, like);
    if (!strcmp(l->word->instead, "centroids")) return make_distribution(l, like, instead, true);
    if (!strcmp(l->word->instead, "points")) return make_series(l, like, instead);
    return make_fields(l, like, instead);
}

/* "a number, or a list of numbers, or centroids": what a type takes. */
static void put_takes(const struct point_word *w, struct buf *out)
{
    const char *before = "";
    if (w->value & POINT_NUMBER) buf_str(out, "a number"), before = ", or ";
    if (w->value & POINT_NUMBERS) buf_printf(out, "%sa list of numbers", before), before = ", or ";
    if (w->value & POINT_ELEMENTS) buf_printf(out, "%sa list of texts and numbers", before), before = ", or ";
    if (w->instead) buf_printf(out, "%s%s%s", before, w->value ? "in its place " : "", w->instead);
}

static bool make_points(struct line *l, const struct point *like)
{
    const json_t *value = json_object_get(l->root, "value");
    const json_t *instead = l->word->instead ? json_object_get(l->root, l->word->instead) : NULL;
    unsigned takes = l->word->value;
    if (instead) return make_instead(l, like, instead);
    if ((takes & POINT_NUMBER) && (json_is_number(value) || json_is_string(value)))
        return make_number(l, like, value);
    if ((takes & POINT_NUMBERS) && json_is_array(value)) return make_numbers(l, like, value);
    if ((takes & POINT_ELEMENTS) && json_is_array(value)) return make_set(l, like, value);
    if (value)
        wrong(l, "value is %s", quoted(l, value));
    else
        wrong(l, takes ? "value is missing" : "%s is missing", l->word->instead);
    wrong(l, "; a %s takes ", l->word->word);
    put_takes(l->word, l->why);
    return false;
}

/* --- A line ------------------------------------------------------------------------------------------------
 */

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
    /* Integers beyond 64 bits are numbers all the same. */
    if (!root && json_error_code(&error) == json_error_numeric_overflow)
        root = json_loadb(text, n, JSON_REJECT_DUPLICATES | JSON_DECODE_INT_AS_REAL, &error);
    if (json_is_object(root)) return root;
    if (root)
        buf_str(why, "this is a list");
    else
        buf_printf(why, "this is no JSON: %s in column %d", error.text, error.column);
    buf_str(why, "; a line is one object, such as {\"name\": \"orders\", \"value\": 12}");
    json_decref(root);
    return NULL;
}

static bool read_line(struct line *l, size_t number)
{
    struct point like = {.line = number, .extra = l->root};
    if (!read_word(l) || !check_fields(l) || !read_name(l, &like) || !read_time(l, &like) ||
        !read_tags(l, &like))
        return false;
    like.type = l->word->type;
    like.source = own_text(l, "source");
    like.unit = own_text(l, "unit");
    return make_points(l, &like);
}

/* A reason quotes what came: cut in the middle of a character, or never one, or one that moves a terminal. */
static void make_printable(struct buf *why)
{
    struct buf clean = {0};
    for (size_t i = 0; i < why->len; i++)
        if ((unsigned char)why->data[i] < ' ' || why->data[i] == 127) why->data[i] = ' ';
    jsonw_utf8(&clean, buf_text(why), why->len);
    buf_free(why);
    *why = clean;
}

static bool add_line(struct point_lines *lines, struct point_reader *reader, const char *text, size_t n,
                     size_t line, struct buf *why)
{
    size_t before = lines->points.n;
    json_t *root = parse(text, n, why);
    if (!root) return false;
    struct line l = {.points = &lines->points, .reader = reader, .root = root, .why = why};
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
    if (!good) make_printable(why);
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

/* --- Help --------------------------------------------------------------------------------------------------
 */

enum { HELP_COLUMN = 18, HELP_WIDTH = 80 };

/* "  name            text", the text wrapped in its column. */
static void help_item(struct buf *out, const char *indent, const char *name, const char *text)
{
    size_t at = strlen(indent) + strlen(name);
    buf_printf(out, "%s%s", indent, name);
    if (at + 1 > HELP_COLUMN) buf_char(out, '\n'), at = 0;
    buf_fill(out, ' ', HELP_COLUMN - at);
    at = HELP_COLUMN;
    while (*text) {
        size_t n = strcspn(text, " ");
        if (at > HELP_COLUMN && at + 1 + n > HELP_WIDTH) {
            buf_char(out, '\n');
            buf_fill(out, ' ', HELP_COLUMN);
            at = HELP_COLUMN;
        } else if (at > HELP_COLUMN) {
            buf_char(out, ' ');
            at++;
        }
        buf_mem(out, text, n);
        at += n;
        text += n + (text[n] == ' ');
    }
    buf_char(out, '\n');
}

static void help_words(const struct backend_points *backend, struct buf *out)
{
    buf_str(out, "Types:\n");
    for (const struct point_word *w = backend->words; w->word; w++) {
        struct buf text = {0};
        buf_printf(&text, "%s; takes ", w->help);
        put_takes(w, &text);
        if (w == backend->words) buf_str(&text, " (the default)");
        help_item(out, "  ", w->word, buf_text(&text));
        buf_free(&text);
    }
}

static void help_own(const struct point_own *own, struct buf *out)
{
    struct buf text = {0};
    buf_printf(&text, "%s: %s", own->help, shape_words(own->shape));
    if (own->choices) {
        buf_str(&text, "; ");
        put_choices(own, &text);
    }
    if (own->words) buf_printf(&text, " (only for: %s)", own->words);
    help_item(out, "  ", own->name, buf_text(&text));
    buf_free(&text);
}

void point_lines_help(const struct backend_points *backend, struct buf *out)
{
    const struct points_by_hand *hand = backend->hand;
    struct buf name = {0};
    buf_str(&name, "what the series is called; must be given");
    if (hand && hand->nameless) buf_printf(&name, ", except with %s", hand->nameless);
    buf_str(out, "Fields:\n");
    help_item(out, "  ", "name", buf_text(&name));
    help_item(out, "  ", "type", "one of those below");
    help_item(out, "  ", "value", "what the type takes");
    help_item(out, "  ", "time",
              "seconds since 1970, with a fraction or without (or milliseconds, microseconds, nanoseconds: "
              "their size tells), or \"2026-01-31T23:59:58.5Z\"");
    help_item(out, "  ", "",
              hand && hand->timed ? "without it, the present time" : "without it, the time of arrival");
    help_item(out, "  ", "tags", "{\"key\": \"value\"}; they win over --tag and the backend's tags");
    for (const struct point_own *o = backend->own; o && o->name; o++) help_own(o, out);
    help_words(backend, out);
    buf_free(&name);
}
