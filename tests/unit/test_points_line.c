/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "backend.h"
#include "json.h"
#include "points_line.h"

static const metrics_tag_t base_tags[] = {{"dc", "eu"}, {"host", "web-7"}};

static struct point_reader reader_of(const char *type)
{
    const struct backend *backend = backend_find(type);
    REQUIRE(backend && backend->points);
    return (struct point_reader){
        .backend = backend->points, .prefix = "", .now_ns = UINT64_C(1600000000123456000), .next_item = 100};
}

struct taken {
    struct point_lines lines;
    struct point_reader reader;
    struct buf why;
};

static bool take(struct taken *t, const char *line)
{
    buf_reset(&t->why);
    return point_lines_add(&t->lines, &t->reader, line, strlen(line), 7, &t->why);
}

/* The only point that a line makes. */
static const struct point *one(struct taken *t, const char *line)
{
    point_lines_reset(&t->lines);
    if (!take(t, line)) UNIT_FAIL("%s: %s\n", line, buf_text(&t->why));
    REQUIRE(t->lines.points.n == 1);
    return t->lines.points.at;
}

static void finish(struct taken *t)
{
    point_lines_free(&t->lines);
    buf_free(&t->why);
}

/* Name, type, value, time, tags, source: each arrives as it was given; numbers keep their kind. */
UNIT(points_line, fields)
{
    struct taken t = {.reader = reader_of("librato")};
    const struct point *p = one(&t, "{\"name\":\"a\",\"value\":20}");
    CHECK_STR(p->name, "a");
    CHECK(p->type == POINT_GAUGE && p->value_type == METRICS_I64 && p->value.i == 20);
    CHECK(!p->time_ns && !p->tag_count && !p->source && p->line == 7 && p->extra);
    p = one(&t,
            "{\"name\":\"a\",\"type\":\"counter\",\"value\":22.5,\"time\":1700000000.5,\"source\":\"db\"}");
    CHECK(p->type == POINT_TOTAL && p->value_type == METRICS_F64 && p->value.f == 22.5);
    CHECK_EQ_U64(p->time_ns, UINT64_C(1700000000500000000));
    CHECK_STR(p->source, "db");
    p = one(&t, "{\"name\":\"a\",\"value\":\"12.5\",\"tags\":{\"z\":\"1\",\"b\":2,\"a\":0.1,\"c\":true}}");
    CHECK(p->value_type == METRICS_F64 && p->value.f == 12.5);
    CHECK_EQ_U64(p->tag_count, 4);
    CHECK_STR(p->tags[0].key, "a");
    CHECK_STR(p->tags[0].value, "0.1");
    CHECK_STR(p->tags[1].value, "2");
    CHECK_STR(p->tags[2].value, "true");
    CHECK_STR(p->tags[3].key, "z");
    p = one(&t, "{\"name\":\"a\",\"value\":18446744073709551615}");
    CHECK(p->value_type == METRICS_F64 && p->value.f == 18446744073709551615.0);
    finish(&t);
}

/* Each point has a number of its own, that no other run is likely to use; several points of a line, too. */
UNIT(points_line, items)
{
    struct taken t = {.reader = reader_of("chouette")};
    REQUIRE(take(&t, "{\"name\":\"h\",\"type\":\"histogram\",\"value\":[1,2.5]}"));
    REQUIRE(take(&t, "{\"name\":\"h\",\"type\":\"histogram\",\"value\":3}"));
    CHECK_EQ_U64(t.lines.points.n, 3);
    for (size_t i = 0; i < 3; i++) {
        CHECK_EQ_U64(t.lines.points.at[i].item, 100 + i);
        CHECK(t.lines.points.at[i].type == POINT_SAMPLE);
        CHECK_EQ_U64(t.lines.points.at[i].time_ns, UINT64_C(1600000000123456000));
    }
    CHECK_NEAR(point_number(&t.lines.points.at[1]), 2.5, 0);
    finish(&t);
}

