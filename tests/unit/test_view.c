/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "../fixture.h"
#include "view.h"

static const struct option no_rows[] = {{.name = NULL}};
static const struct transport nowhere = {.name = "nowhere"};
static const struct backend backend = {.name = "b",
                                       .options = no_rows,
                                       .settings_size = sizeof(struct backend_common),
                                       .wants = {.totals = METRICS_INTERVAL, .sampled = METRICS_RECENT},
                                       .transport = &nowhere};

static const struct item *find(const struct view *view, const char *name)
{
    for (size_t i = 0; i < view->n; i++)
        if (!strcmp(view->items[i].name, name)) return &view->items[i];
    return NULL;
}

static double total(const struct view *view, const char *name)
{
    struct rows rows = {0};
    const struct item *item = find(view, name);
    REQUIRE(item);
    CHECK(item_rows(view, item, METRICS_INTERVAL, &rows));
    double v = rows.n ? metrics_row_number(&rows.at[0]) : NAN;
    rows_free(&rows);
    return v;
}

/* Include, exclude, prefix; tags in the order top level < backend < the series' own, sorted by key. */
UNIT(view, selection)
{
    struct fixture f;
    fixture_open(&f);
    char *include[] = {"http.*", "db.*"}, *exclude[] = {"*.secret"};
    struct option_tag top[] = {{"zone", "top"}, {"host", "top"}},
                      own[] = {{"zone", "backend"}, {"a", "backend"}};
    struct backend_common settings = {
        .name = "b", .include = {include, 2}, .exclude = {exclude, 1}, .prefix = "p.", .tags = {own, 2}};
    struct selection sel;
    struct view view;
    CHECK(selection_compile(&sel, &backend, &settings, &(struct option_tags){top, 2}));
    metrics_counter_inc(metrics_counter(f.registry, "http.requests", "a", "series", "q", "1"));
    metrics_counter_inc(metrics_counter(f.registry, "http.secret"));
    metrics_counter_inc(metrics_counter(f.registry, "other"));
    metrics_gauge_set(metrics_gauge(f.registry, "db.level"), 5);
    metrics_snapshot_t *s = fixture_sample(&f, 10);
    view_begin(&view, &sel, 1, 2);
    CHECK(view_add(&view, s, NULL));
    CHECK_EQ_U64(view.n, 2);
    const struct item *item = find(&view, "p.http.requests");
    REQUIRE(item);
    CHECK_STR(item->own_name, "http.requests");
    REQUIRE(item->tag_count == 4);
    static const char *const want[][2] = {{"a", "series"}, {"host", "top"}, {"q", "1"}, {"zone", "backend"}};
    for (int i = 0; i < 4; i++) {
        CHECK_STR(item->tags[i].key, want[i][0]);
        CHECK_STR(item->tags[i].value, want[i][1]);
    }
    struct selection_count count = selection_count(&sel, s);
    CHECK_EQ_U64(count.readings, 2);
    CHECK_EQ_U64(count.levels, 1);
    view_free(&view);
    selection_free(&sel);
    metrics_snapshot_release(&s);
    fixture_close(&f);
}

/* The three rules for a delta, on one segment: in the base; born since; new backend on an old segment. */
UNIT(view, deltas)
{
    struct fixture f;
    fixture_open(&f);
    struct backend_common settings = {.name = "b"};
    struct selection sel;
    struct view view;
    CHECK(selection_compile(&sel, &backend, &settings, &(struct option_tags){NULL, 0}));
    metrics_counter_add(metrics_counter(f.registry, "old"), 100);
    metrics_snapshot_t *first = fixture_sample(&f, 0);
    view_begin(&view, &sel, 0, 0);
    CHECK(view_add(&view, first, NULL)); /* never exported before: from zero */
    CHECK_NEAR(total(&view, "old"), 100, 0);
    CHECK_EQ_U64(view.rebased, 0);
    view_free(&view);
    usleep(2000); /* births are stamped by the system's clock, which must have moved on */
    metrics_counter_add(metrics_counter(f.registry, "old"), 11);
    metrics_counter_add(metrics_counter(f.registry, "young"), 7);
    metrics_snapshot_t *second = fixture_sample(&f, 0.001);
    view_begin(&view, &sel, 0, 0);
    CHECK(view_add(&view, second, first));
    CHECK_NEAR(total(&view, "old"), 11, 0);
    CHECK_NEAR(total(&view, "young"), 7, 0);
    CHECK_EQ_U64(view.rebased, 0);
    view_free(&view);
    view_begin(&view, &sel, 0, 0);
    CHECK(view_add(&view, second, NULL)); /* it is not known what was reported already */
    CHECK_NEAR(total(&view, "old"), 0, 0);
    CHECK_EQ_U64(view.rebased, 2);
    CHECK(find(&view, "old")->rebased);
    view_free(&view);
    metrics_snapshot_release(&first);
    metrics_snapshot_release(&second);
    selection_free(&sel);
    fixture_close(&f);
}

