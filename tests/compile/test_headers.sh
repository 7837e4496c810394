#!/bin/bash
# Promises: the public headers compile alone, in C11 and C++17, with every warning we ask users to turn on; what
# must not compile does not, and says why; METRICS_OFF leaves nothing of the library to link.
set -u
source=${MTX_SOURCE:?} cc=${CC:-cc} cxx=${CXX:-c++}
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
passed=0 failed=0
strict=(-Wall -Wextra -Wpedantic -Werror -I "$source/registry/include" -I "$source/shm/include" -c -o "$work/out.o")

verdict() { # verdict OK NAME
    if [ "$1" = 0 ]; then passed=$((passed + 1)); else failed=$((failed + 1)) && echo "FAIL $2" && cat "$work/log"; fi
}
compile() { # compile LANGUAGE FLAGS... < program
    local language=$1
    shift
    if [ "$language" = c ]; then
        "$cc" -std=gnu11 -x c "${strict[@]}" "$@" - >"$work/log" 2>&1
    else
        "$cxx" -std=c++17 -x c++ "${strict[@]}" "$@" - >"$work/log" 2>&1
    fi
}
good() { # good NAME LANGUAGE FLAGS... < program
    local name=$1
    shift
    compile "$@"
    verdict $? "$name: does not compile"
}
bad() { # bad NAME PATTERN LANGUAGE FLAGS... < program: refused, in words that match
    local name=$1 pattern=$2
    shift 2
    if compile "$@"; then
        verdict 1 "$name: compiles, and should not"
    else
        grep -qE "$pattern" "$work/log"
        verdict $? "$name: refused, but not with \"$pattern\""
    fi
}

read -r -d '' everything <<'C'
#include <mtx/metrics.h>
#include <mtx/snapshot.h>
extern int work_to_do(void);
double depth(void *arg);
int work(metrics_registry_t *r, const char *city);
int work(metrics_registry_t *r, const char *city)
{
    static const char *const name[] = {"a", "k", "v"};
    metrics_error_t error;
    metrics_counter_t *c = metrics_counter(r, "orders", "city", city);
    metrics_updown_t *u = metrics_updown(r, "open");
    metrics_gauge_t *g = metrics_gauge(r, "depth");
    metrics_meter_t *m = metrics_meter(r, "events");
    metrics_histogram_t *h = metrics_histogram(r, "bytes");
    metrics_timer_t *t = metrics_timer(r, "time", "city", city), *other = metrics_timer(r, "time", "city", "x");
    metrics_set_t *s = metrics_set(r, "users");
    METRICS_TIME_SCOPE(t);
    metrics_counter_v(r, name, 3);
    metrics_retire(r, name, 3);
    metrics_info(r, "build", "version", "1");
    metrics_counter_inc(c), metrics_counter_add(c, 2);
    metrics_updown_inc(u), metrics_updown_dec(u), metrics_updown_add(u, -3);
    metrics_gauge_set(g, 1.5), metrics_gauge_add(g, -1), metrics_gauge_callback(g, depth, 0);
    metrics_meter_mark(m, 1), metrics_histogram_update(h, 2.5), metrics_timer_update(t, 7);
    metrics_set_add(s, "x", 1);
    metrics_timer_start(t);
    if (work_to_do()) metrics_timer_stop(t);
    else metrics_timer_stop_as(t, other);
    METRICS_INC("i"); METRICS_INC("i", "a", "b"); METRICS_ADD(7, "j", "a", "b");
    METRICS_MARK("m"); METRICS_SET(3.5, "g"); METRICS_UPDATE(1.5, "h"); METRICS_UNIQUE("x", 1, "s");
    METRICS_TIME(metrics_now(), "t", "a", "b", "c", "d", "e", "f", "g", "h");
    metrics_poll(r), metrics_prepare(r);
    return metrics_status(r, &error);
}
C
read -r -d '' events <<'C'
#define METRICS_SYSLOG
#include <mtx/syslog.h>
#include <mtx/events_read.h>
int work(metrics_registry_t *r, const char *city, char *header);
int work(metrics_registry_t *r, const char *city, char *header)
{
    static const char *const name[] = {"a", "k", "v"};
    metrics_spans_t *s = metrics_spans(r, "checkout", "service", "shop");
    metrics_logger_t *l = metrics_logger(r, "shop");
    metrics_annotations_t *a = metrics_annotations(r, "deploys");
    metrics_points_t *p = metrics_points(r, "depth", "k", city);
    metrics_trace_t t;
    metrics_span_t apart;
    metrics_annotation_t live;
    metrics_field_t fields[2];
    METRICS_SPAN_SCOPE(s);
    metrics_spans_v(r, name, 3);
    metrics_trace_current(&t), metrics_trace_set(&t), metrics_trace_new(&t), metrics_trace_rate(0.5);
    if (metrics_traceparent_parse(city, &t)) metrics_traceparent_format(&t, header);
    fields[0] = metrics_field_text("k", city), fields[1] = metrics_field_link("details", "https://example.com");
    metrics_span_start(s);
    metrics_span_fail(s);
    metrics_span_begin_under(&apart, s, metrics_span_trace(s));
    metrics_span_end(&apart, fields, 2);
    metrics_span_begin(&apart, s), metrics_span_cancel(&apart);
    metrics_span_stop(s, metrics_field_text("city", city), metrics_field_int("n", 3), metrics_field_double("x", 1.5),
                      metrics_field_bool("b", 1), metrics_field_parent(&t), metrics_field_follows(&t),
                      metrics_field_moment(metrics_now(), "k", "v"));
    metrics_span_record(s, &t, t.span_id, 1, 2, 0, fields, 2);
    metrics_log(l, METRICS_LOG_INFO, "%d from %s", 1, city);
    metrics_log_fields(l, METRICS_LOG_ERROR, "plain");
    metrics_log_fields(l, METRICS_LOG_ERROR, "with fields", metrics_field_int("n", 3), metrics_field_bool("b", 0));
    metrics_log_threshold(METRICS_LOG_WARNING);
    live.size = sizeof live, live.title = city, live.description = live.source = 0;
    live.start_wall_ns = live.end_wall_ns = 0, live.fields = fields, live.field_count = 1;
    metrics_annotate(a, &live), metrics_annotate_title(a, "2.1");
    metrics_point(p, 1.5), metrics_point_at(p, METRICS_POINT_COUNTER, 1, 5, fields, 1);
    METRICS_LOG(METRICS_LOG_INFO, "shop", "%d", 7);
    METRICS_ANNOTATE("2.1 is live", "deploys", "service", "shop");
    METRICS_POINT(3.5, "depth");
    openlog("shop", LOG_PID, LOG_USER), syslog(LOG_ERR, "%s", city), setlogmask(LOG_UPTO(LOG_INFO)), closelog();
    return metrics_log_enabled(METRICS_LOG_DEBUG);
}
C
in_function() { printf '#include <mtx/metrics.h>\nvoid f(metrics_registry_t *r, const char *s);\nvoid f(metrics_registry_t *r, const char *s)\n{\n(void)r, (void)s;\n%s\n}\n' "$1"; }

