/* SPDX-License-Identifier: Apache-2.0 */
#include "walk.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"

/* A decoder of its own, so that the library's is not asked about itself (RFC 3629, section 4). */
int walk_is_utf8(const char *text, size_t n)
{
    const unsigned char *s = (const unsigned char *)text;
    for (size_t i = 0; i < n;) {
        unsigned c = s[i++], more = c < 0x80 ? 0 : c >= 0xf0 ? 3 : c >= 0xe0 ? 2 : 1, least;
        if (c >= 0x80 && (c < 0xc2 || c > 0xf4)) return 0;
        uint32_t point = more == 3 ? c & 7 : more == 2 ? c & 15 : more ? c & 31 : c;
        for (unsigned k = 0; k < more; k++) {
            if (i >= n || (s[i] & 0xc0) != 0x80) return 0;
            point = point << 6 | (s[i++] & 0x3f);
        }
        least = more == 3 ? 0x10000 : more == 2 ? 0x800 : more ? 0x80 : 0;
        if (point < least || point > 0x10ffff || (point >= 0xd800 && point < 0xe000)) return 0;
    }
    return 1;
}

static void walk_names(const metrics_reading_t *r)
{
    size_t n;
    const metrics_tag_t *tags = metrics_reading_tags(r, &n);
    const char *name = metrics_reading_name(r);
    FUZZ_HOLDS(name[0] && walk_is_utf8(name, strlen(name)), "a name is some text in UTF-8");
    for (size_t i = 0; i < n; i++) {
        FUZZ_HOLDS(walk_is_utf8(tags[i].key, strlen(tags[i].key)), "a tag's key is UTF-8");
        FUZZ_HOLDS(walk_is_utf8(tags[i].value, strlen(tags[i].value)), "a tag's value is UTF-8");
        FUZZ_HOLDS(!i || strcmp(tags[i - 1].key, tags[i].key) < 0, "tags are sorted, each there once");
    }
    const char *unit = metrics_reading_unit(r), *help = metrics_reading_help(r);
    FUZZ_HOLDS(walk_is_utf8(unit, strlen(unit)) && walk_is_utf8(help, strlen(help)),
               "unit and help are UTF-8");
    metrics_reading_kind(r);
    metrics_reading_start(r);
}

static void walk_rows(const metrics_reading_t *r, const metrics_reading_t *base,
                      const metrics_row_options_t *options)
{
    static metrics_row_t rows[4096];
    size_t n = metrics_reading_rows(r, base, options, rows, 4096);
    uint64_t below = 0, count = 0;
    bool buckets = false;
    char suffix[24];
    for (size_t i = 0; i < n && i < 4096; i++) {
        FUZZ_HOLDS(rows[i].reading == r, "a row knows its reading");
        FUZZ_HOLDS(!isnan(metrics_row_number(&rows[i])) || rows[i].nature == METRICS_DISTRIBUTION,
                   "no row is NaN");
        if (!options) metrics_row_suffix(&rows[i], suffix, sizeof suffix);
        if (rows[i].attribute == METRICS_COUNT) count = rows[i].value.u;
        if (rows[i].nature == METRICS_BUCKET) below = rows[i].value.u;
        buckets |= rows[i].nature == METRICS_BUCKET;
    }
    bool lifetime = !options || options->totals == METRICS_LIFETIME;
    FUZZ_HOLDS(!buckets || !lifetime || below == count, "buckets add up to the count");
}

static void walk_distribution(const metrics_reading_t *r, const metrics_reading_t *base)
{
    static metrics_bucket_t room[1024];
    metrics_distribution_t d;
    if (metrics_reading_distribution(r, base, room, 1024, &d)) return;
    double last = -INFINITY;
    for (size_t i = 0; i < d.centroid_count; i++) {
        FUZZ_HOLDS(d.centroids[i].mean >= last && d.centroids[i].weight > 0,
                   "centroids are sorted and weigh");
        last = d.centroids[i].mean;
    }
    for (size_t i = 0; i < d.bucket_count; i++)
        FUZZ_HOLDS(d.buckets[i].lower < d.buckets[i].upper, "a bucket has a width");
}

void walk_snapshot(const metrics_snapshot_t *s, const metrics_snapshot_t *base)
{
    static const double quantiles[] = {0, 1e-9, 0.5, 0.999, 1};
    const metrics_row_options_t all = {.size = sizeof all,
                                       .attributes = METRICS_ATTR(METRICS_ATTRIBUTE_COUNT) - 1,
                                       .quantiles = quantiles,
                                       .quantile_count = 5};
    const metrics_row_options_t interval = {.size = sizeof interval,
                                            .attributes = METRICS_ATTR(METRICS_ATTRIBUTE_COUNT) - 1,
                                            .totals = METRICS_INTERVAL,
                                            .sampled = METRICS_INTERVAL,
                                            .empty_zero = 1};
    for (size_t i = 0; i < metrics_snapshot_count(s); i++) {
        const metrics_reading_t *r = metrics_snapshot_reading(s, i);
        const metrics_reading_t *before = base ? metrics_snapshot_find(base, r) : NULL;
        size_t n;
        walk_names(r);
        walk_rows(r, NULL, NULL);
        walk_rows(r, before, &all);
        walk_rows(r, before, &interval);
        walk_distribution(r, before);
        metrics_reading_elements(r, &n);
        FUZZ_HOLDS(n <= 256, "a small set is small");
    }
}

void walk_bytes(const metrics_snapshot_t *s)
{
    void *bytes = NULL, *again = NULL;
    size_t n, n_again;
    metrics_error_t error;
    if (metrics_snapshot_encode(s, &bytes, &n, &error)) return;
    metrics_snapshot_t *back = metrics_snapshot_decode(bytes, n, &error);
    FUZZ_HOLDS(back, "what was encoded can be decoded");
    FUZZ_HOLDS(metrics_snapshot_count(back) == metrics_snapshot_count(s), "no reading is lost on the way");
    FUZZ_HOLDS(!metrics_snapshot_encode(back, &again, &n_again, &error), "and encoded again");
    FUZZ_HOLDS(n == n_again && !memcmp(bytes, again, n), "to the same bytes");
    metrics_snapshot_t *both = metrics_snapshot_merge(back, s, &error);
    if (both) walk_snapshot(both, s);
    metrics_snapshot_release(&both);
    metrics_snapshot_release(&back);
    free(bytes);
    free(again);
}