struct deltas {
    struct fixture f;
    struct backend_common settings;
    struct selection sel;
    struct view view;
    metrics_snapshot_t *base;
};

static void deltas_open(struct deltas *d)
{
    *d = (struct deltas){.settings = {.name = "b"}};
    fixture_open(&d->f);
    CHECK(selection_compile(&d->sel, &backend, &d->settings, &(struct option_tags){NULL, 0}));
}

/* Closes an interval; its view counts from the one before. */
static void deltas_sample(struct deltas *d, double seconds)
{
    metrics_snapshot_t *now = fixture_sample(&d->f, seconds);
    view_free(&d->view);
    view_begin(&d->view, &d->sel, 0, 0);
    CHECK(view_add(&d->view, now, d->base));
    if (d->base) metrics_snapshot_release(&d->base);
    d->base = now;
}

static void deltas_close(struct deltas *d)
{
    view_free(&d->view);
    metrics_snapshot_release(&d->base);
    selection_free(&d->sel);
    fixture_close(&d->f);
}

/* Breaks if what is registered after the wall clock was set counts as older than the base. */
UNIT(view, the_wall_clock_is_set)
{
    struct deltas d;
    deltas_open(&d);
    metrics_counter_add(metrics_counter(d.f.registry, "old"), 100);
    d.f.set = UINT64_C(3600) * 1000000000;
    deltas_sample(&d, 0);
    usleep(2000);
    metrics_counter_add(metrics_counter(d.f.registry, "young"), 7);
    deltas_sample(&d, 0.001);
    CHECK_NEAR(total(&d.view, "young"), 7, 0);
    CHECK_EQ_U64(d.view.rebased, 0);
    deltas_close(&d);
}

/* Breaks if a series that came and was not in the snapshot of that interval counts as known; or one that was in an
 * earlier snapshot, and was retired at the base, counts from zero. */
UNIT(view, missing_in_the_base)
{
    struct deltas d;
    deltas_open(&d);
    metrics_counter_add(metrics_counter(d.f.registry, "old"), 100);
    deltas_sample(&d, 0);
    usleep(2000);
    metrics_counter_add(metrics_counter(d.f.registry, "young"), 7);
    metrics_retire(d.f.registry, (const char *[]){"young"}, 1);
    metrics_retire(d.f.registry, (const char *[]){"old"}, 1);
    usleep(2000);
    deltas_sample(&d, 0);
    metrics_counter_add(metrics_counter(d.f.registry, "young"), 1);
    metrics_counter_add(metrics_counter(d.f.registry, "old"), 1);
    deltas_sample(&d, 0.001);
    CHECK_NEAR(total(&d.view, "young"), 8, 0);
    CHECK_NEAR(total(&d.view, "old"), 0, 0);
    CHECK_EQ_U64(d.view.rebased, 1);
    deltas_close(&d);
}

/* Breaks if --once, beside an exporter that has not exported the segment yet, sends what that one will send. */
UNIT(view, a_private_snapshot_counts_as_zero)
{
    struct deltas d;
    deltas_open(&d);
    metrics_counter_add(metrics_counter(d.f.registry, "jobs"), 100);
    metrics_snapshot_t *s = metrics_snapshot_take(metrics_leader_reader(d.f.leader), NULL);
    view_begin(&d.view, &d.sel, 0, 0);
    CHECK(view_add(&d.view, s, NULL));
    CHECK_NEAR(total(&d.view, "jobs"), 0, 0);
    CHECK_EQ_U64(d.view.rebased, 1);
    metrics_snapshot_release(&s);
    deltas_sample(&d, 1);
    CHECK_NEAR(total(&d.view, "jobs"), 100, 0);
    deltas_close(&d);
}

/* Another incarnation owes nothing to the old one's base: its totals count whole. */
UNIT(view, incarnations)
{
    struct fixture a, b;
    fixture_open(&a);
    fixture_open(&b);
    struct backend_common settings = {.name = "b"};
    struct selection sel;
    struct view view;
    CHECK(selection_compile(&sel, &backend, &settings, &(struct option_tags){NULL, 0}));
    metrics_counter_add(metrics_counter(a.registry, "jobs"), 100);
    metrics_counter_add(metrics_counter(b.registry, "jobs"), 30);
    metrics_snapshot_t *old = fixture_sample(&a, 1), *new = fixture_sample(&b, 1);
    view_begin(&view, &sel, 0, 0);
    CHECK(view_add(&view, new, old));
    CHECK_NEAR(total(&view, "jobs"), 30, 0);
    CHECK_EQ_U64(view.rebased, 0);
    view_free(&view);
    metrics_snapshot_release(&old);
    metrics_snapshot_release(&new);
    selection_free(&sel);
    fixture_close(&a);
    fixture_close(&b);
}

