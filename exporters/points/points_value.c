/* SPDX-License-Identifier: Apache-2.0 */
/* points_value.c - points by hand: from the value of a line, or what is given in its place, to points. */
#include "points_line_inside.h"

#include "instant.h"
#include "quantity.h"

#include <math.h>
#include <string.h>

static void set_f64(struct point *p, double v)
{
    p->value_type = METRICS_F64;
    p->value.f = v;
}

/* A number, or a string that is one, as the services' clients accept it. Integers stay integers. */
static bool read_number(struct point_line *l, const json_t *v, struct point *p)
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
    uint64_t u;
    if (text && factor == 1 && quantity_whole(json_string_value(v), &u)) {
        p->value_type = METRICS_U64;
        p->value.u = u;
        return true;
    }
    if (text && !quantity_float(json_string_value(v), &f))
        return point_line_wrong(l, "value is %s, expected a finite number", point_line_quoted(l, v));
    set_f64(p, (text ? f : json_number_value(v)) * factor);
    return isfinite(p->value.f) || point_line_wrong(l, "value is too large for a double");
}

static struct point *another(struct point_line *l, const struct point *like)
{
    struct point *p = points_add(l->points, like);
    p->item = l->reader->next_item++;
    return p;
}

/* The word for one of the measurements: {"hits": "sum"}, or one word for all. */
static const char *said_of(const struct point_line *l, const char *field, const char *name)
{
    const json_t *v = json_object_get(l->root, field);
    return json_is_object(v) ? json_string_value(json_object_get(v, name)) : json_string_value(v);
}

static bool is_sum(const struct point_line *l, const char *name)
{
    const char *aggregation = said_of(l, "aggregation", name);
    return aggregation && !strcmp(aggregation, "sum");
}

static bool make_number(struct point_line *l, const struct point *like, const json_t *v)
{
    struct point p = *like;
    if (!read_number(l, v, &p)) return false;
    if (p.type == POINT_FIELDS) {
        if (!*p.name) return point_line_wrong(l, "name is missing: it is what the value is called");
        p.type = is_sum(l, p.name) ? POINT_DELTA : POINT_GAUGE;
    }
    another(l, &p);
    return true;
}

static bool check_numbers(struct point_line *l, const json_t *list)
{
    json_t *one;
    size_t i;
    if (!json_array_size(list))
        return point_line_wrong(l, "value is an empty list: give at least one number");
    json_array_foreach((json_t *)(uintptr_t)list, i, one) if (
        !point_line_is_number(one)) return point_line_wrong(l, "value contains %s, expected finite numbers",
                                                            point_line_quoted(l, one));
    return true;
}

static bool make_summary_of_list(struct point_line *l, const struct point *like, const json_t *list)
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
    return isfinite(s->sum) || point_line_wrong(l, "the sum of the values is too large for a double");
}

static bool make_distribution(struct point_line *l, const struct point *like, const json_t *list, bool pairs)
{
    size_t n = json_array_size(list);
    metrics_centroid_t *centroids = region_alloc(&l->points->region, n * sizeof *centroids);
    if (!n)
        return point_line_wrong(l, "%s is an empty list: give at least one", pairs ? "centroids" : "value");
    if (!centroids) return point_line_wrong(l, "out of memory");
    struct point *p = another(l, like);
    for (size_t i = 0; i < n; i++) {
        const json_t *one = json_array_get(list, i);
        double weight = pairs ? json_number_value(json_array_get(one, 1)) : 1;
        if (weight < 0 || weight != floor(weight) || weight > 9007199254740992.0)
            return point_line_wrong(
                l, "centroids contains %s: a pair is [mean, count], and a count is a whole number",
                point_line_quoted(l, one));
        centroids[i] = (metrics_centroid_t){json_number_value(pairs ? json_array_get(one, 0) : one), weight};
        p->summary.count += (uint64_t)weight;
    }
    p->centroids = centroids;
    p->centroid_count = n;
    return true;
}

static bool make_samples(struct point_line *l, const struct point *like, const json_t *list)
{
    json_t *one;
    size_t i;
    json_array_foreach((json_t *)(uintptr_t)list, i, one) if (!make_number(l, like, one)) return false;
    return true;
}

