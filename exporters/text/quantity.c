/* SPDX-License-Identifier: Apache-2.0 */
#include "quantity.h"

#include <errno.h>
#include <locale.h>
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct quantity_unit {
    const char *name;
    double factor;
};
static const struct quantity_unit quantity_times[] = {{"ns", 1},   {"us", 1e3},   {"ms", 1e6},    {"s", 1e9},
                                                      {"m", 60e9}, {"h", 3600e9}, {"d", 86400e9}, {NULL, 0}};
static const struct quantity_unit quantity_sizes[] = {
    {"B", 1},    {"KiB", 1024}, {"MiB", 1048576}, {"GiB", 1073741824}, {"TiB", 1099511627776},
    {"kB", 1e3}, {"MB", 1e6},   {"GB", 1e9},      {"TB", 1e12},        {NULL, 0}};

/* strtod() reads the locale's decimal sign; the C locale's is the dot. */
static locale_t quantity_locale;
static void quantity_locale_make(void)
{
    quantity_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
}

/* Reads the decimal number at the start of `text`; returns the text after it, or NULL if there is none. */
static const char *quantity_number(const char *text, double *out)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, quantity_locale_make);
    size_t digits = strspn(text, "+-.0123456789");
    if (!digits || strspn(text, "+-") > 1 || !strpbrk(text, "0123456789")) return NULL;
    if (text[digits] == 'x' || text[digits] == 'X') return NULL;
    char *end;
    double v = quantity_locale ? strtod_l(text, &end, quantity_locale) : strtod(text, &end);
    if (end == text || !isfinite(v)) return NULL;
    *out = v;
    return end;
}

bool quantity_float(const char *text, double *out)
{
    double v;
    const char *end = quantity_number(text, &v);
    if (!end || *end) return false;
    *out = v;
    return true;
}

bool quantity_integer(const char *text, int64_t *out)
{
    size_t sign = *text == '-' || *text == '+';
    if (!text[sign] || text[sign + strspn(text + sign, "0123456789")]) return false;
    errno = 0;
    long long v = strtoll(text, NULL, 10);
    if (errno) return false;
    *out = v;
    return true;
}

bool quantity_whole(const char *text, uint64_t *out)
{
    size_t sign = *text == '+';
    if (!text[sign] || text[sign + strspn(text + sign, "0123456789")]) return false;
    errno = 0;
    unsigned long long v = strtoull(text, NULL, 10);
    if (errno) return false;
    *out = v;
    return true;
}

static bool quantity_unit(const char *text, const struct quantity_unit *units, uint64_t *out)
{
    double v;
    const char *unit = quantity_number(text, &v);
    if (!unit || v < 0) return false;
    if (!*unit && v == 0) return *out = 0, true;
    unit += strspn(unit, " ");
    while (units->name && strcmp(units->name, unit)) units++;
    if (!units->name || v * units->factor >= 0x1p63) return false;
    *out = (uint64_t)llround(v * units->factor);
    return true;
}

bool quantity_duration(const char *text, uint64_t *out)
{
    return quantity_unit(text, quantity_times, out);
}

bool quantity_size(const char *text, uint64_t *out)
{
    return quantity_unit(text, quantity_sizes, out);
}