for language in c c++; do
    for header in metrics events syslog snapshot events_read error; do
        good "$language <mtx/$header.h> alone" $language -Wno-unused <<<"#include <mtx/$header.h>
            typedef int nothing_else;"
    done
    for level in -O0 -O2; do good "$language $level everything" $language $level <<<"$everything"; done
    good "$language everything with METRICS_OFF" $language -O0 -DMETRICS_OFF <<<"$everything"
    nm "$work/out.o" | grep -i ' u ' | grep metrics >"$work/log"
    [ ! -s "$work/log" ]
    verdict $? "$language METRICS_OFF: still needs the library"
    for level in -O0 -O2; do good "$language $level events" $language $level <<<"$events"; done
    good "$language events with METRICS_OFF" $language -O0 -DMETRICS_OFF <<<"$events"
    nm "$work/out.o" | grep -i ' u ' | grep -E 'metrics|syslog|openlog' >"$work/log"
    [ ! -s "$work/log" ]
    verdict $? "$language METRICS_OFF: events still need the library"
    bad "$language a format that does not fit" 'format' $language \
        < <(in_function 'metrics_log(metrics_logger(r, "l"), METRICS_LOG_INFO, "%d", s);' | sed 's/metrics.h/events.h/')
    bad "$language a span stopped without a start" 'metrics__span_t' $language \
        < <(in_function 'metrics_spans_t *t = metrics_spans(r, "t"); metrics_span_stop(t);' | sed 's/metrics.h/events.h/')
    bad "$language a variable as a service" 'expected|before .s.' $language \
        < <(in_function 'METRICS_LOG(METRICS_LOG_INFO, s, "x");' | sed 's/metrics.h/events.h/')
    bad "$language a variable as a name" 'expected|before .s.' $language < <(in_function 'METRICS_INC(s);')
    bad "$language a variable as a tag" 'expected|before .s.' $language < <(in_function 'METRICS_INC("orders", "city", s);')
    bad "$language an odd number of tag arguments" 'pairs of tag key and value' $language \
        < <(in_function 'METRICS_INC("orders", "city");')
    bad "$language a forgotten stop" 'unused.*metrics__started_t|metrics__started_t.*unused' $language \
        < <(in_function 'metrics_timer_t *t = metrics_timer(r, "t"); metrics_timer_start(t);')
    bad "$language a stop without a start" 'metrics__started_t' $language \
        < <(in_function 'metrics_timer_t *t = metrics_timer(r, "t"); metrics_timer_stop(t);')
    bad "$language a counter taken for a gauge" 'incompatible|cannot convert|no matching function|cannot initialize' \
        $language < <(in_function 'metrics_gauge_t *g = metrics_counter(r, "t"); metrics_gauge_set(g, 1);')
    # Also where warnings are not errors, and where the headers are the system's: an address made of a number crashes.
    for number in 42 "'c'" 'sizeof s' '(long)*s' '1.5' '(int *)0'; do
        for way in -Wno-error "-Wno-error -isystem $source/registry/include -isystem $source/shm/include"; do
            for call in metrics_counter metrics_gauge metrics_info; do
                # shellcheck disable=SC2086
                bad "$language $call(... $number) as a tag's value, $way" \
                    'conver|incompatible|cannot initialize|cannot assign|no matching' $language $way \
                    < <(in_function "$call(r, \"a\", \"k\", $number);")
            done
        done
    done
    good "$language NULL and other strings as tag values" $language -Wno-error -Wno-unused-value \
        < <(in_function 'char own[9] = "x"; metrics_counter(r, "a", "k", (const char *)0, "l", own, "m", s);')
done
echo "$passed passed, $failed failed"
[ $failed -eq 0 ]
