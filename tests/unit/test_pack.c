/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: a snapshot survives the way through bytes unchanged; other bytes are refused. */
#include "unit.h"

#include <sys/resource.h>
#include <zlib.h>

#include "leader.h"
#include "reading.h"
#include "testing.h"

static metrics_snapshot_t *sample(void)
{
    static const double bounds[] = {1, 10};
    metrics_registry_t *r = test_open(NULL);
    metrics_family_t f = {.size = sizeof f, .unit = "bytes", .help = "what it is"};
    metrics_describe(r, "h", &f, NULL);
    f = (metrics_family_t){
        .size = sizeof f, .reservoir = METRICS_BUCKETS, .bounds = bounds, .bound_count = 2};
    metrics_describe(r, "b", &f, NULL);
    f = (metrics_family_t){.size = sizeof f, .merge = METRICS_MERGE_ALL};
    metrics_describe(r, "all", &f, NULL);
    for (int i = 0; i < 5000; i++)
        metrics_histogram_update(metrics_histogram(r, "h", "k", "v\n\"x"), i * 0.37);
    for (int i = 0; i < 20; i++) metrics_histogram_update(metrics_histogram(r, "b"), i);
    metrics_timer_update(metrics_timer(r, "t"), 12345);
    metrics_gauge_set(metrics_gauge(r, "all"), -1.25);
    metrics_set_add(metrics_set(r, "s"), "x", 1);
    metrics_updown_dec(metrics_updown(r, "u"));
    metrics_counter_add(metrics_counter(r, "c"), UINT64_MAX);
    metrics_meter_mark(metrics_meter(r, "m"), 3);
    metrics_info(r, "i", "a", "b");
    metrics_reader_options_t o = test_clock();
    metrics_leader_t *l = metrics_leader_acquire(test_path, &o, NULL);
    test_ns += UINT64_C(7000000000);
    metrics_leader_tick(l);
    metrics_snapshot_t *s = metrics_leader_sample(l, NULL);
    metrics_leader_release(&l);
    return s;
}

static size_t rows_of(const metrics_reading_t *r, metrics_row_t *rows)
{
    metrics_row_options_t o = {.size = sizeof o, .attributes = UINT32_MAX, .sampled = METRICS_INTERVAL};
    return metrics_reading_rows(r, NULL, &o, rows, 256);
}

static void check_same(const metrics_snapshot_t *a, const metrics_snapshot_t *b)
{
    CHECK(!memcmp(metrics_snapshot_header(a), metrics_snapshot_header(b), sizeof(metrics_snapshot_header_t)));
    REQUIRE(metrics_snapshot_count(a) == metrics_snapshot_count(b));
    for (size_t i = 0; i < metrics_snapshot_count(a); i++) {
        const metrics_reading_t *x = metrics_snapshot_reading(a, i), *y = metrics_snapshot_reading(b, i);
        metrics_row_t p[256], q[256];
        size_t n = rows_of(x, p);
        CHECK_STR(metrics_reading_name(y), metrics_reading_name(x));
        CHECK_STR(metrics_reading_unit(y), metrics_reading_unit(x));
        CHECK_STR(metrics_reading_help(y), metrics_reading_help(x));
        CHECK_EQ_U64(metrics_reading_start(y), metrics_reading_start(x));
        CHECK(metrics_snapshot_find(b, x) == y);
        REQUIRE(rows_of(y, q) == n);
        for (size_t k = 0; k < n; k++) {
            CHECK_EQ_U64(q[k].value.u, p[k].value.u); /* bit for bit */
            CHECK(q[k].attribute == p[k].attribute && q[k].nature == p[k].nature &&
                  q[k].worker == p[k].worker);
            CHECK(q[k].parameter == p[k].parameter);
        }
    }
}

/* Breaks if any value, text or distribution is changed by
 * the way through bytes, or encoding is not repeatable. */
