/* SPDX-License-Identifier: Apache-2.0 */
/*
 * out_prometheus.c - the page that Prometheus scrapes: text 0.0.4, or OpenMetrics 1.0 if the scraper asks for
 * it.
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
 * Totals are lifetime totals and no line has a timestamp, so the scraper may come at any time.
 */
#include "prometheus_print.h"

#include <stdlib.h>

enum { PROMETHEUS_TEXT, PROMETHEUS_OPENMETRICS };
static const char *const prometheus_media[] = {"text/plain; version=0.0.4; charset=utf-8",
                                               "application/openmetrics-text; version=1.0.0; charset=utf-8",
                                               NULL};

static const struct option prometheus_options[] = {
    BACKEND_ATTRIBUTES("sum, quantiles"),
    {.name = "created",
     .type = OPTION_BOOL,
     OPTION_FIELD(struct prometheus_settings, created),
     .def = "false",
     .help = "send the start of each total as _created (OpenMetrics only; adds a series for each)"},
    {.name = "bucket_limit",
     .type = OPTION_INTEGER,
     OPTION_FIELD(struct prometheus_settings, bucket_limit),
     .def = "64",
     .min = 4,
     .max = 4096,
     .help = "with more exponential buckets than this, show only every 2nd, 4th... bound; counts stay exact"},
    {.name = NULL},
};

/* --- A page at once --- */

static void prometheus_print_all(struct prometheus_printer *printer, struct buf *out)
{
    enum { PIECE = 65536 };
    for (size_t n = 1; n;) {
        char *room = buf_room(out, PIECE);
        n = room ? prometheus_print(printer, room, PIECE) : 0;
        if (n == PAGES_BROKEN) {
            out->failed = true;
            return;
        }
        if (room) room[n] = '\0';
        out->len += n;
    }
}

static size_t prometheus_encode(const struct batch *batch, struct payload *payload)
{
    struct prometheus_page page = {0};
    const struct page_values values = {.view = batch->view};
    size_t points = 0;
    struct prometheus_printer *printer = NULL;
    if (prometheus_page_build(&page, batch, false))
        printer =
            prometheus_printer_new(&page, &values, batch->settings, batch->form == PROMETHEUS_OPENMETRICS);
    if (printer) {
        prometheus_print_all(printer, &payload->body);
        points = prometheus_printed(printer);
    } else {
        payload->body.failed = true;
    }
    prometheus_printer_free(&printer);
    prometheus_page_free(&page);
    return points;
}

/* --- A page in pieces --- */

static void prometheus_forget(void **plan)
{
    if (*plan) prometheus_page_free(*plan);
    free(*plan);
    *plan = NULL;
}

static void *prometheus_plan(const struct batch *batch)
{
    struct prometheus_page *page = calloc(1, sizeof *page);
    void *plan = page;
    if (page && !prometheus_page_build(page, batch, true)) prometheus_forget(&plan);
    return plan;
}

static bool prometheus_fits(const void *plan, const struct page_values *values)
{
    return prometheus_page_fits(plan, values);
}

static void *prometheus_begin(const void *plan, const struct page_values *values, const void *settings,
                              unsigned form)
{
    return prometheus_printer_new(plan, values, settings, form == PROMETHEUS_OPENMETRICS);
}

static size_t prometheus_piece(void *printer, char *to, size_t n)
{
    return prometheus_print(printer, to, n);
}

static void prometheus_end(void **printer)
{
    struct prometheus_printer *p = *printer;
    prometheus_printer_free(&p);
    *printer = NULL;
}

static const struct backend_pages prometheus_pages = {
    prometheus_plan, prometheus_forget, prometheus_fits, prometheus_begin, prometheus_piece, prometheus_end,
};

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
    .pages = &prometheus_pages,
};
