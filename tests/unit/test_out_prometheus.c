/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "../fixture.h"
#include "config_load.h"
#include "view.h"

static const char *no_env(const char *name)
{
    (void)name;
    return NULL;
}

struct rig {
    struct fixture f;
    struct config *config;
    struct selection sel;
    struct buf page, notes;
};

static void rig_open(struct rig *r, const char *options)
{
    struct buf text = {0}, mistakes = {0};
    memset(r, 0, sizeof *r);
    fixture_open(&r->f);
    buf_printf(&text, "backends:\n  - type: prometheus\n%s", options);
    r->config = config_parse("test", text.data, text.len, no_env, &mistakes);
    if (!r->config) UNIT_FAIL("%s\n", buf_text(&mistakes));
    REQUIRE(r->config);
    struct config_backend *b = r->config->backends;
    CHECK(selection_compile(&r->sel, b->type, b->settings, &r->config->tags));
    buf_free(&text);
    buf_free(&mistakes);
}

/* The page of what was recorded so far, in form 0 (text) or 1 (OpenMetrics). */
static const char *rig_page(struct rig *r, unsigned form)
{
    struct view view;
    metrics_snapshot_t *s = fixture_sample(&r->f, 1);
    view_begin(&view, &r->sel, 0, 0);
    CHECK(view_add(&view, s, NULL));
    buf_reset(&r->page);
    buf_reset(&r->notes);
    struct batch batch = {.view = &view,
                          .to = view.n,
                          .settings = r->config->backends->settings,
                          .form = form,
                          .notes = &r->notes};
    struct payload payload = {.body = r->page};
    r->config->backends->type->encode(&batch, &payload);
    r->page = payload.body;
    CHECK(buf_ok(&r->page));
    view_free(&view);
    metrics_snapshot_release(&s);
    return buf_text(&r->page);
}

static void rig_close(struct rig *r)
{
    selection_free(&r->sel);
    config_free(&r->config);
    buf_free(&r->page);
    buf_free(&r->notes);
    fixture_close(&r->f);
}

static void has(struct rig *r, const char *lines)
{
    if (!strstr(buf_text(&r->page), lines)) UNIT_FAIL("expected\n%sin\n%s\n", lines, buf_text(&r->page));
}
static void has_not(struct rig *r, const char *lines)
{
    if (strstr(buf_text(&r->page), lines)) UNIT_FAIL("unexpected\n%sin\n%s\n", lines, buf_text(&r->page));
}

/* Totals: _total once, HELP and TYPE of the sample in the old form and of the family in the new one, exact
 * integers. */
UNIT(out_prometheus, totals)
{
    struct rig r;
    rig_open(&r, "");
    metrics_describe(
        r.f.registry, "jobs",
        &(metrics_family_t){.size = sizeof(metrics_family_t), .help = "Jobs \"done\"\nand \\ dusted."}, NULL);
    metrics_counter_add(metrics_counter(r.f.registry, "jobs", "kind", "a"), 9007199254740993);
    metrics_counter_add(metrics_counter(r.f.registry, "bytes_total"), 3);
    metrics_meter_mark(metrics_meter(r.f.registry, "mails"), 4);
    rig_page(&r, 0);
    has(&r, "# HELP jobs_total Jobs \"done\"\\nand \\\\ dusted.\n# TYPE jobs_total "
            "counter\njobs_total{kind=\"a\"} 9007199254740993\n");
    has(&r, "# TYPE bytes_total counter\nbytes_total 3\n");
    has(&r, "# TYPE mails_total counter\nmails_total 4\n");
    has_not(&r, "m1_rate");
    has_not(&r, "_created");
    rig_page(&r, 1);
    has(&r, "# TYPE jobs counter\n# HELP jobs Jobs \\\"done\\\"\\nand \\\\ dusted.\njobs_total{kind=\"a\"} "
            "9007199254740993\n");
    has(&r, "\n# EOF\n");
    CHECK(!strcmp(buf_text(&r.page) + r.page.len - 6, "# EOF\n"));
    rig_close(&r);
}

