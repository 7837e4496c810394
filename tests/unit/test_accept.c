/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: a client gets the form that it prefers, whatever
 * the header says; a malformed header does no harm. */
#include "unit.h"

#include "accept.h"

static const char *const media[] = {"text/plain; version=0.0.4; charset=utf-8",
                                    "application/openmetrics-text; version=1.0.0; charset=utf-8"};

/* Breaks if a real scraper, or a corner of the grammar,
 * gets another form: 0 is the plain text, 1 OpenMetrics. */
UNIT(accept, media_types)
{
    static const struct {
        const char *header;
        size_t want;
    } cases[] = {
        {NULL, 0},
        {"", 0},
        {"*/*", 0},
        {"application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
         "text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
         1},
        {"application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.7,"
         "application/openmetrics-text;version=1.0.0;q=0.6,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
         1},
        {"application/openmetrics-text; version=1.0.0; escaping=underscores; q=0.9, text/plain;q=0.8", 1},
        {"text/plain;version=0.0.4;q=0.9,application/openmetrics-text;q=0.3", 0},
        {"application/openmetrics-text", 1},
        {"application/openmetrics-text;version=0.0.1", 0},
        {"application/openmetrics-text;version=2.0.0,text/plain;q=0.1", 0},
        {"application/openmetrics-text;q=0, */*", 0},
        {"application/*", 1},
        {"APPLICATION/OpenMetrics-Text", 1},
        {"application/openmetrics-text, text/plain", 1},
        {"text/plain, application/openmetrics-text", 0},
        {"text/html, image/png", 0},
        {"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", 0},
        {";;;,,,=q;q=,", 0},
        {"application/openmetrics-text;q=x", 0},
        {"application/openmetrics-text;q=1.0005;version=1.0.0", 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t got = accept_choose(cases[i].header, media, 2);
        if (got != cases[i].want)
            UNIT_FAIL("expected %zu, got %zu for %s\n", cases[i].want, got,
                      cases[i].header ? cases[i].header : "(none)");
    }
}

/* q=0 forbids, a wildcard allows, the exact name wins over the wildcard. */
UNIT(accept, codings)
{
    CHECK(accept_coding("gzip", "gzip"));
    CHECK(accept_coding("deflate, GZIP;q=0.5", "gzip"));
    CHECK(accept_coding("*", "gzip"));
    CHECK(!accept_coding(NULL, "gzip"));
    CHECK(!accept_coding("", "gzip"));
    CHECK(!accept_coding("gzip;q=0", "gzip"));
    CHECK(!accept_coding("gzip;q=0.000, *", "gzip"));
    CHECK(!accept_coding("*;q=0", "gzip"));
    CHECK(!accept_coding("xgzip, gzipx", "gzip"));
    CHECK(!accept_coding("br", "gzip"));
    CHECK(!accept_coding("gzip;q=0.3, identity;q=0.5", "gzip"));
    CHECK(!accept_coding("identity;q=0.5, *;q=0.1", "gzip"));
    CHECK(accept_coding("identity;q=0.5, gzip", "gzip"));
    CHECK(accept_coding("gzip;q=0.5, identity;q=0.5", "gzip"));
}