/* Durations come in the backend's unit, squares in its square; counts are untouched. */
UNIT(view, time_units)
{
    struct fixture f;
    fixture_open(&f);
    char *words[] = {"all", "sum_squares"};
    struct backend_common settings = {
        .name = "b", .time_unit = BACKEND_MILLISECONDS, .attributes = {words, 2}};
    struct selection sel;
    struct view view;
    struct rows rows = {0};
    CHECK(selection_compile(&sel, &backend, &settings, &(struct option_tags){NULL, 0}));
    metrics_timer_update(metrics_timer(f.registry, "t"), 20000000);
    metrics_timer_update(metrics_timer(f.registry, "t"), 20000000);
    metrics_snapshot_t *s = fixture_sample(&f, 1);
    view_begin(&view, &sel, 0, 0);
    CHECK(view_add(&view, s, NULL));
    CHECK(item_rows(&view, find(&view, "t"), METRICS_LIFETIME, &rows));
    CHECK_NEAR(metrics_row_number(rows_find(&rows, METRICS_COUNT)), 2, 0);
    CHECK_NEAR(metrics_row_number(rows_find(&rows, METRICS_SUM)), 40, 1e-9);
    CHECK_NEAR(metrics_row_number(rows_find(&rows, METRICS_SUM_SQUARES)), 800, 1e-6);
    CHECK_NEAR(metrics_row_number(rows_find(&rows, METRICS_MEAN)), 20, 1e-9);
    CHECK_STR(rows_find(&rows, METRICS_MEAN)->unit, "milliseconds");
    CHECK_STR(item_unit(&view, find(&view, "t")), "milliseconds");
    rows_free(&rows);
    view_free(&view);
    metrics_snapshot_release(&s);
    selection_free(&sel);
    fixture_close(&f);
}

/* A level that is not merged says whose it is, in the right place among the tags, and keeps those of the
 * series. */
UNIT(view, workers)
{
    metrics_tag_t own[] = {{"a", "1"}, {"worker", "fake"}, {"z", "2"}}, plain[] = {{"z", "2"}};
    struct item item = {.tags = own, .tag_count = 3};
    struct tags tags = {0};
    metrics_row_t row = {.worker = 12};
    CHECK(item_tags(&item, &row, &tags));
    REQUIRE(tags.n == 4);
    CHECK_STR(tags.at[1].key, "mtx_worker");
    CHECK_STR(tags.at[1].value, "12");
    CHECK_STR(tags.at[2].value, "fake");
    item = (struct item){.tags = plain, .tag_count = 1};
    CHECK(item_tags(&item, &row, &tags));
    REQUIRE(tags.n == 2);
    CHECK_STR(tags.at[0].key, "worker");
    CHECK_STR(tags.at[1].key, "z");
    row.worker = -1;
    CHECK(item_tags(&item, &row, &tags));
    CHECK_EQ_U64(tags.n, 1);
    tags_free(&tags);
}

/* Words of the option `attributes`, and what they select. */
UNIT(attribute, words)
{
    char *words[] = {"sum", "p99", "p50", "p99.9", "p999", "rates"};
    struct attributes a;
    double q = 0;
    attributes_compile(&(struct option_list){words, 6}, &a);
    CHECK_EQ_U64(a.quantile_count, 3);
    CHECK_NEAR(a.quantiles[0], 0.5, 0);
    CHECK_NEAR(a.quantiles[2], 0.999, 0);
    CHECK(a.mask & METRICS_ATTR(METRICS_COUNT));
    CHECK(a.mask & METRICS_ATTR(METRICS_M15_RATE));
    CHECK(a.mask & METRICS_ATTR(METRICS_PERCENTILE));
    CHECK(!(a.mask & METRICS_ATTR(METRICS_MAX)));
    CHECK(attribute_quantile("p5", &q));
    CHECK_NEAR(q, 0.05, 1e-15);
    CHECK(attribute_quantile("p100", &q));
    CHECK_NEAR(q, 1, 0);
    CHECK(!attribute_quantile("p", &q));
    CHECK(!attribute_quantile("p101.5", &q));
    CHECK(!attribute_quantile("p5x", &q));
    struct buf why = {0};
    CHECK(!attribute_check("distribution", &why));
    CHECK(!attribute_check("mena", &why));
    CHECK(strstr(buf_text(&why), "did you mean mean?") != NULL);
    buf_free(&why);
}

static void check_tags(const metrics_tag_t *tags, size_t n, const char *want)
{
    struct buf text = {0};
    for (size_t i = 0; i < n; i++) buf_printf(&text, "%s%s=%s", i ? " " : "", tags[i].key, tags[i].value);
    CHECK_STR(buf_text(&text), want);
    buf_free(&text);
}

