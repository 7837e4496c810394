/* SPDX-License-Identifier: Apache-2.0 */
/*
 * chouette_record.c - what the collection agent makes of a record, by its documented behaviour (and measured for
 * records that are out of the ordinary).
 */
#include "chouette.h"

#include "quantity.h"

#include <stdlib.h>
#include <string.h>

const char *const chouette_fates[] = {"kills the agent", "poisons its batch", "blocks its window",
                                      "never ages out",  "is dropped",        "good"};

static enum chouette_fate fate(enum chouette_fate f, const char *text, const char **why)
{
    *why = text;
    return f;
}

/* --- Raw metrics --- */

/* Numbers, and true and false, which count as 1 and 0. */
static bool is_numeric(const json_t *v)
{
    return json_is_number(v) || json_is_boolean(v);
}

static enum chouette_fate judge_set(const json_t *value, const char **why)
{
    json_t *one;
    size_t i;
    if (!json_is_array(value)) return fate(CHOUETTE_DROPPED, "the value of a set is not a list", why);
    json_array_foreach((json_t *)(uintptr_t)value, i,
                       one) if (json_is_array(one) ||
                                json_is_object(one)) return fate(CHOUETTE_DROPPED,
                                                                 "the list of a set has lists in it", why);
    return CHOUETTE_GOOD;
}

static enum chouette_fate judge_value(const json_t *record, const char **why)
{
    static const char *const summed[] = {"count", "rate", "histogram"};
    const char *type = json_string_value(json_object_get(record, "type"));
    const json_t *value = json_object_get(record, "value");
    for (size_t i = 0; type && i < sizeof summed / sizeof *summed; i++)
        if (!strcmp(type, summed[i]))
            return is_numeric(value) ? CHOUETTE_GOOD
                                     : fate(CHOUETTE_KILLS, "its value cannot be added up", why);
    if (type && !strcmp(type, "set")) return judge_set(value, why);
    if (type && !strcmp(type, "gauge")) return CHOUETTE_GOOD;
    return fate(CHOUETTE_DROPPED, "its type is not one of count, gauge, rate, set, histogram", why);
}

static enum chouette_fate judge_time(const json_t *record, double score, const char **why)
{
    const json_t *time = json_object_get(record, "timestamp");
    double number;
    if (json_is_true(time)) return fate(CHOUETTE_BLOCKS, "its timestamp is true", why);
    if (json_is_string(time))
        return quantity_float(json_string_value(time), &number)
                   ? fate(CHOUETTE_KILLS, "its timestamp is a text, which cannot be compared with a number",
                          why)
                   : fate(CHOUETTE_BLOCKS, "its timestamp is not a number", why);
    if (json_is_array(time) || json_is_object(time))
        return fate(CHOUETTE_BLOCKS, "its timestamp is not a number", why);
    if (json_number_value(time) > 1e11) return fate(CHOUETTE_STAYS, "its timestamp is not in seconds", why);
    if (score < 0) return fate(CHOUETTE_STAYS, "its score is negative", why);
    if (score > 1e11) return fate(CHOUETTE_STAYS, "its score is not in seconds", why);
    return CHOUETTE_GOOD;
}

static enum chouette_fate judge_raw(const json_t *record, double score, const char **why)
{
    static const char *const members[] = {"metric", "type", "value", "timestamp"};
    static const char *const missing[] = {"it has no metric", "it has no type", "it has no value",
                                          "it has no timestamp"};
    for (size_t i = 0; i < sizeof members / sizeof *members; i++)
        if (!json_object_get(record, members[i])) return fate(CHOUETTE_DROPPED, missing[i], why);
    enum chouette_fate value = judge_value(record, why);
    if (value != CHOUETTE_GOOD) return value;
    return judge_time(record, score, why);
}

/* --- Logs --- */

static enum chouette_fate judge_log(const json_t *record, const char **why)
{
    const json_t *tags = json_object_get(record, "ddtags");
    json_t *one;
    size_t i;
    if (tags && !json_is_array(tags)) return fate(CHOUETTE_KILLS, "its ddtags are not a list", why);
    json_array_foreach((json_t *)(uintptr_t)tags, i, one) if (!json_is_string(one)) return fate(
        CHOUETTE_KILLS, "its ddtags are not all texts", why);
    return CHOUETTE_GOOD;
}

/* --- The bytes --- */

/* The agent's parser takes NaN and the infinities, which JSON lacks: each becomes a 0 here. True if there was one. */
static bool replace_constants(char *text, size_t n)
{
    static const char *const words[] = {"-Infinity", "Infinity", "NaN"};
    bool inside = false, found = false;
    for (size_t i = 0; i < n; i++) {
        if (inside && text[i] == '\\')
            i++;
        else if (text[i] == '"')
            inside = !inside;
        for (size_t w = 0; !inside && w < sizeof words / sizeof *words; w++) {
            size_t m = strlen(words[w]);
            if (i + m > n || strncmp(text + i, words[w], m)) continue;
            memset(text + i, ' ', m);
            text[i] = '0';
            found = true;
        }
    }
    return found;
}

static bool is_utf8(const char *text, size_t n)
{
    json_t *copy = json_stringn(text, n);
    json_decref(copy);
    return copy != NULL;
}

/* The object in a record; NULL with its fate. */
static json_t *read_record(enum chouette_queue queue, const char *text, size_t n, enum chouette_fate *f,
                           const char **why)
{
    json_error_t error = {.position = 0};
    char *copy = malloc(n + 1);
    if (copy) memcpy(copy, text, n);
    bool constants = copy && replace_constants(copy, n);
    size_t bom = n >= 3 && !memcmp(text, "\xef\xbb\xbf", 3) ? 3 : 0;
    /* Integers of any size are fine there; a real number that is too large is infinity. */
    const size_t flags = JSON_DECODE_ANY | JSON_ALLOW_NUL | JSON_DECODE_INT_AS_REAL;
    json_t *record = copy ? json_loadb(copy + bom, n - bom, flags, &error) : NULL;
    free(copy);
    if (!record)
        *f = json_error_code(&error) == json_error_numeric_overflow
                 ? fate(CHOUETTE_POISONS, "it has a number that is out of range", why)
                 : fate(CHOUETTE_DROPPED, "it is not JSON", why);
    else if (!json_is_object(record))
        *f = fate(queue == CHOUETTE_LOGS ? CHOUETTE_KILLS : CHOUETTE_DROPPED, "it is not an object", why);
    else
        *f = constants ? fate(CHOUETTE_POISONS, "it has NaN or an infinity, which is not JSON", why)
                       : CHOUETTE_GOOD;
    if (*f == CHOUETTE_GOOD) return record;
    json_decref(record);
    return NULL;
}

enum chouette_fate chouette_judge(enum chouette_queue queue, const char *text, size_t n, double score,
                                  const char **why)
{
    enum chouette_fate f;
    if (!text || !n) return fate(CHOUETTE_DROPPED, "there is no value under its key", why);
    if (!is_utf8(text, n)) return fate(CHOUETTE_KILLS, "it is not UTF-8", why);
    json_t *record = read_record(queue, text, n, &f, why);
    if (!record) return f;
    if (queue == CHOUETTE_RAW) f = judge_raw(record, score, why);
    if (queue == CHOUETTE_LOGS) f = judge_log(record, why);
    json_decref(record);
    return f;
}