/* A point's own tags override the command line's; with inherit_tags false it has its own only. */
UNIT(points_line, inherited_tags)
{
    struct taken t = {.reader = reader_of("librato")};
    t.reader.tags = base_tags;
    t.reader.tag_count = 2;
    t.reader.prefix = "shop.";
    const struct point *p = one(&t, "{\"name\":\"a\",\"value\":1,\"tags\":{\"host\":\"db\",\"b\":\"c\"}}");
    CHECK_STR(p->name, "shop.a");
    CHECK_EQ_U64(p->tag_count, 3);
    CHECK_STR(p->tags[0].key, "b");
    CHECK_STR(p->tags[1].value, "eu");
    CHECK_STR(p->tags[2].value, "db");
    CHECK_EQ_U64(one(&t, "{\"name\":\"a\",\"value\":1}")->tag_count, 2);
    CHECK_EQ_U64(
        one(&t, "{\"name\":\"a\",\"value\":1,\"inherit_tags\":false,\"tags\":{\"b\":\"c\"}}")->tag_count, 1);
    finish(&t);
}

/* What may be given in place of a value: count and sum, centroids, measurements, a series' points. */
UNIT(points_line, instead)
{
    struct taken t = {.reader = reader_of("librato")};
    const struct point *p = one(&t, "{\"name\":\"rt\",\"value\":[8,2,5]}");
    CHECK(p->type == POINT_SUMMARY && p->summary.count == 3 && p->summary.sum == 15);
    CHECK(p->summary.min == 2 && p->summary.max == 8 && p->summary.sum_squares == 93);
    p = one(&t, "{\"name\":\"rt\",\"count\":3,\"sum\":15,\"max\":8}");
    CHECK(p->type == POINT_SUMMARY && p->summary.sum == 15 && isnan(p->summary.min) && p->summary.max == 8);
    t.reader = reader_of("wavefront");
    p = one(&t, "{\"name\":\"d\",\"type\":\"distribution\",\"centroids\":[[30,20],[5.1,10]]}");
    CHECK(p->centroid_count == 2 && p->centroids[1].mean == 5.1 && p->centroids[1].weight == 10);
    CHECK_EQ_U64(p->summary.count, 30);
    p = one(&t, "{\"name\":\"d\",\"type\":\"distribution\",\"value\":[3,4]}");
    CHECK(p->centroid_count == 2 && p->centroids[0].weight == 1 && p->summary.count == 2);
    t.reader = reader_of("anodot30");
    p = one(&t, "{\"schemaId\":\"S\",\"measurements\":{\"hits\":12,\"lat\":0.25},\"aggregation\":{\"hits\":"
                "\"sum\"}}");
    CHECK(p->field_count == 2 && p->fields[0].delta && !p->fields[1].delta && p->fields[1].value == 0.25);
    p = one(&t, "{\"name\":\"a\",\"value\":1,\"aggregation\":\"sum\"}");
    CHECK(p->type == POINT_DELTA && p->value.i == 1);
    CHECK(one(&t, "{\"name\":\"a\",\"value\":1}")->type == POINT_GAUGE);
    t.reader = reader_of("apptuit");
    point_lines_reset(&t.lines);
    REQUIRE(take(&t, "{\"name\":\"s\",\"type\":\"series\",\"points\":[[1700000000,1],[1700000010.0,2]]}"));
    CHECK_EQ_U64(t.lines.points.n, 2);
    CHECK_EQ_U64(t.lines.points.at[1].time_ns, UINT64_C(1700000010000000000));
    finish(&t);
}

/* A set's elements, and numbers that a type turns around. */
UNIT(points_line, chouette)
{
    struct taken t = {.reader = reader_of("chouette")};
    const struct point *p = one(&t, "{\"name\":\"s\",\"type\":\"set\",\"value\":[\"a\",1,true]}");
    CHECK_EQ_U64(p->element_count, 3);
    CHECK_STR(p->elements[1], "1");
    p = one(&t, "{\"name\":\"d\",\"type\":\"decrement\",\"value\":3,\"tags\":{\"t\":true,\"n\":null}}");
    CHECK(p->type == POINT_DELTA && p->value.i == -3);
    CHECK_STR(p->tags[0].value, "None");
    CHECK_STR(p->tags[1].value, "True");
    p = one(&t, "{\"name\":\"d\",\"type\":\"decrement\",\"value\":-9223372036854775808}");
    CHECK_NEAR(point_number(p), 0x1p63, 0);
    finish(&t);
}