/* Tags of ours take no place of a user's: the worker of a level, and what says that a segment was replaced. */
UNIT(view, added_tags)
{
    static struct backend totals;
    struct fixture f;
    fixture_open(&f);
    totals = backend;
    totals.wants.totals = METRICS_LIFETIME;
    struct option_tag top[] = {{"mtx_segment", "theirs"}};
    struct backend_common settings = {.name = "b"};
    struct selection sel;
    struct view view;
    struct tags tags = {0};
    metrics_family_t family = {.size = sizeof family, .merge = METRICS_MERGE_ALL};
    CHECK(!metrics_describe(f.registry, "g", &family, NULL));
    metrics_gauge_set(metrics_gauge(f.registry, "g", "worker", "jane", "z", "1"), 5);
    CHECK(selection_compile_replaced(&sel, &totals, &settings, &(struct option_tags){top, 1}));
    metrics_snapshot_t *s = fixture_sample(&f, 10);
    view_begin(&view, &sel, 1, 2);
    CHECK(view_add(&view, s, NULL));
    const struct item *item = find(&view, "g");
    REQUIRE(item);
    check_tags(item->tags, item->tag_count, "mtx_segment=theirs mtx_segment_2=replaced worker=jane z=1");
    metrics_row_t row = {.worker = 3};
    CHECK(item_tags(item, &row, &tags));
    check_tags(tags.at, tags.n, "mtx_segment=theirs mtx_segment_2=replaced mtx_worker=3 worker=jane z=1");
    tags_free(&tags);
    view_free(&view);
    selection_free(&sel);
    metrics_snapshot_release(&s);
    fixture_close(&f);
}

/* Paths and patterns alone decide, so that no series changes its tags when a segment comes. */
UNIT(view, segment_tag)
{
    static const struct {
        char *paths[3];
        enum segment_tag tag;
        const char *value; /* for /dev/shm/a.seg */
    } cases[] = {
        {{NULL}, SEGMENT_TAG_NONE, NULL},
        {{"/dev/shm/a.seg"}, SEGMENT_TAG_NONE, NULL},
        {{"/dev/shm/*.seg"}, SEGMENT_TAG_FILE, "a.seg"},
        {{"/dev/shm/a.seg", "/dev/shm/b.seg"}, SEGMENT_TAG_FILE, "a.seg"},
        {{"/dev/shm/a.seg", "/dev/shm/[bc]"}, SEGMENT_TAG_FILE, "a.seg"},
        {{"/dev/shm/a.seg", "/run/mtx/b.seg"}, SEGMENT_TAG_PATH, "/dev/shm/a.seg"},
        {{"/dev/*/a.seg"}, SEGMENT_TAG_PATH, "/dev/shm/a.seg"},
        {{"/dev/shm/a.seg", "/dev/shm/x/b.seg"}, SEGMENT_TAG_PATH, "/dev/shm/a.seg"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct option_list list = {(char **)cases[i].paths, 0};
        while (list.n < 3 && list.items[list.n]) list.n++;
        CHECK_EQ_I64(segment_tag(&list), cases[i].tag);
        const char *value = segment_tag_value(cases[i].tag, "/dev/shm/a.seg");
        if (cases[i].value)
            CHECK_STR(value, cases[i].value);
        else
            CHECK(!value);
    }
}

/* The tag of a segment is beside all others, and a file's name is made text. */
UNIT(view, of_segment)
{
    struct fixture f;
    fixture_open(&f);
    struct option_tag top[] = {{"zone", "top"}};
    struct backend_common settings = {.name = "b"};
    struct selection sel;
    struct view view;
    CHECK(selection_compile(&sel, &backend, &settings, &(struct option_tags){top, 1}));
    metrics_counter_inc(metrics_counter(f.registry, "a"));
    metrics_counter_inc(metrics_counter(f.registry, "b", "segment", "theirs"));
    metrics_snapshot_t *s = fixture_sample(&f, 10);
    view_begin(&view, &sel, 1, 2);
    CHECK(view_segment(&view, "x\n\xff.seg"));
    CHECK(view_add(&view, s, NULL));
    REQUIRE(view.n == 2 && view.items[0].tag_count == 2 && view.items[1].tag_count == 3);
    CHECK_STR(view.items[0].tags[0].key, "segment");
    CHECK_STR(view.items[0].tags[0].value, "x \xef\xbf\xbd.seg");
    CHECK_STR(view.items[1].tags[0].key, "mtx_segment");
    CHECK_STR(view.items[1].tags[1].value, "theirs");
    view_free(&view);
    metrics_snapshot_release(&s);
    selection_free(&sel);
    fixture_close(&f);
}