/* A sampled distribution is a summary in seconds; without samples it still has count and sum. */
UNIT(out_prometheus, summaries)
{
    struct rig r;
    rig_open(&r, "    attributes: [sum, p50, max, mean_rate]\n");
    metrics_timer_t *t = metrics_timer(r.f.registry, "wait");
    rig_page(&r, 1);
    has(&r, "# TYPE wait_seconds summary\n# UNIT wait_seconds seconds\n");
    has(&r, "wait_seconds_sum 0\nwait_seconds_count 0\n");
    has_not(&r, "quantile");
    for (int i = 0; i < 3; i++) metrics_timer_update(t, 250000000);
    rig_page(&r, 1);
    has(&r, "wait_seconds{quantile=\"0.5\"} 0.25\nwait_seconds_sum 0.75\nwait_seconds_count 3\n");
    has(&r, "# TYPE wait_max_seconds gauge\n# UNIT wait_max_seconds seconds\n");
    has(&r, "wait_max_seconds 0.25\n");
    has(&r, "# TYPE wait_mean_rate gauge\n# HELP");
    rig_close(&r);
}

/* Buckets are cumulative with canonical bounds, +Inf equals the count; no quantiles beside them. Exponential
 * ones are thinned to the limit at bounds that a coarser scale would have, with exact counts. */
UNIT(out_prometheus, histograms)
{
    struct rig r;
    double bounds[] = {1, 10, 2500000};
    rig_open(&r, "    bucket_limit: 8\n");
    metrics_describe(r.f.registry, "size",
                     &(metrics_family_t){.size = sizeof(metrics_family_t),
                                         .unit = "bytes",
                                         .reservoir = METRICS_BUCKETS,
                                         .bounds = bounds,
                                         .bound_count = 3},
                     NULL);
    metrics_describe(r.f.registry, "exp",
                     &(metrics_family_t){.size = sizeof(metrics_family_t),
                                         .reservoir = METRICS_BUCKETS_EXPONENTIAL,
                                         .scale = 3,
                                         .low = 1,
                                         .high = 256},
                     NULL);
    metrics_histogram_t *h = metrics_histogram(r.f.registry, "size"),
                        *e = metrics_histogram(r.f.registry, "exp");
    for (int i = 1; i <= 20; i++) metrics_histogram_update(h, i);
    for (int i = 1; i <= 200; i++) metrics_histogram_update(e, i);
    rig_page(&r, 0);
    has(&r,
        "# TYPE size_bytes histogram\nsize_bytes_bucket{le=\"1.0\"} 1\nsize_bytes_bucket{le=\"10.0\"} 10\n"
        "size_bytes_bucket{le=\"2.5e+06\"} 20\nsize_bytes_bucket{le=\"+Inf\"} 20\nsize_bytes_sum "
        "210\nsize_bytes_count 20\n");
    has(&r, "exp_bucket{le=\"16.0\"} 16\n");
    has(&r, "exp_bucket{le=\"64.0\"} 64\n");
    has(&r, "exp_bucket{le=\"+Inf\"} 200\n");
    has_not(&r, "quantile");
    has_not(&r, "p50");
    int lines = 0;
    for (const char *c = buf_text(&r.page); (c = strstr(c, "exp_bucket{")); c++) lines++;
    CHECK(lines >= 4 && lines <= 10);
    rig_close(&r);
}

/* Awkward values: escaped, empty ones left out, keys that meet joined, the reserved ones renamed. */
UNIT(out_prometheus, labels)
{
    struct rig r;
    rig_open(&r, "    tags: {zone: eu}\n");
    metrics_counter_inc(metrics_counter(r.f.registry, "c", "q", "a\"b\\c\nd", "empty", "", "le", "5", "a.b",
                                        "1", "a-b", "2"));
    metrics_describe(r.f.registry, "busy",
                     &(metrics_family_t){.size = sizeof(metrics_family_t), .merge = METRICS_MERGE_ALL}, NULL);
    metrics_gauge_set(metrics_gauge(r.f.registry, "busy"), 3);
    rig_page(&r, 0);
    has(&r, "c_total{a_b=\"2;1\",tag_le=\"5\",q=\"a\\\"b\\\\c\\nd\",zone=\"eu\"} 1\n");
    has(&r, "busy{worker=\"");
    rig_close(&r);
}

