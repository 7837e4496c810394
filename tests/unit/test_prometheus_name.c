/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: names, labels, values and units on the page are valid for Prometheus and mean the same. */
#include "unit.h"

#include "prometheus_name.h"

/* Names as promtool wants them: base unit once and at the end, no doubled _total, nothing but [a-z0-9_]. */
UNIT(prometheus_name, families)
{
    static const struct {
        const char *name, *unit, *part, *want;
    } cases[] = {
        {"http.requests", "", "", "http_requests"},
        {"http.requests_total", "requests", "", "http_requests"},
        {"http.request.time", "seconds", "", "http_request_time_seconds"},
        {"http.request.seconds", "seconds", "", "http_request_seconds"},
        {"latency_ms", "ms", "", "latency_seconds"},
        {"sent.bytes.total", "bytes", "", "sent_bytes"},
        {"sent", "kibibytes", "", "sent_bytes"},
        {"wait.milliseconds", "milliseconds", "", "wait_seconds"},
        {"bytes", "bytes", "", "bytes"},
        {"request.time", "seconds", "min", "request_time_min_seconds"},
        {"request.time", "", "m1_rate", "request_time_m1_rate"},
        {"9lives", "", "", "_9lives"},
        {"a..b--c", "", "", "a_b_c"},
        {"\xc3\xa4tsch", "", "", "_tsch"},
        {"total", "", "", "total"},
        {"x:y", "", "", "x_y"},
        {"cpu", "percent", "", "cpu_ratio"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct buf out = {0};
        prometheus_family_name(cases[i].name, cases[i].unit, cases[i].part, &out);
        CHECK_STR(buf_text(&out), cases[i].want);
        buf_free(&out);
    }
}

/* Labels that have another meaning in Prometheus are renamed. */
UNIT(prometheus_name, labels)
{
    static const char *const cases[][2] = {{"route", "route"},
                                           {"le", "tag_le"},
                                           {"quantile", "tag_quantile"},
                                           {"__name__", "tag_name_"},
                                           {"mtx_name", "tag_mtx_name"},
                                           {"a.b", "a_b"},
                                           {"9", "_9"},
                                           {"service.name", "service_name"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct buf out = {0};
        prometheus_label_name(cases[i][0], &out);
        CHECK_STR(buf_text(&out), cases[i][1]);
        buf_free(&out);
    }
}

/* Values and help texts cannot break their line, and are UTF-8. */
UNIT(prometheus_name, escapes)
{
    struct buf out = {0};
    prometheus_label_value("a\"b\\c\nd\xff", &out);
    CHECK_STR(buf_text(&out), "a\\\"b\\\\c\\nd\xef\xbf\xbd");
    buf_reset(&out);
    prometheus_help("a\"b\\c\nd", false, &out);
    CHECK_STR(buf_text(&out), "a\"b\\\\c\\nd");
    buf_reset(&out);
    prometheus_help("a\"b\\c\nd", true, &out);
    CHECK_STR(buf_text(&out), "a\\\"b\\\\c\\nd");
    buf_free(&out);
}

/* The canonical floats of OpenMetrics, and that every one reads back as itself. */
UNIT(prometheus_name, numbers)
{
    static const struct {
        double v;
        const char *want;
    } cases[] = {{1, "1.0"},
                 {0.005, "0.005"},
                 {0.99, "0.99"},
                 {0.5, "0.5"},
                 {1e6, "1e+06"},
                 {1e-5, "1e-05"},
                 {100000, "100000.0"},
                 {0.0001, "0.0001"},
                 {2.5, "2.5"},
                 {10, "10.0"},
                 {1048576, "1.048576e+06"},
                 {INFINITY, "+Inf"},
                 {-INFINITY, "-Inf"},
                 {0, "0.0"},
                 {-2.5, "-2.5"},
                 {0.025, "0.025"},
                 {123456, "123456.0"},
                 {1e10, "1e+10"},
                 {1e100, "1e+100"}};
    struct buf out = {0};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        buf_reset(&out);
        prometheus_number(cases[i].v, &out);
        CHECK_STR(buf_text(&out), cases[i].want);
    }
    uint64_t x = 88172645463325252;
    for (int i = 0; i < 20000; i++) {
        x ^= x << 13, x ^= x >> 7, x ^= x << 17;
        double v = ldexp((double)(x >> 11), (int)(x % 120) - 100);
        buf_reset(&out);
        prometheus_number(v, &out);
        if (strtod(buf_text(&out), NULL) != v) UNIT_FAIL("%.17g came back from %s\n", v, buf_text(&out));
    }
    buf_free(&out);
}

/* Multiples of a base unit are converted; things that are counted are not units. */
UNIT(prometheus_name, units)
{
    CHECK_STR(prometheus_unit("milliseconds").base, "seconds");
    CHECK_NEAR(prometheus_unit("milliseconds").per, 1000, 0);
    CHECK_STR(prometheus_unit("KiB").base, "bytes");
    CHECK_STR(prometheus_unit("requests").base, "");
    CHECK_NEAR(prometheus_unit("requests").times, 1, 0);
    CHECK_STR(prometheus_unit("").base, "");
}
