/* SPDX-License-Identifier: Apache-2.0 */
#include "otel_env.h"

#include "printable.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

static int otel_hex(char c)
{
    if (isdigit((unsigned char)c)) return c - '0';
    c = (char)tolower((unsigned char)c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Decodes %41 in place; false if a % is followed by anything else, or a NUL would appear. */
static bool otel_decode(char *text)
{
    char *to = text;
    for (; *text; text++) {
        if (*text != '%') {
            *to++ = *text;
            continue;
        }
        int high = otel_hex(text[1]), low = high < 0 ? -1 : otel_hex(text[2]);
        if (low < 0 || high + low == 0) return false;
        *to++ = (char)(high * 16 + low);
        text += 2;
    }
    *to = '\0';
    return true;
}

/* Cuts the blanks at both ends. */
static char *otel_trim(char *text)
{
    text += strspn(text, " \t");
    for (size_t n = strlen(text); n && strchr(" \t", text[n - 1]); n--) text[n - 1] = '\0';
    return text;
}

/* Reads "k=v,k2=v2" into `tags`; false if there is a mistake. Changes `text`. */
static bool otel_list(struct option_tags *tags, char *text)
{
    struct buf why = {0};
    bool good = true;
    for (char *rest = text, *pair; good && (pair = strsep(&rest, ","));) {
        char *value = strchr(pair = otel_trim(pair), '=');
        if (!*pair && !rest) break;
        good = value != NULL;
        if (!good) break;
        *value++ = '\0';
        char *key = otel_trim(pair);
        value = otel_trim(value);
        good = otel_decode(key) && otel_decode(value) && option_tags_add(tags, key, value, &why);
    }
    buf_free(&why);
    return good;
}

static void otel_ignored(const char *name, const char *value, const char *what, struct buf *warnings)
{
    struct buf quote = {0};
    printable(&quote, value, strlen(value));
    buf_printf(warnings, "%s is ignored: \"%s\" %s\n", name, buf_text(&quote), what);
    buf_free(&quote);
}

/* False if the value cannot be one of a tag. */
static bool otel_add(struct option_tags *tags, const char *key, const char *value)
{
    struct buf why = {0};
    bool good = option_tag_value(tags, key) || option_tags_add(tags, key, value, &why);
    buf_free(&why);
    return good;
}

void otel_env_tags(struct option_tags *tags, expand_env_fn *env, struct buf *warnings)
{
    struct option_tags listed = {0};
    const char *service = env("OTEL_SERVICE_NAME"), *list = env("OTEL_RESOURCE_ATTRIBUTES");
    char *copy = list && *list ? strdup(list) : NULL;
    if (service && *service && !otel_add(tags, "service.name", service))
        otel_ignored("OTEL_SERVICE_NAME", service, "is not UTF-8, or has control characters", warnings);
    if (copy && otel_list(&listed, copy))
        for (size_t i = 0; i < listed.n; i++) otel_add(tags, listed.items[i].key, listed.items[i].value);
    else if (copy)
        otel_ignored("OTEL_RESOURCE_ATTRIBUTES", list, "is not k=v,k2=v2 in UTF-8", warnings);
    option_tags_free(&listed);
    free(copy);
}