/* Two names that look the same: of one type they share the family and say who they are, of different types
 * the later is left out and named. An info series' constant, and a label set that is there already. */
UNIT(out_prometheus, collisions)
{
    struct rig r;
    rig_open(&r, "");
    metrics_counter_add(metrics_counter(r.f.registry, "a.b"), 1);
    metrics_counter_add(metrics_counter(r.f.registry, "a-b"), 2);
    metrics_gauge_set(metrics_gauge(r.f.registry, "a_b"), 3);
    metrics_timer_update(metrics_timer(r.f.registry, "wait"), 1);
    metrics_counter_inc(metrics_counter(r.f.registry, "wait.seconds.count"));
    metrics_gauge_set(metrics_gauge(r.f.registry, "wait_seconds_count"), 77);
    metrics_counter_add(metrics_counter(r.f.registry, "x", "k", ""), 5);
    metrics_counter_add(metrics_counter(r.f.registry, "x"), 6);
    metrics_info(r.f.registry, "build", "version", "1.2");
    rig_page(&r, 0);
    has(&r, "# TYPE a_b_total counter\na_b_total{mtx_name=\"a-b\"} 2\na_b_total{mtx_name=\"a.b\"} 1\n");
    has_not(&r, "a_b 3");
    has_not(&r, "wait_seconds_count 77");
    has_not(&r, "wait_seconds_count_total");
    has(&r, "# TYPE build_info gauge\nbuild_info{version=\"1.2\"} 1\n");
    CHECK(strstr(buf_text(&r.notes), "a_b is left out: a_b is taken by a-b (counter)\n") != NULL);
    CHECK(strstr(buf_text(&r.notes),
                 "wait_seconds_count is left out: wait_seconds_count is taken by wait (summary)\n") != NULL);
    CHECK(strstr(buf_text(&r.notes), "x is left out: another series is x{} already\n") != NULL);
    rig_page(&r, 1);
    has(&r, "# TYPE build info\n");
    rig_close(&r);
}

/* _created only where asked for and only in OpenMetrics; levels keep their unit, units their base. */
UNIT(out_prometheus, created_and_units)
{
    struct rig r;
    rig_open(&r, "    created: true\n");
    metrics_counter_inc(metrics_counter(r.f.registry, "c"));
    metrics_describe(r.f.registry, "age",
                     &(metrics_family_t){.size = sizeof(metrics_family_t), .unit = "milliseconds"}, NULL);
    metrics_gauge_set(metrics_gauge(r.f.registry, "age"), 1500);
    rig_page(&r, 0);
    has_not(&r, "_created");
    has(&r, "# TYPE age_seconds gauge\nage_seconds 1.5\n");
    rig_page(&r, 1);
    has(&r, "c_total 1\nc_created 1");
    has(&r, "# UNIT age_seconds seconds\n");
    rig_close(&r);
}

/* Bounds that a user declared are all shown, also if they rise by a constant ratio and are more than the limit. */
UNIT(out_prometheus, declared_bounds)
{
    struct rig r;
    double bounds[16];
    for (int i = 0; i < 16; i++) bounds[i] = ldexp(1, i - 3);
    metrics_family_t family = {
        .size = sizeof family, .reservoir = METRICS_BUCKETS, .bounds = bounds, .bound_count = 16};
    rig_open(&r, "    bucket_limit: 4\n");
    CHECK(!metrics_describe(r.f.registry, "h", &family, NULL));
    metrics_histogram_update(metrics_histogram(r.f.registry, "h"), 3);
    const char *page = rig_page(&r, 0);
    size_t shown = 0;
    for (const char *at = page; (at = strstr(at, "h_bucket{le=")); at++) shown++;
    CHECK_EQ_U64(shown, 17);
    rig_close(&r);
}