UNIT(pack, round_trip)
{
    metrics_snapshot_t *s = sample();
    void *bytes = NULL, *again = NULL;
    size_t n = 0, m = 0;
    REQUIRE(s && !metrics_snapshot_encode(s, &bytes, &n, NULL));
    metrics_snapshot_t *back = metrics_snapshot_decode(bytes, n, NULL);
    REQUIRE(back != NULL);
    check_same(s, back);
    REQUIRE(!metrics_snapshot_encode(back, &again, &m, NULL));
    CHECK(n == m && !memcmp(bytes, again, n));
    free(bytes);
    free(again);
    metrics_snapshot_release(&back);
    metrics_snapshot_release(&s);
}

/*
 * Each byte of the encoded snapshot gets each other value (or each that differs by one bit). What is refused says why. What is not has the same content:
 * some bytes of a deflate stream can be others and mean the same (a match may be at another distance where the same
 * bytes are, and bits that pad mean nothing). Adler-32 does not see all the rest; the checksum of the content does.
 */
static void check_damage(metrics_snapshot_t *s, bool all)
{
    void *bytes = NULL, *again = NULL;
    size_t n = 0, m = 0, accepted = 0;
    metrics_error_t error;
    REQUIRE(s && !metrics_snapshot_encode(s, &bytes, &n, NULL));
    unsigned char *copy = malloc(n);
    memcpy(copy, bytes, n);
    for (size_t i = 0; i < n; i++) {
        for (unsigned value = 1; value < 256; value = all ? value + 1 : value * 2) {
            copy[i] = (unsigned char)(((unsigned char *)bytes)[i] ^ value);
            error.text[0] = '\0';
            metrics_snapshot_t *back = metrics_snapshot_decode(copy, n, &error);
            if (!back && error.text[0]) continue;
            REQUIRE(back && !metrics_snapshot_encode(back, &again, &m, NULL));
            if (m != n || memcmp(bytes, again, n)) UNIT_FAIL("byte %zu ^ 0x%02x: other content\n", i, value);
            free(again);
            metrics_snapshot_release(&back);
            accepted++;
        }
        copy[i] = ((unsigned char *)bytes)[i];
        CHECK(metrics_snapshot_decode(bytes, i, &error) == NULL);
    }
    CHECK(accepted < n / 2);
    free(copy);
    free(bytes);
    metrics_snapshot_release(&s);
}

static metrics_snapshot_t *everything(void);

/* Breaks if damaged bytes crash the decoder, hang it, make it allocate what they claim, or are believed. */
UNIT(pack, damaged_bytes)
{
    check_damage(sample(), false);
    metrics_snapshot_t *s = everything();
    s->header.wall_ns =
        7; /* then Adler-32 lets byte 486 ^ 0x8c pass (zlib 1.2.13), which changes the content */
    check_damage(s, true);
}

/* Breaks if merging two intervals loses an extreme, a sample or a count of the older one. */
UNIT(pack, merge)
{
    metrics_registry_t *r = test_open(NULL);
    metrics_histogram_t *h = metrics_histogram(r, "h");
    metrics_set_t *set = metrics_set(r, "s");
    metrics_reader_options_t clock = test_clock();
    metrics_leader_t *l = metrics_leader_acquire(test_path, &clock, NULL);
    metrics_snapshot_t *s[2];
    for (int i = 0; i < 2; i++) {
        metrics_histogram_update(h, i ? 10 : 1000);
        metrics_histogram_update(h, i ? 20 : 2000);
        metrics_set_add(set, "both", 4);
        metrics_set_add(set, i ? "b" : "a", 1);
        test_ns += UINT64_C(10000000000);
        s[i] = metrics_leader_sample(l, NULL);
        metrics_leader_logged(l, s[i]);
    }
    metrics_snapshot_t *both = metrics_snapshot_merge(s[0], s[1], NULL);
    metrics_row_options_t o = {.size = sizeof o, .sampled = METRICS_INTERVAL};
    REQUIRE(both != NULL);
    const metrics_reading_t *m = test_find(both, "h", NULL);
    CHECK_NEAR(test_number(m, NULL, &o, "count"), 4, 0);
    CHECK_NEAR(test_number(m, NULL, &o, "min"), 10, 1e-6);
    CHECK_NEAR(test_number(m, NULL, &o, "max"), 2000, 1e-6);
    CHECK_NEAR(test_number(test_find(both, "s", NULL), NULL, &o, "value"), 3, 0);
    CHECK_NEAR((double)metrics_snapshot_header(both)->interval_ns, 2e10, 1e9);
    metrics_snapshot_release(&both);
    metrics_snapshot_release(&s[0]);
    metrics_snapshot_release(&s[1]);
    metrics_leader_release(&l);
}

