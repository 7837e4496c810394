/* SPDX-License-Identifier: Apache-2.0 */
/* prometheus_cpp.cpp - prometheus-cpp: threads of one
 * process; a counter is a double, changed by a CAS loop. */
#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <algorithm>
#include <sstream>
#include <string>

#include "peers.h"

namespace {

struct Series {
    prometheus::Registry registry;
    prometheus::Family<prometheus::Counter> *requests;
    prometheus::Counter *counter;
    prometheus::Gauge *gauge;
    prometheus::Histogram *histogram;
};
Series *s;

int open()
{
    s = new Series;
    s->requests =
        &prometheus::BuildCounter().Name("bench_requests_total").Help("Requests.").Register(s->registry);
    s->counter = &s->requests->Add({{"route", "/cart"}, {"status", "200"}});
    for (int i = 0; i < PEER_SERIES; i++)
        s->requests->Add({{"route", "/cart/" + std::to_string(i)}, {"status", "200"}}).Increment();
    s->gauge = &prometheus::BuildGauge().Name("bench_level").Help("Level.").Register(s->registry).Add({});
    s->histogram = &prometheus::BuildHistogram()
                        .Name("bench_sizes")
                        .Help("Sizes.")
                        .Register(s->registry)
                        .Add({}, prometheus::Histogram::BucketBoundaries{PEER_BOUNDS});
    return 0;
}

void counter_inc(uint64_t n)
{
    BENCH_LOOP(s->counter->Increment())
}
void gauge_set(uint64_t n)
{
    BENCH_LOOP(s->gauge->Set((double)i))
}
void histogram(uint64_t n)
{
    BENCH_LOOP(s->histogram->Observe((double)(i & 1023)))
}
void find(uint64_t n){BENCH_LOOP(s->requests->Add({{"route", "/cart"}, {"status", "200"}}))}

bench_op op(const char *name, void (*run)(uint64_t))
{
    bench_op o{};
    o.name = name;
    o.run = run;
    o.two = BENCH_THREAD;
    return o;
}
const bench_op ops[] = {op("prometheus_cpp.counter_inc", counter_inc),
                        op("prometheus_cpp.gauge_set", gauge_set),
                        op("prometheus_cpp.histogram_explicit", histogram), op("prometheus_cpp.find", find)};

/* The page of some 10,000 lines as text in memory: without a server and without a socket. */
void report(int rounds)
{
    static bench_sample sample;
    long lines = 1;
    for (int r = 0; r < rounds; r++) {
        bench_yardsticks_t y = bench_yardsticks();
        double took = -bench_ns();
        std::ostringstream page;
        prometheus::TextSerializer().Serialize(page, s->registry.Collect());
        took += bench_ns();
        std::string text = page.str();
        lines = std::count(text.begin(), text.end(), '\n');
        bench_sample_add(&sample, took, y);
    }
    bench_sample_print(&sample, "prometheus_cpp.page_line", 1, (double)lines);
}

} // namespace

extern "C" {
struct peer peer_prometheus_cpp = {"prometheus-cpp",         nullptr, open,   nullptr, ops,
                                   sizeof ops / sizeof *ops, report,  nullptr};
}
