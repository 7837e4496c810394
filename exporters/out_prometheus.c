/* SPDX-License-Identifier: Apache-2.0 */
/*
 * out_prometheus.c - the page that Prometheus scrapes: text 0.0.4, or OpenMetrics 1.0 for who asks for it.
 *
 *     backends:
 *       - type: prometheus
 *     http: 127.0.0.1:9464
 *
 *     # HELP http_request_time_seconds Time to answer a request.
 *     # TYPE http_request_time_seconds summary
 *     http_request_time_seconds{route="/cart",quantile="0.99"} 0.00403
 *     http_request_time_seconds_sum{route="/cart"} 1.44
 *     http_request_time_seconds_count{route="/cart"} 1203
 *
 * Totals are lifetime totals and no line has a timestamp, so the scraper may come when it likes.
 */
#include "prometheus_family.h"
#include "prometheus_name.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { PROMETHEUS_TEXT, PROMETHEUS_OPENMETRICS };
static const char *const prometheus_media[] = {"text/plain; version=0.0.4; charset=utf-8",
                                               "application/openmetrics-text; version=1.0.0; charset=utf-8",
                                               NULL};

struct prometheus_settings {
    struct backend_common common;
    bool created;
    int64_t bucket_limit;
};

static const struct option prometheus_options[] = {
    BACKEND_ATTRIBUTES("sum, quantiles"),
    {.name = "created",
     .type = OPTION_BOOL,
     OPTION_FIELD(struct prometheus_settings, created),
     .def = "false",
     .help = "send the start of each total as _created (OpenMetrics only; one more series each)"},
    {.name = "bucket_limit",
     .type = OPTION_INTEGER,
     OPTION_FIELD(struct prometheus_settings, bucket_limit),
     .def = "64",
     .min = 4,
     .max = 4096,
     .help =
         "exponential buckets beyond this many are shown with every 2nd, 4th... bound; counts stay exact"},
    {.name = NULL},
};

/* Counts and rates have no unit. */
static const struct prometheus_unit prometheus_plain = {"", 1, 1};

/* What is being printed. */
struct printing {
    struct prometheus_page page;
    const struct prometheus_settings *settings;
    bool openmetrics;
    struct buf *out;
    struct buf labels; /* of the series that is being printed, without braces */
    struct tags tags;
    size_t points;
};

/* --- Labels -----------------------------------------------------------------------------------------------
 */

/* Appends one label; a name that stands there already gets both values, with a semicolon between. */
static void printing_label(struct printing *p, const char *name, const char *value)
{
    struct buf *l = &p->labels;
    char *at = l->data;
    size_t n = strlen(name);
    for (; at && (at = strstr(at, name)); at += n)
        if ((at == l->data || at[-1] == ',') && at[n] == '=' && at[n + 1] == '"') break;
    if (at) {
        char *end = at + n + 2;
        while (*end != '"') end += *end == '\\' ? 2 : 1;
        char *rest = strdup(end);
        buf_cut(l, (size_t)(end - l->data));
        buf_char(l, ';');
        prometheus_label_value(value, l);
        buf_str(l, rest ? rest : "");
        if (!rest) l->failed = true;
        free(rest);
        return;
    }
    if (l->len) buf_char(l, ',');
    buf_str(l, name);
    buf_str(l, "=\"");
    prometheus_label_value(value, l);
    buf_char(l, '"');
}

/* The label set of a member, from its first row. An empty value is the same as no label. */
static bool printing_labels(struct printing *p, const struct prometheus_family *f,
                            const struct prometheus_member *m)
{
    struct buf name = {0};
    buf_reset(&p->labels);
    if (!item_tags(m->item, &m->rows[0], &p->tags)) return false;
    if (f->mixed) printing_label(p, "mtx_name", m->item->own_name);
    for (size_t i = 0; i < p->tags.n; i++) {
        if (!p->tags.at[i].value[0]) continue;
        buf_reset(&name);
        prometheus_label_name(p->tags.at[i].key, &name);
        printing_label(p, buf_text(&name), p->tags.at[i].value);
    }
    buf_free(&name);
    return buf_ok(&p->labels);
}

/* --- Samples ----------------------------------------------------------------------------------------------
 */

/* name suffix {labels, key="number"} and a blank. */
static void printing_head(struct printing *p, const struct prometheus_family *f, const char *suffix,
                          const char *key, double number)
{
    struct buf *out = p->out;
    buf_str(out, f->name);
    buf_str(out, suffix);
    if (p->labels.len || key) {
        buf_char(out, '{');
        buf_mem(out, buf_text(&p->labels), p->labels.len);
        if (key) {
            buf_printf(out, "%s%s=\"", p->labels.len ? "," : "", key);
            prometheus_number(number, out);
            buf_char(out, '"');
        }
        buf_char(out, '}');
    }
    buf_char(out, ' ');
    p->points++;
}