/* --- Hand-made readings --- */

static void check_sample(const struct metrics__sample_read *a, const struct metrics__sample_read *b)
{
    CHECK(a->present == b->present && a->has_stddev == b->has_stddev && a->values == b->values);
    CHECK(!memcmp(&a->min, &b->min, sizeof(double[4]))); /* min, max, mean, stddev */
    REQUIRE(a->centroid_count == b->centroid_count);
    CHECK(!memcmp(a->centroids, b->centroids, a->centroid_count * sizeof *a->centroids));
}

static struct metrics__sample_read any_sample(bool has_stddev, size_t centroids)
{
    static metrics_centroid_t c[] = {{-0.0, 0x1p-1074}, {0.1, 3}, {1e308, 1e300}};
    return (struct metrics__sample_read){true,      has_stddev, -0.0, 1e308,    0.1,
                                         0x1p-1074, UINT64_MAX, c,    centroids};
}

static struct metrics__distribution_read *any_distribution(struct metrics__pool *pool)
{
    static metrics_bucket_t buckets[] = {{-(double)INFINITY, 0.1, 7},
                                         {0.1, (double)INFINITY, UINT64_MAX - 8}};
    struct metrics__distribution_read *d = metrics__distribution_new(pool);
    *d = (struct metrics__distribution_read){.rates = {{0.1, 0x1p-1074, 3}, 0.3},
                                             .sum = -0.0,
                                             .squares = (double)INFINITY,
                                             .ignored = UINT64_MAX,
                                             .recent = any_sample(true, 3),
                                             .interval = any_sample(false, 2),
                                             .has_extremes = true,
                                             .interval_min = -0.0,
                                             .interval_max = (double)INFINITY,
                                             .buckets = buckets,
                                             .bucket_count = 2,
                                             .scale = 5};
    return d;
}

/* A snapshot of one series of each kind that has more than a count, all of it of the unusual sort. */
static metrics_snapshot_t *everything(void)
{
    static const char *const names[][5] = {
        {"gauge", "a", "", "b", "x"}, {"meter"}, {"set"}, {"timer", "a", "", "b", "x"}};
    static const unsigned kinds[] = {KIND_gauge, KIND_meter, KIND_set, KIND_timer};
    static uint64_t elements[] = {1, 0xffffffffffff};
    metrics_snapshot_t *s = metrics__snapshot_new(4);
    s->header = (metrics_snapshot_header_t){1, 2, 3, 4, 5, 6, 7, 1, 8, 9};
    for (size_t i = 0; i < 4; i++) {
        struct metrics__series_read *series = metrics__series_new(
            &s->pool, names[i], names[i][1] ? 5 : 1,
            metrics__family_like(&s->pool, NULL, "u", "h\"\n", UINT64_MAX - 2, METRICS_MERGE_ALL));
        series->identity = UINT64_MAX - i;
        series->created = 1 + i;
        series->kind = (uint8_t)kinds[i];
        s->readings[s->count++] = (struct metrics_reading){.series = series, .count = UINT64_MAX - 1};
    }
    struct metrics__gauge_read *g = s->readings[0].more.gauge =
        metrics__pool_take(&s->pool, sizeof *g + 2 * sizeof *g->levels);
    g->levels[g->count++] = (struct metrics__level){-1, -0.0};
    g->levels[g->count++] = (struct metrics__level){4095, (double)INFINITY};
    s->readings[1].more.rates = metrics__pool_take(&s->pool, sizeof(struct metrics__rates_read));
    *s->readings[1].more.rates = (struct metrics__rates_read){{0.1, 0x1p-1074, 3}, NAN};
    s->readings[2].more.set = metrics__pool_take(&s->pool, sizeof(struct metrics__set_read));
    *s->readings[2].more.set = (struct metrics__set_read){0.1, true, 2, elements};
    s->readings[3].more.distribution = any_distribution(&s->pool);
    return s;
}

