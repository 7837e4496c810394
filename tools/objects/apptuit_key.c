/* SPDX-License-Identifier: Apache-2.0 */
/*
 * apptuit_key.c - the keys under which the service's client keeps metrics in a registry: a name, and its tags as JSON
 * with sorted keys. mtxctl apptuit encode, decode.
 */
#include "apptuit_objects.h"

#include <stdlib.h>
#include <string.h>

static const char blanks[] = " \t\n\r\v\f";

/* The client writes \u00e9 where jansson writes \u00E9: as texts, the keys have to be the same. */
static void lower_escapes(char *text)
{
    for (char *c = text; c && (c = strchr(c, '\\')); c += c[1] == 'u' ? 6 : 2)
        for (int i = 2; c[1] == 'u' && i < 6; i++)
            c[i] = (char)(c[i] >= 'A' && c[i] <= 'F' ? c[i] + 32 : c[i]);
}

char *apptuit_encode(const char *name, const json_t *tags)
{
    struct buf key = {0};
    char *text = json_dumps(tags, JSON_SORT_KEYS | JSON_ENSURE_ASCII);
    lower_escapes(text);
    buf_printf(&key, "%s%s", name, text ? text : "{}");
    free(text);
    return buf_take(&key);
}

/* The text without blanks at both ends. */
static char *trimmed(const char *text, size_t n)
{
    while (n && strchr(blanks, *text)) text++, n--;
    while (n && strchr(blanks, text[n - 1])) n--;
    return strndup(text, n);
}

static bool has_nested(const json_t *tags)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)tags, key,
                        value) if (json_is_object(value) || json_is_array(value)) return true;
    return false;
}

bool apptuit_decode(const char *key, char **name, json_t **tags, struct buf *why)
{
    const char *brace = strchr(key, '{');
    json_error_t error;
    *name = trimmed(key, brace ? (size_t)(brace - key) : strlen(key));
    *tags = brace ? json_loads(brace, 0, &error) : json_object();
    if (!*key)
        buf_str(why, "the key is empty");
    else if (!*tags)
        buf_printf(why, "what follows the name is not one JSON object: %.200s", error.text);
    else if (has_nested(*tags))
        buf_str(why, "the value of a tag is not a text or a number");
    return !why->len;
}