static bool make_numbers(struct point_line *l, const struct point *like, const json_t *list)
{
    if (!check_numbers(l, list)) return false;
    if (like->type == POINT_DISTRIBUTION) return make_distribution(l, like, list, false);
    if (like->type == POINT_SAMPLE) return make_samples(l, like, list);
    return make_summary_of_list(l, like, list);
}

static bool make_set(struct point_line *l, const struct point *like, const json_t *list)
{
    size_t n = json_array_size(list);
    const char **texts = region_alloc(&l->points->region, (n + 1) * sizeof *texts);
    if (!texts) return point_line_wrong(l, "out of memory");
    for (size_t i = 0; i < n; i++) {
        const json_t *one = json_array_get(list, i);
        if (!json_is_string(one) && !point_line_is_number(one) && !json_is_boolean(one))
            return point_line_wrong(l, "value contains %s, expected strings and numbers",
                                    point_line_quoted(l, one));
        texts[i] = json_is_string(one) ? json_string_value(one) : point_line_as_text(l, one);
    }
    struct point *p = another(l, like);
    p->elements = texts;
    p->element_count = n;
    return true;
}

static double number_or_nan(const struct point_line *l, const char *name)
{
    const json_t *v = json_object_get(l->root, name);
    return v ? json_number_value(v) : NAN;
}

static bool make_summary(struct point_line *l, const struct point *like)
{
    json_int_t count = json_integer_value(json_object_get(l->root, "count"));
    if (count < 1) return point_line_wrong(l, "count is %lld, expected at least 1", (long long)count);
    if (!json_object_get(l->root, "sum"))
        return point_line_wrong(l, "sum is missing: count and sum go together");
    struct point *p = another(l, like);
    p->type = POINT_SUMMARY;
    p->summary = (struct point_summary){.count = (uint64_t)count,
                                        .sum = number_or_nan(l, "sum"),
                                        .min = number_or_nan(l, "min"),
                                        .max = number_or_nan(l, "max"),
                                        .sum_squares = number_or_nan(l, "sum_squares")};
    return true;
}

static bool make_fields(struct point_line *l, const struct point *like, const json_t *map)
{
    size_t n = json_object_size(map), i = 0;
    struct point_field *fields = region_alloc(&l->points->region, n * sizeof *fields);
    const char *key;
    json_t *value;
    if (!n) return point_line_wrong(l, "measurements is empty: give at least one, such as {\"hits\": 12}");
    if (!fields) return point_line_wrong(l, "out of memory");
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
static bool make_series(struct point_line *l, const struct point *like, const json_t *list)
{
    json_t *one;
    size_t i;
    if (json_object_get(l->root, "time"))
        return point_line_wrong(l, "time cannot be given with points, which have their own times: remove it");
    json_array_foreach((json_t *)(uintptr_t)list, i, one)
    {
        const json_t *time = json_array_get(one, 0);
        struct point p = *like;
        struct buf why = {0};
        bool good = instant_number(json_is_integer(time) ? (long double)json_integer_value(time)
                                                         : (long double)json_real_value(time),
                                   &p.time_ns, &why);
        if (!good) point_line_wrong(l, "points contains %s: %s", point_line_quoted(l, one), buf_text(&why));
        buf_free(&why);
        if (!good || !make_number(l, &p, json_array_get(one, 1))) return false;
    }
    return true;
}

static bool make_instead(struct point_line *l, const struct point *like, const json_t *instead)
{
    if (json_object_get(l->root, "value"))
        return point_line_wrong(l, "value and %s exclude each other: remove one of them", l->word->instead);
    if (!strcmp(l->word->instead, "count")) return make_summary(l, like);
    if (!strcmp(l->word->instead, "centroids")) return make_distribution(l, like, instead, true);
    if (!strcmp(l->word->instead, "points")) return make_series(l, like, instead);
    return make_fields(l, like, instead);
}

bool point_line_make_points(struct point_line *l, const struct point *like)
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
        point_line_wrong(l, "value is %s", point_line_quoted(l, value));
    else
        point_line_wrong(l, takes ? "value is missing" : "%s is missing", l->word->instead);
    point_line_wrong(l, "; a %s takes ", l->word->word);
    point_put_takes(l->word, l->why);
    return false;
}
