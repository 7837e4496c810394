/* SPDX-License-Identifier: Apache-2.0 */
/* name.c - names and tags: what is valid, and the bytes that identify a series. */
#include <stdio.h>
#include <string.h>

#include "handle.h"
#include "text.h"

static const char *check_text(const char *text, size_t longest, bool value)
{
    if (!text) return "a name or tag is NULL";
    return metrics__text_wrong(text, strnlen(text, longest + 1), value);
}

static bool append(struct metrics__key *key, const char *text)
{
    size_t n = strlen(text) + 1;
    if (n > sizeof key->bytes - key->length) return false;
    memcpy(key->bytes + key->length, text, n);
    key->length += n;
    return true;
}

bool metrics__key_raw(struct metrics__key *key, unsigned char first, const char *const *list, size_t n)
{
    key->bytes[0] = first;
    key->length = 1;
    for (size_t i = 0; i < n; i++)
        if (!list[i] || !append(key, list[i])) return false;
    return true;
}

const char *metrics__key_series(struct metrics__key *key, const char *const *list, size_t n)
{
    const char *sorted[2 * METRICS_TAGS_MAX + 1], *wrong;
    if (n == 0) return "there is no name";
    if (n % 2 == 0) return "a tag key has no value";
    if (n > sizeof sorted / sizeof *sorted) return "there are more than 32 tags";
    if ((wrong = check_text(list[0], METRICS_NAME_MAX, false))) return wrong;
    sorted[0] = list[0];
    for (size_t i = 1; i < n; i += 2) {
        if ((wrong = check_text(list[i], METRICS_NAME_MAX, false))) return wrong;
        if ((wrong = check_text(list[i + 1], METRICS_VALUE_MAX, true))) return wrong;
        size_t at = i;
        for (; at > 1 && strcmp(sorted[at - 2], list[i]) > 0; at -= 2) {
            sorted[at] = sorted[at - 2];
            sorted[at + 1] = sorted[at - 1];
        }
        if (at > 1 && !strcmp(sorted[at - 2], list[i])) return "a tag key appears twice";
        sorted[at] = list[i];
        sorted[at + 1] = list[i + 1];
    }
    return metrics__key_raw(key, 'S', sorted, n) ? NULL : "name and tags together are longer than 4096 bytes";
}

size_t metrics__key_list(const struct metrics__key *key, const char **list)
{
    size_t n = 0;
    if (key->length < 3 || key->bytes[key->length - 1]) return 0;
    for (size_t at = 1; at < key->length && n <= 2 * METRICS_TAGS_MAX; at += strlen(list[n++]) + 1)
        list[n] = (const char *)key->bytes + at;
    return n;
}

void metrics__key_overflow(struct metrics__key *key, const struct metrics__key *series)
{
    const char *list[2 * METRICS_TAGS_MAX + 1];
    size_t n = metrics__key_list(series, list);
    for (size_t i = 2; i < n; i += 2) list[i] = "_overflow";
    metrics__key_raw(key, 'S', list, n);
}

const char *metrics__key_family(struct metrics__key *key, const char *name)
{
    const char *wrong = check_text(name, METRICS_NAME_MAX, false);
    if (!wrong) metrics__key_raw(key, 'F', &name, 1);
    return wrong;
}

void metrics__name_text(char *out, size_t n, const char *const *list, size_t count)
{
    size_t at = 0;
    out[0] = 0;
    for (size_t i = 0; i < count && at < n; i++) {
        const char *before = i == 0 ? "" : i == 1 ? "{" : i % 2 ? "," : "=";
        int wrote = snprintf(out + at, n - at, "%s%.*s", before, 200, list[i] ? list[i] : "(null)");
        at += wrote > 0 ? (size_t)wrote : 0;
    }
    if (count > 1 && at + 1 < n) snprintf(out + at, n - at, "}");
}