/* For every bad line the reason says what is wrong and how to fix it; no point of it is left. */
UNIT(points_line, bad)
{
    static const struct {
        const char *type, *line, *says;
    } cases[] = {
        {"librato", "nope", "this is not JSON"},
        {"librato", "[1]", "this is a list; a line is one object"},
        {"librato", "{\"name\":\"a\",\"value\":1} x", "this is not JSON"},
        {"librato", "{\"name\":\"a\",\"value\":NaN}", "this is not JSON"},
        {"librato", "{\"name\":\"a\",\"value\":1,\"value\":2}", "duplicate"},
        {"librato", "{\"name\":\"a\\u0000\",\"value\":1}", "this is not JSON"},
        {"librato", "{\"value\":1}", "name is missing: give one"},
        {"librato", "{\"name\":\"\",\"value\":1}", "name is empty"},
        {"librato", "{\"name\":1,\"value\":1}", "name is 1, expected a string"},
        {"librato", "{\"name\":\"a\"}", "value is missing; a gauge takes a number"},
        {"librato", "{\"name\":\"a\",\"value\":true}", "value is true; a gauge takes a number"},
        {"librato", "{\"name\":\"a\",\"value\":\"nan\"}", "value is \"nan\", expected a finite number"},
        {"librato", "{\"name\":\"a\",\"value\":\"1e999\"}", "expected a finite number"},
        {"librato", "{\"name\":\"a\",\"value\":[]}", "value is an empty list"},
        {"librato", "{\"name\":\"a\",\"value\":[1,\"x\"]}", "value contains \"x\""},
        {"librato", "{\"name\":\"a\",\"type\":\"counter\",\"value\":[1]}", "a counter takes a number"},
        {"librato", "{\"name\":\"a\",\"type\":\"guage\",\"value\":1}", "did you mean gauge?"},
        {"librato", "{\"name\":\"a\",\"type\":3,\"value\":1}", "type is 3"},
        {"librato", "{\"name\":\"a\",\"vaule\":1}", "there is no field \"vaule\"; did you mean value?"},
        {"librato", "{\"name\":\"a\",\"value\":1,\"centroids\":[]}", "there is no field \"centroids\""},
        {"librato", "{\"name\":\"a\",\"type\":\"counter\",\"count\":1}", "a counter has no count"},
        {"librato", "{\"name\":\"a\",\"count\":1,\"value\":1,\"sum\":1}", "exclude each other"},
        {"librato", "{\"name\":\"a\",\"count\":1}", "sum is missing"},
        {"librato", "{\"name\":\"a\",\"count\":0,\"sum\":1}", "count is 0"},
        {"librato", "{\"name\":\"a\",\"value\":1,\"time\":-5}", "time: -5 is not a time"},
        {"librato", "{\"name\":\"a\",\"value\":1,\"time\":\"noon\"}", "time: \"noon\" is not a time"},
        {"librato", "{\"name\":\"a\",\"value\":1,\"time\":[]}", "time is []"},
        {"librato", "{\"name\":\"a\",\"value\":1,\"tags\":[]}", "tags is []"},
        {"librato", "{\"name\":\"a\",\"value\":1,\"tags\":{\"k\":{}}}", "the tag k is {}"},
        {"librato", "{\"name\":\"a\",\"value\":1,\"tags\":{\"k\":null}}", "the tag k is null"},
        {"librato", "{\"name\":\"a\",\"value\":1,\"tags\":{\"\":\"v\"}}", "empty key"},
        {"librato", "{\"name\":\"a\",\"value\":1,\"period\":1.5}", "period is 1.5, expected a whole number"},
        {"anodot20", "{\"name\":\"a\",\"value\":1,\"target_type\":\"rate\"}",
         "expected one of: gauge, counter"},
        {"anodot20", "{\"name\":\"a\",\"value\":1,\"labels\":{\"k\":1}}", "labels is {\"k\":1}"},
        {"anodot30", "{\"name\":\"a\"}",
         "value is missing; a sample takes a number, or in its place measurements"},
        {"anodot30", "{\"schemaId\":\"S\",\"value\":1}", "name is missing"},
        {"anodot30", "{\"name\":\"a\",\"measurements\":{}}", "measurements is empty"},
        {"anodot30", "{\"schemaId\":\"S\",\"type\":\"gauge\",\"value\":1}", "name is missing"},
        {"anodot30", "{\"name\":\"a\",\"measurements\":{\"x\":1},\"aggregation\":\"max\"}", "average, sum"},
        {"apptuit", "{\"name\":\"a\",\"type\":\"series\",\"points\":[[1]]}", "a list of pairs"},
        {"apptuit", "{\"name\":\"a\",\"type\":\"series\",\"points\":[[-1,2]]}", "points contains [-1,2]"},
        {"apptuit", "{\"name\":\"a\",\"type\":\"series\",\"points\":[],\"time\":1}",
         "time cannot be given with points"},
        {"wavefront", "{\"name\":\"a\",\"type\":\"distribution\",\"centroids\":[[1,0.5]]}",
         "a count is a whole"},
        {"wavefront", "{\"name\":\"a\",\"type\":\"distribution\",\"value\":[1],\"granularities\":[\"year\"]}",
         "minute, hour, day"},
        {"chouette", "{\"name\":\"a\",\"type\":\"set\",\"value\":[[1]]}", "value contains [1]"},
        {"chouette", "{\"name\":\"a\",\"type\":\"set\",\"value\":\"x\"}", "a set takes a list"},
        {"chouette", "{\"name\":\"a\",\"type\":\"histogram\",\"value\":[1,1e999]}", "this is not JSON"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct taken t = {.reader = reader_of(cases[i].type)};
        bool taken = take(&t, cases[i].line);
        if (taken || !strstr(buf_text(&t.why), cases[i].says) || t.lines.points.n)
            UNIT_FAIL("%s %s: expected \"%s\", got \"%s\" (%zu points)\n", cases[i].type, cases[i].line,
                      cases[i].says, taken ? "no fault" : buf_text(&t.why), t.lines.points.n);
        finish(&t);
    }
}

/* A reason is a line of text whatever the bytes were: a terminal and JSON take it. */
UNIT(points_line, reasons_are_text)
{
    static const char long_name[] =
        "{\"name\":\"a\",\"value\":1,\"0123456789012345678901234567890123456789012345"
        "678901234567\xe2\x82\xac\xe2\x82\xac\":1}";
    static const char *const bad[] = {
        "\xff\x1b[2J", "{\"\x01\":", "{\"name\":\"a\",\"value\":1,\"n\\u001b[2J\":1}", long_name};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct taken t = {.reader = reader_of("librato")};
        struct buf same = {0};
        CHECK(!take(&t, bad[i]));
        jsonw_utf8(&same, buf_text(&t.why), t.why.len);
        CHECK_STR(buf_text(&t.why), buf_text(&same));
        for (size_t c = 0; c < t.why.len; c++) CHECK((unsigned char)t.why.data[c] >= ' ');
        buf_free(&same);
        finish(&t);
    }
}

