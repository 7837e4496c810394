/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "backend.h"
#include "points_line.h"
#include "points_sum.h"

#define SECOND UINT64_C(1000000000)

static struct points_sum sum;
static struct buf why;

/* Reads a line for a backend and adds what it makes; the line itself is forgotten at once. */
static bool add(const char *type, const char *line)
{
    struct point_lines lines = {.root_count = 0};
    struct point_reader reader = {.backend = backend_find(type)->points, .prefix = ""};
    bool good = point_lines_add(&lines, &reader, line, strlen(line), 1, &why);
    for (size_t i = 0; i < lines.points.n && good; i++)
        good = points_sum_add(&sum, reader.backend, &lines.points.at[i], 1700000077 * SECOND, &why);
    point_lines_free(&lines);
    return good;
}

static void begin(uint64_t period)
{
    points_sum_reset(&sum);
    sum.period_ns = period;
    buf_reset(&why);
}

/* Count, sum, minimum and maximum of what was added; no squares, for the single values are gone. */
UNIT(points_sum, gauges)
{
    begin(30 * SECOND);
    CHECK(add("librato", "{\"name\":\"rt\",\"value\":8,\"time\":1700000017}"));
    CHECK(add("librato", "{\"name\":\"rt\",\"value\":2,\"time\":1700000018}"));
    CHECK(add("librato", "{\"name\":\"rt\",\"value\":5.0,\"time\":1700000039}"));
    CHECK_EQ_U64(sum.n, 1);
    const struct point *p = points_sum_all(&sum);
    CHECK(p->type == POINT_SUMMARY && p->summary.count == 3 && p->summary.sum == 15);
    CHECK(p->summary.min == 2 && p->summary.max == 8 && isnan(p->summary.sum_squares));
    CHECK_EQ_U64(p->time_ns, 1700000010 * SECOND);
    points_sum_reset(&sum);
    CHECK_EQ_U64(sum.n, 0);
}

/* Name, tags, source and window each make a series of their own; so does "tags": {}, which goes elsewhere. */
UNIT(points_sum, series)
{
    begin(10 * SECOND);
    static const char *const lines[] = {
        "{\"name\":\"a\",\"value\":1,\"time\":1700000001}",
        "{\"name\":\"b\",\"value\":1,\"time\":1700000001}",
        "{\"name\":\"a\",\"value\":1,\"time\":1700000011}",
        "{\"name\":\"a\",\"value\":1,\"time\":1700000001,\"source\":\"x\"}",
        "{\"name\":\"a\",\"value\":1,\"time\":1700000001,\"tags\":{}}",
        "{\"name\":\"a\",\"value\":1,\"time\":1700000001,\"tags\":{\"k\":\"v\"}}",
        "{\"name\":\"a\",\"value\":1,\"time\":1700000001,\"tags\":{\"k\":\"w\"}}"};
    for (int round = 0; round < 2; round++)
        for (size_t i = 0; i < 7; i++) CHECK(add("librato", lines[i]));
    CHECK_EQ_U64(sum.n, 7);
    const struct point *p = points_sum_all(&sum);
    for (size_t i = 0; i < 7; i++) CHECK_EQ_U64(p[i].summary.count, 2);
    CHECK_STR(p[1].name, "b");
    CHECK_STR(p[3].source, "x");
    CHECK_STR(p[6].tags[0].value, "w");
    points_sum_reset(&sum);
}

/* With a period, what has no time counts as now; with neither there is none. */
UNIT(points_sum, now)
{
    begin(60 * SECOND);
    CHECK(add("librato", "{\"name\":\"a\",\"value\":1}"));
    CHECK_EQ_U64(points_sum_all(&sum)->time_ns, 1700000040 * SECOND);
    begin(0);
    CHECK(add("librato", "{\"name\":\"a\",\"value\":1}"));
    CHECK_EQ_U64(points_sum_all(&sum)->time_ns, 0);
    CHECK(add("librato", "{\"name\":\"a\",\"value\":1,\"time\":1700000001.75}"));
    CHECK_EQ_U64(points_sum_all(&sum)[1].time_ns, 1700000001 * SECOND);
    points_sum_reset(&sum);
}

/* Summaries add up to a summary; what is unknown of one is unknown of all. */
UNIT(points_sum, summaries)
{
    begin(0);
    CHECK(add("librato", "{\"name\":\"a\",\"count\":3,\"sum\":15,\"min\":2,\"max\":8,\"sum_squares\":93}"));
    CHECK(add("librato", "{\"name\":\"a\",\"value\":[1,20]}"));
    const struct point *p = points_sum_all(&sum);
    CHECK(p->summary.count == 5 && p->summary.sum == 36 && p->summary.min == 1 && p->summary.max == 20);
    CHECK(p->summary.sum_squares == 494);
    CHECK(add("librato", "{\"name\":\"a\",\"count\":1,\"sum\":4}"));
    p = points_sum_all(&sum);
    CHECK(p->summary.count == 6 && isnan(p->summary.min) && isnan(p->summary.sum_squares));
    points_sum_reset(&sum);
}

/* Increments add up exactly, also beyond 64 bits, as a double then; distributions keep all their
 * centroids. */
UNIT(points_sum, increments)
{
    begin(0);
    for (int i = 0; i < 1000; i++)
        CHECK(add("chouette", "{\"name\":\"c\",\"value\":9007199254740993,\"time\":5}"));
    CHECK(points_sum_all(&sum)->value_type == METRICS_I64);
    CHECK_EQ_I64(points_sum_all(&sum)->value.i, INT64_C(9007199254740993000));
    CHECK(add("chouette", "{\"name\":\"c\",\"value\":9007199254740993000,\"time\":5}"));
    CHECK_NEAR(point_number(points_sum_all(&sum)), 1.8014398509481986e19, 4096);
    begin(0);
    for (int i = 0; i < 100; i++)
        CHECK(add("wavefront", "{\"name\":\"d\",\"type\":\"distribution\",\"centroids\":[[1.5,2],[3,4]]}"));
    const struct point *p = points_sum_all(&sum);
    CHECK(p->centroid_count == 200 && p->summary.count == 600);
    double weight = 0;
    for (size_t i = 0; i < p->centroid_count; i++) weight += p->centroids[i].weight;
    CHECK_NEAR(weight, 600, 0);
    points_sum_reset(&sum);
}

/* A type that cannot be added up for a service is refused, not lost. */
UNIT(points_sum, refused)
{
    begin(0);
    CHECK(!add("chouette", "{\"name\":\"g\",\"type\":\"gauge\",\"value\":1}"));
    CHECK(strstr(buf_text(&why), "without --aggregate"));
    CHECK(!add("librato", "{\"name\":\"g\",\"type\":\"counter\",\"value\":1}"));
    CHECK_EQ_U64(sum.n, 0);
    points_sum_reset(&sum);
    buf_free(&why);
}
