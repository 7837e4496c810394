/* SPDX-License-Identifier: Apache-2.0 */
#include "../fixture.h"
#include "../session.h"

/* A distribution has at most 200 centroids, its counts add up, and it reaches from the smallest to the
 * largest value, however many buckets there are. */
UNIT(out_wavefront, many_buckets)
{
    struct fixture f;
    struct buf lines = {0};
    fixture_open(&f);
    metrics_describe(f.registry, "size",
                     &(metrics_family_t){.size = sizeof(metrics_family_t),
                                         .reservoir = METRICS_BUCKETS_EXPONENTIAL,
                                         .scale = 5,
                                         .low = 0.1,
                                         .high = 100000},
                     NULL);
    double sum = 0, weighted = 0, mean = 0, first = 0;
    for (int i = 1; i <= 4000; i++) {
        metrics_histogram_update(metrics_histogram(f.registry, "size"), i * 0.25);
        sum += i * 0.25;
    }
    metrics_snapshot_t *s = fixture_sample(&f, 10);
    session_encode(s, "backends: [{type: wavefront, url: 'http://127.0.0.1:1', token: t, include: [size]}]",
                   &lines);
    metrics_snapshot_release(&s);
    const char *at = strstr(buf_text(&lines), "!M ");
    REQUIRE(at);
    uint64_t n = 0, total = 0;
    for (const char *end = strchr(at, '\n'); (at = strchr(at, '#')) && at < end; n++) {
        char *rest;
        uint64_t count = strtoull(at + 1, &rest, 10);
        mean = strtod(rest, &rest);
        if (!n) first = mean;
        weighted += mean * (double)count;
        total += count;
        at = rest;
    }
    CHECK(n > 100 && n <= 200);
    CHECK_EQ_U64(total, 4000);
    CHECK(fabs(weighted - sum) < 0.01 * sum);
    CHECK(first < 0.6 && mean > 960 && mean < 1040);
    buf_free(&lines);
    fixture_close(&f);
}

/* Two series whose tags differ late in a long value never become one: what is too long is left out. */
UNIT(out_wavefront, nothing_is_cut)
{
    struct fixture f;
    struct buf lines = {0};
    char value[2][301];
    fixture_open(&f);
    for (int i = 0; i < 2; i++) {
        memset(value[i], 'v', 300);
        memcpy(value[i] + 299, i ? "a" : "b", 2);
        metrics_counter_inc(metrics_counter(f.registry, "long", "k", value[i]));
    }
    value[0][200] = 0;
    metrics_counter_inc(metrics_counter(f.registry, "short", "k", value[0]));
    metrics_snapshot_t *s = fixture_sample(&f, 10);
    session_encode(
        s, "backends: [{type: wavefront, url: 'http://127.0.0.1:1', token: t, include: [long, short]}]",
        &lines);
    metrics_snapshot_release(&s);
    CHECK(!strstr(buf_text(&lines), "long"));
    CHECK(strstr(buf_text(&lines), "short") != NULL);
    buf_free(&lines);
    fixture_close(&f);
}
