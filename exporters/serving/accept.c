/* SPDX-License-Identifier: Apache-2.0 */
#include "accept.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* A piece of the header, without blanks at its ends. */
struct accept_span {
    const char *at;
    size_t n;
};

/* Takes the next piece up to `sep`; false at the end.
 * Quoted strings do not occur in the forms that we have. */
static bool accept_split(const char **rest, char sep, struct accept_span *piece)
{
    if (!*rest) return false;
    const char *end = strchr(*rest, sep);
    struct accept_span p = {*rest, end ? (size_t)(end - *rest) : strlen(*rest)};
    *rest = end ? end + 1 : NULL;
    while (p.n && isspace((unsigned char)*p.at)) p.at++, p.n--;
    while (p.n && isspace((unsigned char)p.at[p.n - 1])) p.n--;
    *piece = p;
    return true;
}

static bool accept_same(struct accept_span a, struct accept_span b)
{
    return a.n == b.n && !strncasecmp(a.at, b.at, a.n);
}

/* The value of the parameter `name` (`; name=value`) of a type or range; n = 0 if there is none. */
static struct accept_span accept_parameter(struct accept_span type, const char *name)
{
    size_t len = strlen(name);
    const char *at = memchr(type.at, ';', type.n), *end = type.at + type.n;
    while (at && at < end) {
        at++;
        while (at < end && isspace((unsigned char)*at)) at++;
        const char *stop = memchr(at, ';', (size_t)(end - at));
        if (!stop) stop = end;
        if ((size_t)(stop - at) > len && !strncasecmp(at, name, len) && at[len] == '=') {
            struct accept_span value = {at + len + 1, (size_t)(stop - at) - len - 1};
            while (value.n && isspace((unsigned char)value.at[value.n - 1])) value.n--;
            return value;
        }
        at = stop;
    }
    return (struct accept_span){NULL, 0};
}

/* The part before the parameters. */
static struct accept_span accept_bare(struct accept_span type)
{
    const char *end = memchr(type.at, ';', type.n);
    struct accept_span bare = {type.at, end ? (size_t)(end - type.at) : type.n};
    while (bare.n && isspace((unsigned char)bare.at[bare.n - 1])) bare.n--;
    return bare;
}

/* q in thousandths: 1000 if not given, 0 if not a number.
 * The grammar knows only the dot, so strtod is no help. */
static int accept_q(struct accept_span range)
{
    struct accept_span q = accept_parameter(range, "q");
    int value = 0, unit = 100;
    if (!q.at) return 1000;
    if (!q.n || (q.at[0] != '0' && q.at[0] != '1')) return 0;
    if (q.n > 1 && q.at[1] != '.') return 0;
    for (size_t i = 2; i < q.n && i < 5; i++, unit /= 10) {
        if (!isdigit((unsigned char)q.at[i])) return 0;
        value += (q.at[i] - '0') * unit;
    }
    return q.at[0] == '1' ? 1000 : value;
}

/* How specific the range is for the type: 0 does not match,
 * 1 any type, 2 any subtype, 3 the name, 4 also the version. */
static int accept_exactness(struct accept_span range, struct accept_span type)
{
    struct accept_span want = accept_bare(range), have = accept_bare(type);
    struct accept_span wanted = accept_parameter(range, "version"),
                       version = accept_parameter(type, "version");
    if (want.n == 3 && !memcmp(want.at, "*/*", 3)) return 1;
    if (want.n > 2 && !memcmp(want.at + want.n - 2, "/*", 2))
        return have.n >= want.n && !strncasecmp(want.at, have.at, want.n - 1) ? 2 : 0;
    if (!accept_same(want, have)) return 0;
    if (!wanted.at) return 3;
    return accept_same(wanted, version) ? 4 : 0;
}

/* What the header says about one media type, by the most specific range that matches. */
struct accept_score {
    int exactness, q;
    size_t place;
};

static struct accept_score accept_score(const char *header, const char *media)
{
    struct accept_score best = {0, 0, 0};
    struct accept_span range, type = {media, strlen(media)};
    for (size_t place = 0; accept_split(&header, ',', &range); place++) {
        int exactness = accept_exactness(range, type);
        if (exactness > best.exactness) best = (struct accept_score){exactness, accept_q(range), place};
    }
    return best;
}

static bool accept_better(struct accept_score a, struct accept_score b)
{
    if (a.q != b.q) return a.q > b.q;
    if (a.exactness != b.exactness) return a.exactness > b.exactness;
    return a.place < b.place;
}

size_t accept_choose(const char *header, const char *const *media, size_t n)
{
    size_t choice = 0;
    if (!header) return 0;
    struct accept_score best = accept_score(header, media[0]);
    for (size_t i = 1; i < n; i++) {
        struct accept_score score = accept_score(header, media[i]);
        if (!score.q || !accept_better(score, best)) continue;
        best = score;
        choice = i;
    }
    return choice;
}

bool accept_coding(const char *header, const char *coding)
{
    struct accept_span item, name = {coding, strlen(coding)};
    int any = -1, own = -1, plain = 0;
    while (accept_split(&header, ',', &item)) {
        struct accept_span bare = accept_bare(item);
        if (own < 0 && accept_same(bare, name)) own = accept_q(item);
        if (accept_same(bare, (struct accept_span){"*", 1})) any = accept_q(item);
        if (accept_same(bare, (struct accept_span){"identity", 8})) plain = accept_q(item);
    }
    int q = own < 0 ? any : own;
    return q > 0 && q >= plain;
}