/* A bad line between good ones takes nothing of them with it. */
UNIT(points_line, others_stay)
{
    struct taken t = {.reader = reader_of("chouette")};
    REQUIRE(take(&t, "{\"name\":\"a\",\"value\":1}"));
    CHECK(!take(&t, "{\"name\":\"b\",\"type\":\"histogram\",\"value\":[1,true]}"));
    REQUIRE(take(&t, "{\"name\":\"c\",\"value\":2}"));
    CHECK_EQ_U64(t.lines.points.n, 2);
    CHECK_STR(t.lines.points.at[0].name, "a");
    CHECK_STR(t.lines.points.at[1].name, "c");
    finish(&t);
}

/* --help is made from the tables that check: it names every type and field of every backend. */
UNIT(points_line, help)
{
    for (const struct backend *const *b = backends; *b; b++) {
        struct buf help = {0};
        if (!(*b)->points) continue;
        point_lines_help((*b)->points, &help);
        for (const struct point_word *w = (*b)->points->words; w->word; w++)
            CHECK(strstr(help.data, w->word));
        for (const struct point_own *o = (*b)->points->own; o && o->name; o++)
            CHECK(strstr(help.data, o->name));
        size_t width = 0;
        for (const char *c = help.data; *c; c++) {
            width = *c == '\n' ? 0 : width + 1;
            CHECK(width <= 80);
        }
        buf_free(&help);
    }
}
