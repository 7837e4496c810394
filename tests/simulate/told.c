/* SPDX-License-Identifier: Apache-2.0 */
#include "told.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool no(const char **why, const char *text)
{
    *why = text;
    return false;
}

static struct told *told_add(struct told_list *list, const char *name)
{
    if (list->n == TOLD_MOST || !name) return NULL;
    struct told *t = &list->at[list->n++];
    memset(t, 0, sizeof *t);
    snprintf(t->name, sizeof t->name, "%s", name);
    return t;
}

/* Cuts what the protocol puts behind the name. */
static bool told_cut(struct told *t, const char *tail)
{
    size_t n = strlen(t->name), m = strlen(tail);
    if (n <= m || strcmp(t->name + n - m, tail)) return false;
    t->name[n - m] = '\0';
    return true;
}

/* --- Anodot, protocol 2.0 --- */

static bool anodot_point(const json_t *p, struct told_list *list, const char **why)
{
    const json_t *properties = json_object_get(p, "properties"), *value = json_object_get(p, "value"),
                 *time = json_object_get(p, "timestamp");
    const char *type = json_string_value(json_object_get(properties, "target_type"));
    struct told *t = told_add(list, json_string_value(json_object_get(properties, "what")));
    if (!t || !type || !json_is_real(value) || !json_is_integer(time))
        return no(why, "a sample lacks something");
    t->nature = strcmp(type, "counter") ? TOLD_LEVEL : TOLD_DELTA;
    t->value = json_real_value(value);
    t->time = (uint64_t)json_integer_value(time);
    return true;
}

static bool read_array(const json_t *array, struct told_list *list, const char **why,
                       bool (*point)(const json_t *, struct told_list *, const char **))
{
    bool good = json_array_size(array) > 0 || no(why, "no array with something in it");
    for (size_t i = 0; good && i < json_array_size(array); i++)
        good = point(json_array_get(array, i), list, why);
    return good;
}

static bool anodot_read(const char *body, size_t n, struct told_list *list, const char **why)
{
    json_t *root = json_loadb(body, n, 0, NULL);
    bool good = read_array(root, list, why, anodot_point);
    json_decref(root);
    return good;
}

static const char *anodot_partly(size_t index)
{
    static char text[128];
    snprintf(text, sizeof text,
             "{\"errors\":[{\"error\":\"2008\",\"description\":\"empty\",\"index\":\"%zu\"}]}", index);
    return text;
}

const struct told_protocol told_anodot20 = {"anodot20",        "token: x", true,        "/api/v1/metrics",
                                            "{\"errors\":[]}", 200,        anodot_read, anodot_partly};

/* --- Librato, measurements --- */

static bool librato_point(const json_t *p, struct told_list *list, const char **why)
{
    const json_t *sum = json_object_get(p, "sum"), *value = json_object_get(p, "value"),
                 *time = json_object_get(p, "time");
    struct told *t = told_add(list, json_string_value(json_object_get(p, "name")));
    if (!t || !json_is_number(sum ? sum : value) || !json_is_integer(time))
        return no(why, "a measurement lacks something");
    t->nature = sum ? TOLD_DELTA : TOLD_LEVEL;
    t->value = json_number_value(sum ? sum : value);
    t->time = (uint64_t)json_integer_value(time);
    return true;
}

static bool librato_read(const char *body, size_t n, struct told_list *list, const char **why)
{
    json_t *root = json_loadb(body, n, 0, NULL);
    bool good = read_array(json_object_get(root, "measurements"), list, why, librato_point);
    json_decref(root);
    return good;
}

const struct told_protocol told_librato = {"librato",
                                           "user: me, token: x",
                                           true,
                                           "/v1/measurements",
                                           "{\"measurements\":{\"summary\":{\"total\":1}}}",
                                           202,
                                           librato_read,
                                           NULL};

/* --- Apptuit: running totals --- */

static bool apptuit_point(const json_t *p, struct told_list *list, const char **why)
{
    const json_t *value = json_object_get(p, "value"), *time = json_object_get(p, "timestamp"),
                 *tags = json_object_get(p, "tags");
    struct told *t = told_add(list, json_string_value(json_object_get(p, "metric")));
    if (!t || !json_is_real(value) || !json_is_integer(time) || !json_object_size(tags))
        return no(why, "a point lacks something");
    t->nature = told_cut(t, "_count") ? TOLD_TOTAL : TOLD_LEVEL;
    if (t->nature == TOLD_LEVEL) told_cut(t, "_value");
    t->replaced = json_object_get(tags, "mtx_segment") != NULL;
    t->value = json_real_value(value);
    t->time = (uint64_t)json_integer_value(time);
    return true;
}

static bool apptuit_read(const char *body, size_t n, struct told_list *list, const char **why)
{
    json_t *root = json_loadb(body, n, 0, NULL);
    bool good = read_array(root, list, why, apptuit_point);
    json_decref(root);
    return good;
}

const struct told_protocol told_apptuit = {
    "apptuit", "token: x, compression: none", false, "/api/put", "", 200, apptuit_read, NULL};

/* --- Wavefront, lines --- */

static bool wavefront_line(const char *line, struct told_list *list, const char **why)
{
    static const char delta[] = "\u2206";
    char name[64];
    double value;
    unsigned long time;
    if (sscanf(line, "\"%63[^\"]\" %lf %lu source=", name, &value, &time) != 3)
        return no(why, "a line that is none");
    bool added = !strncmp(name, delta, sizeof delta - 1);
    struct told *t = told_add(list, added ? name + sizeof delta - 1 : name);
    if (!t) return no(why, "too many lines");
    t->nature = added ? TOLD_DELTA : TOLD_LEVEL;
    if (added) told_cut(t, ".count");
    t->replaced = strstr(line, "mtx_segment") != NULL;
    t->value = value;
    t->time = time;
    return true;
}

static bool wavefront_read(const char *body, size_t n, struct told_list *list, const char **why)
{
    char *copy = strndup(body, n), *rest = copy, *line;
    bool good = copy != NULL;
    while (good && (line = strsep(&rest, "\n")))
        if (*line) good = wavefront_line(line, list, why);
    free(copy);
    return good;
}

const struct told_protocol told_wavefront = {
    "wavefront",
    "token: x, counters: delta, distributions: [], compression: none",
    true,
    "/report",
    "",
    202,
    wavefront_read,
    NULL};