static void printing_value(struct printing *p, const metrics_row_t *row, struct prometheus_unit unit)
{
    double v = metrics_row_number(row) * unit.times / unit.per;
    if (row->attribute == METRICS_SUM_SQUARES) v = v * unit.times / unit.per;
    if (unit.times != unit.per)
        buf_f64(p->out, v);
    else if (row->type == METRICS_U64)
        buf_u64(p->out, row->value.u);
    else if (row->type == METRICS_I64)
        buf_i64(p->out, row->value.i);
    else
        buf_f64(p->out, row->value.f);
    buf_char(p->out, '\n');
}

static void printing_created(struct printing *p, const struct prometheus_family *f,
                             const struct prometheus_member *m)
{
    if (!p->openmetrics || !p->settings->created || !m->item->start_wall_ns) return;
    printing_head(p, f, "_created", NULL, 0);
    buf_f64(p->out, (double)(m->item->start_wall_ns / 1000000) / 1e3);
    buf_char(p->out, '\n');
}

/* Every how many bounds are shown. More than one only for bounds that rise by a constant ratio, a power of
 * two of which is a coarser scale of the same kind. */
static unsigned printing_stride(const struct prometheus_member *m, int64_t limit)
{
    double last = 0, ratio = 0;
    int64_t n = 0;
    unsigned stride = 1;
    for (size_t i = 0; i < m->n; i++) {
        if (m->rows[i].nature != METRICS_BUCKET || isinf(m->rows[i].parameter)) continue;
        double bound = m->rows[i].parameter;
        if (n == 1) ratio = bound / last;
        if (bound <= 0 || (n > 1 && fabs(bound / last - ratio) > ratio * 1e-9)) return 1;
        last = bound;
        n++;
    }
    while (n / stride > limit) stride *= 2;
    return stride;
}

/* How far the bounds are from each other, as a whole number of steps from 1; 0 where the stride does not
 * matter. */
static bool printing_shows(double bound, double step, unsigned stride)
{
    if (stride == 1 || isinf(bound)) return true;
    return llround(log2(bound) / step) % (long long)stride == 0;
}

static void printing_buckets(struct printing *p, const struct prometheus_family *f,
                             const struct prometheus_member *m, struct prometheus_unit unit)
{
    unsigned stride = printing_stride(m, p->settings->bucket_limit);
    double first = 0, step = 0;
    for (size_t i = 0; i < m->n && stride > 1 && !step; i++) {
        if (m->rows[i].nature != METRICS_BUCKET) continue;
        if (first) step = log2(m->rows[i].parameter / first);
        first = m->rows[i].parameter;
    }
    for (size_t i = 0; i < m->n; i++) {
        const metrics_row_t *row = &m->rows[i];
        if (row->nature != METRICS_BUCKET || !printing_shows(row->parameter, step, stride)) continue;
        printing_head(p, f, "_bucket", "le", row->parameter * unit.times / unit.per);
        printing_value(p, row, prometheus_plain);
    }
}

/* OpenMetrics has no sum, and then no count, where values may be negative: nobody could take a rate of it. */
static bool printing_has_sum(const struct printing *p, const struct prometheus_member *m)
{
    for (size_t i = 0; p->openmetrics && i < m->n; i++) {
        const metrics_row_t *row = &m->rows[i];
        if (row->nature == METRICS_BUCKET && row->parameter < 0) return false;
        if (row->attribute == METRICS_SUM && metrics_row_number(row) < 0) return false;
    }
    return true;
}

/* Nor does it know negative quantiles: one of them and a strict reader refuses the whole page. */
static void printing_quantiles(struct printing *p, const struct prometheus_family *f,
                               const struct prometheus_member *m, struct prometheus_unit unit)
{
    for (size_t i = 0; i < m->n; i++) {
        const metrics_row_t *row = &m->rows[i];
        if (row->nature != METRICS_QUANTILE || (p->openmetrics && metrics_row_number(row) < 0)) continue;
        printing_head(p, f, "", "quantile", row->parameter);
        printing_value(p, row, unit);
    }
}

