/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: names are kept whole or refused; one series has one key, in whatever order its tags are. */
#include "unit.h"

#include "handle.h"

static struct metrics__key key;

static const char *series(size_t n, const char *const *list)
{
    return metrics__key_series(&key, list, n);
}
#define SERIES(...) \
    series(sizeof((const char *[]){__VA_ARGS__}) / sizeof(char *), (const char *[]){__VA_ARGS__})

/* Breaks if tags in another order make another series. */
UNIT(name, tags_are_sorted)
{
    struct metrics__key first;
    CHECK(SERIES("n", "b", "2", "a", "1", "c", "") == NULL);
    first = key;
    CHECK(SERIES("n", "c", "", "a", "1", "b", "2") == NULL);
    CHECK(first.length == key.length && !memcmp(first.bytes, key.bytes, key.length));
    CHECK(key.length == sizeof "Sn\0a\0001\0b\0002\0c\0" &&
          !memcmp(key.bytes, "Sn\0a\0001\0b\0002\0c\0", key.length));
}

/* Breaks if something that is not a valid name is accepted, or a valid name is refused. */
UNIT(name, what_is_valid)
{
    char longest[METRICS_NAME_MAX + 2], value[METRICS_VALUE_MAX + 2];
    memset(longest, 'x', sizeof longest);
    memset(value, 'v', sizeof value);
    longest[METRICS_NAME_MAX] = value[METRICS_VALUE_MAX] = 0;
    CHECK(SERIES(longest) == NULL);
    CHECK(SERIES("n", "k", value) == NULL);
    CHECK(SERIES("\xe2\x82\xac \"quoted\" {a=b}") == NULL);
    CHECK(SERIES("n", "k", "line\nbreak\ttab") == NULL);
    longest[METRICS_NAME_MAX] = 'x';
    longest[METRICS_NAME_MAX + 1] = 0;
    value[METRICS_VALUE_MAX] = 'v';
    value[METRICS_VALUE_MAX + 1] = 0;
    CHECK(SERIES(longest) != NULL);
    CHECK(SERIES("n", longest, "v") != NULL);
    CHECK(SERIES("n", "k", value) != NULL);
    CHECK(SERIES("") != NULL);
    CHECK(SERIES("n", "", "v") != NULL);
    CHECK(SERIES("n", "k") != NULL);
    CHECK(SERIES("n", "k", "1", "k", "2") != NULL);
    CHECK(SERIES("a\nb") != NULL);
    CHECK(SERIES((const char *)NULL) != NULL);
    CHECK(series(0, NULL) != NULL);
}

/* Breaks if bytes that are not UTF-8 are accepted: overlong forms, surrogates, beyond U+10FFFF, cut off. */
UNIT(name, utf8)
{
    static const char *const bad[] = {"\x80", "\xc0\xaf",  "\xe0\x80\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80",
                                      "\xff", "a\xe2\x82", "\xc3"};
    static const char *const good[] = {"\xc3\xa4", "\xed\x9f\xbf", "\xee\x80\x80", "\xf4\x8f\xbf\xbf"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        CHECK(SERIES(bad[i]) != NULL);
        CHECK(SERIES("n", "k", bad[i]) != NULL);
    }
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) CHECK(SERIES(good[i]) == NULL);
}

/* Breaks if more tags than documented, or a key that does not fit, is cut instead of refused. */
UNIT(name, limits)
{
    const char *list[2 * METRICS_TAGS_MAX + 3] = {"n"};
    char keys[METRICS_TAGS_MAX + 1][8], big[1000];
    for (int i = 0; i <= METRICS_TAGS_MAX; i++) {
        snprintf(keys[i], sizeof keys[i], "k%02d", i);
        list[1 + 2 * i] = keys[i];
        list[2 + 2 * i] = "v";
    }
    CHECK(metrics__key_series(&key, list, 2 * METRICS_TAGS_MAX + 1) == NULL);
    CHECK(metrics__key_series(&key, list, 2 * METRICS_TAGS_MAX + 3) != NULL);
    memset(big, 'x', sizeof big - 1);
    big[sizeof big - 1] = 0;
    for (int i = 0; i < 5; i++) list[2 + 2 * i] = big;
    CHECK(metrics__key_series(&key, list, 11) != NULL);
}

/* Breaks if an overflow series has other tag keys than its family's series. */
UNIT(name, overflow)
{
    struct metrics__key over;
    CHECK(SERIES("n", "city", "nyc", "kind", "") == NULL);
    metrics__key_overflow(&over, &key);
    CHECK(SERIES("n", "city", "_overflow", "kind", "_overflow") == NULL);
    CHECK(over.length == key.length && !memcmp(over.bytes, key.bytes, key.length));
}
