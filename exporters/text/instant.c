/* SPDX-License-Identifier: Apache-2.0 */
#include "instant.h"

#include "quantity.h"

#include <ctype.h>
#include <math.h>
#include <time.h>

#define SECOND UINT64_C(1000000000)

bool instant_number(long double number, uint64_t *ns, struct buf *why)
{
    static const struct unit {
        long double least, end, ns;
    } units[] = {{0, 9.2e9L, 1e9L}, {1e11L, 9.2e12L, 1e6L}, {1e14L, 9.2e15L, 1e3L}, {1e17L, 9.2e18L, 1}};
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (number >= units[i].least && number < units[i].end) {
            *ns = (uint64_t)roundl(number * units[i].ns);
            return true;
        }
    buf_printf(why, "%.0Lf is not a time in seconds, ms, us or ns since 1970", number);
    return false;
}

/* Reads exactly `n` digits; false if there are fewer. */
static bool digits(const char **at, int n, int *out)
{
    for (*out = 0; n; n--, ++*at) {
        if (!isdigit((unsigned char)**at)) return false;
        *out = *out * 10 + (**at - '0');
    }
    return true;
}

static bool sign(const char **at, char wanted)
{
    bool there = **at == wanted;
    *at += there;
    return there;
}

static bool read_date(const char **at, struct tm *t)
{
    static const int days[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool good = digits(at, 4, &t->tm_year) && sign(at, '-') && digits(at, 2, &t->tm_mon) && sign(at, '-') &&
                digits(at, 2, &t->tm_mday);
    if (!good || t->tm_mon < 1 || t->tm_mon > 12) return false;
    bool leap = t->tm_year % 4 == 0 && (t->tm_year % 100 || t->tm_year % 400 == 0);
    if (t->tm_mday < 1 || t->tm_mday > days[t->tm_mon - 1] || (t->tm_mon == 2 && t->tm_mday == 29 && !leap))
        return false;
    t->tm_year -= 1900;
    t->tm_mon--;
    return true;
}

static bool read_clock(const char **at, struct tm *t, uint64_t *fraction)
{
    bool good = digits(at, 2, &t->tm_hour) && sign(at, ':') && digits(at, 2, &t->tm_min);
    *fraction = 0;
    if (good && sign(at, ':')) good = digits(at, 2, &t->tm_sec);
    if (good && (sign(at, '.') || sign(at, ','))) {
        uint64_t place = SECOND / 10;
        good = isdigit((unsigned char)**at);
        for (; isdigit((unsigned char)**at); ++*at, place /= 10) *fraction += (uint64_t)(**at - '0') * place;
    }
    return good && t->tm_hour < 24 && t->tm_min < 60 && t->tm_sec <= 60;
}

/* Seconds east of Greenwich. */
static bool read_zone(const char **at, int64_t *east)
{
    int hours, minutes = 0;
    *east = 0;
    if (sign(at, 'Z') || sign(at, 'z')) return true;
    bool plus = **at == '+';
    if (!plus && **at != '-') return false;
    ++*at;
    if (!digits(at, 2, &hours)) return false;
    if ((sign(at, ':') || **at) && !digits(at, 2, &minutes)) return false;
    *east = (hours * 60 + minutes) * (plus ? 60 : -60);
    return hours < 24 && minutes < 60;
}

bool instant_text(const char *text, uint64_t *ns, struct buf *why)
{
    double number;
    struct tm t = {0};
    uint64_t fraction;
    int64_t east = 0;
    const char *at = text;
    if (quantity_float(text, &number)) return instant_number(number, ns, why);
    bool good = read_date(&at, &t) && (sign(&at, 'T') || sign(&at, 't') || sign(&at, ' ')) &&
                read_clock(&at, &t, &fraction);
    if (good && !*at) {
        buf_printf(why, "\"%s\" has no time zone: end it with Z or an offset such as +01:00", text);
        return false;
    }
    good = good && read_zone(&at, &east) && !*at;
    int64_t seconds = good ? (int64_t)timegm(&t) - east : -1;
    if (!good || seconds < 0 || seconds >= 9200000000) {
        buf_printf(why, "\"%s\" is not a time: write seconds since 1970, or 2026-01-31T23:59:58.5Z", text);
        return false;
    }
    *ns = (uint64_t)seconds * SECOND + fraction;
    return true;
}