static void check_series(const struct metrics__series_read *a, const struct metrics__series_read *b)
{
    CHECK(!metrics__series_compare(a, b) && a->tag_count == b->tag_count);
    CHECK_STR(b->family->unit, a->family->unit);
    CHECK_STR(b->family->help, a->family->help);
    CHECK(a->identity == b->identity && a->kind == b->kind && a->family->merge == b->family->merge);
    CHECK(a->created == b->created && a->family->wall_base == b->family->wall_base);
}

/* Breaks if any field of a reading changes by a bit, or the
 * distribution does not point at the decoded arrays. */
UNIT(pack, every_field)
{
    metrics_snapshot_t *s = everything();
    void *bytes = NULL;
    size_t n = 0;
    REQUIRE(!metrics_snapshot_encode(s, &bytes, &n, NULL));
    metrics_snapshot_t *back = metrics_snapshot_decode(bytes, n, NULL);
    REQUIRE(back != NULL && back->count == 4);
    CHECK(!memcmp(&s->header, &back->header, sizeof s->header));
    for (size_t i = 0; i < 4; i++) {
        check_series(s->readings[i].series, back->readings[i].series);
        CHECK(s->readings[i].count == back->readings[i].count);
    }
    const struct metrics__gauge_read *g = metrics__gauge_of(&back->readings[0]);
    CHECK(g->count == 2 && !memcmp(g->levels, s->readings[0].more.gauge->levels, 2 * sizeof *g->levels));
    const struct metrics__rates_read *m = metrics__rates_of(&back->readings[1]);
    CHECK(!memcmp(m->ewma, s->readings[1].more.rates->ewma, sizeof m->ewma) && isnan(m->mean));
    const struct metrics__set_read *set = metrics__set_of(&back->readings[2]);
    CHECK(set->exact && set->distinct == 0.1 && set->element_count == 2);
    CHECK(!memcmp(set->elements, s->readings[2].more.set->elements, 2 * sizeof *set->elements));
    const struct metrics__distribution_read *a = s->readings[3].more.distribution,
                                            *b = metrics__distribution_of(&back->readings[3]);
    CHECK(!memcmp(&a->rates, &b->rates, sizeof a->rates) && !memcmp(&a->sum, &b->sum, sizeof(double[2])));
    CHECK(a->ignored == b->ignored && a->scale == b->scale && b->has_extremes);
    CHECK(signbit(b->interval_min) && b->interval_max == a->interval_max);
    check_sample(&a->recent, &b->recent);
    check_sample(&a->interval, &b->interval);
    CHECK(!memcmp(a->buckets, b->buckets, sizeof *a->buckets * 2) && b->bucket_count == 2);
    CHECK(b->whole.buckets == b->buckets && b->whole.bucket_count == 2 && b->whole.scale == 5);
    CHECK(b->whole.centroids == b->recent.centroids && b->whole.centroid_count == 3);
    CHECK(b->whole.count == UINT64_MAX - 1 && !memcmp(&b->whole.sum, &a->sum, sizeof a->sum));
    free(bytes);
    metrics_snapshot_release(&back);
    metrics_snapshot_release(&s);
}

/* --- Hostile streams: zlib is content, what is inside is not --- */

struct stream {
    unsigned char bytes[4096];
    size_t n;
};

static void add(struct stream *s, const char *bytes, size_t n)
{
    memcpy(s->bytes + s->n, bytes, n);
    s->n += n;
}
#define ADD(S, TEXT) add(S, TEXT, sizeof(TEXT) - 1)