static void printing_distribution(struct printing *p, const struct prometheus_family *f,
                                  const struct prometheus_member *m, struct prometheus_unit unit)
{
    bool with_sum = printing_has_sum(p, m);
    if (f->type == PROMETHEUS_HISTOGRAM) printing_buckets(p, f, m, unit);
    printing_quantiles(p, f, m, unit);
    for (size_t i = 0; i < m->n; i++)
        if (m->rows[i].attribute == METRICS_SUM && with_sum) {
            printing_head(p, f, "_sum", NULL, 0);
            printing_value(p, &m->rows[i], unit);
        }
    for (size_t i = 0; i < m->n; i++)
        if (m->rows[i].attribute == METRICS_COUNT && (with_sum || f->type == PROMETHEUS_SUMMARY)) {
            printing_head(p, f, "_count", NULL, 0);
            printing_value(p, &m->rows[i], prometheus_plain);
        }
    printing_created(p, f, m);
}

static void printing_member(struct printing *p, const struct prometheus_family *f,
                            const struct prometheus_member *m)
{
    const struct prometheus_unit unit = prometheus_unit(m->item->unit);
    switch (f->type) {
    case PROMETHEUS_HISTOGRAM:
    case PROMETHEUS_SUMMARY: printing_distribution(p, f, m, unit); break;
    case PROMETHEUS_COUNTER:
        printing_head(p, f, "_total", NULL, 0);
        printing_value(p, &m->rows[0], unit);
        printing_created(p, f, m);
        break;
    case PROMETHEUS_GAUGE:
        printing_head(p, f, "", NULL, 0);
        printing_value(p, &m->rows[0], m->rows[0].nature == METRICS_RATE ? prometheus_plain : unit);
        break;
    case PROMETHEUS_INFO:
        printing_head(p, f, "_info", NULL, 0);
        buf_str(p->out, "1\n");
        break;
    }
}

/* --- Families ---------------------------------------------------------------------------------------------
 */

/* The name that the metadata lines carry: in the old format that of the sample, in the new one the family's.
 */
static void printing_metadata(struct printing *p, const struct prometheus_family *f)
{
    struct buf help = {0};
    const char *suffix = "", *type = prometheus_type_name(f->type);
    if (!p->openmetrics && f->type == PROMETHEUS_COUNTER) suffix = "_total";
    if (!p->openmetrics && f->type == PROMETHEUS_INFO) {
        suffix = "_info";
        type = "gauge";
    }
    if (*f->help)
        buf_str(&help, f->help);
    else
        buf_printf(&help, "The series %s, as the program that records it calls it.", f->own_name);
    if (p->openmetrics) {
        buf_printf(p->out, "# TYPE %s %s\n", f->name, type);
        if (*f->unit) buf_printf(p->out, "# UNIT %s %s\n", f->name, f->unit);
        buf_printf(p->out, "# HELP %s ", f->name);
    } else {
        buf_printf(p->out, "# HELP %s%s ", f->name, suffix);
    }
    prometheus_help(buf_text(&help), p->openmetrics, p->out);
    buf_char(p->out, '\n');
    if (!p->openmetrics) buf_printf(p->out, "# TYPE %s%s %s\n", f->name, suffix, type);
    buf_free(&help);
}

static void printing_family(struct printing *p, const struct prometheus_family *f)
{
    printing_metadata(p, f);
    for (const struct prometheus_member *m = f->first; m; m = m->next) {
        if (!printing_labels(p, f, m)) {
            p->out->failed = true;
            return;
        }
        if (prometheus_page_first(&p->page, f, buf_text(&p->labels), p->labels.len))
            printing_member(p, f, m);
        else if (p->page.notes)
            buf_printf(p->page.notes, "%s is left out: another series is %s{%s} already\n", m->item->own_name,
                       f->name, buf_text(&p->labels));
    }
}

static size_t prometheus_encode(const struct batch *batch, struct payload *payload)
{
    struct printing p = {.settings = batch->settings,
                         .openmetrics = batch->form == PROMETHEUS_OPENMETRICS,
                         .out = &payload->body};
    if (!prometheus_page_build(&p.page, batch)) p.out->failed = true;
    for (const struct prometheus_family *f = p.page.first; f && buf_ok(p.out); f = f->next)
        printing_family(&p, f);
    if (p.openmetrics) buf_str(p.out, "# EOF\n");
    if (p.page.failed) p.out->failed = true;
    prometheus_page_free(&p.page);
    tags_free(&p.tags);
    buf_free(&p.labels);
    return p.points;
}

const struct backend backend_prometheus = {
    .name = "prometheus",
    .summary = "the page that a Prometheus server scrapes, as text 0.0.4 or OpenMetrics 1.0",
    .options = prometheus_options,
    .settings_size = sizeof(struct prometheus_settings),
    .wants = {.totals = METRICS_LIFETIME,
              .sampled = METRICS_RECENT,
              .natures = METRICS_ATTR(METRICS_BUCKETS_LE),
              .media = prometheus_media},
    .transport = &transport_scrape,
    .encode = prometheus_encode,
};
