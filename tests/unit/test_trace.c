/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <mtx/events.h>

#include "trace.h"

#define GOOD "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

UNIT(traceparent, there_and_back)
{
    metrics_trace_t t;
    char buf[METRICS_TRACEPARENT_SIZE];
    CHECK_EQ_I64(metrics_traceparent_parse(GOOD, &t), 0);
    CHECK_EQ_U64(t.trace_id[0], 0x0a);
    CHECK_EQ_U64(t.trace_id[15], 0x9c);
    CHECK_EQ_U64(t.span_id[7], 0x31);
    CHECK_EQ_U64(t.flags, METRICS_TRACE_SAMPLED);
    CHECK_STR(metrics_traceparent_format(&t, buf), GOOD);
    CHECK_EQ_U64(strlen(buf) + 1, METRICS_TRACEPARENT_SIZE);
}

UNIT(traceparent, later_versions)
{
    metrics_trace_t t;
    CHECK_EQ_I64(
        metrics_traceparent_parse("cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-what-next", &t),
        0);
    CHECK_EQ_I64(metrics_traceparent_parse("cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", &t), 0);
    CHECK_EQ_I64(metrics_traceparent_parse("cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01x", &t),
                 -1);
}

UNIT(traceparent, refused)
{
    static const char *const bad[] = {
        "",
        "00",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-x",
        "00-0AF7651916CD43DD8448EB211C80319C-B7AD6B7169203331-01",
        "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "00-00000000000000000000000000000000-b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
        "00_0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "0x-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    };
    metrics_trace_t t;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        CHECK_EQ_I64(metrics_traceparent_parse(bad[i], &t), -1);
        CHECK(!metrics__trace_is_set(&t));
    }
    CHECK_EQ_I64(metrics_traceparent_parse(NULL, &t), -1);
    /* Every prefix and every changed byte is looked at without reading further than it goes. */
    for (size_t n = 0; n < sizeof GOOD - 1; n++) {
        char *cut = strndup(GOOD, n);
        CHECK_EQ_I64(metrics_traceparent_parse(cut, &t), -1);
        free(cut);
    }
}

UNIT(trace, set_and_current)
{
    metrics_trace_t t, now;
    metrics_trace_current(&now);
    CHECK(!metrics__trace_is_set(&now));
    CHECK(!metrics__trace_is_sampled());
    metrics_traceparent_parse(GOOD, &t);
    metrics_trace_set(&t);
    metrics_trace_current(&now);
    CHECK(!memcmp(&now, &t, sizeof t));
    CHECK(metrics__trace_is_sampled());
    metrics_trace_set(NULL);
    metrics_trace_current(&now);
    CHECK(!metrics__trace_is_set(&now));
    CHECK(!metrics__trace_is_sampled());
}

UNIT(trace, ids_differ)
{
    enum { N = 2000 };
    static metrics_trace_t t[N];
    for (int i = 0; i < N; i++) metrics_trace_new(&t[i]);
    for (int i = 0; i < N; i++)
        for (int j = 0; j < i; j++)
            CHECK(memcmp(t[i].trace_id, t[j].trace_id, 16) && memcmp(t[i].span_id, t[j].span_id, 8));
}

UNIT(trace, rate)
{
    int sampled = 0;
    metrics_trace_t t;
    metrics_trace_rate(0);
    for (int i = 0; i < 100; i++) metrics_trace_new(&t), sampled += t.flags;
    CHECK_EQ_I64(sampled, 0);
    metrics_trace_rate(0.25);
    for (int i = 0; i < 10000; i++) metrics_trace_new(&t), sampled += t.flags;
    CHECK_NEAR(sampled, 2500, 250);
    metrics_trace_rate(1);
    metrics_trace_new(&t);
    CHECK_EQ_I64(t.flags, METRICS_TRACE_SAMPLED);
}