/* Deflate, give it a prefix that claims `length`, decode. NULL = refused, and said why. */
static metrics_snapshot_t *decode_raw(const void *raw, size_t n, uint64_t length)
{
    metrics_error_t error = {0};
    uLongf room = compressBound(n);
    unsigned char *out = malloc(16 + room);
    memcpy(out, "mtxsnap1", 8);
    memcpy(out + 8, &length, 8);
    compress2(out + 16, &room, raw, n, 9);
    metrics_snapshot_t *s = metrics_snapshot_decode(out, 16 + room, &error);
    CHECK(s || (error.code && error.text[0]));
    free(out);
    return s;
}

static bool is_refused(const struct stream *s)
{
    metrics_snapshot_t *got = decode_raw(s->bytes, s->n, s->n);
    bool refused = got == NULL;
    if (got) metrics_snapshot_release(&got);
    return refused;
}

/* A stream of one reading, "n" of kind 5 and these further pairs. */
static struct stream one_reading(unsigned pairs, const char *bytes, size_t n)
{
    struct stream s = {.n = 0};
    ADD(&s, "\x81\xa8readings\x01");
    s.bytes[s.n++] = (unsigned char)(0x82 + pairs);
    ADD(&s, "\xa4name\xa1n\xa4kind\x05");
    add(&s, bytes, n);
    return s;
}

/* Breaks if a wrong type, a number out of range or a second key of the same name is believed. */
UNIT(pack, wrong_content)
{
#define CASE(PAIRS, BYTES)              \
    {                                   \
        PAIRS, BYTES, sizeof(BYTES) - 1 \
    }
    static const struct {
        unsigned pairs;
        const char *bytes;
        size_t n;
    } cases[] = {
        CASE(1, "\xa5"
                "count\xa1x"),
        CASE(1, "\xa5"
                "count\xff"),
        CASE(1, "\xa3sum\x01"),
        CASE(1, "\xa3sum\xcb\x7f\xf8\0\0\0\0\0\0"),
        CASE(1, "\xa4tags\x91\xa1"
                "a"),
        CASE(1, "\xa4tags\x94\xa1"
                "b\xa0\xa1"
                "a\xa0"),
        CASE(1, "\xa4tags\x92\xa0\xa0"),
        CASE(1, "\xa4tags\x92\xa2"
                "a\0\xa0"),
        CASE(2, "\xa4tags\x92\xa1"
                "a\xa1"
                "b\xa4tags\x91\xc0"),
        CASE(1, "\xa4kind\xcd\x01\x05"),
        CASE(1, "\xa4kind\x63"),
        CASE(1, "\xa5merge\x06"),
        CASE(1, "\xa5scale\xce\x80\0\0\0"),
        CASE(1, "\xa5scale\xce\xff\xff\xff\xff"),
        CASE(1, "\xa8"
                "elements\xc4\x08\0\0\0\0\0\0\0\x01"),
        CASE(1, "\xa8"
                "elements\xc4\x07\0\0\0\0\0\0\0"),
        CASE(1, "\xa6levels\xc4\x10\0\0\0\0\0\0\0\0\0\0\0\0\0\0\xf8\x7f"),
        CASE(1, "\xa7"
                "buckets\xc4\x18\0\0\0\0\0\0\0\0\0\0\0\0\0\0\xf0\x3f\0\0\0\0\0\0\0\0"),
        CASE(1, "\xa6recent\x91\x01"),
        CASE(1, "\xa6recent\x97\x01\x01\xc0\xc0\xc0\xc0\xc4\0"),
        CASE(1, "\xa4name\x01"),
        CASE(1, "\xa4name\xa0"),
        CASE(1, "\xa5rates\xc4\x08\0\0\0\0\0\0\0\0"),
        CASE(1, "\xa1x\xc7\0\x01"),
        CASE(1, "\xa1x\xc1"),
        CASE(0, "\xc0"),
        CASE(1, ""),
    };
    struct stream good = one_reading(2,
                                     "\xa5"
                                     "count\x05\xa1?\x93\xc0\xc2\xca\0\0\0\0",
                                     17);
    CHECK(!is_refused(&good)); /* an unknown key is skipped */
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct stream s = one_reading(cases[i].pairs, cases[i].bytes, cases[i].n);
        if (!is_refused(&s)) UNIT_FAIL("%s:%d: case %zu was believed\n", UNIT_AT, i);
    }
}

/* Breaks if a second list of tags leaves the count of the first: tags that are not there would be read. */
UNIT(pack, tags_twice)
{
    static const char pairs[] = "\xa4tags\x94\xa1"
                                "a\xa1x\xa1"
                                "b\xa1y\xa4tags\x92\xa1"
                                "c\xa1z";
    struct stream s = one_reading(2, pairs, sizeof pairs - 1);
    metrics_snapshot_t *got = decode_raw(s.bytes, s.n, s.n);
    REQUIRE(got != NULL);
    CHECK_EQ_U64(got->readings[0].series->tag_count, 1);
    CHECK_STR(got->readings[0].series->tags[0].key, "c");
    metrics_snapshot_release(&got);
}

/* Breaks if readings out of order, twice, too few or too many are believed. */
UNIT(pack, order_and_number)
{
    static const char *const names[] = {"ab", "ba", "aa"};
    for (int i = 0; i < 3; i++)
        for (char said = 1; said <= 3; said++) {
            struct stream s = {.n = 0};
            ADD(&s, "\x81\xa8readings");
            add(&s, &said, 1);
            for (int k = 0; k < 2; k++) {
                ADD(&s, "\x82\xa4name\xa1");
                add(&s, &names[i][k], 1);
                ADD(&s, "\xa4kind\x01");
            }
            CHECK_EQ_I64(is_refused(&s), !(i == 0 && said == 2));
        }
}

/* Breaks if claims are believed before they are checked: counts, depth, lengths, number of readings. */
UNIT(pack, bombs)
{
    static const char *const containers[] = {"\xdd\xff\xff\xff\xff", "\xdf\xff\xff\xff\xff",
                                             "\xdb\xff\xff\xff\xff", "\xc6\xff\xff\xff\xff",
                                             "\xde\xff\xff",         "\xdc\xff\xff"};
    static const size_t sizes[] = {5, 5, 5, 5, 3, 3};
    for (size_t i = 0; i < 6; i++) {
        struct stream s = {.n = 0};
        add(&s, containers[i], sizes[i]);
        CHECK(is_refused(&s));
    }
    struct stream deep = {.n = 0};
    for (int i = 0; i < 4000; i++) add(&deep, "\x91", 1);
    add(&deep, "\xc0", 1);
    CHECK(is_refused(&deep));
    struct stream many = {.n = 0};
    ADD(&many, "\x81\xa8readings\xcf\xff\xff\xff\xff\xff\xff\xff\xff");
    CHECK(is_refused(&many));
    CHECK(decode_raw("\x80", 1, UINT64_MAX) == NULL);
    CHECK(decode_raw("\x80", 1, UINT64_C(1) << 30) == NULL);
    CHECK(decode_raw("\x80", 1, 2) == NULL);
    CHECK(decode_raw("\x80\x80", 2, 1) == NULL);
    /* 8 MiB of nothing, from 8 KiB: as one array, as maps. Unpacked it would be 200 MB and more. */
    struct rusage before, after;
    size_t n = 8 << 20;
    unsigned char *raw = calloc(1, n);
    getrusage(RUSAGE_SELF, &before);
    memcpy(raw, "\xdd\x00\x7f\xff\xfb", 5);
    CHECK(decode_raw(raw, n, n) == NULL);
    memset(raw, 0x80, n);
    CHECK(decode_raw(raw, n, n) == NULL);
    getrusage(RUSAGE_SELF, &after);
    CHECK(after.ru_maxrss - before.ru_maxrss < 128 << 10); /* KiB */
    free(raw);
}

/* Breaks if bytes behind the snapshot go unnoticed. */
UNIT(pack, trailing_bytes)
{
    metrics_snapshot_t *s = metrics__snapshot_new(0), *back;
    void *bytes = NULL;
    size_t n = 0;
    metrics_error_t error = {0};
    REQUIRE(s && !metrics_snapshot_encode(s, &bytes, &n, NULL));
    bytes = realloc(bytes, n + 1);
    ((char *)bytes)[n] = 0;
    CHECK((back = metrics_snapshot_decode(bytes, n, &error)) != NULL);
    if (back) metrics_snapshot_release(&back);
    CHECK(metrics_snapshot_decode(bytes, n + 1, &error) == NULL);
    CHECK_EQ_I64(error.code, METRICS_E_FORMAT);
    free(bytes);
    metrics_snapshot_release(&s);
}

/* Makes the checksum right again, so that what the change did is looked at. */
static void set_crc(unsigned char *raw, size_t n)
{
    memset(raw + 6, 0, 4);
    uint32_t crc = (uint32_t)crc32(0, raw, (uInt)n);
    for (int i = 0; i < 4; i++) raw[6 + i] = (unsigned char)(crc >> (24 - 8 * i));
}

/* Breaks if some change of the inflated stream crashes the decoder or a walk through what it accepted. */
UNIT(pack, mutated_streams)
{
    metrics_snapshot_t *s = sample();
    void *bytes = NULL;
    size_t n = 0;
    uint64_t length, seed = 99;
    REQUIRE(s && !metrics_snapshot_encode(s, &bytes, &n, NULL));
    memcpy(&length, (char *)bytes + 8, 8);
    unsigned char *raw = malloc(length), *copy = malloc(length);
    uLongf got = length;
    REQUIRE(uncompress(raw, &got, (unsigned char *)bytes + 16, n - 16) == Z_OK);
    for (int round = 0; round < 4000; round++) {
        memcpy(copy, raw, length);
        for (int k = 0; k < 1 + round % 3; k++) {
            seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407u;
            copy[(seed >> 33) % length] = (unsigned char)(seed >> 20);
        }
        set_crc(copy, length);
        metrics_snapshot_t *back = decode_raw(copy, length, length);
        for (size_t i = 0; back && i < back->count; i++) {
            metrics_row_t rows[256];
            rows_of(&back->readings[i], rows);
        }
        metrics_snapshot_t *both = back ? metrics_snapshot_merge(back, back, NULL) : NULL;
        if (both) metrics_snapshot_release(&both);
        if (back) metrics_snapshot_release(&back);
    }
    free(raw);
    free(copy);
    free(bytes);
    metrics_snapshot_release(&s);
}

/* Breaks if the largest doubles make a snapshot that cannot be read back. */
UNIT(pack, largest_values)
{
    metrics_registry_t *r = test_open(NULL);
    metrics_reader_options_t clock = test_clock();
    metrics_leader_t *l = metrics_leader_acquire(test_path, &clock, NULL);
    for (int i = 0; i < 4; i++)
        metrics_histogram_update(metrics_histogram(r, "h"),
                                 i % 2 ? 0x1.fffffffffffffp1023 : -0x1.fffffffffffffp1023);
    metrics_gauge_set(metrics_gauge(r, "g"), -(double)INFINITY);
    test_ns += UINT64_C(10000000000);
    metrics_snapshot_t *s = metrics_leader_sample(l, NULL);
    void *bytes = NULL;
    size_t n = 0;
    metrics_error_t error = {0};
    REQUIRE(s && !metrics_snapshot_encode(s, &bytes, &n, NULL));
    metrics_snapshot_t *back = metrics_snapshot_decode(bytes, n, &error);
    CHECK_STR(error.text, "");
    REQUIRE(back != NULL);
    CHECK_EQ_U64(back->count, s->count);
    free(bytes);
    metrics_snapshot_release(&back);
    metrics_snapshot_release(&s);
    metrics_leader_release(&l);
}
